"""The shape of content: bounded plain text, dates as people know them, and one way from bytes to a model.

Not for: any particular field (`warning.py`, `feedback.py`, `seizure.py`). Implements `docs/protocol/08-content.md`
section 2. An error names the field and the nearest right value and never repeats what was written there.
"""

import re
import unicodedata
from collections.abc import Collection, Iterator
from datetime import date, datetime
from typing import Annotated, Final, Self, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from hub.protocol.errors import CheckDigitError, CodeListError, ContentError
from hub.protocol.strictjson import parse_json
from hub.protocol.vocabulary import nearest, not_in_list
from hub.protocol.wire import Wire

MAX_CONTENT: Final = 1024 * 1024  # bytes of one JSON compartment; photographs and scans are attachments
MAX_LINES: Final = 200  # entries of one list; a longer one is an attachment

# Controls, line and paragraph separators, and what makes text read in another order than it is stored (UAX 9).
_FORBIDDEN_CATEGORIES: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
_BIDI_OVERRIDES: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_ALLOWED_CONTROLS: Final = frozenset("\n\t")
_MEMBER_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,31}\Z")


def wrong(reason: str, *, member: str = "") -> PydanticCustomError:
    """Return the ValueError for a rule of section 3 onwards; `member` is the field below the one being checked."""
    return PydanticCustomError("content", "{reason}", {"reason": reason, "member": member})


class Content(Wire):
    """What every content shape is: a closed wire shape, whose errors say how to correct them."""


# --- text ----------------------------------------------------------------------------------------------------------


def _check_characters(text: str, allowed: Collection[str]) -> str:
    for character in text:
        if character in _BIDI_OVERRIDES:
            raise wrong("has a character that changes the reading order (U+202A-202E, U+2066-2069); remove it")
        if unicodedata.category(character) in _FORBIDDEN_CATEGORIES and character not in allowed:
            raise wrong("has a control character; remove it")
    if text != text.strip():
        raise wrong("begins or ends with a blank; remove it")
    return text


def _plain_line(text: str) -> str:
    return _check_characters(text, ())


def _plain_text(text: str) -> str:
    return _check_characters(text, _ALLOWED_CONTROLS)


Word = Annotated[str, Field(min_length=1, max_length=40), AfterValidator(_plain_line)]
Line = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_plain_line)]
Prose = Annotated[str, Field(min_length=1, max_length=4_000), AfterValidator(_plain_text)]
Narration = Annotated[str, Field(min_length=1, max_length=32_000), AfterValidator(_plain_text)]

# --- figures: decimal text, because strict JSON has no fractions and money no rounding ------------------------------

Figure = Annotated[str, Field(pattern=r"^(0|[1-9][0-9]{0,14})(\.[0-9]{1,4})?$")]
Pieces = Annotated[int, Field(ge=1, le=10**9)]
Tally = Annotated[int, Field(ge=0, le=10**9)]

# --- dates and times -----------------------------------------------------------------------------------------------

_PARTIAL: Final = re.compile(r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?\Z")
_MOMENT: Final = re.compile(r"2[01][0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2})\Z")


def _partial_date(text: str) -> str:
    found = _PARTIAL.match(text)
    if not found:
        raise wrong("not a date: write YYYY, YYYY-MM or YYYY-MM-DD, as much as is known")
    year, month, day = found.groups("01")
    try:
        date(int(year), int(month), int(day))
    except ValueError:
        raise wrong("no such day in the calendar") from None
    return text


def _moment(text: str) -> str:
    if not _MOMENT.match(text):
        raise wrong("not a time: write it as 2026-10-02T13:20+03:00 or with Z, the local time with its offset from UTC")
    try:
        datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise wrong("no such day or time in the calendar") from None
    return text


PartialDate = Annotated[str, AfterValidator(_partial_date)]
Moment = Annotated[str, AfterValidator(_moment)]


def unix_seconds(moment: str) -> int:
    """Return a `Moment` as Unix seconds."""
    return int(datetime.fromisoformat(moment).timestamp())


def local_day(moment: str) -> str:
    """Return the calendar day that a `Moment` had where it happened."""
    return datetime.fromisoformat(moment).date().isoformat()


# --- lists ---------------------------------------------------------------------------------------------------------

_Item = TypeVar("_Item")
Some = Annotated[tuple[_Item, ...], Field(max_length=MAX_LINES)]
Few = Annotated[tuple[_Item, ...], Field(max_length=16)]


def coded(codes: Collection[str], name: str) -> AfterValidator:
    """Return a validator for a text that must be in `codes`; `name` says which list that is."""

    def check(text: str) -> str:
        if text not in codes:
            raise not_in_list(f"not in {name}{nearest(text[:64], codes)}")
        return text

    return AfterValidator(check)


class Span(Content):
    """A span of time; either end may be open."""

    begins: Moment | None = None
    ends: Moment | None = None

    @model_validator(mode="after")
    def _is_forward(self) -> Self:
        if self.begins and self.ends and unix_seconds(self.begins) >= unix_seconds(self.ends):
            raise wrong("ends before it begins", member="ends")
        return self


# --- from bytes to a model -----------------------------------------------------------------------------------------

_CODE_ERRORS: Final = frozenset({"code_list", "enum", "literal_error"})
_QUOTED: Final = re.compile(r"'([^']*)'")
_Shape = TypeVar("_Shape", bound=BaseModel)


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)


def _members_at(shape: type[BaseModel], place: tuple[int | str, ...]) -> Collection[str]:
    """The members of the model that stands at this place of a shape; places in lists do not matter."""
    for name in place:
        if isinstance(name, str):
            shape = next(_models_in(shape.model_fields[name].annotation), shape)
    return shape.model_fields


def _reason(error: ErrorDetails, shape: type[BaseModel]) -> str:
    if error["type"] == "extra_forbidden":
        *place, name = error["loc"]
        return f"no such member here{nearest(str(name)[:64], _members_at(shape, tuple(place)))}"
    if error["type"] not in {"enum", "literal_error"}:
        return error["msg"].removeprefix("Value error, ")
    codes = _QUOTED.findall(str(error.get("ctx", {}).get("expected", "")))
    written = error["input"] if isinstance(error["input"], str) else ""
    return f"not in the list{nearest(written[:64], codes) or ': one of ' + ', '.join(codes)}"


def _to_error(error: ErrorDetails, shape: type[BaseModel], at: str) -> ContentError:
    member = str(error.get("ctx", {}).get("member", ""))
    known = (str(name) if isinstance(name, int) or _MEMBER_NAME.match(name) else "?" for name in error["loc"])
    field = ".".join(part for part in (at, *known, member) if part)
    kind = CheckDigitError if error["type"] == "check_digit" else ContentError
    if error["type"] in _CODE_ERRORS:
        kind = CodeListError
    return kind(f"{field or 'the whole part'}: {_reason(error, shape)}", field=field)


def parse_content(shape: type[_Shape], data: bytes, *, at: str = "", most: int = MAX_CONTENT) -> _Shape:
    """Return `data` as an unbelieved `shape`.

    Args:
        shape: the model.
        data: JSON as `docs/protocol/01-encoding.md` section 2 takes it.
        at: what the names of fields begin with, such as `identity`.
        most: bytes that are accepted at the most.

    Raises:
        JsonError: not strict JSON.
        ContentError: not of that shape, or a leaf of it: CodeListError, CheckDigitError. `field` says where.
    """
    if len(data) > most:
        raise ContentError(f"longer than {most} bytes; send long parts as attachments", field=at)
    parse_json(data)
    try:
        return shape.model_validate_json(data)
    except ValidationError as invalid:
        raise _to_error(invalid.errors(include_url=False)[0], shape, at) from None


def write_content(content: Content) -> bytes:
    """Return the JSON of content; what was not given is left out."""
    return content.model_dump_json(exclude_defaults=True).encode()
