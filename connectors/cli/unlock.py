"""Open an agency for one command: the passphrase comes from the environment, a file, or the person at the terminal.

Not for: programs, which use `Agency.open`. User's page: `docs/reference/commands.md`.
"""

import contextlib
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import click
from pydantic import SecretStr

from connectors.kit.agency import Agency
from connectors.kit.settings import PASSPHRASE_VARIABLE, ConnectorSettings, read_settings
from hub.protocol.errors import SetupError

FOLDER: Final = click.argument("folder", type=click.Path(path_type=Path, file_okay=False))


@contextlib.asynccontextmanager
async def open_agency(folder: Path) -> AsyncIterator[Agency]:
    """Open the agency in a folder for as long as the context lasts; see `Agency.open` for errors."""
    async with Agency.open(folder, passphrase=_typed(read_settings(folder))) as agency:
        yield agency


def typed_passphrase(folder: Path) -> SecretStr | None:
    """Return what a person types for the agency in a folder; None where nobody is to be asked, or it is not set up."""
    try:
        return _typed(read_settings(folder))
    except SetupError:
        return None


def _typed(settings: ConnectorSettings) -> SecretStr | None:
    """Return what a person types, or None where the kit finds the passphrase itself or nobody is there to ask."""
    if os.environ.get(PASSPHRASE_VARIABLE) or settings.passphrase_file or not sys.stdin.isatty():
        return None
    return SecretStr(click.prompt(f"Passphrase of {settings.partner}", hide_input=True, err=True))
