"""The command `valise`: the hub's own commands, and those that installed agency packages add.

Commands are loaded when they are called, so that `valise --help` starts fast; the hub knows no connector and finds the
agency's commands through the entry-point group `valise.commands`. Not for: what a command does (the modules beside this
one). User's page: `docs/reference/commands.md`.
"""

import sys
from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from types import MappingProxyType
from typing import Final, cast

import click

from hub.cli.words import prepare
from hub.host.contexts import contexts_file, folder_of, read_contexts
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
        "completion": ("hub.cli.completion:completion", "Let a shell complete commands."),
        "context": ("hub.cli.context:context", "Name folders, so that commands may leave them out."),
        "doctor": ("hub.cli.doctor:doctor", "Look at everything that must be right, and how to mend it."),
        "hub": ("hub.cli.serve:hub", "Run a hub."),
        "keys": ("hub.cli.keys:keys", "Show the keys of a hub or agency, and when they end."),
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

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, and make its words into those that it takes (`words.py`)."""
        name, command, rest = super().resolve_command(ctx, args)
        if command is None or name is None or ctx.resilient_parsing:
            return name, command, rest
        return name, command, prepare(command, name, rest, lambda wanted: _folder(ctx, wanted))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in sorted(self._table().items())])


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="valise", message="valise %(version)s")
@click.option("--context", envvar="VALISE_CONTEXT", metavar="NAME", help="The context whose folder is meant.")
def valise(context: str | None) -> None:
    """Exchange warnings between customs, police and liaison offices through a hub that cannot read them.

    Start with `valise demo`: it plays a whole exercise on this machine in about a minute. Where a command takes FOLDER,
    it takes `@name` of a context, too, and left out it is the current context (`valise context --help`).

    Exit codes: 0 done; 1 a file, setting or value is wrong; 2 not a command line of ours; 3 denied by policy;
    4 not found; 5 the hub cannot be reached; 6 a signature, message, log, directory or evidence does not hold;
    130 interrupted.
    """


def _folder(ctx: click.Context, name: str | None) -> Path | None:
    """Return the folder of a context, or of the current one; None where there is none.

    Raises:
        SetupError: there is none of that name.
    """
    contexts = read_contexts(contexts_file())
    wanted = name if name is not None else ctx.params.get("context") or contexts.current
    return None if wanted is None else folder_of(contexts, wanted)


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
