"""From a hub's command to the agency's command of the same kind, where the folder is an agency's.

Not for: the agency's commands, which an installed package adds. User's page: `docs/reference/commands.md`.
"""

from pathlib import Path

import click

from hub.protocol.errors import SetupError
from hub.settings import SETTINGS_FILE


def is_agency(folder: Path) -> bool:
    """Whether a folder is an agency's and no hub's."""
    return not (folder / SETTINGS_FILE).exists() and (folder / "agency.toml").exists()


def agency_command(ctx: click.Context, name: str) -> click.Command:
    """Return `valise connector NAME`, which an installed agency package adds.

    Raises:
        SetupError: none is installed.
    """
    program = ctx.find_root().command
    group = program.get_command(ctx, "connector") if isinstance(program, click.Group) else None
    command = group.get_command(ctx, name) if isinstance(group, click.Group) else None
    if command is None:
        raise SetupError("this is an agency's folder, and no agency's programs are installed")
    return command
