"""What the routes read out of a request, and the two kinds of answers that most of them give.

Not for: who asks (`sessions.py`). Implements `docs/reference/api.md`.
"""

from typing import TypeVar

from aiohttp import web

from hub.api.places import BODY
from hub.api.table import JSON
from hub.protocol.errors import RequestError
from hub.protocol.jws import MAX_JWS
from hub.protocol.wire import Wire, parse_wire

_Shape = TypeVar("_Shape", bound=Wire)


def answer(shape: Wire, status: int = 200) -> web.Response:
    """Return an answer of a shape."""
    return web.Response(text=shape.model_dump_json(), status=status, content_type=JSON)


def done() -> web.Response:
    """Return the answer that has nothing to say."""
    return web.Response(status=204)


def body_as(shape: type[_Shape], request: web.Request) -> _Shape:
    """Return a request's body as a shape.

    Raises:
        RequestError: it is not of that shape.
        JsonError: it is not strict JSON.
    """
    return parse_wire(shape, request[BODY], error=RequestError)


def signed_text(request: web.Request) -> str:
    """Return the body of a request that carries one compact JWS.

    Raises:
        RequestError: it cannot be one.
    """
    body = request[BODY]
    if len(body) > MAX_JWS or not body.isascii():
        raise RequestError("not a compact JWS")
    return body.decode("ascii")


def number_in(request: web.Request, name: str, default: int | None, most: int, *, least: int = 0) -> int:
    """Return a whole number of the query; without a default it must be given.

    Raises:
        RequestError: it is none, or outside its bounds, or given twice.
    """
    given = request.query.getall(name, [str(default)])
    text = given[0]
    if len(given) != 1 or not (text.isascii() and text.isdigit() and len(text) <= len(str(most))):
        raise RequestError(name)
    if not least <= int(text) <= most:
        raise RequestError(name)
    return int(text)
