"""How the hub's commands speak: results to standard output, the log to standard error, and `--json` everywhere.

Not for: what they say. User's page: `docs/reference/commands.md`.
"""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import click

from hub.protocol.strictjson import write_json

_Command = TypeVar("_Command", bound=Callable[..., Any])


def json_option(command: _Command) -> _Command:
    """Add `--json` to a command, as the parameter `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")(command)


def show(value: object, text: str, *, as_json: bool) -> None:
    """Print a result: as JSON for programs, or as text for people."""
    click.echo(write_json(value).decode() if as_json else text)


class LogLine(logging.Formatter):
    """Writes one event a line: when, level, who tells it, what happened."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        text = super().format(record)  # it also puts the traceback into the record
        if not self._as_json:
            return text
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields = {"at": at, "level": record.levelname.lower(), "logger": record.name, "event": record.getMessage()}
        return write_json(fields | ({"error": record.exc_text} if record.exc_text else {})).decode()
