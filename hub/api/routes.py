"""The interface put together: the table of all routes, and the application that answers them.

Not for: any single route (the modules beside this one). Implements `docs/reference/api.md`.
"""

import asyncio
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Final

from aiohttp import web

from hub.api import batches, groups, mailbox, messages, public, sessions, stream, uploads
from hub.api.admin import HEALTH
from hub.api.health import Health
from hub.api.openapi import describe
from hub.api.places import (
    BODY_SECONDS,
    CLOSING,
    DESK,
    EXCHANGE,
    HEARTBEAT,
    NOTARY,
    OPENAPI,
    PUBLIC_URL,
    QUOTAS,
    REPOSITORY,
    SPOOL,
)
from hub.api.problems import problems
from hub.api.quotas import Limits, Quotas
from hub.api.sessions import with_session
from hub.api.table import Endpoint
from hub.broker.exchange import Exchange
from hub.broker.notary import Notary
from hub.broker.uploads import Spool
from hub.protocol.envelope import MAX_SUBMISSION
from hub.protocol.session import SessionDesk
from hub.protocol.strictjson import write_json

ENDPOINTS: Final[tuple[Endpoint, ...]] = (
    *public.ENDPOINTS,
    *sessions.ENDPOINTS,
    *messages.ENDPOINTS,
    *batches.ENDPOINTS,
    *uploads.ENDPOINTS,
    *mailbox.ENDPOINTS,
    *stream.ENDPOINTS,
    *groups.ENDPOINTS,
)
_SECONDS: Final = 60.0  # for a whole body; 36 MiB at 5 Mbit/s
_HEARTBEAT: Final = 15.0  # seconds; proxies cut what is silent for a minute


def openapi() -> bytes:
    """Return the description of the interface (JSON)."""
    return write_json(describe(ENDPOINTS, version=version("valise")))


def make_app(
    exchange: Exchange,
    notary: Notary,
    *,
    public_url: str,
    repository: Path,
    spool: Spool,
    limits: Limits | None = None,
    ticks: Callable[[], float] = time.monotonic,
    body_seconds: float = _SECONDS,
    heartbeat: float = _HEARTBEAT,
) -> web.Application:
    """Return the application.

    Args:
        exchange: this hub.
        notary: who signs its checkpoints.
        public_url: the address that connectors use, without a slash at its end.
        repository: the folder of the published directory.
        spool: where uploads are kept until they are complete.
        limits: what one partner may ask for; the safe ones when not given.
        ticks: a clock that only goes forward (seconds), for quotas.
        body_seconds: how long a body may take to arrive.
        heartbeat: seconds after which a stream says that it is still there.
    """
    app = web.Application(middlewares=[problems], client_max_size=MAX_SUBMISSION)
    app[EXCHANGE] = exchange
    app[HEALTH] = Health(exchange)  # whoever runs it says more (`hub/watch.py`)
    app[DESK] = SessionDesk(hub=exchange.hub)
    app[PUBLIC_URL] = public_url
    app[NOTARY] = notary
    app[REPOSITORY] = repository
    app[QUOTAS] = Quotas(limits or Limits(), ticks)
    app[BODY_SECONDS] = body_seconds
    app[HEARTBEAT] = heartbeat
    app[SPOOL] = spool
    app[OPENAPI] = openapi()
    app[CLOSING] = asyncio.Event()
    app.on_shutdown.append(_wake)
    for endpoint in ENDPOINTS:
        run = with_session(endpoint) if endpoint.session else endpoint.run
        app.router.add_route(endpoint.method, endpoint.path.replace("{path}", "{path:.+}"), run)
    return app


async def _wake(app: web.Application) -> None:
    """Let everybody who waits for mail have an answer before the hub stops."""
    app[CLOSING].set()
