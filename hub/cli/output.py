"""How the hub's commands speak: results to standard output, and `--json` everywhere.

Not for: what they say, nor the events of a program that runs (`hub/host/events.py`). User's page:
`docs/reference/commands.md`.
"""

from collections.abc import Callable
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
