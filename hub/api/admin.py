"""What the operator's own machines may ask: metrics and health, on a listener of their own.

Not for: partners, who see nothing of this (`/readyz` apart, which a proxy needs). User's page:
`docs/how-to/watch-a-hub.md`.
"""

import asyncio
from typing import Final

from aiohttp import web
from prometheus_client import CollectorRegistry

from hub.api.health import Health, Reason
from hub.api.problems import PROBLEM, problem
from hub.api.requests import answer
from hub.host.metrics import TEXT, exposition
from hub.protocol.errors import NotReadyError
from hub.protocol.interface import NotReady, Readiness, ReadyReason
from hub.protocol.wire import write_wire

HEALTH: Final = web.AppKey("health", Health)
_REGISTRY: Final = web.AppKey("registry", CollectorRegistry)


def make_admin_app(health: Health, registry: CollectorRegistry) -> web.Application:
    """Return the application."""
    app = web.Application()
    app[HEALTH] = health
    app[_REGISTRY] = registry
    app.add_routes([web.get("/livez", tell_alive), web.get("/readyz", tell_ready), web.get("/metrics", _metrics)])
    return app


async def tell_alive(_request: web.Request) -> web.Response:
    """Answer: the process runs and its loop turns."""
    return web.Response(text="live\n")


async def tell_ready(request: web.Request) -> web.Response:
    """Answer 200 when the next message can be accepted, else 503: a problem with each reason."""
    standing = await request.app[HEALTH].look()
    warnings = tuple(map(_shape, standing.warnings))
    if not standing.reasons:
        return answer(Readiness(ready=True, warnings=warnings))
    said = problem(NotReadyError)
    told = NotReady(
        type=said.type,
        title=said.title,
        status=said.status,
        code=said.code,
        reasons=tuple(map(_shape, standing.reasons)),
        warnings=warnings,
    )
    return web.Response(body=write_wire(told), status=said.status, content_type=PROBLEM)


def _shape(reason: Reason) -> ReadyReason:
    return ReadyReason(code=reason.code, text=reason.text)


async def _metrics(request: web.Request) -> web.Response:
    await request.app[HEALTH].look()
    body = await asyncio.to_thread(exposition, request.app[_REGISTRY])
    return web.Response(body=body, headers={"Content-Type": TEXT})
