"""The interface for connectors: each route reads a request, makes one trip and writes the answer.

Not for: what a trip does (`hub/broker/`) or who may call (`sessions.py`). Implements `docs/reference/api.md`.
"""

from pathlib import Path

from aiohttp import web

from hub.api.places import BODY, DESK, EXCHANGE, NOTARY, PARTNER, PUBLIC_URL, REPOSITORY
from hub.api.problems import problems
from hub.api.public import add_public_routes
from hub.api.sessions import log_in, with_session
from hub.broker.audience import resolve_audience
from hub.broker.collect import MAX_ITEMS, collect, confirm
from hub.broker.exchange import Exchange
from hub.broker.groups import open_operation, operations_for, subscribe, subscription_of
from hub.broker.matrix import matrix_of, sent_messages
from hub.broker.notary import Notary
from hub.broker.prove import prove_delivery
from hub.broker.receipts import take_receipt
from hub.broker.submit import submit
from hub.protocol.envelope import MAX_SUBMISSION
from hub.protocol.errors import RequestError
from hub.protocol.interface import AudienceQuestion, Collected, HubFacts
from hub.protocol.jws import MAX_JWS
from hub.protocol.session import SessionDesk
from hub.protocol.strictjson import write_json
from hub.protocol.wire import Wire, parse_wire

FRAME = "application/vnd.valise.frame"


def make_app(exchange: Exchange, notary: Notary, *, public_url: str, repository: Path) -> web.Application:
    """Return the application.

    Args:
        exchange: this hub.
        notary: who signs its checkpoints.
        public_url: the address that connectors use, without a slash at its end.
        repository: the folder of the published directory.
    """
    app = web.Application(middlewares=[problems], client_max_size=MAX_SUBMISSION)
    app[EXCHANGE] = exchange
    app[DESK] = SessionDesk(hub=exchange.hub)
    app[PUBLIC_URL] = public_url
    app[NOTARY] = notary
    app[REPOSITORY] = repository
    add_public_routes(app)
    app.add_routes(
        [
            web.get("/v1/hub", _facts),
            web.post("/v1/session", log_in),
            web.post("/v1/audience", with_session(_audience)),
            web.post("/v1/messages", with_session(_submit)),
            web.get("/v1/messages", with_session(_sent)),
            web.get("/v1/messages/{mh}/matrix", with_session(_matrix)),
            web.get("/v1/messages/{mh}/proof/{to}", with_session(_proof)),
            web.get("/v1/mailbox", with_session(_mailbox)),
            web.post("/v1/mailbox/collected", with_session(_collected)),
            web.post("/v1/receipts", with_session(_receipt)),
            web.post("/v1/operations", with_session(_open_operation)),
            web.get("/v1/operations", with_session(_operations)),
            web.put("/v1/subscription", with_session(_subscribe)),
            web.get("/v1/subscription", with_session(_subscription)),
        ]
    )
    return app


def _json(shape: Wire, status: int = 200) -> web.Response:
    return web.Response(text=shape.model_dump_json(), status=status, content_type="application/json")


def _signed_text(request: web.Request) -> str:
    """Return the body of a request that carries one compact JWS."""
    body = request[BODY]
    if len(body) > MAX_JWS or not body.isascii():
        raise RequestError("not a compact JWS")
    return body.decode("ascii")


def _number(request: web.Request, name: str, default: int, most: int) -> int:
    text = request.query.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most)) and int(text) <= most):
        raise RequestError(name)
    return int(text)


async def _facts(request: web.Request) -> web.Response:
    exchange = request.app[EXCHANGE]
    return _json(
        HubFacts(v=1, hub=exchange.hub, federation=exchange.federation, protocol="valise/1", time=exchange.clock())
    )


async def _audience(request: web.Request) -> web.Response:
    question = parse_wire(AudienceQuestion, request[BODY], error=RequestError)
    return _json(await resolve_audience(request.app[EXCHANGE], request[PARTNER], question))


async def _submit(request: web.Request) -> web.Response:
    accept = await submit(request.app[EXCHANGE], request[PARTNER], request[BODY])
    return web.Response(body=accept, status=201, content_type="application/json")


async def _sent(request: web.Request) -> web.Response:
    operation, limit = request.query.get("op"), _number(request, "limit", 50, 500)
    return _json(await sent_messages(request.app[EXCHANGE], request[PARTNER], operation=operation, limit=limit))


async def _matrix(request: web.Request) -> web.Response:
    return _json(await matrix_of(request.app[EXCHANGE], request[PARTNER], request.match_info["mh"]))


async def _proof(request: web.Request) -> web.Response:
    wanted = request.match_info
    exchange, notary = request.app[EXCHANGE], request.app[NOTARY]
    return _json(await prove_delivery(exchange, notary, request[PARTNER], mh=wanted["mh"], to=wanted["to"]))


async def _mailbox(request: web.Request) -> web.Response:
    seconds, limit = _number(request, "wait", 0, 60), _number(request, "limit", 16, MAX_ITEMS)
    frame = await collect(request.app[EXCHANGE], request[PARTNER], limit=limit, seconds=seconds)
    return web.Response(body=frame, content_type=FRAME)


async def _collected(request: web.Request) -> web.Response:
    collected = parse_wire(Collected, request[BODY], error=RequestError)
    await confirm(request.app[EXCHANGE], request[PARTNER], collected)
    return web.Response(status=204)


async def _receipt(request: web.Request) -> web.Response:
    await take_receipt(request.app[EXCHANGE], request[PARTNER], _signed_text(request))
    return web.Response(status=204)


async def _open_operation(request: web.Request) -> web.Response:
    verified = await open_operation(request.app[EXCHANGE], request[PARTNER], _signed_text(request))
    return _json(verified.operation, status=201)


async def _operations(request: web.Request) -> web.Response:
    found = await operations_for(request.app[EXCHANGE], request[PARTNER])
    body = write_json({"operations": [verified.jws for verified in found]})
    return web.Response(body=body, content_type="application/json")


async def _subscribe(request: web.Request) -> web.Response:
    await subscribe(request.app[EXCHANGE], request[PARTNER], _signed_text(request))
    return web.Response(status=204)


async def _subscription(request: web.Request) -> web.Response:
    found = await subscription_of(request.app[EXCHANGE], request[PARTNER])
    body = write_json({"subscription": found.jws if found else None})
    return web.Response(body=body, content_type="application/json")
