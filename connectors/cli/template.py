"""`valise template`: a workbook that an officer fills in and puts into the drop folder.

Not for: sending it (the connector does, `connectors/interop`). User's page: `docs/how-to/fill-in-a-template.md`.
"""

from pathlib import Path

import click

from connectors.cli.output import json_option, show
from connectors.interop.templates import template as made
from hub.protocol.errors import SetupError
from hub.protocol.vocabulary import MessageKind


@click.command(epilog="Example: valise template warning warnings.xlsx")
@click.argument("kind", type=click.Choice([kind.value for kind in MessageKind]))
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@json_option
def template(*, kind: str, file: Path, as_json: bool) -> None:
    """Write the XLSX template for messages of a KIND to FILE.

    Choose from its lists, save it, and put it into the drop folder of the agency's connector. A file that is there
    already is not replaced.
    """
    if file.suffix.lower() != ".xlsx":
        raise click.UsageError("the file's name ends in .xlsx")
    try:
        with file.open("xb") as stream:
            stream.write(made(MessageKind(kind)))
    except OSError as error:
        raise SetupError(f"{file}: {error.strerror}") from error
    show({"file": str(file), "kind": kind}, f"{file}: a template for {kind}", as_json=as_json)
