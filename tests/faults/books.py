"""Read the books that `accounting.py` compares: agencies' stores and the hub's, through their public ports.

Nobody may be writing meanwhile. Not for: what they must say.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from connectors.kit.agency_store import AgencyStore
from connectors.kit.inbox import Inbox
from connectors.kit.log_watch import LogWatch
from connectors.kit.outbox import Outbox
from hub.broker.ports import MailCopy, RecordedEntry, Store
from hub.protocol.errors import InclusionError
from hub.protocol.jws import parse_jws
from hub.protocol.merkle import verify_inclusion
from hub.protocol.receipt import RECEIPT_TYP
from hub.protocol.strictjson import parse_json
from hub.tlog.checkpoint import parse_checkpoint
from tests.faults.accounting import AgencyBook, Entry, Got, HubBook, Message, Sent
from tests.support.stores import leaf_of

MANY: Final = 1_000_000


async def agency_book(store: AgencyStore, partner: str, *, hub: str, seen: Iterable[str] = ()) -> AgencyBook:
    """Return an agency's book; `seen` are checkpoints, signed, that were noted while it ran."""
    outbox, inbox, watch = Outbox(store), Inbox(store), LogWatch(store, hub=hub)
    sent = []
    for entry in await outbox.entries(limit=MANY):
        receipts = await outbox.receipts(entry.mh) if entry.mh is not None else ()
        pairs = tuple((one.iss, one.state) for one in receipts)
        sent.append(Sent(entry.id, entry.state, entry.code, entry.mh, pairs))
    got = [Got(entry.mh, entry.state, entry.code) for entry in await inbox.entries(limit=MANY)]
    notes = {note for note in (*seen, await watch.latest()) if note is not None}
    checkpoints = [parse_checkpoint(note)[0] for note in notes]
    return AgencyBook(
        partner=partner,
        sent=tuple(sent),
        got=tuple(got),
        checkpoints=tuple((one.size, one.root) for one in checkpoints),
        alarms=len(await watch.alarms()),
    )


async def hub_book(
    store: Store, *, originators: Sequence[str], partners: Sequence[str], sizes: Iterable[int]
) -> HubBook:
    """Return the hub's book.

    Args:
        store: the hub's, opened again.
        originators: whose messages to look for.
        partners: whose mailboxes to look into.
        sizes: of the checkpoints that agencies saw.
    """
    size = await store.log_size()
    root = await store.log_root(size)
    messages = []
    for iss in originators:
        for known in await store.messages_of(iss=iss, operation=None, limit=MANY):
            entries = [await _entry(store, to, entry, size, root) for to, entry in await store.entries_of(known.mh)]
            rows = [(row.to, row.state) for row in await store.deliveries(known.mh)]
            messages.append(Message(known.mh, iss, tuple(entries), tuple(rows)))
    mailboxes = {partner: await _copies(store, partner) for partner in partners}
    roots = {one: await store.log_root(one) for one in sizes if one <= size}
    return HubBook(tuple(messages), mailboxes, size, roots)


async def _copies(store: Store, partner: str) -> tuple[str, ...]:
    """Return the copies that wait; one answer holds thousands of the size that these tests send."""
    items = await store.waiting(partner, limit=MANY)
    return tuple(item.mh for item in items if isinstance(item, MailCopy))


async def _entry(store: Store, to: str | None, entry: RecordedEntry, size: int, root: bytes) -> Entry:
    is_logged = True
    try:
        verify_inclusion(leaf_of(entry), entry.index, size, await store.inclusion(entry.index, size), root)
    except InclusionError:
        is_logged = False
    state = None
    if entry.kind == "receipt":
        state = parse_json(parse_jws(entry.payload.decode("ascii"), typ=RECEIPT_TYP).payload)["state"]
    return Entry(entry.index, entry.kind, to, is_logged, state)


async def read_agencies(
    folders: Mapping[str, Path], *, hub: str, seen: Mapping[str, Iterable[str]]
) -> list[AgencyBook]:
    """Return the books of agencies whose programs have ended."""
    books = []
    for partner, folder in folders.items():
        async with await AgencyStore.open(folder / "agency.sqlite") as store:
            books.append(await agency_book(store, partner, hub=hub, seen=seen.get(partner, ())))
    return books
