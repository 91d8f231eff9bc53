"""How the agency's commands speak: data to standard output, talk to standard error, and `--json` everywhere.

On a terminal tables are drawn; elsewhere they are aligned text without colour, for files and programs. Not for: what is
said. User's page: `docs/reference/commands.md`.
"""

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from typing import Any, Final, TypeVar

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hub.protocol.strictjson import write_json

_Command = TypeVar("_Command", bound=Callable[..., Any])
_GAP: Final = "  "
_CONTROLS: Final = frozenset({"Cc", "Cf"})  # Unicode categories that could steer a terminal or turn text round


@dataclass(frozen=True, slots=True)
class Grid:
    """A table: its columns' names and its rows; a cell may have several lines."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def json_option(command: _Command) -> _Command:
    """Add `--json` to a command, as the parameter `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")(command)


def show(value: object, *parts: str | Grid, as_json: bool) -> None:
    """Print a result: as JSON for programs, or as lines and tables for people."""
    if as_json:
        click.echo(write_json(value).decode())
        return
    console = Console(highlight=False)
    for part in parts:
        if isinstance(part, str):
            click.echo(_harmless(part))
        elif console.is_terminal:
            console.print(_drawn(part))
        else:
            click.echo(aligned(part))


def say(text: str) -> None:
    """Tell a person what is going on, on standard error."""
    click.echo(_harmless(text), err=True)


def local(at: int) -> str:
    """Return Unix seconds as a local time with its offset, as people write it."""
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M:%S%z")


def counted(number: int, word: str, plural: str = "") -> str:
    """Return a number and its noun: `1 message`, `3 messages`."""
    return f"{number} {word if number == 1 else plural or word + 's'}"


def aligned(grid: Grid) -> str:
    """Return a table as text: columns as wide as their widest cell."""
    lines = [list(grid.columns)]
    for row in grid.rows:
        lines += [list(line) for line in zip_longest(*(_harmless(cell).split("\n") for cell in row), fillvalue="")]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = (_GAP.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
    return "\n".join(line.rstrip() for line in padded)


def _drawn(grid: Grid) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in grid.columns:
        whole = column in ("message", "received", "sent")  # what is copied stays in one piece, other columns fold
        table.add_column(column, overflow="ignore" if whole else "fold", no_wrap=whole)
    for row in grid.rows:
        table.add_row(*(Text(_harmless(cell)) for cell in row))
    return table


def _harmless(text: str) -> str:
    """Return what others wrote without what would steer the terminal."""
    return "".join(one for one in text if one in "\n\t" or unicodedata.category(one) not in _CONTROLS)
