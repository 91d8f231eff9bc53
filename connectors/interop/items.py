"""A dropped file as items to send: each row, or each JSON object, with its draft and addressing or what is wrong.

An item's identity is made from what it says, so the same row is the same message in whatever file it comes again. Not
for: sending them (`taking.py`). User's page: `docs/how-to/connect-a-system.md`.
"""

import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

from pydantic import Field

from connectors.interop.cells import text_of
from connectors.interop.csv_files import read_csv
from connectors.interop.rows import RELATIONS, Mapped, Problem, Row, map_row
from connectors.interop.spreadsheets import read_spreadsheet
from connectors.interop.tables import MAX_ROWS, Grid, Table, rows_of
from hub.protocol.audience import MAX_ADDRESSEES
from hub.protocol.content.drafts import MAX_DRAFT, parse_draft
from hub.protocol.encoding import lp
from hub.protocol.errors import ContentError, JsonError, MalformedError, TableError
from hub.protocol.hazmat import sha256
from hub.protocol.strictjson import parse_json, write_json
from hub.protocol.vocabulary import PartnerCode
from hub.protocol.wire import Wire, parse_wire

MAX_UPLOAD: Final = 64 * 1024 * 1024  # bytes of any file; JSON drafts have attachments
SUFFIXES: Final = (".csv", ".json", ".jsonl", ".xlsx")
_Partners = Annotated[tuple[PartnerCode, ...], Field(max_length=MAX_ADDRESSEES)]
_Number = Annotated[str, Field(min_length=4, max_length=43)]
_CONTEXT: Final = "valise1 drop"


class Handed(Wire):
    """A draft with its addressing, as a program writes it into a JSON file.

    `note` is not sent; another note makes another message of the same draft.
    """

    to: _Partners = ()
    leave_out: _Partners = ()
    members: bool | None = None
    subscribers: bool | None = None
    answers: _Number | None = None
    updates: _Number | None = None
    cancels: _Number | None = None
    note: Annotated[str, Field(max_length=200)] = ""
    draft: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Raw:
    """One item before its numbers are whole: its place in the file, and a row or an object of JSON."""

    number: int
    row: Row | None
    value: Mapping[str, Any]
    table: Table | None

    def relations(self) -> Sequence[str]:
        """Return the numbers of other messages that it names."""
        if self.row is not None:
            return [text for name in RELATIONS if (text := self.row.text(name))]
        return [str(self.value[name]) for name in RELATIONS if self.value.get(name)]


@dataclass(frozen=True, slots=True)
class Item:
    """One message to send, or what is wrong with it. `identifier` is made from what it says."""

    number: int
    identifier: str
    mapped: Mapped
    is_example: bool = False


def read_items(file: str, data: bytes) -> tuple[list[Raw], Sequence[str]]:
    """Return what a file has to send, and what is doubtful about it as a whole.

    Raises:
        TableError: the file as a whole cannot be read; nothing of it may be sent.
    """
    suffix = PurePath(file).suffix.lower()
    if suffix not in SUFFIXES:
        raise TableError(f"{file}: not one of {', '.join(SUFFIXES)}")
    if suffix in (".csv", ".xlsx"):
        table = read_csv(file, data) if suffix == ".csv" else read_spreadsheet(file, data)
        return [Raw(row.number, row, {}, table) for row in table.rows], table.doubts
    values = _json_values(file, data, lines=suffix == ".jsonl")
    if not values:
        raise TableError(f"{file}: nothing in it")
    if len(values) > MAX_ROWS:
        raise TableError(f"{file}: more than {MAX_ROWS} items; split it into several files")
    return [_raw(file, number, value) for number, value in values], ()


def _json_values(file: str, data: bytes, *, lines: bool) -> list[tuple[int, Any]]:
    if len(data) > (MAX_UPLOAD if lines else MAX_DRAFT):
        raise TableError(f"{file}: too large; split it into several files")
    data = data.removeprefix(b"\xef\xbb\xbf").strip()
    try:
        if lines:
            return [(number, parse_json(line)) for number, line in enumerate(data.splitlines(), 1) if line.strip()]
        value = parse_json(data) if data else []
    except JsonError as error:
        raise TableError(f"{file}: not strict JSON: {error.detail}; write it in UTF-8") from None
    return list(enumerate(value if isinstance(value, list) else [value], 1))


def _raw(file: str, number: int, value: Any) -> Raw:  # noqa: ANN401 - JSON
    if not isinstance(value, dict):
        raise TableError(f"{file}, item {number}: not an object")
    if "draft" in value:
        return Raw(number, None, value, None)
    if "compartments" in value:
        return Raw(number, None, {"draft": value}, None)
    cells = [one if isinstance(one, str | int | bool) else write_json(one).decode() for one in value.values()]
    table = rows_of(Grid("", list(value), [(number, cells)]), file)
    return Raw(number, table.rows[0], {}, table)


def items_of(
    raws: Sequence[Raw], *, partner: str, zone: ZoneInfo | None, defaults: Mapping[str, str], numbers: Mapping[str, str]
) -> list[Item]:
    """Return the items with their drafts and identifiers; equal ones in one file are counted, so each has its own."""
    seen: Counter[bytes] = Counter()
    items = []
    for raw in raws:
        said = _said(raw)
        seen[said] += 1
        identifier = _identifier(lp(_CONTEXT, partner, said, str(seen[said])))
        if raw.row is not None and raw.table is not None:
            mapped = map_row(raw.row, raw.table.kind, zone=zone, defaults=defaults, numbers=numbers)
            items.append(Item(raw.number, identifier, mapped, raw.row.is_example))
        else:
            items.append(Item(raw.number, identifier, _map_object(raw.value, numbers)))
    return items


def _said(raw: Raw) -> bytes:
    if raw.row is None or raw.table is None:
        return write_json(_sorted(raw.value))
    cells = sorted((column.named(number), text_of(cell)) for (column, number), cell in raw.row.cells.items())
    return write_json([raw.table.kind.value, cells])


def _sorted(value: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return {name: _sorted(value[name]) for name in sorted(value)}
    return [_sorted(one) for one in value] if isinstance(value, list) else value


def _identifier(said: bytes) -> str:
    """Return a UUIDv7 (RFC 9562 section 5.7) at time 0, since the same must give the same at any time."""
    raw = bytearray(bytes(6) + sha256(said)[:10])
    raw[6] = 0x70 | raw[6] & 0x0F
    raw[8] = 0x80 | raw[8] & 0x3F
    return str(uuid.UUID(bytes=bytes(raw)))


def _map_object(value: Mapping[str, Any], numbers: Mapping[str, str]) -> Mapped:
    try:
        handed = parse_wire(Handed, write_json(value))
        draft = parse_draft(write_json(handed.draft))
    except ContentError as error:
        return Mapped(None, [Problem(error.field or "the whole item", error.detail, code=error.code)])
    except (JsonError, MalformedError) as error:
        return Mapped(None, [Problem("the whole item", error.detail, code=error.code)])
    given = {name: text for name in RELATIONS if (text := getattr(handed, name)) is not None}
    several = [Problem("answers", "only one of " + ", ".join(given))] if len(given) > 1 else []
    return Mapped(
        draft=draft,
        problems=several,
        to=handed.to,
        leave_out=handed.leave_out,
        members=handed.members,
        subscribers=handed.subscribers,
        relations={name: numbers.get(text, text) for name, text in given.items()},
    )
