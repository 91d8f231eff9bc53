"""What anybody may read: the directory, the log and whether the hub is up. All of it is signed or says nothing.

Not for: messages (`routes.py`). Implements `docs/protocol/05-log.md` (tiles) and `docs/protocol/09-directory.md`.
"""

import re
from functools import partial
from types import MappingProxyType
from typing import Final

from aiohttp import web

from hub.api.admin import tell_alive, tell_ready
from hub.api.places import EXCHANGE, NOTARY, OPENAPI, REPOSITORY
from hub.api.requests import answer
from hub.api.table import BYTES, JSON, TEXT, Endpoint, Gives, Param
from hub.protocol.encoding import encode_b64url
from hub.protocol.errors import (
    LogRangeError,
    NotFoundError,
    NotReadyError,
    RequestError,
    StoreError,
)
from hub.protocol.interface import ConsistencyPath, HubFacts, Readiness
from hub.protocol.strictjson import MAX_INTEGER
from hub.tlog.tiles import parse_tile_path

_FILE: Final = re.compile(r"(metadata|targets)(/[A-Za-z0-9][A-Za-z0-9._-]*)+\Z")
_IMMUTABLE: Final = {"Cache-Control": "public, max-age=31536000, immutable"}
_SIZE: Final = re.compile(r"[0-9]{1,16}\Z")  # no log grows beyond


async def _facts(request: web.Request) -> web.Response:
    exchange = request.app[EXCHANGE]
    return answer(
        HubFacts(v=1, hub=exchange.hub, federation=exchange.federation, protocol="valise/1", time=exchange.clock())
    )


async def _openapi(request: web.Request) -> web.Response:
    return web.Response(body=request.app[OPENAPI], content_type=JSON)


async def _directory(request: web.Request) -> web.FileResponse:
    path = request.match_info["path"]
    if not _FILE.match(path):
        raise NotFoundError("no such file")
    file = request.app[REPOSITORY] / path
    if not file.is_file():
        raise NotFoundError("no such file")
    return web.FileResponse(file, headers={"Content-Type": BYTES})


async def _checkpoint(request: web.Request) -> web.Response:
    _, note = await request.app[NOTARY].checkpoint()
    return web.Response(text=note)


async def _consistency(request: web.Request) -> web.Response:
    old, new = (request.query.get(name, "") for name in ("old", "new"))
    if not _SIZE.match(old) or not _SIZE.match(new):
        raise RequestError("old and new are sizes")
    path = await request.app[EXCHANGE].store.consistency(int(old), int(new))
    return answer(ConsistencyPath(path=tuple(encode_b64url(node) for node in path)))


async def _tile(request: web.Request) -> web.Response:
    store = request.app[EXCHANGE].store
    tile = parse_tile_path(f"tile/{request.match_info['path']}")
    if tile.level is None:
        data = await store.entry_bundle(tile.number, tile.width)
    else:
        data = await store.tile(tile.level, tile.number, tile.width)
    return web.Response(body=data, content_type=BYTES, headers=_IMMUTABLE)


def _path(text: str) -> Param:
    return Param("path", text, MappingProxyType({"type": "string", "minLength": 1}), "path")


def _size(name: str, text: str) -> Param:
    return Param(name, text, MappingProxyType({"type": "integer", "minimum": 0, "maximum": MAX_INTEGER}), "query")


_public: Final = partial(Endpoint, "GET", session=False)

ENDPOINTS: Final = (
    _public(
        "/livez", "isAlive", "Whether the process lives: its loop turns", tell_alive, Gives(kind=TEXT, text="`live`")
    ),
    _public(
        "/readyz",
        "isReady",
        "Whether the next message can be accepted, decided, made durable and signed",
        tell_ready,
        Gives(shape=Readiness, text="It can; what will soon be in the way. A refusal has `reasons` as well."),
        refuses=(NotReadyError,),
    ),
    _public("/v1/hub", "getHub", "What a stranger may know of this hub", _facts, Gives(shape=HubFacts, text="Facts.")),
    _public(
        "/v1/openapi.json",
        "getOpenApi",
        "This description",
        _openapi,
        Gives(text="OpenAPI 3.1, docs/reference/api.md."),
    ),
    _public(
        "/v1/directory/{path}",
        "getDirectoryFile",
        "A file of the published directory (docs/protocol/09-directory.md)",
        _directory,
        Gives(kind=BYTES, text="The file, signed by its authorities."),
        params=(_path("`metadata/...` or `targets/...`"),),
        refuses=(NotFoundError,),
    ),
    _public(
        "/v1/log/checkpoint",
        "getCheckpoint",
        "The log's latest checkpoint",
        _checkpoint,
        Gives(kind=TEXT, text="A signed note (C2SP tlog-checkpoint)."),
        refuses=(StoreError,),
    ),
    _public(
        "/v1/log/consistency",
        "getConsistency",
        "The log's proof that one size continues another",
        _consistency,
        Gives(shape=ConsistencyPath, text="The nodes of the path."),
        params=(_size("old", "The smaller size."), _size("new", "The larger size.")),
        refuses=(LogRangeError, StoreError),
    ),
    _public(
        "/v1/log/tile/{path}",
        "getTile",
        "A tile or an entry bundle of the log; it never changes",
        _tile,
        Gives(kind=BYTES, text="Hashes, or salted commitments (C2SP tlog-tiles)."),
        params=(_path("`LEVEL/INDEX`, `entries/INDEX`, each also with `.p/WIDTH`"),),
        refuses=(LogRangeError, NotFoundError, StoreError),
    ),
)
