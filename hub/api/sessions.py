"""Who is on the line: every route but the public ones needs a token and a proof of its key.

Not for: whether content may go. Implements `docs/protocol/09-directory.md` section 6.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from hub.api.places import BODY, DESK, EXCHANGE, PARTNER, PUBLIC_URL
from hub.protocol.envelope import MAX_SUBMISSION
from hub.protocol.errors import BusyError, RequestError, TooLargeError, UnauthenticatedError
from hub.protocol.interface import Token
from hub.protocol.session import TOKEN_LIFETIME
from hub.protocol.wire import Wire, parse_wire

_MAX_LOGIN: Final = 16 * 1024  # bytes
_BODY_TIME: Final = 60.0  # seconds for a whole body; 36 MiB at 5 Mbit/s

Route = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _Login(Wire):
    assertion: str


async def log_in(request: web.Request) -> web.Response:
    """Exchange a signed assertion for a token that is bound to the session key."""
    exchange = request.app[EXCHANGE]
    body = await read_body(request, _MAX_LOGIN)
    login = parse_wire(_Login, body, error=UnauthenticatedError)
    token = request.app[DESK].log_in(
        login.assertion,
        _proof(request),
        url=_url(request),
        body=body,
        directory=exchange.directory(),
        now=exchange.clock(),
    )
    answer = Token(access_token=token, token_type="DPoP", expires_in=TOKEN_LIFETIME)  # noqa: S106 - a scheme
    return web.json_response(text=answer.model_dump_json())


def with_session(route: Route) -> Route:
    """Let a route run only for a partner whose session was checked; `request[PARTNER]` then names it."""

    async def checked(request: web.Request) -> web.StreamResponse:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "DPoP":
            raise UnauthenticatedError("no token")
        exchange = request.app[EXCHANGE]
        caller = request.app[DESK].check(
            token,
            _proof(request),
            method=request.method,
            url=_url(request),
            now=exchange.clock(),
        )
        exchange.directory().check_active(caller.partner)
        request[PARTNER] = caller.partner
        request[BODY] = await read_body(request, MAX_SUBMISSION)
        caller.check_body(request[BODY])
        return await route(request)

    return checked


async def read_body(request: web.Request, most: int) -> bytes:
    """Return a request's body, of at most so many bytes and within the time that a slow line needs.

    Raises:
        TooLargeError: it is larger.
        BusyError: it did not come in time.
        RequestError: it came otherwise than its headers promise.
    """
    try:
        async with asyncio.timeout(_BODY_TIME):
            data = bytearray()
            while request.can_read_body and len(data) <= most and (more := await request.content.readany()):
                data += more
    except TimeoutError as error:
        raise BusyError("body too slow") from error  # the line's fault: the same bytes may be sent again
    except web.RequestPayloadError as error:  # a content encoding that does not decode, or chunks that do not add up
        raise RequestError("body") from error
    if len(data) > most:
        raise TooLargeError("body")
    return bytes(data)


def _proof(request: web.Request) -> str:
    proofs = request.headers.getall("DPoP", [])
    if len(proofs) != 1:
        raise UnauthenticatedError("one proof is needed")
    return proofs[0]


def _url(request: web.Request) -> str:
    """Return what `htu` must be: the public address and the path, without the query (RFC 9449 section 4.2)."""
    return request.app[PUBLIC_URL] + request.path
