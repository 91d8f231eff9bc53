"""`valise evidence`: write the evidence of one delivery into one file that anybody checks offline.

Not for: checking it (`valise verify`). User's page: `docs/how-to/verify-evidence.md`.
"""

import asyncio
from pathlib import Path

import click

from connectors.cli.output import json_option, show
from connectors.kit.agency import Agency
from connectors.kit.evidence import make_evidence
from connectors.kit.numbers import whole_number
from hub.protocol.errors import SetupError
from hub.verify.findings import describe


@click.command(epilog="Example: valise evidence fr-customs MH --to de-customs -o evidence.json")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.argument("mh")
@click.option("--to", required=True, help="The addressee whose delivery is to be proven.")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path, dir_okay=False), help="Where to write.")
@json_option
def evidence(*, folder: Path, mh: str, to: str, output: Path, as_json: bool) -> None:
    """Write the evidence that the message MH of the agency in FOLDER was delivered.

    It is checked before it is written. It holds no content, so it may be shown to whoever must believe it.
    """
    data, sentences = asyncio.run(_make(folder, mh, to))
    try:
        output.write_bytes(data)
    except OSError as error:
        raise SetupError(f"{output}: {error.strerror}") from error
    text = f"Wrote {output} ({len(data) // 1024} KiB). It proves:\n" + "\n".join(f"  + {line}" for line in sentences)
    show({"file": str(output), "bytes": len(data), "proves": list(sentences)}, text, as_json=as_json)


async def _make(folder: Path, mh: str, to: str) -> tuple[bytes, tuple[str, ...]]:
    async with Agency.open(folder) as agency:
        mh = await whole_number(agency.connector, mh)
        anchor = await asyncio.to_thread(agency.settings.root.read_bytes)
        data, verified = await make_evidence(agency.connector, mh, to, anchor=anchor)
    return data, describe(verified).proves
