"""What does the hub know of me? For a connector that may have been restored from an old backup.

It shows a partner its own messages and how much of its mailbox has been taken out, so that the connector neither gives
a number twice nor misses that something is gone. Not for: anybody else's. User's view in `docs/trips/standing.md`.
"""

from typing import Final

from hub.broker.exchange import Exchange
from hub.protocol.envelope import Proven
from hub.protocol.errors import NotFoundError
from hub.protocol.interface import OwnRecord, StandingAnswer
from hub.protocol.wire import parse_wire

MAX_RECORDS: Final = 16  # messages of one answer: each has a manifest of up to 256 KiB


async def standing_of(exchange: Exchange, partner: str, *, kid: str, after: int) -> StandingAnswer:
    """Return what was accepted under one of the partner's signing keys, from the number after `after` on.

    Raises:
        NotFoundError: the key is another partner's; it looks like none.
    """
    if kid.partition("#")[0] != partner:
        raise NotFoundError("key")
    store = exchange.store
    highest = await store.highest(kid)  # first: whoever asks compares it with the records
    records = await store.own_messages(kid, after=after, limit=MAX_RECORDS)
    return StandingAnswer(
        highest=highest,
        records=tuple(
            OwnRecord(seq=one.seq, manifest=one.manifest, accept=parse_wire(Proven, one.accept), to=one.to)
            for one in records
        ),
        collected=await store.collected(partner),
    )
