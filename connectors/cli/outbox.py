"""`valise outbox` and `valise matrix`: what an agency sent, and what became of one message at each addressee.

Not for: content (`show.py`). User's page: `docs/trips/send.md`.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from connectors.cli.output import Grid, counted, json_option, local, show
from connectors.cli.reasons import labels_at, withheld_text, withheld_value
from connectors.cli.unlock import FOLDER, open_agency
from connectors.kit.agency import Agency
from connectors.kit.numbers import whole_number
from connectors.kit.outbox import OutboxEntry
from connectors.kit.send import open_draft
from hub.protocol.errors import NotFoundError, SealError
from hub.protocol.interface import MatrixRow
from hub.protocol.manifest import parse_manifest
from hub.protocol.receipt import Receipt, verify_receipt


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


# --- matrix ----------------------------------------------------------------------------------------------------------


@click.command(epilog="Example: valise matrix fr-customs MH")
@FOLDER
@click.argument("mh")
@json_option
def matrix(*, folder: Path, mh: str, as_json: bool) -> None:
    """Show what became of each addressee's copy of the message MH, which the agency in FOLDER sent.

    'opened' and 'refused' are the addressee's own signed word, checked here; 'waiting' and 'collected' are the hub's.
    """
    mh, labels, rows = asyncio.run(_matrix(folder, mh))
    states = Counter(row.state for row, _ in rows)
    summary = f"{counted(len(rows), 'addressee')}: {', '.join(f'{n} {state}' for state, n in states.most_common())}"
    grid = Grid(("addressee", "state", "since", "got", "withheld"), [_row(row, seal, labels) for row, seal in rows])
    value = {"mh": mh, "rows": [_value(row, receipt, labels) for row, receipt in rows]}
    show(value, summary, grid, as_json=as_json)


async def _matrix(folder: Path, mh: str) -> tuple[str, list[str], list[tuple[MatrixRow, Receipt | None]]]:
    """Return the message's whole number, its labels by place, and each row with its verified receipt."""
    async with open_agency(folder) as agency:
        mh = await whole_number(agency.connector, mh)
        rows = await agency.matrix(mh)
        directory = agency.connector.directory
        receipts = [
            verify_receipt(row.receipt, directory, now=None).receipt if row.receipt is not None else None
            for row in rows
        ]
        return mh, await _labels(agency, mh), list(zip(rows, receipts, strict=True))


async def _labels(agency: Agency, mh: str) -> list[str]:
    """Return the labels of an own message; none once the key that its draft was put away under is destroyed."""
    try:
        outgoing, _ = open_draft(await agency.connector.outbox.message(mh), agency.connector)
    except (NotFoundError, SealError):
        return []
    return [label.value for label in outgoing.question.outline.labels]


def _row(row: MatrixRow, receipt: Receipt | None, labels: Sequence[str]) -> tuple[str, ...]:
    since = receipt.iat if receipt else row.collected_at
    state = f"{row.state}: {receipt.error}" if receipt and receipt.error else row.state
    got = ", ".join(labels_at(row.released, labels)) if row.withheld else "everything"
    if not row.released:
        got = "nothing"
    return (row.to, state, local(since) if since else "-", got, withheld_text(row.withheld, labels))


def _value(row: MatrixRow, receipt: Receipt | None, labels: Sequence[str]) -> dict[str, Any]:
    return {
        "to": row.to,
        "state": row.state,
        "released": labels_at(row.released, labels),
        "withheld": [withheld_value(one, labels) for one in row.withheld],
        "collected_at": row.collected_at,
        "receipt_at": receipt.iat if receipt else None,
        "error": receipt.error if receipt else None,
    }
