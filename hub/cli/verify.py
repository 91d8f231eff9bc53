"""`valise verify`: check an evidence file with no server and no network.

Not for: the steps (`hub/verify/evidence.py`). User's page: `docs/how-to/verify-evidence.md`.
"""

from pathlib import Path
from typing import Final

import click
from click.exceptions import Exit

from hub.cli.output import json_option, show
from hub.protocol.errors import SetupError, ValiseError
from hub.verify.evidence import verify_evidence
from hub.verify.findings import describe

REFUSED: Final = 6  # exit code: what was to be verified does not hold


@click.command(epilog="Example: valise verify evidence.json --anchors root.json")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--anchors",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="The exchange's trusted root, which you got from its authority on a safe way.",
)
@json_option
def verify(file: Path, anchors: Path, *, as_json: bool) -> None:
    """Check the evidence in FILE and say in plain sentences what it proves and what it does not.

    Exit code 0: it holds. Exit code 6: it does not, and the sentence says why.
    """
    data, anchor = _read(file).strip(), _read(anchors)
    try:
        evidence = verify_evidence(data, anchor)
    except ValiseError as error:
        text = f"The evidence does NOT hold; rely on nothing in it.\n{error.sentence}\n({error.code})"
        show({"holds": False, "code": error.code, "sentence": error.sentence}, text, as_json=as_json)
        raise Exit(REFUSED) from None
    findings = describe(evidence)
    proves = "\n".join(f"  + {sentence}" for sentence in findings.proves)
    missing = "\n".join(f"  - {sentence}" for sentence in findings.does_not_prove)
    value = {
        "holds": True,
        "mh": evidence.mh,
        "originator": evidence.manifest.iss,
        "addressee": evidence.leaf.to,
        "released": list(evidence.decision.rel),
        "receipt": evidence.receipt.state if evidence.receipt else None,
        "proves": list(findings.proves),
        "does_not_prove": list(findings.does_not_prove),
    }
    show(value, f"The evidence holds. It proves:\n{proves}\nIt does not prove:\n{missing}", as_json=as_json)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise SetupError(f"{file}: {error.strerror}") from error
