"""`valise alarms`: what somebody must look at, late or wrong, in one list.

Not for: mending it. User's page: `docs/trips/alarms.md`.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import click

from connectors.cli.output import Grid, json_option, local, say, show
from connectors.cli.unlock import FOLDER, open_agency
from connectors.kit.alarms import SENTENCES, Alarm
from connectors.kit.watch import watch_once
from hub.protocol.errors import BusyError, NotFoundError, UnreachableError


@click.command(epilog="Example: valise alarms fr-customs")
@FOLDER
@click.option("--dismiss", type=click.IntRange(1), metavar="NUMBER", help="Note that this alarm was dealt with.")
@json_option
@click.pass_context
def alarms(ctx: click.Context, folder: Path, *, dismiss: int | None, as_json: bool) -> None:
    """Look once at everything that is expected by the agency in FOLDER, and list the alarms that are raised.

    Exit code 0: none. Exit code 1: at least one. An alarm ends by itself when what it is about has come.
    """
    raised = asyncio.run(_look(folder, dismiss))
    value = {
        "alarms": [
            {
                "number": one.place,
                "kind": one.kind,
                "about": one.about,
                "partner": one.partner,
                "reason": one.reason,
                "raised_at": one.raised_at,
            }
            for one in raised
        ]
    }
    grid = Grid(("number", "raised", "alarm", "partner", "about", "what it means"), [_row(one) for one in raised])
    show(value, grid if raised else "No alarm is raised.", as_json=as_json)
    ctx.exit(1 if raised else 0)


async def _look(folder: Path, dismiss: int | None) -> Sequence[Alarm]:
    async with open_agency(folder) as agency:
        connector = agency.connector
        if dismiss is not None and not await connector.alarms.dismiss(dismiss, at=connector.clock()):
            raise NotFoundError("no such alarm is raised")
        try:
            await watch_once(connector)
        except (UnreachableError, BusyError):
            say("The hub cannot be asked; this is what is known here.")
        return await connector.alarms.raised()


def _row(one: Alarm) -> tuple[str, ...]:
    kind = f"{one.kind}: {one.reason}" if one.reason else one.kind
    return (str(one.place), local(one.raised_at), kind, one.partner or "-", one.about, SENTENCES[one.kind])
