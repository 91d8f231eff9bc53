"""The trip of copies and receipts out of the hub: at least once by long poll, gone when the connector has stored them.

Collecting is the transport's business; the addressee's signed word is its receipt (`receipts.py`). Implements
`docs/protocol/04-statements.md` section 7; user's view in `docs/trips/collect.md`.
"""

from collections.abc import Sequence
from typing import Final

from hub.broker.exchange import Exchange
from hub.broker.ports import MailCopy, MailItem
from hub.protocol.encoding import lp
from hub.protocol.envelope import write_copy
from hub.protocol.interface import Collected, MailEntry, MailHead
from hub.protocol.wire import write_wire

MAX_ITEMS: Final = 64  # of one answer
MAX_WAIT: Final = 30.0  # seconds that a long poll is held


async def collect(exchange: Exchange, partner: str, *, limit: int, seconds: float) -> bytes:
    """Return what waits for a partner as one frame; an empty one after `seconds` (at most `MAX_WAIT`)."""
    store = exchange.store
    limit = max(1, min(limit, MAX_ITEMS))
    items = await store.waiting(partner, limit=limit)
    if not items and seconds > 0:
        await store.wait(partner, seconds=min(seconds, MAX_WAIT))
        items = await store.waiting(partner, limit=limit)
    return _frame(items)


async def confirm(exchange: Exchange, partner: str, collected: Collected) -> None:
    """Take items out of a partner's mailbox, after its connector has stored them durably."""
    await exchange.store.confirm(partner, collected.seqs, at=exchange.clock())


def _frame(items: Sequence[MailItem]) -> bytes:
    head = MailHead(
        items=tuple(MailEntry(seq=item.seq, kind="copy" if isinstance(item, MailCopy) else "receipt") for item in items)
    )
    return lp(write_wire(head), *(_body(item) for item in items))


def _body(item: MailItem) -> bytes:
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
