"""The one table of routes: each row registers a route and describes it, so that the description cannot be another's.

Not for: what a route does (the modules that make the rows) or how the description is written down (`openapi.py`).
Implements `docs/reference/api.md`.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal

from aiohttp import web

from hub.protocol.envelope import MAX_SUBMISSION
from hub.protocol.errors import ValiseError
from hub.protocol.jws import MAX_JWS
from hub.protocol.wire import Wire

JSON: Final = "application/json"
JOSE: Final = "application/jose"
FRAME: Final = "application/vnd.valise.frame"
BYTES: Final = "application/octet-stream"
TEXT: Final = "text/plain"
EVENTS: Final = "text/event-stream"
MAX_QUESTION: Final = 1024 * 1024  # bytes of a JSON body; the longest is a question about 1,024 addressees

Route = Callable[[web.Request], Awaitable[web.StreamResponse]]
Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Param:
    """A part of the path or a member of the query. `schema` is JSON Schema; a missing one takes its default."""

    name: str
    text: str
    schema: Schema
    where: Literal["path", "query", "header"] = "query"


@dataclass(frozen=True, slots=True)
class Body:
    """What a request carries: JSON of a shape, or bytes of a media type, of at most so many bytes."""

    kind: str
    text: str = ""
    shape: type[Wire] | None = None
    most: int = MAX_SUBMISSION


@dataclass(frozen=True, slots=True)
class Gives:
    """What an answer that is no refusal carries."""

    status: int = 200
    kind: str | None = JSON
    shape: type[Wire] | None = None
    text: str = "Done."


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One route: what it takes, gives and refuses.

    `refuses` are the errors beyond those of every route; of a family, all its leaves are meant. `session` says that a
    partner must be on the line. `waits` says that the answer may be held back until something comes.
    """

    method: str
    path: str
    name: str
    summary: str
    run: Route
    gives: Gives = field(default_factory=Gives)
    takes: Body | None = None
    params: tuple[Param, ...] = ()
    refuses: tuple[type[ValiseError], ...] = ()
    session: bool = True
    waits: bool = False

    @property
    def most(self) -> int:
        """The most bytes that a body may have; a route that takes none reads none but must still refuse one."""
        return self.takes.most if self.takes else MAX_QUESTION


def question(shape: type[Wire], *, most: int = MAX_QUESTION) -> Body:
    """Return the body that is JSON of a shape."""
    return Body(JSON, shape.__name__, shape, most)


def signed(text: str) -> Body:
    """Return the body that is one compact JWS."""
    return Body(JOSE, text, None, MAX_JWS)


def _pattern(expression: str, text: str, example: str) -> Schema:
    return MappingProxyType({"type": "string", "pattern": expression, "description": text, "example": example})


DIGEST: Final = _pattern("^[A-Za-z0-9_-]{43}$", "base64url of SHA-256", "A" * 43)
PARTNER_CODE: Final = _pattern("^[a-z]{2,4}-[a-z0-9-]{1,27}$", "a partner's code", "fr-customs")
MESSAGE: Final = Param("mh", "The message's digest.", DIGEST, "path")


def number(least: int, most: int, default: int) -> Schema:
    """Return the schema of a whole number in the query."""
    return MappingProxyType({"type": "integer", "minimum": least, "maximum": most, "default": default})


def limit(most: int, default: int) -> Param:
    """Return the parameter that bounds a list."""
    return Param("limit", "At most so many.", number(1, most, default))


CURSOR: Final = Param(
    "cursor",
    "`next` of the page before; opaque. Without it the list begins. What is added meanwhile moves nothing.",
    MappingProxyType({"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[A-Za-z0-9_-]+$"}),
)
