"""The routes of the mailbox: what waits for a partner, and what it has stored.

Not for: the stream of it (`stream.py`). Implements `docs/reference/api.md`.
"""

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from aiohttp import web

from hub.api.places import CLOSING, EXCHANGE, PARTNER
from hub.api.requests import body_as, done, number_in
from hub.api.table import FRAME, Endpoint, Gives, Param, limit, number, question
from hub.broker.collect import MAX_ITEMS, collect, confirm
from hub.protocol.interface import Collected

_T = TypeVar("_T")
_LONGEST: Final = 60  # seconds that may be asked for; `collect` holds a poll for less


async def _mailbox(request: web.Request) -> web.Response:
    exchange, partner = request.app[EXCHANGE], request[PARTNER]
    seconds = number_in(request, "wait", 0, _LONGEST)
    most = number_in(request, "limit", 16, MAX_ITEMS, least=1)
    frame = await until_closing(request, collect(exchange, partner, limit=most, seconds=seconds))
    if frame is None:  # the hub stops: a poll is answered with what there is, not cut
        frame = await collect(exchange, partner, limit=most, seconds=0)
    return web.Response(body=frame, content_type=FRAME)


async def until_closing(request: web.Request, wanted: Coroutine[Any, Any, _T]) -> _T | None:
    """Return what `wanted` returns, or None when the hub is about to stop before that."""
    task = asyncio.create_task(wanted)
    closing = asyncio.create_task(request.app[CLOSING].wait())
    try:
        await asyncio.wait((task, closing), return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        for one in (task, closing):
            one.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(task, closing, return_exceptions=True)


async def _collected(request: web.Request) -> web.Response:
    await confirm(request.app[EXCHANGE], request[PARTNER], body_as(Collected, request))
    return done()


ENDPOINTS: Final = (
    Endpoint(
        "GET",
        "/v1/mailbox",
        "collectMail",
        "What waits in the caller's mailbox, urgent first, then oldest first; nothing leaves it by this",
        _mailbox,
        Gives(kind=FRAME, text="A frame: a head (MailHead, JSON), then the bytes of each item."),
        params=(
            Param("wait", "Seconds to wait for something; at most 30 are waited.", number(0, _LONGEST, 0)),
            limit(MAX_ITEMS, 16),
        ),
        waits=True,
    ),
    Endpoint(
        "POST",
        "/v1/mailbox/collected",
        "confirmMail",
        "Let the hub forget items that are stored durably; numbers that are unknown change nothing",
        _collected,
        Gives(204, None, text="They are gone."),
        question(Collected),
    ),
)
