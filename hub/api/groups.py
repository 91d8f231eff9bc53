"""The routes of operations and subscriptions: signed by a partner, recorded, and shown as they were signed.

Not for: what they mean (`hub/broker/groups.py`). Implements `docs/reference/api.md`.
"""

from typing import Final

from aiohttp import web

from hub.api.places import EXCHANGE, PARTNER
from hub.api.requests import answer, body_as, done, number_in, signed_text
from hub.api.table import CURSOR, Endpoint, Gives, limit, question, signed
from hub.broker.groups import open_operation, operations_page, subscribe, subscription_of
from hub.broker.preview import preview
from hub.protocol.errors import (
    ForbiddenError,
    MalformedError,
    NotFoundError,
    NotYetValidError,
    OperationError,
    ReplayError,
    SignatureError,
    UnknownPartnerError,
    WrongFederationError,
)
from hub.protocol.interface import Preview, SignedOperations, SignedSubscription
from hub.protocol.operation import Operation
from hub.protocol.subscription import Criteria

MAX_OPERATIONS: Final = 500  # of one page
_SIGNED: Final = (MalformedError, NotYetValidError, SignatureError, UnknownPartnerError, WrongFederationError)


async def _open_operation(request: web.Request) -> web.Response:
    verified = await open_operation(request.app[EXCHANGE], request[PARTNER], signed_text(request))
    return answer(verified.operation, status=201)


async def _operations(request: web.Request) -> web.Response:
    most = number_in(request, "limit", MAX_OPERATIONS, MAX_OPERATIONS, least=1)
    cursor = request.query.get("cursor")
    return answer(await operations_page(request.app[EXCHANGE], request[PARTNER], limit=most, cursor=cursor))


async def _subscribe(request: web.Request) -> web.Response:
    await subscribe(request.app[EXCHANGE], request[PARTNER], signed_text(request))
    return done()


async def _subscription(request: web.Request) -> web.Response:
    found = await subscription_of(request.app[EXCHANGE], request[PARTNER])
    return answer(SignedSubscription(subscription=found.jws if found else None))


async def _preview(request: web.Request) -> web.Response:
    return answer(await preview(request.app[EXCHANGE], request[PARTNER], body_as(Criteria, request)))


ENDPOINTS: Final = (
    Endpoint(
        "POST",
        "/v1/subscription/preview",
        "previewSubscription",
        "How many of last month's messages a subscription would have matched, and the one in force did",
        _preview,
        Gives(shape=Preview, text="Counts of what was offered to groups and policy would have let the caller have."),
        question(Criteria),
        refuses=(OperationError,),
    ),
    Endpoint(
        "POST",
        "/v1/operations",
        "openOperation",
        "Open an operation; the same again changes nothing",
        _open_operation,
        Gives(201, shape=Operation, text="The operation."),
        signed("An operation's JWS (docs/protocol/02-envelope.md section 8)."),
        refuses=(ForbiddenError, ReplayError, *_SIGNED),
    ),
    Endpoint(
        "GET",
        "/v1/operations",
        "listOperations",
        "The operations that the caller is in or coordinates, by name",
        _operations,
        Gives(shape=SignedOperations, text="One page, as their coordinators signed them."),
        params=(limit(MAX_OPERATIONS, MAX_OPERATIONS), CURSOR),
        refuses=(NotFoundError,),
    ),
    Endpoint(
        "PUT",
        "/v1/subscription",
        "subscribe",
        "Replace the caller's subscription; an older one replaces nothing",
        _subscribe,
        Gives(204, None, text="The latest one (`iat`) is in force."),
        signed("A subscription's JWS (docs/protocol/02-envelope.md section 9)."),
        refuses=(OperationError, *_SIGNED),
    ),
    Endpoint(
        "GET",
        "/v1/subscription",
        "getSubscription",
        "The caller's subscription in force",
        _subscription,
        Gives(shape=SignedSubscription, text="As it was signed, or null."),
    ),
)
