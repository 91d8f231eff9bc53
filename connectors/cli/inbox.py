"""`valise inbox`: what an agency received, what each message is about, and what became of each copy.

The subject is content: it is read anew each time and kept nowhere. Not for: the rest of it (`show.py`). User's page:
`docs/trips/receive.md`.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import click

from connectors.cli.output import Grid, json_option, local, say, show
from connectors.cli.unlock import FOLDER, open_agency
from connectors.kit.agency import Agency
from connectors.kit.inbox import InboxEntry
from connectors.kit.summary import summary_of
from hub.protocol.errors import UnreachableError, ValiseError

_COLUMNS = ("received", "from", "what", "subject", "operation", "state", "message")


@click.command(epilog="Example: valise inbox de-customs --watch")
@FOLDER
@click.option("--limit", type=click.IntRange(1, 1_000), default=20, show_default=True, help="How many, newest first.")
@click.option("--watch", is_flag=True, help="Stay, and tell of each message when it comes (Ctrl-C ends).")
@json_option
def inbox(*, folder: Path, limit: int, watch: bool, as_json: bool) -> None:
    """Collect what waits for the agency in FOLDER and list what it received, newest first.

    `valise show FOLDER MESSAGE` reads one.
    """
    asyncio.run(_list(folder, limit, watch=watch, as_json=as_json))


async def _list(folder: Path, limit: int, *, watch: bool, as_json: bool) -> None:
    async with open_agency(folder) as agency:
        try:
            await agency.receive_once()
        except UnreachableError:
            say("The hub cannot be reached; this is what is here already.")
        entries, gaps = await agency.inbox(limit=limit), await agency.gaps()
        _show(entries, await _subjects(agency, entries), gaps, as_json=as_json)
        while watch:
            await _wait(agency, as_json=as_json)


async def _wait(agency: Agency, *, as_json: bool) -> None:
    """Wait for what comes next, for as long as one long poll, and show it."""
    received = await agency.receive_once(wait=agency.settings.poll_seconds)
    if received.opened:
        entries = [await agency.connector.inbox.opened(mh) for mh in received.opened]
        _show(entries, await _subjects(agency, entries), {}, as_json=as_json)


async def _subjects(agency: Agency, entries: Sequence[InboxEntry]) -> dict[str, str]:
    """Return by digest what each opened message is about; what cannot be read any longer is left out."""
    subjects = {}
    for entry in entries:
        if entry.mh is not None and entry.state == "opened":
            with suppress(ValiseError):
                subjects[entry.digest] = summary_of(await agency.read(entry.mh))
    return subjects


def _show(
    entries: Sequence[InboxEntry],
    subjects: Mapping[str, str],
    gaps: Mapping[str, Sequence[range]],
    *,
    as_json: bool,
) -> None:
    missing = {iss: [list(one) for one in ranges] for iss, ranges in gaps.items()}
    messages = [asdict(entry) | {"subject": subjects.get(entry.digest)} for entry in entries]
    value = {"messages": messages, "missing": missing}
    if not entries:
        show(value, "Nothing was received.", as_json=as_json)
        return
    notes = [
        f"{iss}: {sum(map(len, ranges))} of its messages for this agency did not come" for iss, ranges in gaps.items()
    ]
    show(value, Grid(_COLUMNS, [_row(entry, subjects) for entry in entries]), *notes, as_json=as_json)


def _row(entry: InboxEntry, subjects: Mapping[str, str]) -> tuple[str, ...]:
    what = f"{entry.mt} (answer)" if entry.mt and entry.irt else entry.mt or "-"
    state = f"{entry.state}: {entry.code}" if entry.code else entry.state
    subject = subjects.get(entry.digest, "-")
    return (local(entry.received_at), entry.iss or "-", what, subject, entry.op or "-", state, entry.mh or "-")
