"""How the demo speaks: headings, tables and progress on a terminal, plain lines elsewhere.

Not for: what happens (`play.py`). User's page: `docs/tutorial.md`.
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.rule import Rule
from rich.table import Table

_NARROWEST: Final = 100  # columns; what is piped into a file is as wide


class Bar:
    """A progress bar, or nothing where nobody watches."""

    def __init__(self, progress: Progress, task: int) -> None:
        self._progress: Final = progress
        self._task: Final = task

    def show(self, done: int, total: int) -> None:
        """Show how far it is."""
        self._progress.update(self._task, completed=done, total=total)  # type: ignore[arg-type]  # a TaskID is an int


class Stage:
    """Where the demo shows itself."""

    def __init__(self, *, on_stderr: bool = False) -> None:
        self._console: Final = Console(highlight=False, stderr=on_stderr)
        if not self._console.is_terminal:
            self._console.width = max(self._console.width, _NARROWEST)
        self._scene = 0

    def scene(self, title: str) -> None:
        """Begin a part of the story."""
        self._scene += 1
        self._console.print()
        self._console.print(Rule(f"[bold]{self._scene}. {title}[/]", align="left", style="dim"))

    def say(self, text: str) -> None:
        """Say something; the text may have rich's marks."""
        self._console.print(Padding(text, (0, 0, 0, 2), expand=False))

    def point(self, mark: str, text: str) -> None:
        """Say one of several things, its lines under each other."""
        grid = Table.grid(padding=(0, 1))
        grid.add_row(mark, text)
        self._console.print(Padding(grid, (0, 0, 0, 4), expand=False))

    def command(self, text: str) -> None:
        """Show something to type, in one line however long it is, so that it can be copied."""
        self._console.print(f"    [bold]{text}[/]", soft_wrap=True)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Show a table."""
        table = Table(*columns, box=SIMPLE_HEAD, pad_edge=False)
        for row in rows:
            table.add_row(*row)
        self._console.print(Padding(table, (0, 0, 0, 2), expand=False))

    @contextlib.contextmanager
    def progress(self, text: str) -> Iterator[Bar]:
        """Show that something takes its time."""
        columns = (
            TextColumn("  "),
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        watched = self._console.is_terminal
        with Progress(*columns, console=self._console, transient=True, disable=not watched) as progress:
            yield Bar(progress, progress.add_task(text, total=None))
