"""The trip of what nobody collected: a copy whose message has expired is destroyed, on record, and its originator told.

Commitments stay; content goes. Not for: purging at addressees, which do it on their own clocks
(`connectors/kit/purge.py`). Implements `docs/protocol/04-statements.md` section 9; user's view in
`docs/trips/expire.md`.
"""

from typing import Final

from hub.broker.exchange import Exchange
from hub.protocol.statements import Expiry, fresh_salt
from hub.protocol.wire import write_wire

BATCH: Final = 256  # copies of one step; between two steps others may write


async def expire(exchange: Exchange) -> int:
    """Destroy every waiting copy whose message has expired by now; return how many there were.

    It may be repeated, and be cut off between two steps: a copy expires once.

    Raises:
        StoreError: some of it was not kept; the next call goes on.
    """
    now, done = exchange.clock(), 0

    def write(mh: str, to: str, exp: int) -> bytes:
        return write_wire(
            Expiry(v=1, s=fresh_salt(), fed=exchange.federation, hub=exchange.hub, mh=mh, iat=now, to=to, exp=exp)
        )

    while destroyed := await exchange.store.expire(now=now, limit=BATCH, write=write):
        done += destroyed
    return done
