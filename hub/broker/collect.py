"""The trip of copies and receipts out of the hub: at least once by long poll, gone when the connector has stored them.

Collecting is the transport's business; the addressee's signed word is its receipt (`receipts.py`). Implements
`docs/protocol/04-statements.md` section 7; user's view in `docs/trips/collect.md`.
"""

from collections.abc import Sequence
from typing import Final, Literal

from hub.broker.exchange import Exchange
from hub.broker.ports import START, MailCopy, MailItem, MailMark, MailNotice, MailReceipt
from hub.protocol.encoding import lp
from hub.protocol.envelope import write_copy
from hub.protocol.interface import Collected, MailEntry, MailHead
from hub.protocol.wire import write_wire

MAX_ITEMS: Final = 64  # of one answer
MAX_WAIT: Final = 30.0  # seconds that a long poll is held


async def collect(
    exchange: Exchange, partner: str, *, limit: int, seconds: float, after: MailMark = START
) -> Sequence[MailItem]:
    """Return what waits for a partner after a mark; nothing only after `seconds` (at most `MAX_WAIT`)."""
    store = exchange.store
    exchange.presence.note(partner, at=exchange.clock())
    limit = max(1, min(limit, MAX_ITEMS))
    items = await store.waiting(partner, limit=limit, after=after)
    if not items and seconds > 0:
        await store.wait(partner, seconds=min(seconds, MAX_WAIT), after=after)
        items = await store.waiting(partner, limit=limit, after=after)
    return items


async def confirm(exchange: Exchange, partner: str, collected: Collected) -> None:
    """Take items out of a partner's mailbox, after its connector has stored them durably."""
    await exchange.store.confirm(partner, collected.seqs, at=exchange.clock())


def mail_frame(items: Sequence[MailItem]) -> bytes:
    """Return items as one frame: a head, then the bytes of each."""
    head = MailHead(items=tuple(MailEntry(seq=item.seq, kind=kind_of(item)) for item in items))
    return lp(write_wire(head), *(mail_body(item) for item in items))


def kind_of(item: MailItem) -> Literal["copy", "receipt", "expiry"]:
    """Return what an item is."""
    if isinstance(item, MailCopy):
        return "copy"
    return "receipt" if isinstance(item, MailReceipt) else "expiry"


def mark_after(mark: MailMark, item: MailItem) -> MailMark:
    """Return how far a mailbox was read when this item was read too."""
    if isinstance(item, MailCopy) and item.urgent:
        return mark._replace(urgent=item.seq)
    return mark._replace(routine=item.seq)


def mail_body(item: MailItem) -> bytes:
    """Return an item's bytes: a copy's frame, a receipt's JWS, or a proven statement."""
    if isinstance(item, MailNotice):
        return item.proven
    if isinstance(item, MailCopy):
        return write_copy(
            manifest=item.manifest,
            second=item.second,
            disclosures=item.disclosures,
            part=item.part,
            decisions=[item.decision],
            blobs=item.blobs,
        )
    return item.jws.encode("ascii")
