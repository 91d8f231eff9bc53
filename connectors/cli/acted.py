"""`valise acted`: tell the originator of a message, signed, what was done about it.

Not for: an answer with content (`valise feedback`, `valise seizure`), which says it by itself. User's page:
`docs/trips/receipts.md`.
"""

import asyncio
from pathlib import Path
from typing import Final

import click

from connectors.cli.output import json_option, say, show
from connectors.cli.unlock import FOLDER, open_agency
from connectors.kit.acts import note_acted
from connectors.kit.numbers import whole_number
from connectors.kit.receive import send_receipts
from hub.protocol.errors import ExchangeError
from hub.protocol.vocabulary import Act

_ACTS: Final = tuple(one.value for one in Act if one is not Act.ANSWERED)  # answering says that itself


@click.command(epilog="Example: valise acted de-customs MH --as checked")
@FOLDER
@click.argument("mh")
@click.option("--as", "act", type=click.Choice(_ACTS), required=True, help="What was done.")
@json_option
def acted(*, folder: Path, mh: str, act: str, as_json: bool) -> None:
    """Sign for the agency in FOLDER what was done about the message MH, and send it to the originator.

    It is recorded and cannot be taken back; each act is said once.
    """
    number, fresh, sent = asyncio.run(_act(folder, mh, Act(act)))
    text = f"Signed that {number} was acted on: {act}." if fresh else f"That was signed before: {act}."
    show({"mh": number, "act": act, "signed": fresh, "sent": sent}, text, as_json=as_json)


async def _act(folder: Path, mh: str, act: Act) -> tuple[str, bool, bool]:
    async with open_agency(folder) as agency:
        connector = agency.connector
        number = await whole_number(connector, mh)
        fresh = await note_acted(connector, number, act)
        try:
            await send_receipts(connector)
        except ExchangeError:
            say("The hub cannot be asked; the receipt waits here and is sent by `valise connector run`.")
            return number, fresh, False
        return number, fresh, True
