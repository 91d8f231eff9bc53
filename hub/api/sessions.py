"""Who is on the line: every route but the public ones needs a token and a proof of its key.

Not for: whether content may go. Implements `docs/protocol/09-directory.md` section 6.
"""

import asyncio
import math
import ssl
from typing import Final

from aiohttp import web

from hub.api.places import BODY, BODY_SECONDS, CALLER, DESK, EXCHANGE, EXPIRES, PARTNER, PUBLIC_URL, QUOTAS, STANDING
from hub.api.quotas import Standing
from hub.api.requests import answer
from hub.api.table import Endpoint, Gives, Route, question
from hub.protocol.encoding import encode_b64url
from hub.protocol.errors import (
    BusyError,
    ContentCodingError,
    OverQuotaError,
    PartnerSuspendedError,
    RequestError,
    TooLargeError,
    UnauthenticatedError,
)
from hub.protocol.hazmat import sha256
from hub.protocol.interface import Login, Token
from hub.protocol.session import TOKEN_LIFETIME, Caller
from hub.protocol.wire import parse_wire

_MAX_LOGIN: Final = 16 * 1024  # bytes


async def _log_in(request: web.Request) -> web.Response:
    """Exchange a signed assertion for a token that is bound to the session key."""
    request.app[QUOTAS].log_in(request.remote or "")
    exchange = request.app[EXCHANGE]
    body = await read_body(request, _MAX_LOGIN)
    await _catch_up(request)
    login = parse_wire(Login, body, error=UnauthenticatedError)
    token = request.app[DESK].log_in(
        login.assertion,
        _proof(request),
        url=_url(request),
        body=body,
        directory=exchange.directory(),
        now=exchange.clock(),
        certificate=_certificate(request),
    )
    granted = Token(access_token=token, token_type="DPoP", expires_in=TOKEN_LIFETIME)  # noqa: S106 - a scheme
    return answer(granted)


def with_session(endpoint: Endpoint) -> Route:
    """Let a route run only for a partner whose session was checked; `request[PARTNER]` then names it."""

    async def checked(request: web.Request) -> web.StreamResponse:
        quotas = request.app[QUOTAS]
        caller = _caller(request)
        await check_standing(request)
        with quotas.open(caller.partner, waits=endpoint.waits, size=_coming(request, endpoint.most)):
            body = request[BODY] = await read_body(request, endpoint.most)
            caller.check_body(body)
            quotas.volume(caller.partner, len(body))
            await check_standing(request)  # again: a body may take a minute
            response = await endpoint.run(request)
            if request.method == "GET" and not response.prepared:
                await check_standing(request)  # nothing leaves to a partner that was put out while it waited
        _tell(response, request[STANDING])
        return response

    return checked


def _coming(request: web.Request, most: int) -> int:
    """Return how many bytes of a body may come; one that does not say may have as many as any."""
    said = request.content_length if request.content_length is not None or not request.can_read_body else most
    return min(said or 0, most)


def _caller(request: web.Request) -> Caller:
    """Return who makes a request, from its head alone, and count it."""

    def count(partner: str) -> None:
        request[STANDING] = request.app[QUOTAS].request(partner)

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
        certificate=_certificate(request),
        admit=count,
    )
    request[CALLER], request[PARTNER], request[EXPIRES] = caller, caller.partner, caller.expires
    return caller


async def check_standing(request: web.Request) -> None:
    """Check by what is published at this moment that the caller may still speak: a session never outlives its key.

    Raises:
        PartnerSuspendedError: the partner is suspended.
        LoginKeyError: the key that logged in was revoked or has ended; another one may log in.
    """
    await _catch_up(request)
    exchange = request.app[EXCHANGE]
    request[CALLER].check_standing(exchange.directory(), now=exchange.clock())


async def _catch_up(request: web.Request) -> None:
    catch_up = request.app[EXCHANGE].catch_up
    if catch_up is not None:
        await catch_up()


def _tell(response: web.StreamResponse, standing: Standing) -> None:
    """Say how the partner stands (draft-ietf-httpapi-ratelimit-headers), while the answer's head is not gone yet."""
    if standing.limit and not response.prepared:
        response.headers["RateLimit-Policy"] = f'"requests";q={standing.limit};w=60'
        response.headers["RateLimit"] = f'"requests";r={standing.left};t={math.ceil(standing.reset)}'


async def read_body(request: web.Request, most: int) -> bytes:
    """Return a request's body, of at most so many bytes and within the time that a slow line needs.

    Raises:
        ContentCodingError: it is compressed.
        TooLargeError: it is larger.
        BusyError: it did not come in time.
        RequestError: it came otherwise than its headers promise.
    """
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise ContentCodingError("body")
    if (request.content_length or 0) > most:
        raise TooLargeError("body")
    try:
        async with asyncio.timeout(request.app[BODY_SECONDS]):
            data = bytearray()
            while request.can_read_body and len(data) <= most and (more := await request.content.readany()):
                data += more
    except TimeoutError as error:
        raise BusyError("body too slow") from error  # the line's fault: the same bytes may be sent again
    except web.RequestPayloadError as error:  # chunks that do not add up
        raise RequestError("body") from error
    if len(data) > most:
        raise TooLargeError("body")
    return bytes(data)


def _proof(request: web.Request) -> str:
    proofs = request.headers.getall("DPoP", [])
    if len(proofs) != 1:
        raise UnauthenticatedError("one proof is needed")
    return proofs[0]


def _certificate(request: web.Request) -> str | None:
    """Return the digest of the client certificate that TLS checked on this line, if this hub ends TLS itself."""
    tls = request.get_extra_info("ssl_object")
    shown = tls.getpeercert(binary_form=True) if isinstance(tls, ssl.SSLObject) else None
    return encode_b64url(sha256(shown)) if shown else None


def _url(request: web.Request) -> str:
    """Return what `htu` must be: the public address and the path, without the query (RFC 9449 section 4.2)."""
    return request.app[PUBLIC_URL] + request.path


ENDPOINTS: Final = (
    Endpoint(
        "POST",
        "/v1/session",
        "logIn",
        "Exchange an assertion by the agency's key for a token that is bound to the session key",
        _log_in,
        Gives(shape=Token, text="A token for the requests of the next minutes."),
        question(Login, most=_MAX_LOGIN),
        refuses=(UnauthenticatedError, PartnerSuspendedError, OverQuotaError, TooLargeError, BusyError),
        session=False,
    ),
)
