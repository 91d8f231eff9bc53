"""From a dropped file to messages: every good row is handed over exactly once, every bad one is named in the report.

A row's identifier comes from what it says, and the outbox keeps one message of each; so a file may be taken again after
a crash, and a corrected one dropped whole. Not for: when a file is complete (`drop.py`). User's page:
`docs/how-to/connect-a-system.md`.
"""

import asyncio
import contextlib
import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from connectors.interop.items import Item, Raw, items_of, read_items
from connectors.interop.reports import Line, doubts, faults
from connectors.interop.rows import Mapped, Problem
from connectors.kit.agency import Agency
from connectors.kit.link_settings import DropSettings
from connectors.kit.numbers import whole_number
from connectors.kit.refusals import FINAL
from connectors.kit.send import Addressing, advance, compose, hand_over
from connectors.kit.threads import find_reference
from hub.protocol.content import Draft
from hub.protocol.errors import (
    AmbiguousNumberError,
    CodeListError,
    ContentError,
    NotFoundError,
    SetupError,
    TableError,
    ThreadError,
    UnknownPartnerError,
    UnreachableError,
    ValiseError,
)
from hub.protocol.vocabulary import Verb

_SIMILAR: Final = 0.5  # of difflib: partner codes are short


@dataclass(slots=True)
class _Line:
    """The line to the hub while one file is taken: once it is away, the rest waits in the outbox without asking."""

    is_away: bool = False


async def take_file(agency: Agency, settings: DropSettings, file: str, data: bytes) -> list[Line]:
    """Send a file's rows and return its report.

    Raises:
        StoreError, StaleDirectoryError, KeystoreError: our own side failed; take the same file again.
    """
    try:
        raws, doubtful = await asyncio.to_thread(read_items, file, data)
    except TableError as error:
        return [Line(0, "wrong", code=error.code, wrong=error.detail, says=error.detail)]
    zone = ZoneInfo(settings.time_zone) if settings.time_zone else None
    numbers = await _whole_numbers(agency, raws)
    items = await asyncio.to_thread(
        items_of, raws, partner=agency.settings.partner, zone=zone, defaults=settings.defaults, numbers=numbers
    )
    lines = [Line(0, "doubtful", wrong=text, says=f"{file}: {text}") for text in doubtful]
    line = _Line()
    for item in items:
        lines += await _take(agency, settings, file, item, line)
    return lines


async def _whole_numbers(agency: Agency, raws: list[Raw]) -> Mapping[str, str]:
    """Return the whole numbers of the messages that rows name by their beginning; what is not found stays as it is."""
    found: dict[str, str] = {}
    for text in {text for raw in raws for text in raw.relations()}:
        with contextlib.suppress(NotFoundError, AmbiguousNumberError):
            found[text] = await whole_number(agency.connector, text)
    return found


async def _take(agency: Agency, settings: DropSettings, file: str, item: Item, line: _Line) -> list[Line]:
    if item.is_example:
        return [Line(item.number, "example", says=f"{file}, row {item.number}: an example, not sent")]
    mapped = item.mapped
    if mapped.draft is None or mapped.problems:
        return faults(file, item.number, mapped.problems)
    try:
        state = (await agency.connector.outbox.entry(item.identifier)).state
    except NotFoundError:
        problem = await _hand_over(agency, settings, mapped, mapped.draft, item.identifier)
        if problem is not None:
            return faults(file, item.number, [problem])
        state = "waiting"
        is_new = True
    else:
        is_new = False
    ended = await _advance(agency, file, item, line, is_new=is_new) if state != "accepted" else None
    told = ended or Line(item.number, "sent before", await _number(agency, item.identifier))
    return [told, *doubts(file, item.number, mapped.warnings)]


async def _hand_over(
    agency: Agency, settings: DropSettings, mapped: Mapped, draft: Draft, identifier: str
) -> Problem | None:
    """Keep a row's message in the outbox, or return why that cannot be."""
    addressing = Addressing(
        to=mapped.to or settings.to,
        operation=settings.members if mapped.members is None else mapped.members,
        subscribers=settings.subscribers if mapped.subscribers is None else mapped.subscribers,
        leave_out=mapped.leave_out,
    )
    (name, mh), *_ = (*mapped.relations.items(), ("to", ""))
    if not (addressing.to or addressing.operation or addressing.subscribers or name == "answers"):
        return Problem("to", "nobody is addressed: give partners, members or subscribers")
    if addressing.operation and draft.operation is None and not mapped.relations:
        return Problem("operation", "must be filled in when all its members get the message")
    try:
        source = await find_reference(agency.connector, mh) if mh else None
        verb = {"updates": Verb.UPDATE, "cancels": Verb.CANCEL}.get(name, Verb.ALERT)
        message = compose(
            agency.connector,
            draft,
            addressing,
            verb=verb,
            answers=source if name == "answers" else None,
            replaces=source if verb is not Verb.ALERT else None,
            identifier=identifier,
        )
    except ThreadError as error:
        return Problem(name, "no message of that number was received or sent here", code=error.code)
    except UnknownPartnerError as error:
        return _unknown_partner(agency, addressing, error)
    except SetupError:
        wrong = "this connector is for exercises and the row is meant in earnest"
        return Problem("status", wrong, "exercise", ContentError.code)
    await hand_over(agency.connector, [message])
    return None


def _unknown_partner(agency: Agency, addressing: Addressing, error: UnknownPartnerError) -> Problem:
    known = sorted(record.partner for record in agency.connector.directory.partners())
    for name, codes in (("to", addressing.to), ("leave out", addressing.leave_out)):
        for code in codes:
            if code not in known:
                near = difflib.get_close_matches(code, known, n=1, cutoff=_SIMILAR)
                return Problem(name, f'"{code[:40]}" is no partner', near[0] if near else "", CodeListError.code)
    return Problem("to", "a partner is not known", code=error.code)


async def _advance(agency: Agency, file: str, item: Item, line: _Line, *, is_new: bool) -> Line:
    """Send what was handed over; what does not go now waits in the outbox, and the connector sends it."""
    waits = Line(item.number, "waiting", item.identifier, says="in the outbox; the connector sends it")
    if line.is_away:
        return waits
    try:
        sent = await advance(agency.connector, item.identifier)
    except FINAL as error:
        told = f"{file}, row {item.number}: {error.sentence}"
        return Line(item.number, "refused", item.identifier, error.code, wrong=error.sentence, says=told)
    except UnreachableError:
        line.is_away = True
        return waits
    except ValiseError as error:
        return Line(item.number, "waiting", item.identifier, error.code, says="in the outbox; the connector sends it")
    return Line(item.number, "sent" if is_new else "sent before", sent.mh)


async def _number(agency: Agency, identifier: str) -> str:
    return (await agency.connector.outbox.entry(identifier)).mh or identifier
