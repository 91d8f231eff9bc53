"""The report on a dropped file: one line for each row, and one more for each further fault of it.

It repeats wrong values, so it is content and lies with the files, readable to their owner. Not for: logs, which never
say any of this. User's page: `docs/how-to/connect-a-system.md`.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal

from connectors.interop.csv_files import write_csv
from connectors.interop.rows import Problem
from hub.host.files import write_private
from hub.protocol.strictjson import write_json

State = Literal["sent", "sent before", "waiting", "refused", "wrong", "example", "doubtful"]
GOOD: Final = frozenset({"sent", "sent before", "waiting", "example", "doubtful"})
_COLUMNS: Final = ("row", "state", "number", "code", "field", "wrong", "nearest", "says")


@dataclass(frozen=True, slots=True)
class Line:
    """What became of one row: its message's number or identifier, or its fault. Row 0 is the file as a whole."""

    row: int
    state: State
    number: str = ""
    code: str = ""
    field: str = ""
    wrong: str = ""
    nearest: str = ""
    says: str = ""


def faults(file: str, row: int, problems: Sequence[Problem]) -> list[Line]:
    """Return a line for each fault of a row."""
    return [_line(file, row, "wrong", one, one.code) for one in problems]


def doubts(file: str, row: int, warnings: Sequence[Problem]) -> list[Line]:
    """Return a line for each doubtful cell of a row that was sent all the same."""
    return [_line(file, row, "doubtful", one, "") for one in warnings]


def _line(file: str, row: int, state: State, problem: Problem, code: str) -> Line:
    return Line(row, state, "", code, problem.field, problem.wrong, problem.nearest, problem.sentence(file, row))


def write_report(folder: Path, file: str, lines: Sequence[Line]) -> None:
    """Write `FILE.report.json` and `FILE.report.csv`, each as a whole.

    Raises:
        SetupError: the folder cannot be written.
    """
    ended = "done" if all(line.state in GOOD for line in lines) else "failed"
    value = {"file": file, "state": ended, "rows": [asdict(line) for line in lines]}
    write_private(folder / f"{file}.report.json", write_json(value) + b"\n")
    rows = [[str(getattr(line, name)) for name in _COLUMNS] for line in lines]
    write_private(folder / f"{file}.report.csv", write_csv(_COLUMNS, rows))
