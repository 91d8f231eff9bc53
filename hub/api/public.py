"""What anybody may read: the directory, the log and whether the hub is up. All of it is signed or says nothing.

Not for: messages (`routes.py`). Implements `docs/protocol/05-log.md` (tiles) and `docs/protocol/09-directory.md`.
"""

import re
from typing import Final

from aiohttp import web

from hub.api.places import EXCHANGE, NOTARY, REPOSITORY
from hub.protocol.encoding import encode_b64url
from hub.protocol.errors import NotFoundError, RequestError
from hub.protocol.strictjson import write_json
from hub.tlog.tiles import parse_tile_path

_FILE: Final = re.compile(r"(metadata|targets)(/[A-Za-z0-9][A-Za-z0-9._-]*)+\Z")
_IMMUTABLE: Final = {"Cache-Control": "public, max-age=31536000, immutable"}
_DIGITS: Final = 16  # of a size; no log grows beyond


def add_public_routes(app: web.Application) -> None:
    """Add the routes."""
    app.add_routes(
        [
            web.get("/livez", _live),
            web.get("/readyz", _ready),
            web.get("/v1/directory/{path:.+}", _directory),
            web.get("/v1/log/checkpoint", _checkpoint),
            web.get("/v1/log/consistency", _consistency),
            web.get("/v1/log/{path:tile/.+}", _tile),
        ]
    )


async def _live(_request: web.Request) -> web.Response:
    return web.Response(text="live\n")


async def _ready(request: web.Request) -> web.Response:
    """Ready means: the store answers and the directory and policy set are in force."""
    exchange = request.app[EXCHANGE]
    await exchange.store.log_size()
    exchange.directory().partner(exchange.hub)
    exchange.policies()
    return web.Response(text="ready\n")


async def _directory(request: web.Request) -> web.FileResponse:
    path = request.match_info["path"]
    if not _FILE.match(path):
        raise NotFoundError("no such file")
    file = request.app[REPOSITORY] / path
    if not file.is_file():
        raise NotFoundError("no such file")
    return web.FileResponse(file)


async def _checkpoint(request: web.Request) -> web.Response:
    _, note = await request.app[NOTARY].checkpoint()
    return web.Response(text=note)


async def _consistency(request: web.Request) -> web.Response:
    old, new = (request.query.get(name, "") for name in ("old", "new"))
    if not all(text.isascii() and text.isdigit() and len(text) <= _DIGITS for text in (old, new)):
        raise RequestError("old and new are sizes")
    path = await request.app[EXCHANGE].store.consistency(int(old), int(new))
    return web.Response(
        body=write_json({"path": [encode_b64url(node) for node in path]}), content_type="application/json"
    )


async def _tile(request: web.Request) -> web.Response:
    store = request.app[EXCHANGE].store
    tile = parse_tile_path(request.match_info["path"])
    if tile.level is None:
        data = await store.entry_bundle(tile.number, tile.width)
    else:
        data = await store.tile(tile.level, tile.number, tile.width)
    return web.Response(body=data, content_type="application/octet-stream", headers=_IMMUTABLE)
