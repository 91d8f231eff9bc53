"""The description of the interface (OpenAPI 3.1), written down from the table of routes and the shapes of the wire.

Not for: any word about a route that is not in its row. `docs/reference/openapi.json` is its output; the page for people
is `docs/reference/api.md`.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from types import MappingProxyType
from typing import Any, Final

from pydantic.json_schema import models_json_schema

from hub.api.problems import HEADERS, PROBLEM, status_of
from hub.api.table import EVENTS, JOSE, JSON, Body, Endpoint, Param
from hub.protocol import errors
from hub.protocol.errors import (
    BusyError,
    ContentCodingError,
    InternalError,
    JsonError,
    OverQuotaError,
    PartnerSuspendedError,
    RequestError,
    StaleDirectoryError,
    StoreError,
    TooLargeError,
    UnauthenticatedError,
    UnknownPartnerError,
    UnknownPolicySetError,
    ValiseError,
)
from hub.protocol.interface import Problem
from hub.protocol.jws import MAX_JWS
from hub.protocol.wire import Wire

_EVERY: Final = (RequestError, InternalError, BusyError)
_EVENT: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "id": {"type": "string", "pattern": r"^[0-9]+\.[0-9]+$"},
        "event": {"enum": ["copy", "receipt", "end"]},
        "data": {"type": "string", "description": "JSON: StreamedItem, or a Problem at the end."},
    }
)
COMPACT: Final = r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]+$"  # of a JWS; docs/protocol/01-encoding.md
_SESSION: Final = (
    UnauthenticatedError,
    PartnerSuspendedError,
    UnknownPartnerError,
    OverQuotaError,
    TooLargeError,
    ContentCodingError,
    StoreError,
    StaleDirectoryError,
    UnknownPolicySetError,
)
_TOLD: Final[Mapping[int, tuple[str, ...]]] = MappingProxyType(
    {429: ("retry_after",), 503: ("retry_after",), 409: ("offset",), 401: ("time",)}
)  # which facts an answer of a status may carry
_FACTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "retry_after": "After how many seconds to ask again.",
        "offset": "Of an upload: how many bytes of it are here.",
        "time": "With `exchange/wrong-clock`: the hub's time, Unix seconds.",
    }
)
_DESCRIPTION: Final = (
    "Routes for connectors, peers and auditors. Nothing is believed because of the connection: what counts is signed "
    "inside. Every refusal is a problem (RFC 9457) of constants; decide by `code`. Requests that cannot be parsed as "
    "HTTP get a plain 400 of the server. The narrative is docs/reference/api.md."
)
_SCHEMES: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "token": {
            "type": "http",
            "scheme": "DPoP",
            "description": "`Authorization: DPoP <token>` of POST /v1/session.",
        },
        "proof": {
            "type": "apiKey",
            "in": "header",
            "name": "DPoP",
            "description": "A fresh proof by the session key (RFC 9449) with `bh`, the digest of the body.",
        },
    }
)


def describe(endpoints: Sequence[Endpoint], *, version: str) -> dict[str, Any]:
    """Return the description of a table of routes as a JSON value."""
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Valise hub", "version": version, "description": _DESCRIPTION},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": _schemas(endpoints), "securitySchemes": dict(_SCHEMES)},
    }


def _schemas(endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    shapes = {Problem} | {one.gives.shape for one in endpoints if one.gives.shape}
    shapes |= {one.takes.shape for one in endpoints if one.takes and one.takes.shape}
    ordered = sorted(shapes, key=lambda shape: shape.__name__)
    _, found = models_json_schema(
        [(shape, "validation") for shape in ordered], ref_template="#/components/schemas/{model}"
    )
    schemas: dict[str, Any] = found["$defs"]
    return schemas


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    described: dict[str, Any] = {"operationId": endpoint.name, "summary": endpoint.summary, "tags": [_tag(endpoint)]}
    if endpoint.params:
        described["parameters"] = [_param(one) for one in endpoint.params]
    if endpoint.takes:
        described["requestBody"] = {"required": True, **_body(endpoint.takes)}
    described["responses"] = _responses(endpoint)
    if endpoint.session:
        described["security"] = [{"token": [], "proof": []}]
    elif endpoint.takes:
        described["security"] = [{"proof": []}]
    return described


def _tag(endpoint: Endpoint) -> str:
    return endpoint.path.removeprefix("/v1").split("/")[1]


def _param(param: Param) -> dict[str, Any]:
    needed = param.where == "path" or ("default" not in param.schema and "minimum" in param.schema)
    return {
        "name": param.name,
        "in": param.where,
        "required": needed,
        "description": param.text,
        "schema": dict(param.schema),
    }


def _body(body: Body) -> dict[str, Any]:
    text = f"{body.text} At most {body.most:,} bytes.".strip()
    return {"description": text, "content": {body.kind: {"schema": _schema(body.kind, body.shape)}}}


def _schema(kind: str, shape: type[Wire] | None) -> dict[str, Any]:
    if shape is not None:
        return {"$ref": f"#/components/schemas/{shape.__name__}"}
    if kind == JSON:
        return {"type": "object"}
    if kind == EVENTS:
        return {"type": "object", "properties": dict(_EVENT), "required": ["event", "data"]}
    if kind == JOSE:
        return {"type": "string", "maxLength": MAX_JWS, "pattern": COMPACT}
    return {"type": "string"} if kind.startswith("text/") else {"type": "string", "format": "binary"}


def _responses(endpoint: Endpoint) -> dict[str, Any]:
    gives = endpoint.gives
    content = {gives.kind: {"schema": _schema(gives.kind, gives.shape)}} if gives.kind else None
    responses = {str(gives.status): {"description": gives.text} | ({"content": content} if content else {})}
    refused: dict[int, list[str]] = {}
    for leaf in chain.from_iterable(_leaves(one) for one in _refusals(endpoint)):
        codes = refused.setdefault(status_of(leaf), [])
        codes += [leaf.code] if leaf.code not in codes else []
    for status, codes in sorted(refused.items()):
        responses[str(status)] = _refused(status, codes)
    return responses


def _refusals(endpoint: Endpoint) -> Iterable[type[ValiseError]]:
    yield from _EVERY
    if endpoint.session:
        yield from _SESSION
    if endpoint.takes and endpoint.takes.shape:
        yield JsonError
    yield from endpoint.refuses


def _leaves(family: type[ValiseError]) -> Iterable[type[ValiseError]]:
    """Yield what can be raised of a family; what only a connector says is not the hub's to say."""
    if "code" in vars(family):
        yield family
    for one in family.__subclasses__():
        if one.__module__ == errors.__name__:
            yield from _leaves(one)


def _refused(status: int, codes: list[str]) -> dict[str, Any]:
    headers = {
        HEADERS[fact]: {"description": _FACTS[fact], "schema": {"type": "integer"}} for fact in _TOLD.get(status, ())
    }
    described: dict[str, Any] = {
        "description": ", ".join(f"`{code}`" for code in sorted(codes)),
        "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    return described | ({"headers": headers} if headers else {})
