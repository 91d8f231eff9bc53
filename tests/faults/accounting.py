"""The accounting checker: where is every message that was ever handed over, and is nothing there that should not be?

It compares the books of all parties - what the originators handed over, what the hub recorded and logged, what the
addressees have, which checkpoints the agencies saw - and names every difference. Pure: the books are read by
`books.py`. What must hold is the promise of `docs/protocol/00-overview.md` section 4 and `04-statements.md` section 6.

Every message handed over is exactly one of: accepted, pending, refused with a code. Every copy of an accepted one is
exactly one of: delivered once (after de-duplication), waiting at the hub, withheld, refused by its addressee with a
code, or expired with a record.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

WITHHELD: Final = "withheld"
WAITING: Final = "waiting"
EXPIRED: Final = "expired"
HAD: Final = frozenset({"collected", "opened", "refused", "read", "acted", "purged"})  # the addressee kept a copy first


# --- the books -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sent:
    """A message in an originator's outbox; `receipts` are (addressee, state) as kept there."""

    id: str
    state: str
    code: str | None
    mh: str | None
    receipts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Got:
    """A copy in an addressee's inbox."""

    mh: str | None
    state: str
    code: str | None = None


@dataclass(frozen=True)
class AgencyBook:
    """One agency; `checkpoints` are (size, root) of every signed checkpoint that it believed."""

    partner: str
    sent: tuple[Sent, ...] = ()
    got: tuple[Got, ...] = ()
    checkpoints: tuple[tuple[int, bytes], ...] = ()
    alarms: int = 0


@dataclass(frozen=True)
class Entry:
    """One entry of the record; `is_logged` says that its commitment was proven into the log. `state` is a receipt's."""

    index: int
    kind: str
    to: str | None
    is_logged: bool = True
    state: str | None = None


@dataclass(frozen=True)
class Message:
    """One accepted message as the hub knows it; `deliveries` are (addressee, state)."""

    mh: str
    iss: str
    entries: tuple[Entry, ...]
    deliveries: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class HubBook:
    """The hub: its record, its mailboxes (copies by partner, each named by `mh`) and its log."""

    messages: tuple[Message, ...]
    mailboxes: Mapping[str, tuple[str, ...]]
    size: int
    roots: Mapping[int, bytes]


@dataclass
class Account:
    """The result: what there is of everything, and every difference in words."""

    counts: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        counted = ", ".join(f"{name} {number}" for name, number in sorted(self.counts.items()))
        return f"{counted}, lost={self.counts['lost']}, problems={len(self.problems)}"


# --- the check -------------------------------------------------------------------------------------------------------


def account(handed: Mapping[str, Sequence[str]], agencies: Sequence[AgencyBook], hub: HubBook) -> Account:
    """Return where everything is.

    Args:
        handed: by originator, the identifiers that its store confirmed as kept.
        agencies: all of them; a partner that is not among them is not looked into.
        hub: the hub.
    """
    result = Account()
    known = {message.mh: message for message in hub.messages}
    if len(known) != len(hub.messages):
        result.problems.append("the hub has a message twice")
    books = {book.partner: book for book in agencies}
    for partner, identifiers in handed.items():
        result.problems += _check_outbox(identifiers, books[partner], known, result.counts)
    for message in hub.messages:
        result.problems += _check_origin(message, books)
        result.problems += _check_copies(message, books, hub, result.counts)
        result.problems += _check_entries(message)
        result.problems += _check_receipts(message, books)
    for book in agencies:
        result.problems += _check_inbox(book, known, result.counts)
        result.problems += _check_log_seen(book, hub)
    result.problems += _check_places(hub)
    result.problems += _check_mailboxes(hub, known)
    return result


def _check_outbox(
    identifiers: Sequence[str], book: AgencyBook, known: Mapping[str, Message], counts: Counter[str]
) -> Iterator[str]:
    rows = {row.id: row for row in book.sent}
    for identifier in identifiers:
        counts["handed over"] += 1
        row = rows.get(identifier)
        if row is None:
            counts["lost"] += 1
            yield f"{identifier}: handed over at {book.partner} and gone from its outbox"
        elif row.state == "accepted":
            counts["accepted"] += 1
            if row.mh not in known:
                counts["lost"] += 1
                yield f"{row.mh}: accepted, and the hub does not know it"
        elif row.state == "refused":
            counts["refused"] += 1
            if not row.code:
                yield f"{identifier}: refused without a code"
            if row.mh in known:
                yield f"{row.mh}: refused at {book.partner}, and accepted by the hub"
        else:
            counts["pending"] += 1
    if len(rows) != len(book.sent):
        yield f"{book.partner}: an identifier stands in the outbox twice"


def _check_origin(message: Message, books: Mapping[str, AgencyBook]) -> Iterator[str]:
    book = books.get(message.iss)
    if book is not None and message.mh not in {row.mh for row in book.sent}:
        yield f"{message.mh}: the hub has it from {message.iss}, which never sealed it"


def _check_copies(
    message: Message, books: Mapping[str, AgencyBook], hub: HubBook, counts: Counter[str]
) -> Iterator[str]:
    for to, state in message.deliveries:
        counts[f"copies {state}"] += 1
        waiting = Counter(hub.mailboxes.get(to, ()))[message.mh]
        if state == WAITING and waiting != 1:
            yield f"{message.mh}: waits for {to}, and its mailbox holds {waiting} copies"
            counts["lost"] += waiting == 0
        if state in (WITHHELD, EXPIRED, "collected") and waiting:  # a receipt may come before the confirmation
            yield f"{message.mh}: is {state} for {to}, and still in its mailbox"
        if to in books:
            yield from _check_arrival(message.mh, state, books[to], counts)


def _check_arrival(mh: str, state: str, book: AgencyBook, counts: Counter[str]) -> Iterator[str]:
    copies = [row for row in book.got if row.mh == mh]
    unnamed = [row for row in book.got if row.mh is None]  # refused, or not examined yet: which message is not known
    if len(copies) > 1:
        yield f"{mh}: delivered to {book.partner} {len(copies)} times"
    if state in HAD and not copies and not unnamed:
        counts["lost"] += 1
        yield f"{mh}: {state} by {book.partner}, which does not have it"
    if state in (WITHHELD, EXPIRED) and copies:
        yield f"{mh}: {state} for {book.partner}, which has it"
    if state == "opened" and copies and copies[0].state not in ("opened", "new"):
        yield f"{mh}: {book.partner} signed that it opened it, and has it as {copies[0].state}"


def _check_inbox(book: AgencyBook, known: Mapping[str, Message], counts: Counter[str]) -> Iterator[str]:
    for row in book.got:
        counts[f"inbox {row.state}"] += 1
        if row.state == "refused" and not row.code:
            yield f"{book.partner}: a copy was refused without a code"
        if row.mh is None:
            continue
        message = known.get(row.mh)
        if message is None:
            yield f"{row.mh}: delivered to {book.partner}, and never accepted"
        elif book.partner not in {to for to, state in message.deliveries if state != WITHHELD}:
            yield f"{row.mh}: delivered to {book.partner}, to which it was not released"


def _check_entries(message: Message) -> Iterator[str]:
    kinds = Counter((entry.kind, entry.to) for entry in message.entries)
    if kinds["accept", None] != 1:
        yield f"{message.mh}: {kinds['accept', None]} accepts in the record"
    for to, state in message.deliveries:
        if not kinds["decision", to]:
            yield f"{message.mh}: no decision about {to} in the record"
        if state in ("opened", "refused") and not kinds["receipt", to]:
            yield f"{message.mh}: {state} by {to}, and no receipt in the record"
        if state == EXPIRED and not any(entry.kind.startswith("expir") and entry.to == to for entry in message.entries):
            yield f"{message.mh}: expired for {to} without a record"
    yield from (
        f"{message.mh}: its {entry.kind} at {entry.index} is not in the log"
        for entry in message.entries
        if not entry.is_logged
    )


def _check_receipts(message: Message, books: Mapping[str, AgencyBook]) -> Iterator[str]:
    recorded = Counter((entry.to, entry.state) for entry in message.entries if entry.kind == "receipt")
    if message.iss in books:
        for row in (row for row in books[message.iss].sent if row.mh == message.mh):
            for to, state in row.receipts:
                if not recorded[to, state]:
                    yield f"{message.mh}: {message.iss} has a receipt of {to} ({state}) that the hub did not record"
    for signer in {one for one, state in recorded if one is not None and state == "opened"}:
        if signer in books and message.mh not in {row.mh for row in books[signer].got}:
            yield f"{message.mh}: a receipt of {signer}, which does not have it"


def _check_places(hub: HubBook) -> Iterator[str]:
    places = Counter(entry.index for message in hub.messages for entry in message.entries)
    yield from (f"place {place} of the log holds {number} entries" for place, number in places.items() if number > 1)
    yield from (f"place {place} is beyond the log's {hub.size}" for place in places if place >= hub.size)


def _check_mailboxes(hub: HubBook, known: Mapping[str, Message]) -> Iterator[str]:
    for partner, copies in hub.mailboxes.items():
        for mh, number in Counter(copies).items():
            message = known.get(mh)
            if message is None:
                yield f"{mh}: waits for {partner}, and was never accepted"
            elif partner not in {to for to, _ in message.deliveries}:
                yield f"{mh}: waits for {partner}, about which nothing was decided"
            if number > 1:
                yield f"{mh}: waits for {partner} {number} times"


def _check_log_seen(book: AgencyBook, hub: HubBook) -> Iterator[str]:
    if book.alarms:
        yield f"{book.partner} holds {book.alarms} pairs of checkpoints that contradict each other"
    for size, root in book.checkpoints:
        if size > hub.size:
            yield f"{book.partner} saw a log of {size} entries, and it has {hub.size}"
        elif hub.roots.get(size) != root:
            yield f"{book.partner} saw another log of {size} entries than there is"
