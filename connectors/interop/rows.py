"""One row of cells as a draft and its addressing, or what is wrong with it: field, reason and nearest right value.

The draft checks itself as any other does; what it finds is told in the words of the columns. Not for: reading files
(`tables.py`) nor sending (`taking.py`). Reference page: `docs/reference/columns.md`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from zoneinfo import ZoneInfo

from connectors.interop.cells import Cell, Read, Value, read_cell, split_codes, text_of
from connectors.interop.columns import ADDRESSING, DESTINATION, KIND, NOTE, Column, of_kind
from hub.protocol.content import Draft
from hub.protocol.content.codelists import LegRole
from hub.protocol.content.drafts import parse_draft
from hub.protocol.errors import CodeListError, ContentError, JsonError
from hub.protocol.strictjson import write_json
from hub.protocol.vocabulary import MessageKind

EXAMPLE: Final = "example"
RELATIONS: Final = ("answers", "updates", "cancels")
_DAY: Final = 86_400  # seconds
_NEAREST: Final = re.compile(r"; did you mean '([^']*)'\?")
_MISSING: Final = "Field required"


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one cell, or doubtful when the row was sent all the same."""

    field: str
    wrong: str
    nearest: str = ""
    code: str = ContentError.code

    def sentence(self, file: str, row: int) -> str:
        """Return it as a person reads it: file, row, field, what is wrong and the nearest right value."""
        nearest = f"; nearest: {self.nearest}" if self.nearest else ""
        return f"{file}, row {row}, {self.field}: {self.wrong}{nearest}"


@dataclass(frozen=True, slots=True)
class Row:
    """A row as read: its number in the file (the header is 1), and its cells by column and repeat."""

    number: int
    cells: Mapping[tuple[Column, int], Cell]

    def text(self, name: str) -> str:
        """Return the text of a column that stands once, or nothing."""
        return next((text_of(cell) for (column, _), cell in self.cells.items() if column.name == name), "")

    @property
    def is_example(self) -> bool:
        """Whether it only shows how to fill in."""
        return self.text(NOTE).casefold().startswith(EXAMPLE)


@dataclass(frozen=True, slots=True)
class Mapped:
    """What a row says: a draft and its addressing when `problems` is empty. A relation is a message's number."""

    draft: Draft | None
    problems: Sequence[Problem]
    warnings: Sequence[Problem] = ()
    to: Sequence[str] = ()
    leave_out: Sequence[str] = ()
    members: bool | None = None
    subscribers: bool | None = None
    relations: Mapping[str, str] = field(default_factory=dict)


def map_row(
    row: Row, kind: MessageKind, *, zone: ZoneInfo | None, defaults: Mapping[str, str], numbers: Mapping[str, str]
) -> Mapped:
    """Return what a row of a kind says.

    Args:
        row: its cells by column.
        kind: which message it is.
        zone: of a spreadsheet's dates with times.
        defaults: column name to value, for cells that are empty.
        numbers: from the beginning of a message's number to the whole of it.
    """
    cells = _filled(row, kind, defaults)
    read = {
        place: found
        for place, cell in cells.items()
        if place[0].name not in (NOTE, KIND)
        and (found := read_cell(place[0].form, cell, codes=place[0].codes, zone=zone)) is not None
    }
    problems = [_problem(column.named(number), one) for (column, number), one in read.items() if one.wrong]
    warnings = [Problem(column.named(number), one.warning) for (column, number), one in read.items() if one.warning]
    missing = [column for column in of_kind(kind) if column.required and not any(column is one for one, _ in read)]
    problems += [Problem(column.name, "must be filled in") for column in missing]
    values = {place: one.value for place, one in read.items() if one.value is not None}
    relations = {
        name: numbers.get(str(value), str(value)) for name in RELATIONS if (value := _given(values, name)) is not None
    }
    if kind is MessageKind.FEEDBACK and "answers" not in relations:
        problems.append(Problem("answers", "must be filled in: the number of the warning"))
    if "updates" in relations and "cancels" in relations:
        problems.append(Problem("cancels", "a warning is updated or cancelled, not both"))
    draft, wrong = (None, []) if problems else _draft(kind, values, relations)
    return Mapped(
        draft=draft,
        problems=[*problems, *wrong],
        warnings=warnings,
        to=_partners(_given(values, "to")),
        leave_out=_partners(_given(values, "leave out")),
        members=_flag(_given(values, "to members")),
        subscribers=_flag(_given(values, "to subscribers")),
        relations=relations,
    )


def _filled(row: Row, kind: MessageKind, defaults: Mapping[str, str]) -> dict[tuple[Column, int], Cell]:
    cells = {place: cell for place, cell in row.cells.items() if text_of(cell)}
    names = {column.named(number) for column, number in cells}
    for column in of_kind(kind):
        if column.name in defaults and column.name not in names:
            cells[column, 1] = defaults[column.name]
    return cells


def _problem(name: str, read: Read) -> Problem:
    code = CodeListError.code if read.unknown else ContentError.code
    return Problem(name, read.wrong, read.nearest, code)


def _given(values: Mapping[tuple[Column, int], Value], name: str) -> Value | None:
    return next((value for (column, _), value in values.items() if column.name == name), None)


def _partners(value: Value | None) -> list[str]:
    parts = value if isinstance(value, list) else []
    return [code for part in parts for code in split_codes(part.replace(" ", ","))]


def _flag(value: Value | None) -> bool | None:
    return value if isinstance(value, bool) else None


# --- the draft -------------------------------------------------------------------------------------------------------


def _draft(
    kind: MessageKind, values: Mapping[tuple[Column, int], Value], relations: Mapping[str, str]
) -> tuple[Draft | None, list[Problem]]:
    """Build the draft's JSON, let it check itself, and tell what it finds in the words of the columns."""
    tree: dict[str, Any] = {"kind": kind.value}
    for (column, number), value in values.items():
        if column.path and column.name not in ADDRESSING:
            _put(tree, column.at(number).split("."), _as_written(column, value))
    if kind is MessageKind.SEIZURE and relations.get("answers"):
        _cause(tree, relations["answers"])
    places: dict[str, str] = {}
    whole = _closed(tree, "", "", places)
    names = {column.at(number): column.named(number) for column, number in values}
    try:
        return parse_draft(write_json(whole)), []
    except (ContentError, JsonError) as error:
        at = error.field if isinstance(error, ContentError) else ""
        return None, [_told(kind, _original(at, places), error, names)]


def _as_written(column: Column, value: Value) -> Value:
    """Return a value as the draft has it: a set of marks is sorted, days are seconds."""
    if column.path in ("marks.codes", "marks.caveats") and isinstance(value, list):
        return sorted(set(value))
    if column.path == "marks.retain" and isinstance(value, int):
        return value * _DAY
    return value


def _put(tree: dict[str, Any], path: Sequence[str], value: Value) -> None:
    *parents, last = path
    for name in parents:
        tree = tree.setdefault(name, {})
    tree[last] = value


def _cause(tree: dict[str, Any], warning: str) -> None:
    """A seizure that answers a warning was caused by it, unless the row says by which others."""
    seizure = tree.setdefault("compartments", {}).setdefault("seizure", {})
    seizure.setdefault("caused_by", [warning])


def _closed(tree: Any, at: str, written: str, places: dict[str, str]) -> Any:  # noqa: ANN401 - JSON
    """Return the tree with its numbered parts as lists without holes; `places` leads from there to what was written.

    Legs have their roles by their places, questions and answers their identifiers by their numbers.
    """
    places[at.removeprefix("compartments.")] = written.removeprefix("compartments.")
    if not isinstance(tree, dict):
        return tree
    prefix, origin = (f"{at}." if at else ""), (f"{written}." if written else "")
    if not tree or not all(name.isdecimal() for name in tree):
        return {name: _closed(one, prefix + name, origin + name, places) for name, one in tree.items()}
    part = at.rpartition(".")[2]
    return [
        _closed(tree[number], f"{prefix}{place}", origin + number, places) | _implied(part, int(number))
        for place, number in enumerate(sorted(tree, key=int))
    ]


def _implied(part: str, number: int) -> dict[str, str]:
    if part == "route":
        role = {0: LegRole.ORIGIN, DESTINATION: LegRole.DESTINATION}.get(number, LegRole.TRANSIT)
        return {"role": role.value}
    return {"id": f"q{number}"} if part in ("questions", "answers") else {}


def _original(at: str, places: Mapping[str, str]) -> str:
    """Return a place of the draft as the columns' paths have it; what is not there keeps its end."""
    head, tail = at, ""
    while head and head not in places:
        head, _, last = head.rpartition(".")
        tail = f".{last}{tail}"
    return places.get(head, head) + tail if head else at


def _told(kind: MessageKind, at: str, error: ContentError | JsonError, names: Mapping[str, str]) -> Problem:
    found = _NEAREST.search(error.detail)
    reason = _NEAREST.sub("", error.detail)
    if isinstance(error, ContentError):
        reason = reason.removeprefix(f"{error.field}: ")
    if _MISSING in reason:
        reason = "must be filled in, because others of its part are"
    return Problem(_name_at(kind, at, names), reason, found[1] if found else "", error.code)


def _name_at(kind: MessageKind, at: str, names: Mapping[str, str]) -> str:
    """Return the column at a place of the draft, or the section of those below it; columns of the row come first."""
    every = {
        column.at(number): column.named(number) for column in of_kind(kind) for number in range(1, column.repeats + 1)
    }
    sections = {column.at(1): column.section.lower() for column in of_kind(kind)}
    place = at
    while place:
        paths = (place, f"compartments.{place}")
        exact = [known[path] for known in (names, every) for path in paths if path in known]
        below = [name for path, name in sections.items() if path.startswith(tuple(f"{one}." for one in paths))]
        if exact or below:
            return (exact or below)[0]
        place = place.rpartition(".")[0]
    return "the whole row"
