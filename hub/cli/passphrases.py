"""Where the commands get passphrases: from the environment, a file, or a person.

Not for: keystores themselves. User's page: `docs/reference/commands.md`.
"""

import os

import click

from hub.settings import PASSPHRASE


def passphrase_for(name: str) -> str:
    """Return the passphrase of a keystore: `VALISE_PASSPHRASE`, else what a person types."""
    given = os.environ.get(PASSPHRASE)
    if given:
        return given
    typed: str = click.prompt(f"Passphrase of {name}", hide_input=True, err=True)
    return typed
