"""Facts that people keep in tables: partners and agreements, as the TOML files of a policy set say them.

Not for: rules (`engine.py`) nor for the directory's keys and status (`hub/protocol/directory.py`). Implements
`docs/protocol/06-decisions.md` section 2.
"""

import json
import re
import tomllib
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Final, Self, TypeVar

from pydantic import BaseModel, Field, ValidationError, model_validator

from hub.policy.duties import DutyKind
from hub.protocol.errors import PolicySetError
from hub.protocol.marks import Tlp
from hub.protocol.vocabulary import Basis, Country, Label, Offence, PartnerCode, PartnerKind, Purpose, nearest
from hub.protocol.wire import Wire

_TLPS: Final = tuple(Tlp)
_LINE: Final = re.compile(r"at line (\d+)")
_EXPECTED: Final = re.compile(r"'([^']*)'")
MAX_AGREEMENT_ID: Final = 23  # characters; a decision has room for one agreement for each of ten labels (04-statements)
_MAX_RETENTION: Final = 3_653  # days; the marks' own limit (07-marks)

Name = Annotated[str, Field(min_length=1, max_length=120)]
Text = Annotated[str, Field(min_length=1, max_length=400)]
Group = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=32)]


class Clearance(StrEnum):
    """Up to which marking a partner's staff and rooms are cleared."""

    NONE = "none"
    RESTRICTED = "restricted"
    CONFIDENTIAL = "confidential"


class Assurance(StrEnum):
    """What a partner has assured in writing."""

    NO_DEATH_PENALTY = "no-death-penalty"
    NO_TORTURE = "no-torture"
    DATA_PROTECTION = "data-protection"


class Quota(Wire):
    """What a partner may send; kept by a limiter after the decision, because it is state and a decision has none."""

    messages_per_day: Annotated[int, Field(ge=1, le=1_000_000)]


class PartnerPolicy(Wire):
    """What the policy set says of one partner (`partners/<code>/partner.toml`).

    Attributes:
        adopts: the folders of `baseline/` whose rules are its own as well.
        capital_risk: the death penalty or torture threatens; needs assurances.
        suspended: by the governing board: it sends nothing and gets nothing.
        coordinates: it may open operations.
        discharges: the duties that its connector can discharge.
    """

    code: PartnerCode
    name: Name
    kind: PartnerKind
    country: Country
    groups: tuple[Group, ...]
    adopts: tuple[Group, ...]
    clearance: Clearance
    adequacy: bool
    capital_risk: bool
    assurances: tuple[Assurance, ...] = ()
    suspended: bool = False
    coordinates: bool = False
    quota: Quota
    discharges: tuple[DutyKind, ...]


class Agreement(Wire):
    """What parties agreed (`agreements/<id>.toml`); it holds between any two of them.

    Attributes:
        parties: partner codes, or groups, which stand for all their partners.
        valid_from: the first day (UTC).
        valid_until: the last day (UTC).
        offences: None when it covers whatever offence.
        operation: set when it covers the messages of one operation only.
        retention_days: how long an addressee may keep a copy; None leaves it to the marks and the duties.
    """

    id: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=MAX_AGREEMENT_ID)]
    title: Name
    instrument: Basis
    legal: Text
    parties: Annotated[tuple[Group, ...], Field(min_length=1, max_length=512)]
    valid_from: date
    valid_until: date
    suspended: bool = False
    purposes: Annotated[tuple[Purpose, ...], Field(min_length=1)]
    offences: Annotated[tuple[Offence, ...], Field(min_length=1)] | None = None
    compartments: Annotated[tuple[Label, ...], Field(min_length=1)]
    ceiling: Tlp
    operation: Annotated[str, Field(max_length=48)] | None = None
    pnr: bool
    onward: bool
    retention_days: Annotated[int, Field(ge=1, le=_MAX_RETENTION)] | None = None

    @model_validator(mode="after")
    def _dates_do_not_cross(self) -> Self:
        if self.valid_from > self.valid_until:
            raise ValueError("valid_until lies before valid_from")
        return self

    @property
    def begins(self) -> int:
        """The first second of validity, Unix time."""
        return _midnight(self.valid_from)

    @property
    def ends(self) -> int:
        """The first second after validity, Unix time."""
        return _midnight(self.valid_until + timedelta(days=1)) if self.valid_until < date.max else _midnight(date.max)

    @property
    def tlps(self) -> tuple[Tlp, ...]:
        """Everything up to the ceiling."""
        return _TLPS[: _TLPS.index(self.ceiling) + 1]


def _midnight(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


_Shape = TypeVar("_Shape", bound=BaseModel)


def parse_table(shape: type[_Shape], path: str, data: bytes, known: Mapping[str, str] | None = None) -> _Shape:
    """Return the TOML table of a file as a shape.

    Args:
        shape: the closed model.
        path: the file's name, for errors.
        data: the file's bytes.
        known: members that follow from the file's name; the table must not have them.

    Raises:
        PolicySetError: not TOML, or not of the shape; names file, line and the nearest right word.
    """
    text, table = read_toml(path, data)
    for name in known or {}:
        if name in table:
            raise PolicySetError(f"{path}:{line_of(text, name)}: {name!r} follows from the file's name; leave it out")
    try:
        return shape.model_validate_json(json.dumps({**table, **(known or {})}, default=str))
    except ValidationError as invalid:
        first = invalid.errors(include_url=False)[0]
        place, word = [str(part) for part in first["loc"] if isinstance(part, str)], str(first.get("input", ""))
        name = place[-1] if place else ""
        hint = ""
        if first["type"] == "extra_forbidden":
            hint = nearest(name, shape.model_fields)
        elif first["type"] in ("enum", "literal_error"):
            hint = nearest(word, _EXPECTED.findall(str(first.get("ctx", {}).get("expected", ""))))
        line = line_of(text, word if f'"{word}"' in text else name)
        raise PolicySetError(f"{path}:{line}: {'.'.join(place)}: {first['msg']}{hint}") from None


def read_toml(path: str, data: bytes) -> tuple[str, dict[str, Any]]:
    """Return a TOML file as text and as a table.

    Raises:
        PolicySetError: not TOML in UTF-8; names file and line.
    """
    try:
        text = data.decode("utf-8")
        return text, tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        found = _LINE.search(str(error))
        raise PolicySetError(f"{path}:{found[1] if found else 1}: {error}") from error


def line_of(text: str, word: str) -> int:
    """Return the first line (from 1) in which a word stands by itself; 1 when it is in none."""
    pattern = re.compile(rf"(?<![\w-]){re.escape(word)}(?![\w-])")
    return next((at for at, line in enumerate(text.splitlines(), 1) if word and pattern.search(line)), 1)
