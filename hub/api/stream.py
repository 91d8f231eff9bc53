"""The mailbox as a stream: server-sent events, each with the mark from which a cut stream goes on.

What is small travels in its event; of what is large the event says where to fetch it, so that no body holds the others
up. Not for: taking anything out of the mailbox; that is `confirm`'s. Implements `docs/reference/api.md`.
"""

import asyncio
import contextlib
from types import MappingProxyType
from typing import Final, NoReturn

from aiohttp import web

from hub.api.mailbox import MARK, read_mark, until_closing, write_mark
from hub.api.metrics import count_refusal
from hub.api.places import EXCHANGE, EXPIRES, HEARTBEAT, PARTNER
from hub.api.problems import problem
from hub.api.sessions import check_standing
from hub.api.table import EVENTS, Endpoint, Gives, Param
from hub.broker.collect import kind_of, mail_body, mark_after
from hub.broker.ports import MailCopy, MailItem, MailMark
from hub.protocol.encoding import encode_b64url
from hub.protocol.errors import BusyError, TokenExpiredError, ValiseError
from hub.protocol.interface import StreamedItem
from hub.protocol.wire import write_wire

MAX_INLINE: Final = 64 * 1024  # bytes of an item that travel in its event
_ITEMS: Final = 16  # read at once
_WRITE: Final = 30.0  # seconds that a line may take to swallow one event
_LAST: Final = 10**15 - 1  # the highest number a mark can name
_HEADERS: Final = {"Content-Type": EVENTS, "Cache-Control": "no-store", "X-Accel-Buffering": "no"}


async def _stream(request: web.Request) -> web.StreamResponse:
    after = read_mark(request.headers.get("Last-Event-ID") or request.query.get("after"))
    response = web.StreamResponse(headers=_HEADERS)
    await response.prepare(request)
    with contextlib.suppress(ConnectionError, TimeoutError):  # whoever is gone comes back with its last mark
        try:
            await _send_all(request, response, after)
        except ValiseError as error:  # the answer has begun, so it is told at its end
            count_refusal(request, error.code)
            await _write(response, b"event: end\ndata: " + write_wire(problem(type(error))) + b"\n\n")
        await response.write_eof()
    return response


async def _send_all(request: web.Request, response: web.StreamResponse, after: MailMark) -> NoReturn:
    """Send what comes until the stream must end.

    Raises:
        TokenExpiredError: its session is over.
        PartnerSuspendedError, LoginKeyError: its partner was suspended or its key revoked meanwhile.
        BusyError: the hub stops.
        StoreError: the mailbox cannot be read.
    """
    exchange, partner = request.app[EXCHANGE], request[PARTNER]
    await _write(response, b": open\n\n")
    while True:
        left = request[EXPIRES] - exchange.clock()
        if left <= 0:
            raise TokenExpiredError
        await check_standing(request)
        items = await exchange.store.waiting(partner, limit=_ITEMS, after=after)
        for item in items:
            after = mark_after(after, item)
            await _write(response, _event(item, after))
        if items:
            continue
        if await until_closing(request, _waited(request, after, min(request.app[HEARTBEAT], left))) is None:
            raise BusyError("stopping")
        await _write(response, b": on\n\n")


async def _waited(request: web.Request, after: MailMark, seconds: float) -> bool:
    await request.app[EXCHANGE].store.wait(request[PARTNER], seconds=seconds, after=after)
    return True


def _event(item: MailItem, mark: MailMark) -> bytes:
    body = mail_body(item)
    inline = len(body) <= MAX_INLINE
    urgent = isinstance(item, MailCopy) and item.urgent
    place = MailMark(item.seq - 1, _LAST) if urgent else MailMark(_LAST, item.seq - 1)
    said = StreamedItem(
        seq=item.seq,
        kind=kind_of(item),
        body=encode_b64url(body) if inline else None,
        at=None if inline else write_mark(place),
    )
    return f"id: {write_mark(mark)}\nevent: {said.kind}\ndata: ".encode() + write_wire(said) + b"\n\n"


async def _write(response: web.StreamResponse, event: bytes) -> None:
    async with asyncio.timeout(_WRITE):
        await response.write(event)


ENDPOINTS: Final = (
    Endpoint(
        "GET",
        "/v1/mailbox/stream",
        "streamMail",
        "The mailbox as server-sent events, until the session ends",
        _stream,
        Gives(
            kind=EVENTS,
            text=(
                "Events `copy` and `receipt` with `id`, the mark to go on from, and `data` (StreamedItem); comments "
                "while nothing comes; `end` with a Problem that says why it ends."
            ),
        ),
        params=(
            MARK,
            Param(
                "Last-Event-ID",
                "As `after`, which it overrides.",
                MappingProxyType({"type": "string", "pattern": r"^[0-9]{1,15}\.[0-9]{1,15}$"}),
                "header",
            ),
        ),
        waits=True,
    ),
)
