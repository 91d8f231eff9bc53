"""`valise matrix`: what became of a message, or of an operation's messages, at each addressee.

Not for: whose turn it is where something is missing (`why.py`). User's page: `docs/trips/matrix.md`.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from connectors.cli.output import Grid, counted, json_option, local, show
from connectors.cli.reasons import labels_at, withheld_text, withheld_value
from connectors.cli.unlock import FOLDER, open_agency
from connectors.kit.agency import Agency
from connectors.kit.alarms import Alarm
from connectors.kit.matrix import CheckedRow, checked_matrix, operation_matrices
from connectors.kit.numbers import whole_number
from connectors.kit.send import open_draft
from connectors.kit.why import Side, reason_of_row
from hub.protocol.errors import NotFoundError, SealError

_COLUMNS = ("addressee", "state", "since", "got", "then", "withheld")


@dataclass(frozen=True, slots=True)
class _Sent:
    """One message with its rows, its labels by place, who answered it, and the alarms about it."""

    mh: str
    labels: Sequence[str]
    rows: Sequence[CheckedRow]
    answered: Sequence[str]
    alarms: Sequence[Alarm]


@click.command(epilog="Example: valise matrix fr-customs MH")
@FOLDER
@click.argument("mh", required=False)
@click.option("--operation", metavar="NAME", help="All latest messages of this operation instead of one.")
@json_option
def matrix(*, folder: Path, mh: str | None, operation: str | None, as_json: bool) -> None:
    """Show what became of each addressee's copy of the message MH, which the agency in FOLDER sent.

    From 'opened' and 'refused' on, states are the addressee's own signed word, checked here; that a copy expired is the
    hub's signed word; 'waiting' and 'collected' are what the hub says.
    """
    if (mh is None) == (operation is None):
        raise click.UsageError("name a message, or --operation")
    if operation is not None:
        _show_operation(operation, asyncio.run(_of_operation(folder, operation)), as_json=as_json)
        return
    sent = asyncio.run(_of_message(folder, mh or ""))
    grid = Grid(_COLUMNS, [_row(row, sent) for row in sent.rows])
    show(_value(sent), _summary(sent.rows), grid, *_alarm_lines(sent), as_json=as_json)


async def _of_message(folder: Path, mh: str) -> _Sent:
    async with open_agency(folder) as agency:
        number = await whole_number(agency.connector, mh)
        return await _sent(agency, number, await checked_matrix(agency.connector, number))


async def _of_operation(folder: Path, operation: str) -> list[_Sent]:
    async with open_agency(folder) as agency:
        return [await _sent(agency, mh, rows) for mh, rows in await operation_matrices(agency.connector, operation)]


async def _sent(agency: Agency, mh: str, rows: Sequence[CheckedRow]) -> _Sent:
    connector = agency.connector
    return _Sent(
        mh,
        await _labels(agency, mh),
        rows,
        await connector.outbox.answered_by(mh),
        await connector.alarms.raised(about=(mh,)),
    )


async def _labels(agency: Agency, mh: str) -> list[str]:
    """Return the labels of an own message; none once its draft, or the key that it was put away under, is destroyed."""
    try:
        outgoing, _ = open_draft(await agency.connector.outbox.message(mh), agency.connector)
    except (NotFoundError, SealError):
        return []
    return [label.value for label in outgoing.question.outline.labels]


# --- one message -----------------------------------------------------------------------------------------------------


def _summary(rows: Sequence[CheckedRow]) -> str:
    states = Counter(one.row.state for one in rows)
    return f"{counted(len(rows), 'addressee')}: {', '.join(f'{n} {state}' for state, n in states.most_common())}"


def _alarm_lines(sent: _Sent) -> list[str]:
    return [
        f"ALARM {one.kind}, {one.partner or 'hub'}: {one.reason or 'late'} since {local(one.raised_at)}"
        for one in sent.alarms
    ]


def _row(checked: CheckedRow, sent: _Sent) -> tuple[str, ...]:
    row = checked.row
    got = ", ".join(labels_at(row.released, sent.labels)) if row.withheld else "everything"
    error = next((one.receipt.error for one in checked.receipts if one.receipt.error), None)
    since = _since(checked)
    return (
        row.to,
        f"{row.state}: {error}" if error and row.state == "refused" else row.state,
        local(since) if since is not None else "-",
        got if row.released else "nothing",
        "\n".join(_steps(checked, sent.answered)) or "-",
        withheld_text(row.withheld, sent.labels),
    )


def _since(checked: CheckedRow) -> int | None:
    """Return when a row came into its state."""
    row = checked.row
    if row.state == "expired" and checked.expiry is not None:
        return checked.expiry.iat
    return row.collected_at if row.state == "collected" else checked.at(row.state)


def _steps(checked: CheckedRow, answered: Sequence[str]) -> list[str]:
    """Return what came after the first receipt, one line each, with its time."""
    later = [one.receipt for one in checked.receipts if one.receipt.state not in ("opened", "refused")]
    lines = [f"{one.act or one.state} {local(one.iat)}" for one in later]
    return lines + (["answered"] if checked.row.to in answered and not any(one.act for one in later) else [])


def _value(sent: _Sent) -> dict[str, Any]:
    return {
        "mh": sent.mh,
        "rows": [_row_value(one, sent) for one in sent.rows],
        "alarms": [{"kind": one.kind, "partner": one.partner, "reason": one.reason} for one in sent.alarms],
    }


def _row_value(checked: CheckedRow, sent: _Sent) -> dict[str, Any]:
    row, reason = checked.row, reason_of_row(checked)
    first = next((one.receipt for one in checked.receipts if one.receipt.state in ("opened", "refused")), None)
    return {
        "to": row.to,
        "state": row.state,
        "released": labels_at(row.released, sent.labels),
        "withheld": [withheld_value(one, sent.labels) for one in row.withheld],
        "collected_at": row.collected_at,
        "receipt_at": first.iat if first else None,
        "error": first.error if first else None,
        "read_at": checked.at("read"),
        "acted": [
            {"act": one.receipt.act, "at": one.receipt.iat} for one in checked.receipts if one.receipt.act is not None
        ],
        "answered": row.to in sent.answered,
        "purged_at": checked.purged_at,
        "expired_at": checked.expiry.iat if checked.expiry else None,
        "reason": None if reason.side is Side.NOBODY else {"code": reason.code, "side": reason.side},
    }


# --- an operation ----------------------------------------------------------------------------------------------------


def _show_operation(operation: str, messages: Sequence[_Sent], *, as_json: bool) -> None:
    partners = sorted({one.row.to for sent in messages for one in sent.rows})
    rows = []
    for partner in partners:
        states = Counter[str](one.row.state for sent in messages for one in sent.rows if one.row.to == partner)
        missing = Counter(
            reason.code
            for sent in messages
            for one in sent.rows
            if one.row.to == partner and (reason := reason_of_row(one)).side is not Side.NOBODY
        )
        rows.append((partner, _counts(states), _counts(missing)))
    value = {"operation": operation, "messages": [_value(sent) for sent in messages]}
    summary = f"{operation}: {counted(len(messages), 'message')}. {_summary([r for s in messages for r in s.rows])}"
    grid = Grid(("addressee", "states", "missing because"), rows)
    show(value, summary, grid, *[line for sent in messages for line in _alarm_lines(sent)], as_json=as_json)


def _counts(found: Counter[str]) -> str:
    return ", ".join(f"{count} {word}" for word, count in found.most_common()) or "-"
