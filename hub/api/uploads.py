"""The routes of resumable uploads: begin, append, ask, submit, give up.

Not for: how an upload goes on (`hub/broker/uploads.py`). Implements `docs/reference/api.md`.
"""

from types import MappingProxyType
from typing import Final

from aiohttp import web

from hub.api.messages import SUBMISSION
from hub.api.places import BODY, EXCHANGE, PARTNER, QUOTAS, SPOOL
from hub.api.requests import answer, body_as, done, number_in
from hub.api.table import BYTES, DIGEST, JSON, Body, Endpoint, Gives, Param, question
from hub.broker.uploads import (
    MAX_CHUNK,
    Upload,
    append_chunk,
    begin_upload,
    find_upload,
    submit_upload,
)
from hub.protocol.envelope import MAX_SUBMISSION, Proven
from hub.protocol.errors import NotFoundError, UploadOffsetError
from hub.protocol.interface import UploadState, UploadWanted

_OFFSET: Final = Param(
    "offset",
    "Where the chunk begins.",
    MappingProxyType({"type": "integer", "minimum": 0, "maximum": MAX_SUBMISSION}),
)
_DIGEST: Final = Param("digest", "Of the whole submission.", DIGEST, "path")


def _state(upload: Upload) -> UploadState:
    return UploadState(digest=upload.digest, size=upload.size, received=upload.received, expires=upload.expires)


async def _begin(request: web.Request) -> web.Response:
    wanted, now = body_as(UploadWanted, request), request.app[EXCHANGE].clock()
    upload = await begin_upload(request.app[SPOOL], request[PARTNER], wanted.digest, size=wanted.size, now=now)
    return answer(_state(upload), status=201)


async def _find(request: web.Request) -> web.Response:
    return answer(_state(await _wanted(request)))


async def _append(request: web.Request) -> web.Response:
    upload = await append_chunk(
        request.app[SPOOL],
        request[PARTNER],
        request.match_info["digest"],
        request[BODY],
        offset=number_in(request, "offset", None, MAX_SUBMISSION),
        now=request.app[EXCHANGE].clock(),
    )
    return answer(_state(upload))


async def _submit(request: web.Request) -> web.Response:
    request.app[QUOTAS].messages(request[PARTNER], 1)
    digest = request.match_info["digest"]
    accept = await submit_upload(request.app[EXCHANGE], request.app[SPOOL], request[PARTNER], digest)
    return web.Response(body=accept, status=201, content_type=JSON)


async def _give_up(request: web.Request) -> web.Response:
    await request.app[SPOOL].remove(await _wanted(request))
    return done()


async def _wanted(request: web.Request) -> Upload:
    digest, now = request.match_info["digest"], request.app[EXCHANGE].clock()
    return await find_upload(request.app[SPOOL], request[PARTNER], digest, now=now)


ENDPOINTS: Final = (
    Endpoint(
        "POST",
        "/v1/uploads",
        "beginUpload",
        "Begin the upload of a large submission, or find the one that was begun",
        _begin,
        Gives(201, shape=UploadState, text="How far it is."),
        question(UploadWanted),
    ),
    Endpoint(
        "GET",
        "/v1/uploads/{digest}",
        "getUpload",
        "How far an upload is",
        _find,
        Gives(shape=UploadState, text="How far it is."),
        params=(_DIGEST,),
        refuses=(NotFoundError,),
    ),
    Endpoint(
        "PATCH",
        "/v1/uploads/{digest}",
        "appendToUpload",
        "Append a chunk where the upload ends",
        _append,
        Gives(shape=UploadState, text="The chunk is on the hub's disk."),
        Body(BYTES, "The next bytes of the submission.", most=MAX_CHUNK),
        params=(_DIGEST, _OFFSET),
        refuses=(NotFoundError, UploadOffsetError),
    ),
    Endpoint(
        "POST",
        "/v1/uploads/{digest}/submit",
        "submitUpload",
        "Submit what was uploaded, as POST /v1/messages does",
        _submit,
        Gives(201, shape=Proven, text="The hub's signed accept."),
        params=(_DIGEST,),
        refuses=(NotFoundError, UploadOffsetError, *SUBMISSION),
    ),
    Endpoint(
        "DELETE",
        "/v1/uploads/{digest}",
        "giveUpUpload",
        "Forget an upload",
        _give_up,
        Gives(204, None, text="It is forgotten."),
        params=(_DIGEST,),
        refuses=(NotFoundError,),
    ),
)
