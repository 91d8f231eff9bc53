"""`valise doctor`: look at everything that must be right, for the hub or the agency in a folder.

Not for: the checks (`hub/doctor.py`; `valise connector doctor` for agencies). User's page: `docs/how-to/run-a-hub.md`.
"""

from pathlib import Path

import click

from hub.cli.agencies import agency_command, is_agency
from hub.cli.output import json_option, show
from hub.doctor import examine_hub
from hub.host.findings import as_text, failed


@click.command(epilog="Example: valise doctor hub")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@json_option
@click.pass_context
def doctor(ctx: click.Context, folder: Path, *, as_json: bool) -> None:
    """Look at everything that must be right for the hub or agency in FOLDER, and say how to mend what is not.

    Nothing is changed, and it may be run beside a running hub or connector. Exit code 0: nothing failed (there may be
    warnings). Exit code 1: something failed.
    """
    if is_agency(folder):
        ctx.invoke(agency_command(ctx, "doctor"), folder=folder, as_json=as_json)
        return
    findings = list(examine_hub(folder))
    show({"findings": [one.value() for one in findings]}, as_text(findings), as_json=as_json)
    ctx.exit(1 if failed(findings) else 0)
