"""From bytes to an unbelieved wire shape: strict JSON of a closed model.

Not for: whether the shape's words are true; that is `verify`'s. Implements `docs/protocol/01-encoding.md` section 3.
"""

from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

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
    check_json(data)
    return value


def write_wire(value: BaseModel) -> bytes:
    """Return the bytes to sign or send. A received object's bytes are kept, never made again from its value."""
    return value.model_dump_json(by_alias=True).encode()
