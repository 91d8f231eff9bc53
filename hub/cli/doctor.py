"""`valise doctor`: look at everything that must be right, for the hub or the agency in a folder.

Not for: the checks (`hub/doctor.py`; `valise connector doctor` for agencies). User's page: `docs/how-to/run-a-hub.md`.
"""

from pathlib import Path

import click

from hub.cli.output import json_option, show
from hub.doctor import SETTINGS_FILE, examine_hub
from hub.host.findings import as_text, failed
from hub.protocol.errors import SetupError


@click.command(epilog="Example: valise doctor hub")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@json_option
@click.pass_context
def doctor(ctx: click.Context, folder: Path, *, as_json: bool) -> None:
    """Look at everything that must be right for the hub or agency in FOLDER, and say how to mend what is not.

    Nothing is changed, and it may be run beside a running hub or connector. Exit code 0: nothing failed (there may be
    warnings). Exit code 1: something failed.
    """
    if not (folder / SETTINGS_FILE).exists() and (folder / "agency.toml").exists():
        ctx.invoke(_doctor_of_agencies(ctx), folder=folder, as_json=as_json)
        return
    findings = list(examine_hub(folder))
    show({"findings": [one.value() for one in findings]}, as_text(findings), as_json=as_json)
    ctx.exit(1 if failed(findings) else 0)


def _doctor_of_agencies(ctx: click.Context) -> click.Command:
    """Return `valise connector doctor`, which an installed agency package adds.

    Raises:
        SetupError: none is installed.
    """
    program = ctx.find_root().command
    group = program.get_command(ctx, "connector") if isinstance(program, click.Group) else None
    command = group.get_command(ctx, "doctor") if isinstance(group, click.Group) else None
    if command is None:
        raise SetupError("this is an agency's folder, and no agency's programs are installed")
    return command
