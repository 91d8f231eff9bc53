"""JSON as this protocol takes it: one spelling of every object, bounded before it is built.

Not for: files that people write (those are TOML or YAML). Implements `docs/protocol/01-encoding.md` section 2.
"""

import json
import re
from typing import Any, Final, NoReturn

from pydantic_core import to_json

from hub.protocol.errors import JsonError

MAX_DEPTH: Final = 16  # nested objects and arrays; the deepest wire shape has 6
MAX_INTEGER: Final = 2**53 - 1  # RFC 7493 section 2.2: every JSON reader keeps it exactly
_MAX_DIGITS: Final = 17  # a longer run of digits cannot be within MAX_INTEGER
# Possessive, and the closing quote optional: otherwise an unclosed string of escapes costs quadratic time.
_STRING: Final = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_BRACKET: Final = re.compile(r"[\[\]{}]")


def _no_fraction(_text: str) -> NoReturn:
    raise JsonError("fraction or exponent")


def _no_constant(_text: str) -> NoReturn:
    raise JsonError("NaN or infinity")


def _bounded_integer(text: str) -> int:
    if len(text) > _MAX_DIGITS or abs(int(text)) > MAX_INTEGER:
        raise JsonError("integer out of range")
    return int(text)


def _unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise JsonError("duplicate member")
    return members


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_unique_members,
    parse_float=_no_fraction,
    parse_int=_bounded_integer,
    parse_constant=_no_constant,
    strict=True,
)


def _check_depth(text: str) -> None:
    depth = 0
    for bracket in _BRACKET.findall(_STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        if depth > MAX_DEPTH:
            raise JsonError("too deep")


def parse_json(data: bytes) -> Any:  # noqa: ANN401 - what it is, is the caller's next check
    """Return the value of strict JSON: UTF-8, no duplicate members, integers only, bounded depth.

    Raises:
        JsonError: anything else, lone surrogates included.
    """
    return _parse(data, any_depth=False)


def check_json(data: bytes) -> None:
    """Check that data is what `parse_json` takes, of any depth: for what a closed shape has bounded already.

    Raises:
        JsonError: it is not.
    """
    _parse(data, any_depth=True)


def _parse(data: bytes, *, any_depth: bool) -> Any:  # noqa: ANN401 - as `parse_json`
    try:
        text = data.decode("utf-8")
        if not any_depth and text.count("[") + text.count("{") > MAX_DEPTH:  # cheap bound first; then the real depth
            _check_depth(text)
        value, end = _DECODER.raw_decode(text)
        if end != len(text):
            raise JsonError("bytes after the value")
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode("utf-8")  # refuses lone surrogates
    except (ValueError, RecursionError) as error:
        raise JsonError(type(error).__name__) from error
    return value


def write_json(value: object) -> bytes:
    """Return compact UTF-8 JSON. What is signed is these bytes; they are never made again from the value."""
    return to_json(value)
