"""From an error to an HTTP answer: RFC 9457 problems, by the only table of status codes.

A problem holds constants of the error's class and nothing else, so nothing of a message can leak through it. Not for:
the errors themselves (`hub/protocol/errors.py`). Implements `docs/protocol/10-errors.md`.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Final

from aiohttp import web

from hub.api.places import EXCHANGE
from hub.host.events import REQUEST_FAILED, REQUEST_REFUSED
from hub.protocol.errors import (
    BusyError,
    ClockError,
    ContentCodingError,
    DeniedError,
    ForbiddenError,
    ForkError,
    InternalError,
    LogRangeError,
    NotFoundError,
    NotReadyError,
    OverQuotaError,
    PartnerSuspendedError,
    ReplayError,
    RequestError,
    StaleDirectoryError,
    StoreError,
    TooLargeError,
    UnauthenticatedError,
    UnknownPolicySetError,
    UploadOffsetError,
    ValiseError,
)
from hub.protocol.interface import Problem
from hub.protocol.wire import write_wire

_LOG: Final = logging.getLogger("valise.api")
PROBLEM: Final = "application/problem+json"
_LATER: Final = frozenset({429, 503})  # statuses after which the same may be sent again
_PAUSE: Final = 2  # seconds to wait before that, where nothing better is known
HEADERS: Final[Mapping[str, str]] = MappingProxyType(
    {"retry_after": "Retry-After", "offset": "Upload-Offset", "time": "Valise-Time"}
)  # the facts that an answer tells, and where
_OTHER: Final = 422  # a leaf that is not in the table: the request was understood and refused

STATUS: Final[Mapping[type[ValiseError], int]] = MappingProxyType(
    {
        RequestError: 400,
        UnauthenticatedError: 401,
        ForbiddenError: 403,
        PartnerSuspendedError: 403,
        DeniedError: 403,
        LogRangeError: 404,
        NotFoundError: 404,
        ReplayError: 409,
        ForkError: 409,
        UploadOffsetError: 409,
        TooLargeError: 413,
        ContentCodingError: 415,
        OverQuotaError: 429,
        InternalError: 500,
        BusyError: 503,
        NotReadyError: 503,
        StaleDirectoryError: 503,
        StoreError: 503,
        UnknownPolicySetError: 503,
    }
)
_UNROUTED: Final[Mapping[int, type[ValiseError]]] = MappingProxyType(
    {404: NotFoundError, 405: RequestError, 413: TooLargeError}
)


def status_of(error: type[ValiseError]) -> int:
    """Return the HTTP status of an error class: that of its nearest ancestor in the table."""
    return next((STATUS[ancestor] for ancestor in error.__mro__ if ancestor in STATUS), _OTHER)


def problem(error: type[ValiseError], status: int | None = None) -> Problem:
    """Return what a refusal says: constants of the error's class."""
    status = status or status_of(error)
    return Problem(type=f"urn:valise:error:{error.code}", title=error.sentence, status=status, code=error.code)


def refusal(
    error: type[ValiseError], status: int | None = None, facts: Mapping[str, int] = MappingProxyType({})
) -> web.Response:
    """Return the answer for an error class; of its facts, those that have a header."""
    said = problem(error, status)
    headers = {HEADERS[name]: str(value) for name, value in facts.items() if name in HEADERS}
    if said.status == web.HTTPUnauthorized.status_code:
        headers["WWW-Authenticate"] = "DPoP"
    if said.status in _LATER:
        headers.setdefault("Retry-After", str(_PAUSE))
    return web.Response(body=write_wire(said), status=said.status, content_type=PROBLEM, headers=headers)


@web.middleware
async def problems(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Turn every error into a problem, and note it without content."""
    try:
        return await handler(request)
    except ValiseError as error:
        _LOG.info(REQUEST_REFUSED, request.method, _route(request), error.code)
        facts = {"time": request.app[EXCHANGE].clock()} if isinstance(error, ClockError) else error.facts
        return refusal(type(error), facts=facts)
    except web.HTTPException as error:
        if error.status < web.HTTPBadRequest.status_code:
            raise
        answer = refusal(_UNROUTED.get(error.status, RequestError), error.status)
        if "Allow" in error.headers:
            answer.headers["Allow"] = error.headers["Allow"]
        return answer
    except OSError as error:
        _LOG.error(REQUEST_FAILED, request.method, _route(request), type(error).__name__)
        return refusal(InternalError)


def _route(request: web.Request) -> str:
    """Return the route's template; a path itself may name partners and messages."""
    resource = request.match_info.route.resource
    return resource.canonical if resource else "unknown"
