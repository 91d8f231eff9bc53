"""`valise why`: why has a partner not got a message - us or them?

Not for: how far all copies came (`valise matrix`). User's page: `docs/trips/why.md`.
"""

import asyncio
from pathlib import Path

import click

from connectors.cli.output import json_option, local, show
from connectors.cli.unlock import FOLDER, open_agency
from connectors.kit.numbers import whole_number
from connectors.kit.why import Reason, why_not
from hub.protocol.errors import NotFoundError


@click.command(epilog="Example: valise why fr-customs MH de-customs")
@FOLDER
@click.argument("mh")
@click.argument("partner")
@json_option
def why(*, folder: Path, mh: str, partner: str, as_json: bool) -> None:
    """Say why PARTNER has not got the message MH, which the agency in FOLDER sent, and whose turn it is.

    MH may also be the identifier of a message that is still in the outbox.
    """
    reason = asyncio.run(_why(folder, mh, partner))
    value = {
        "partner": partner,
        "code": reason.code,
        "side": reason.side,
        "sentence": reason.sentence,
        "detail": reason.detail,
        "at": reason.at,
    }
    show(value, _text(partner, reason), as_json=as_json)


async def _why(folder: Path, mh: str, partner: str) -> Reason:
    async with open_agency(folder) as agency:
        try:
            number = await whole_number(agency.connector, mh)
        except NotFoundError:
            number = mh
        return await why_not(agency.connector, number, partner)


def _text(partner: str, reason: Reason) -> str:
    since = ""
    if reason.at is not None:
        since = f" (last seen about {local(reason.at)})" if reason.code == "waiting-not-collected" else ""
        since = since or f" (since {local(reason.at)})"
    detail = f"\n{reason.detail}" if reason.detail else ""
    return f"{partner}: {reason.code}, {reason.side}. {reason.sentence}{since}{detail}"
