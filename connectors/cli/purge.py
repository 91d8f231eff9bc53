"""`valise purge`: destroy what may not be kept any longer, and say so to the originators.

`valise connector run` does the same by itself. Not for: what may still be kept. User's page: `docs/trips/purge.md`.
"""

import asyncio
from pathlib import Path

import click

from connectors.cli.output import counted, json_option, say, show
from connectors.cli.unlock import FOLDER, open_agency
from connectors.kit.purge import Purged, purge_due
from connectors.kit.receive import send_receipts
from hub.protocol.errors import ExchangeError


@click.command(epilog="Example: valise purge de-customs")
@FOLDER
@json_option
def purge(*, folder: Path, as_json: bool) -> None:
    """Destroy the content in the agency in FOLDER whose retention has ended, and send the signed word of it."""
    purged = asyncio.run(_purge(folder))
    text = f"Destroyed the content of {counted(purged.copies, 'copy', 'copies')} and {counted(purged.drafts, 'draft')}."
    show({"copies": purged.copies, "drafts": purged.drafts}, text, as_json=as_json)


async def _purge(folder: Path) -> Purged:
    async with open_agency(folder) as agency:
        purged = await purge_due(agency.connector)
        try:
            await send_receipts(agency.connector)
        except ExchangeError:
            say("The hub cannot be asked; the receipts wait here and are sent by `valise connector run`.")
        return purged
