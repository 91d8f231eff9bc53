"""`valise outbox`: what an agency sent, or still has to send.

Not for: content (`show.py`) or what became of a message at its addressees (`matrix.py`). User's page:
`docs/trips/send.md`.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from connectors.cli.output import Grid, json_option, local, show
from connectors.cli.unlock import FOLDER, open_agency
from connectors.kit.outbox import OutboxEntry
from hub.protocol.manifest import parse_manifest


@click.command(epilog="Example: valise outbox fr-customs")
@FOLDER
@click.option("--limit", type=click.IntRange(1, 1_000), default=20, show_default=True, help="How many, newest first.")
@json_option
def outbox(*, folder: Path, limit: int, as_json: bool) -> None:
    """List what the agency in FOLDER handed over to be sent, newest first, with what became of it.

    'waiting' and 'sealed' messages are sent by `valise connector run` as soon as the hub can be reached.
    """
    entries = asyncio.run(_entries(folder, limit))
    grid = Grid(("handed over", "what", "operation", "state", "message"), [_sent_row(entry) for entry in entries])
    value = {"messages": [_sent_value(entry) for entry in entries]}
    show(value, grid if entries else "Nothing was handed over.", as_json=as_json)


async def _entries(folder: Path, limit: int) -> Sequence[OutboxEntry]:
    async with open_agency(folder) as agency:
        return await agency.outbox(limit=limit)


def _sent_value(entry: OutboxEntry) -> dict[str, Any]:
    manifest = parse_manifest(entry.manifest)[0] if entry.manifest else None
    return {
        "id": entry.id,
        "handed_at": entry.handed_at,
        "state": entry.state,
        "code": entry.code,
        "mh": entry.mh,
        "kind": manifest.mt if manifest else None,
        "operation": manifest.op if manifest else None,
        "answers": manifest.irt if manifest else None,
    }


def _sent_row(entry: OutboxEntry) -> tuple[str, ...]:
    value = _sent_value(entry)
    what = f"{value['kind']} (answer)" if value["answers"] else value["kind"] or "-"
    state = f"{entry.state}: {entry.code}" if entry.code else entry.state
    return (local(entry.handed_at), what, value["operation"] or "-", state, entry.mh or "-")
