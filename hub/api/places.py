"""Where the routes find what they need: the typed keys of the application and of a request.

Not for: making any of it (`hub/app.py`). Used by every module of this package; `docs/reference/api.md` is for users.
"""

import asyncio
from pathlib import Path
from typing import Final

from aiohttp import web

from hub.api.quotas import Quotas, Standing
from hub.broker.exchange import Exchange
from hub.broker.notary import Notary
from hub.broker.uploads import Spool
from hub.protocol.session import Caller, SessionDesk

EXCHANGE: Final = web.AppKey("exchange", Exchange)
NOTARY: Final = web.AppKey("notary", Notary)
DESK: Final = web.AppKey("desk", SessionDesk)
PUBLIC_URL: Final = web.AppKey("public_url", str)
REPOSITORY: Final = web.AppKey("repository", Path)
QUOTAS: Final = web.AppKey("quotas", Quotas)
CLOSING: Final = web.AppKey("closing", asyncio.Event)
BODY_SECONDS: Final = web.AppKey("body_seconds", float)
HEARTBEAT: Final = web.AppKey("heartbeat", float)
SPOOL: Final = web.AppKey("spool", Spool)
OPENAPI: Final = web.AppKey("openapi", bytes)
BODY: Final = web.RequestKey("body", bytes)
CALLER: Final = web.RequestKey("caller", Caller)
PARTNER: Final = web.RequestKey("partner", str)
EXPIRES: Final = web.RequestKey("expires", int)
STANDING: Final = web.RequestKey("standing", Standing)
