"""Several messages or receipts in one request: the good ones are taken, the bad ones named, in their order.

Not for: what becomes of each (`hub/broker/`). Implements `docs/reference/api.md`.
"""

from typing import Final

from aiohttp import web

from hub.api.messages import RECEIPT, SUBMISSION
from hub.api.metrics import count_refusal
from hub.api.places import BODY, EXCHANGE, PARTNER, QUOTAS
from hub.api.problems import problem
from hub.api.requests import answer
from hub.api.table import FRAME, JSON, Body, Endpoint, Gives
from hub.broker.receipts import take_receipt
from hub.broker.submit import submit_many
from hub.protocol.encoding import parse_frame
from hub.protocol.errors import FrameError, RequestError, ValiseError
from hub.protocol.interface import MAX_BATCH, ReceiptResults, Refused, SubmitResults, Taken
from hub.protocol.jws import MAX_JWS
from hub.protocol.wire import write_wire

_MAX_RECEIPTS: Final = 8 * 1024 * 1024  # bytes; a receipt has a few kilobytes


def _parts(request: web.Request) -> list[bytes]:
    parts = parse_frame(request[BODY], max_parts=MAX_BATCH)
    if not parts:
        raise FrameError("an empty batch")
    return parts


async def _submit_batch(request: web.Request) -> web.Response:
    frames = _parts(request)
    request.app[QUOTAS].messages(request[PARTNER], len(frames))
    outcomes = await submit_many(request.app[EXCHANGE], request[PARTNER], frames)
    results = [
        b'{"accept":' + one + b"}" if isinstance(one, bytes) else write_wire(_refused(request, one)) for one in outcomes
    ]
    return web.Response(body=b'{"results":[' + b",".join(results) + b"]}", content_type=JSON)


async def _receipt_batch(request: web.Request) -> web.Response:
    return answer(ReceiptResults(results=tuple([await _take(request, part) for part in _parts(request)])))


async def _take(request: web.Request, part: bytes) -> Taken | Refused:
    try:
        if len(part) > MAX_JWS or not part.isascii():
            raise RequestError("not a compact JWS")
        await take_receipt(request.app[EXCHANGE], request[PARTNER], part.decode("ascii"))
    except ValiseError as error:
        return _refused(request, error)
    return Taken(taken=True)


def _refused(request: web.Request, error: ValiseError) -> Refused:
    count_refusal(request, error.code)
    return Refused(problem=problem(type(error)))


ENDPOINTS: Final = (
    Endpoint(
        "POST",
        "/v1/messages/batch",
        "submitMessages",
        "Hand over up to 64 sealed messages; one that is refused does not touch the others",
        _submit_batch,
        Gives(shape=SubmitResults, text="For each message, in order, its accept or its own problem."),
        Body(FRAME, f"A frame of 1 to {MAX_BATCH} submissions."),
        refuses=(FrameError, *SUBMISSION),
    ),
    Endpoint(
        "POST",
        "/v1/receipts/batch",
        "sendReceipts",
        "Hand over up to 64 signed receipts; one that is refused does not touch the others",
        _receipt_batch,
        Gives(shape=ReceiptResults, text="For each receipt, in order, that it is recorded, or its problem."),
        Body(FRAME, f"A frame of 1 to {MAX_BATCH} receipts' JWS.", most=_MAX_RECEIPTS),
        refuses=(FrameError, *RECEIPT),
    ),
)
