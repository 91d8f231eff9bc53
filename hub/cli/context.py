"""`valise context`: short names for the folders that commands are about.

Not for: how other commands use them (`words.py`). User's page: `docs/how-to/use-the-command-line.md`.
"""

from pathlib import Path

import click

from hub.cli.output import json_option, show
from hub.host.contexts import Contexts, check_name, contexts_file, folder_of, read_contexts, write_contexts
from hub.protocol.errors import SetupError


@click.group()
def context() -> None:
    """Name folders, so that commands may leave them out.

    Where a command takes FOLDER it takes `@name`, too; left out, it is the folder of the current context.
    """


@context.command(epilog="Example: valise context add fr agencies/fr-customs")
@click.argument("name")
@click.argument("place", type=click.Path(path_type=Path, file_okay=False, exists=True), metavar="FOLDER")
@json_option
def add(name: str, place: Path, *, as_json: bool) -> None:
    """Call FOLDER, of a hub or an agency, NAME; the first one becomes the current context."""
    check_name(name)
    contexts = _read()
    folders = {**contexts.folders, name: str(place.absolute())}
    _write(Contexts(current=contexts.current or name, folders=folders))
    show({"context": name, "folder": str(place.absolute())}, f"@{name} is {place.absolute()}.", as_json=as_json)


@context.command(epilog="Example: valise context use fr")
@click.argument("name")
@json_option
def use(name: str, *, as_json: bool) -> None:
    """Make NAME the current context."""
    contexts = _read()
    folder = folder_of(contexts, name)
    _write(Contexts(name, contexts.folders))
    show({"context": name, "folder": str(folder)}, f"@{name} is meant where FOLDER is left out.", as_json=as_json)


@context.command(epilog="Example: valise context remove fr")
@click.argument("name")
@json_option
def remove(name: str, *, as_json: bool) -> None:
    """Forget the name NAME; nothing in its folder changes."""
    contexts = _read()
    folder_of(contexts, name)
    folders = {known: folder for known, folder in contexts.folders.items() if known != name}
    _write(Contexts(current=None if contexts.current == name else contexts.current, folders=folders))
    show({"removed": name}, f"@{name} is forgotten.", as_json=as_json)


@context.command("list", epilog="Example: valise context list")
@json_option
def list_contexts(*, as_json: bool) -> None:
    """List the contexts; the current one has a star."""
    contexts = _read()
    lines = [f"{'*' if name == contexts.current else ' '} @{name}  {place}" for name, place in contexts.folders.items()]
    value = {"current": contexts.current, "contexts": dict(contexts.folders)}
    show(value, "\n".join(lines) or "There are no contexts.", as_json=as_json)


@context.command("show", epilog="Example: valise context show")
@json_option
@click.pass_context
def show_context(ctx: click.Context, *, as_json: bool) -> None:
    """Show which folder is meant where FOLDER is left out."""
    contexts = _read()
    name = ctx.find_root().params.get("context") or contexts.current
    if name is None:
        raise SetupError("there is no current context; `valise context use NAME` chooses one")
    folder = folder_of(contexts, name)
    show({"context": name, "folder": str(folder)}, f"@{name} is {folder}.", as_json=as_json)


def _read() -> Contexts:
    return read_contexts(contexts_file())


def _write(contexts: Contexts) -> None:
    write_contexts(contexts_file(), contexts)
