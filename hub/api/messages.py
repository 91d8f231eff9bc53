"""The routes of messages: who would get one, taking it in, where its copies are, and the proof of a delivery.

Not for: what a trip does (`hub/broker/`) or who may call (`sessions.py`). Implements `docs/reference/api.md`.
"""

from types import MappingProxyType
from typing import Final

from aiohttp import web

from hub.api.places import BODY, EXCHANGE, NOTARY, PARTNER, QUOTAS
from hub.api.requests import answer, body_as, done, number_in, signed_text
from hub.api.table import (
    CURSOR,
    FRAME,
    JSON,
    MESSAGE,
    PARTNER_CODE,
    Body,
    Endpoint,
    Gives,
    Param,
    limit,
    number,
    question,
    signed,
)
from hub.broker.audience import resolve_audience
from hub.broker.matrix import matrix_of, operation_matrix, sent_messages
from hub.broker.prove import prove_delivery
from hub.broker.receipts import take_receipt
from hub.broker.standing import standing_of
from hub.broker.submit import submit
from hub.protocol.envelope import Proven
from hub.protocol.errors import (
    AudienceError,
    DigestError,
    ExpiredError,
    ForkError,
    FrameError,
    MalformedError,
    MarksLoosenedError,
    NoAddresseeKeyError,
    NotFoundError,
    NotYetValidError,
    OperationError,
    ReplayError,
    SignatureError,
    ThreadError,
    UnknownPartnerError,
    UnknownSuiteError,
    ValiseError,
    WrongFederationError,
)
from hub.protocol.interface import (
    AudienceAnswer,
    AudienceQuestion,
    DeliveryProof,
    Matrix,
    OperationMatrix,
    SentMessages,
    StandingAnswer,
)

_MAX_SEQ: Final = 2**53 - 1  # numbers of messages
MAX_SENT: Final = 500  # messages of one page
SUBMISSION: Final[tuple[type[ValiseError], ...]] = (
    AudienceError,
    DigestError,
    ExpiredError,
    ForkError,
    FrameError,
    MalformedError,
    MarksLoosenedError,
    NoAddresseeKeyError,
    NotYetValidError,
    OperationError,
    ReplayError,
    SignatureError,
    ThreadError,
    UnknownPartnerError,
    UnknownSuiteError,
    WrongFederationError,
)
RECEIPT: Final[tuple[type[ValiseError], ...]] = (
    MalformedError,
    NotFoundError,
    NotYetValidError,
    ReplayError,
    SignatureError,
    UnknownPartnerError,
    WrongFederationError,
)


async def _audience(request: web.Request) -> web.Response:
    asked = body_as(AudienceQuestion, request)
    return answer(await resolve_audience(request.app[EXCHANGE], request[PARTNER], asked))


async def _submit(request: web.Request) -> web.Response:
    request.app[QUOTAS].messages(request[PARTNER], 1)
    accept = await submit(request.app[EXCHANGE], request[PARTNER], request[BODY])
    return web.Response(body=accept, status=201, content_type=JSON)


async def _sent(request: web.Request) -> web.Response:
    page = await sent_messages(
        request.app[EXCHANGE],
        request[PARTNER],
        operation=request.query.get("op"),
        limit=number_in(request, "limit", 50, MAX_SENT, least=1),
        cursor=request.query.get("cursor"),
    )
    return answer(page)


async def _matrix(request: web.Request) -> web.Response:
    return answer(await matrix_of(request.app[EXCHANGE], request[PARTNER], request.match_info["mh"]))


async def _operation_matrix(request: web.Request) -> web.Response:
    operation = request.query.get("op", "")
    return answer(await operation_matrix(request.app[EXCHANGE], request[PARTNER], operation))


async def _standing(request: web.Request) -> web.Response:
    kid, after = request.query.get("kid", ""), number_in(request, "after", 0, _MAX_SEQ)
    return answer(await standing_of(request.app[EXCHANGE], request[PARTNER], kid=kid, after=after))


async def _proof(request: web.Request) -> web.Response:
    wanted = request.match_info
    exchange, notary = request.app[EXCHANGE], request.app[NOTARY]
    return answer(await prove_delivery(exchange, notary, request[PARTNER], mh=wanted["mh"], to=wanted["to"]))


async def _receipt(request: web.Request) -> web.Response:
    await take_receipt(request.app[EXCHANGE], request[PARTNER], signed_text(request))
    return done()


ENDPOINTS: Final = (
    Endpoint(
        "POST",
        "/v1/audience",
        "askAudience",
        "Who would get a message, and what of it",
        _audience,
        Gives(shape=AudienceAnswer, text="Every candidate."),
        question(AudienceQuestion),
        refuses=(OperationError, ThreadError, UnknownPartnerError),
    ),
    Endpoint(
        "POST",
        "/v1/messages",
        "submitMessage",
        "Hand over a sealed message; the same again gets the same accept",
        _submit,
        Gives(201, shape=Proven, text="The hub's signed accept: it is recorded and will be delivered."),
        Body(FRAME, "A submission (docs/protocol/02-envelope.md section 3)."),
        refuses=SUBMISSION,
    ),
    Endpoint(
        "GET",
        "/v1/messages",
        "listMessages",
        "The caller's own messages, newest first",
        _sent,
        Gives(shape=SentMessages, text="One page."),
        params=(
            Param("op", "Only those of one operation.", MappingProxyType({"type": "string", "maxLength": 48})),
            limit(MAX_SENT, 50),
            CURSOR,
        ),
        refuses=(NotFoundError,),
    ),
    Endpoint(
        "GET",
        "/v1/messages/{mh}/matrix",
        "getMatrix",
        "How far each copy of an own message has come",
        _matrix,
        Gives(shape=Matrix, text="One row for each addressee, at most 1,024."),
        params=(MESSAGE,),
        refuses=(NotFoundError,),
    ),
    Endpoint(
        "GET",
        "/v1/matrix",
        "getOperationMatrix",
        "How far the copies of the caller's latest messages of an operation have come",
        _operation_matrix,
        Gives(shape=OperationMatrix, text="The matrices, newest message first."),
        params=(Param("op", "The operation.", MappingProxyType({"type": "string", "maxLength": 48})),),
        refuses=(OperationError,),
    ),
    Endpoint(
        "GET",
        "/v1/standing",
        "getStanding",
        "What the hub knows of the caller, for a connector that was restored from a backup",
        _standing,
        Gives(shape=StandingAnswer, text="Its messages after a number, and its mailbox in figures."),
        params=(
            Param("kid", "The caller's signing key.", MappingProxyType({"type": "string", "maxLength": 64})),
            Param("after", "The last number that the caller knows.", number(0, _MAX_SEQ, 0)),
        ),
        refuses=(NotFoundError,),
    ),
    Endpoint(
        "GET",
        "/v1/messages/{mh}/proof/{to}",
        "proveDelivery",
        "What the hub adds to the evidence of one delivery, for its two ends",
        _proof,
        Gives(shape=DeliveryProof, text="Accept, decision and receipt with their proofs."),
        params=(MESSAGE, Param("to", "The addressee.", PARTNER_CODE, "path")),
        refuses=(NotFoundError,),
    ),
    Endpoint(
        "POST",
        "/v1/receipts",
        "sendReceipt",
        "Hand over a signed receipt; the same again changes nothing",
        _receipt,
        Gives(204, None, text="It is recorded."),
        signed("A receipt's JWS (docs/protocol/04-statements.md section 5)."),
        refuses=RECEIPT,
    ),
)
