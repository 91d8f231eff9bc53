"""The command `valise`: the hub's own commands, and those that installed agency packages add.

Commands are loaded when they are called, so that `valise --help` starts fast; the hub knows no connector and finds the
agency's commands through the entry-point group `valise.commands`. Not for: what a command does (the modules beside this
one). User's page: `docs/reference/commands.md`.
"""

import sys
from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Final, cast

import click

from hub.protocol.errors import (
    DeniedError,
    DirectoryError,
    EnvelopeError,
    EvidenceError,
    LogError,
    NotFoundError,
    SignatureError,
    UnreachableError,
    ValiseError,
)

#: name -> (module:command, one line of help)
COMMANDS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "exchange": ("hub.cli.exchange:exchange", "Create an exchange and keep its directory and policies."),
        "partner": ("hub.cli.partner:partner", "Enrol partners, suspend them, revoke keys."),
        "doctor": ("hub.cli.doctor:doctor", "Look at everything that must be right, and how to mend it."),
        "hub": ("hub.cli.serve:hub", "Run a hub."),
        "verify": ("hub.cli.verify:verify", "Check an evidence file, offline."),
    }
)

#: exit code of an error class; the nearest ancestor counts (docs/reference/commands.md)
EXIT_CODES: Final[Mapping[type[ValiseError], int]] = MappingProxyType(
    {
        ValiseError: 1,
        DeniedError: 3,
        NotFoundError: 4,
        UnreachableError: 5,
        EvidenceError: 6,
        SignatureError: 6,
        EnvelopeError: 6,
        LogError: 6,
        DirectoryError: 6,
    }
)


def exit_code(error: ValiseError) -> int:
    """Return the exit code for an error."""
    return next(EXIT_CODES[ancestor] for ancestor in type(error).__mro__ if ancestor in EXIT_CODES)


class _Commands(click.Group):
    """A group whose commands are imported when they are called."""

    def _table(self) -> dict[str, tuple[str, str]]:
        table = dict(COMMANDS)
        for point in entry_points(group="valise.commands"):
            table |= point.load()
        return table

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return sorted(self._table())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        entry = COMMANDS.get(cmd_name) or self._table().get(cmd_name)  # looking for other packages takes a while
        if entry is None:
            return None
        module, _, name = entry[0].partition(":")
        return cast("click.Command", getattr(import_module(module), name))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in sorted(self._table().items())])


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="valise", message="valise %(version)s")
def valise() -> None:
    """Exchange warnings between customs, police and liaison offices through a hub that cannot read them.

    Start with `valise demo`: it plays a whole exercise on this machine in about a minute.
    """


def main() -> None:
    """Run the command line; every error of ours becomes one sentence, its code and an exit code."""
    try:
        code = valise.main(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.exceptions.Abort:
        sys.exit(130)  # as a shell reports an interrupt
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except ValiseError as error:
        click.secho(f"{error.sentence}", err=True, fg="red")
        detail = f": {error.detail}" if error.detail and error.detail != error.sentence else ""
        click.secho(f"({error.code}{detail})", err=True, dim=True)
        sys.exit(exit_code(error))
    except ModuleNotFoundError as error:
        click.secho(f"This command needs the exchange's parts: pip install 'valise[exchange]' ({error}).", err=True)
        sys.exit(1)
    except (OSError, ValueError) as error:  # a file that is away, or a value that has another shape
        click.secho(f"{_first_line(error)}", err=True, fg="red")
        sys.exit(1)


def _first_line(error: Exception) -> str:
    """Return what a person can use of an error that is not ours; pydantic's has one line for each wrong value."""
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return ": ".join(lines[1:3]) if len(lines) > 1 else "".join(lines)
