"""From bytes to an unbelieved wire shape: strict JSON of a closed model.

Not for: whether the shape's words are true; that is `verify`'s. Implements `docs/protocol/01-encoding.md` section 3.
"""

from functools import cache
from math import inf
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.errors import PydanticInvalidForJsonSchema

from hub.protocol.errors import MalformedError, ValiseError
from hub.protocol.strictjson import MAX_INTEGER, check_json, parse_json

Digest = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43}$")]  # base64url of SHA-256
Salt = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{22}$")]  # base64url of 16 bytes
Count = Annotated[int, Field(ge=0, le=MAX_INTEGER)]
Time = Annotated[int, Field(ge=0, le=MAX_INTEGER)]  # Unix seconds, UTC
CompartmentId = Annotated[str, Field(pattern=r"^c(0|[1-9][0-9]?)$")]  # c0, c1, ...: the place in `cmp`


class Wire(BaseModel):
    """What every wire shape is: frozen, strict, and closed to unknown members."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


_Shape = TypeVar("_Shape", bound=BaseModel)


def parse_wire(shape: type[_Shape], data: bytes, *, error: type[ValiseError] = MalformedError) -> _Shape:
    """Return `data` as an unbelieved `shape`.

    Raises:
        JsonError: not strict JSON.
        ValiseError: the `error` class, when the JSON is not of that shape; its detail names the place.
    """
    try:
        value = shape.model_validate_json(data)
    except ValidationError as invalid:
        parse_json(data)
        first = invalid.errors(include_url=False, include_input=False)[0]
        raise error(f"{shape.__name__} {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    if not (_is_bounded(shape) and _written(value) == data):
        check_json(data)
    return value


def _written(value: BaseModel) -> bytes:
    """Return a value as our connectors write it. Bytes that equal these are strict JSON, if the shape is bounded.

    No member stands twice and nothing has another spelling; and writing is faster than a second reading.
    """
    return value.__pydantic_serializer__.to_json(value, by_alias=True, exclude_unset=True)


@cache
def _is_bounded(shape: type[BaseModel]) -> bool:
    """Whether every number in a shape is an integer that the strict reader takes, and nothing is of any shape."""
    try:
        return _all_bounded(shape.model_json_schema())
    except PydanticInvalidForJsonSchema:
        return False


def _all_bounded(schema: object) -> bool:
    if isinstance(schema, list):
        return all(map(_all_bounded, schema))
    if not isinstance(schema, dict):
        return True
    if schema.get("type") == "integer" and "const" not in schema:
        bounded = abs(schema.get("minimum", -inf)) <= MAX_INTEGER and schema.get("maximum", inf) <= MAX_INTEGER
    else:
        bounded = schema.get("type") != "number" and schema.get("additionalProperties") is not True
    typed = not schema.keys() <= {"title", "description", "default"} or not schema.keys() & {"title", "description"}
    return bounded and typed and schema.get("items", 1) != {} and all(map(_all_bounded, schema.values()))


def write_wire(value: BaseModel) -> bytes:
    """Return the bytes to sign or send. A received object's bytes are kept, never made again from its value."""
    return value.model_dump_json(by_alias=True).encode()
