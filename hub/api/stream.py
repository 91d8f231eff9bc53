"""The mailbox as a stream: server-sent events, each with the mark from which a cut stream goes on.

What is small travels in its event; of what is large the event says where to fetch it, so that no body holds the others
up. Not for: taking anything out of the mailbox; that is `confirm`'s. Implements `docs/reference/api.md`.
"""

import asyncio
import contextlib
from types import MappingProxyType
from typing import Final

from aiohttp import web

from hub.api.mailbox import MARK, read_mark, until_closing, write_mark
from hub.api.places import EXCHANGE, EXPIRES, HEARTBEAT, PARTNER
from hub.api.problems import problem
from hub.api.sessions import check_standing
from hub.api.table import EVENTS, Endpoint, Gives, Param
from hub.broker.collect import kind_of, mail_body, mark_after
from hub.broker.ports import MailCopy, MailItem, MailMark
from hub.protocol.encoding import encode_b64url
from hub.protocol.errors import BusyError, LoginKeyError, PartnerSuspendedError, TokenExpiredError, ValiseError
from hub.protocol.interface import StreamedItem
from hub.protocol.wire import write_wire

MAX_INLINE: Final = 64 * 1024  # bytes of an item that travel in its event
_ITEMS: Final = 16  # read at once
_WRITE: Final = 30.0  # seconds that a line may take to swallow one event
_LAST: Final = 10**15 - 1  # the highest number a mark can name
_HEADERS: Final = {"Content-Type": EVENTS, "Cache-Control": "no-store", "X-Accel-Buffering": "no"}


async def _stream(request: web.Request) -> web.StreamResponse:
    asked, cut = read_mark(request.query.get("after")), request.headers.get("Last-Event-ID")
    after = read_mark(cut) if cut else asked
    response = web.StreamResponse(headers=_HEADERS)
    await response.prepare(request)
    with contextlib.suppress(ConnectionError, TimeoutError):  # whoever is gone comes back with its last mark
        ended = await _send_all(request, response, after)
        await _write(response, b"event: end\ndata: " + write_wire(problem(ended)) + b"\n\n")
        await response.write_eof()
    return response


async def _send_all(request: web.Request, response: web.StreamResponse, after: MailMark) -> type[ValiseError]:
    """Send what comes until the stream must end; return why."""
    store, partner = request.app[EXCHANGE].store, request[PARTNER]
    await _write(response, b": open\n\n")
    while True:
        ended = await _ended(request)
        if ended is not None:
            return ended
        items = await store.waiting(partner, limit=_ITEMS, after=after)
        for item in items:
            after = mark_after(after, item)
            await _write(response, _event(item, after))
        if items:
            continue
        seconds = min(request.app[HEARTBEAT], request[EXPIRES] - request.app[EXCHANGE].clock())
        if await until_closing(request, _waited(request, after, seconds)) is None:
            return BusyError
        await _write(response, b": on\n\n")


async def _ended(request: web.Request) -> type[ValiseError] | None:
    """Return why a stream may not go on: its session is over, its key revoked or its partner suspended meanwhile."""
    exchange = request.app[EXCHANGE]
    if exchange.clock() >= request[EXPIRES]:
        return TokenExpiredError
    try:
        await check_standing(request)
    except (PartnerSuspendedError, LoginKeyError) as error:
        return type(error)
    return None


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
