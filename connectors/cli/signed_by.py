"""`valise connector signed-by`: what a key signed since a time, as this agency knows it.

Not for: the hub's record (`valise hub signed-by`). User's page: `docs/how-to/respond-to-a-stolen-key.md`.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import click

from connectors.cli.output import Grid, counted, json_option, local, show
from connectors.cli.unlock import FOLDER
from connectors.kit.agency_store import AgencyStore
from connectors.kit.settings import ConnectorSettings, read_settings
from connectors.kit.signed_by import Known
from connectors.kit.signed_by import signed_by as find


def _moment(_ctx: click.Context, _param: click.Parameter, text: str) -> int:
    if text.isascii() and text.isdigit():
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise click.BadParameter(f"{text}: neither Unix seconds nor like 2027-01-15T08:00:00+00:00")
    return int(moment.timestamp())


@click.command(
    "signed-by",
    epilog="Example: valise connector signed-by fr-customs fr-customs#s1 --since 2027-01-15T08:00:00+00:00",
)
@FOLDER
@click.argument("kid")
@click.option("--since", callback=_moment, required=True, help="Unix seconds, or ISO 8601 with its offset.")
@json_option
def signed_by(*, folder: Path, kid: str, since: int, as_json: bool) -> None:
    """Tell what the key KID signed since a time: own messages and who opened them, or what was opened from another.

    A message that the hub lists under an own key and this does not was not sent by this agency.
    """
    found = asyncio.run(_ask(read_settings(folder), kid, since))
    grid = Grid(
        ("message", "at", "operation", "opened by"),
        [(one.mh, local(one.at), one.operation or "-", ", ".join(one.opened_by) or "-") for one in found],
    )
    value = {"kid": kid, "since": since, "messages": [asdict(one) for one in found]}
    show(value, f"{kid}: {counted(len(found), 'message')}", *([grid] if found else []), as_json=as_json)


async def _ask(settings: ConnectorSettings, kid: str, since: int) -> Sequence[Known]:
    async with await AgencyStore.open(settings.store) as store:
        return await find(store, settings.partner, kid, since=since)
