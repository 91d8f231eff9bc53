"""A file's grid of cells as rows of known columns: who the columns are, and which message the rows are.

Not for: what a cell means (`cells.py`) nor how a file is opened (`csv_files.py`, `spreadsheets.py`). Reference page:
`docs/reference/columns.md`.
"""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

from connectors.interop.cells import Cell, plain, text_of
from connectors.interop.columns import COLUMNS, KIND, Column, names_of
from connectors.interop.rows import Row
from hub.protocol.errors import TableError
from hub.protocol.vocabulary import MessageKind

MAX_FILE: Final = 16 * 1024 * 1024  # bytes; some 5,000 rows with long texts
MAX_ROWS: Final = 5_000  # of one file: a report that nobody reads to its end helps nobody
MAX_COLUMNS: Final = 512
SHEETS: Final = {"warnings": MessageKind.WARNING, "feedback": MessageKind.FEEDBACK, "seizures": MessageKind.SEIZURE}


@dataclass(frozen=True, slots=True)
class Grid:
    """Cells as a file has them: the header, and the rows below it, each with its number in the file."""

    title: str
    header: Sequence[Cell]
    rows: Sequence[tuple[int, Sequence[Cell]]]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of one kind of message, and what is doubtful about the whole file."""

    kind: MessageKind
    rows: Sequence[Row]
    doubts: Sequence[str] = ()


def rows_of(grid: Grid, file: str, *, doubts: Sequence[str] = ()) -> Table:
    """Return a grid's rows under their columns.

    Raises:
        TableError: it is empty or too large, its kind is not known, or a column is unknown or there twice.
    """
    check_size(grid.rows, grid.header, file)
    kind = _kind_of(grid, file)
    columns = _columns(grid.header, kind, file)
    rows = []
    for number, cells in grid.rows:
        filled = {place: cell for place, cell in zip(columns, cells, strict=False) if place and text_of(cell)}
        beyond = [
            place for place, cell in enumerate(cells) if text_of(cell) and (place >= len(columns) or not columns[place])
        ]
        if beyond:
            raise TableError(f"{file}, row {number}: column {beyond[0] + 1} has a value but no name in the header")
        if filled:
            rows.append(Row(number, filled))
    if not rows:
        raise TableError(f"{file}: no row below the header has anything in it")
    return Table(kind, rows, doubts)


def check_size(rows: Sequence[object], header: Sequence[object], file: str) -> None:
    """Check that a table is one that people can look through.

    Raises:
        TableError: it is not.
    """
    if len(rows) > MAX_ROWS:
        raise TableError(f"{file}: more than {MAX_ROWS} rows; split it into several files")
    if len(header) > MAX_COLUMNS:
        raise TableError(f"{file}: more than {MAX_COLUMNS} columns; take out those that are not of the template")


def _kind_of(grid: Grid, file: str) -> MessageKind:
    """Which message the rows are: the sheet says it, or the column `kind`, or how the file's name begins."""
    if plain(grid.title) in SHEETS:
        return SHEETS[plain(grid.title)]
    names = [plain(text_of(cell)) for cell in grid.header]
    if KIND in names:
        place = names.index(KIND)
        said = {plain(text_of(cells[place])) for _, cells in grid.rows if len(cells) > place and text_of(cells[place])}
        known = [kind for kind in MessageKind if kind.value in said]
        if len(said) == 1 and known:
            return known[0]
        wrong = next(iter(sorted(said - set(MessageKind))), "")
        near = difflib.get_close_matches(wrong, list(MessageKind), n=1)
        nearest = f"; nearest: {near[0]}" if near else ""
        raise TableError(f"{file}, column kind: one of {', '.join(MessageKind)}, the same in every row{nearest}")
    name = plain(PurePath(file).name)
    for kind in MessageKind:
        if name.startswith(kind.value):
            return kind
    raise TableError(
        f"{file}: not said which message the rows are; let the file's name begin with warning, feedback or seizure, or "
        "add a column kind"
    )


def name_of(cell: Cell) -> str:
    """Return a header's cell as columns are named: without the mark of a required one."""
    return plain(text_of(cell).replace("*", " ").replace(".", " "))


def columns_known(header: Iterable[Cell]) -> int:
    """Return how many names of a header any column has."""
    known = {name for kind in MessageKind for name in names_of(kind)}
    return sum(name_of(cell) in known for cell in header)


def _columns(header: Sequence[Cell], kind: MessageKind, file: str) -> list[tuple[Column, int] | None]:
    known = names_of(kind)
    found: list[tuple[Column, int] | None] = []
    for place, cell in enumerate(header, 1):
        name = name_of(cell)
        if name and name not in known:
            others = {one.name for one in COLUMNS if name in (one.name, *one.aliases)}
            near = difflib.get_close_matches(name, sorted(known), n=1)
            why = f" in a {kind}" if others else ""
            nearest = f"; nearest: {near[0]}" if near else ""
            raise TableError(f'{file}, header, column {place}: "{text_of(cell)[:40]}" is not known{why}{nearest}')
        column = known[name] if name else None
        if column is not None and column in found:
            first = found.index(column) + 1
            raise TableError(
                f"{file}, header: {column[0].named(column[1])} is there twice, in columns {first} and {place}"
            )
        found.append(column)
    if not any(found):
        raise TableError(f"{file}: the first row must name the columns; take a template (valise template)")
    return found
