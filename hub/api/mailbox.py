"""The routes of the mailbox: what waits for a partner, and what it has stored.

Not for: the stream of it (`stream.py`). Implements `docs/reference/api.md`.
"""

import asyncio
import re
from collections.abc import Coroutine
from types import MappingProxyType
from typing import Any, Final, TypeVar

from aiohttp import web

from hub.api.places import CLOSING, EXCHANGE, PARTNER
from hub.api.requests import body_as, done, number_in
from hub.api.table import FRAME, Endpoint, Gives, Param, limit, number, question
from hub.broker.collect import MAX_ITEMS, collect, confirm, mail_frame
from hub.broker.ports import START, MailMark
from hub.protocol.errors import RequestError
from hub.protocol.interface import Collected

_T = TypeVar("_T")
_LONGEST: Final = 60  # seconds that may be asked for; `collect` holds a poll for less
_MARK: Final = re.compile(r"([0-9]{1,15})\.([0-9]{1,15})\Z")
MARK: Final = Param(
    "after",
    "Only what comes after this mark (`id` of an event of the stream); without it, all that is not confirmed.",
    MappingProxyType({"type": "string", "pattern": r"^[0-9]{1,15}\.[0-9]{1,15}$"}),
)


def read_mark(text: str | None) -> MailMark:
    """Return how far a mailbox was read, as a mark says; from the start without one.

    Raises:
        RequestError: it is no mark.
    """
    if text is None:
        return START
    match = _MARK.match(text)
    if not match:
        raise RequestError("after")
    return MailMark(int(match[1]), int(match[2]))


def write_mark(mark: MailMark) -> str:
    """Return a mark as it stands on the wire."""
    return f"{mark.urgent}.{mark.routine}"


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
        await asyncio.gather(task, closing, return_exceptions=True)


async def _mailbox(request: web.Request) -> web.Response:
    exchange, partner = request.app[EXCHANGE], request[PARTNER]
    seconds, after = number_in(request, "wait", 0, _LONGEST), read_mark(request.query.get("after"))
    most = number_in(request, "limit", 16, MAX_ITEMS, least=1)
    items = await until_closing(request, collect(exchange, partner, limit=most, seconds=seconds, after=after))
    return web.Response(body=mail_frame(items or ()), content_type=FRAME)  # a poll is answered, not cut


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
            MARK,
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
