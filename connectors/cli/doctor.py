"""`valise connector doctor`: look at everything that must be right for an agency.

Not for: the checks (`connectors/kit/doctor.py`). User's page: `docs/how-to/run-a-connector.md`.
"""

from pathlib import Path

import click

from connectors.cli.output import json_option, show
from connectors.cli.unlock import FOLDER, typed_passphrase
from connectors.kit.doctor import examine_agency
from hub.host.findings import as_text, failed


@click.command(epilog="Example: valise connector doctor fr-customs")
@FOLDER
@json_option
@click.pass_context
def doctor(ctx: click.Context, folder: Path, *, as_json: bool) -> None:
    """Look at everything that must be right for the agency in FOLDER, and say how to mend what is not.

    `valise doctor` does the same. Nothing is changed. Exit code 0: nothing failed. Exit code 1: something failed.
    """
    findings = list(examine_agency(folder, typed_passphrase(folder)))
    show({"findings": [one.value() for one in findings]}, as_text(findings), as_json=as_json)
    ctx.exit(1 if failed(findings) else 0)
