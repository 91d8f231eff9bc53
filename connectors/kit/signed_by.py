"""What a key signed, as this agency knows: its own messages under its own key, or what came in under another's.

An agency's outbox knows what it really sent, so a message that only the hub has on record is forged. Not for: the hub's
record (`valise hub signed-by`). User's page: `docs/how-to/respond-to-a-stolen-key.md`.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from connectors.kit.agency_store import AgencyStore

_SENT = """
SELECT outbox.mh, handed_at, op, receipts.iss, receipts.state FROM outbox LEFT JOIN receipts ON receipts.mh = outbox.mh
WHERE kid = ? AND handed_at >= ? ORDER BY place, receipts.iss
"""
_OPENED = (
    "SELECT mh, received_at, op, iss FROM inbox WHERE kid = ? AND state = 'opened' AND received_at >= ? ORDER BY place"
)


@dataclass(frozen=True, slots=True)
class Known:
    """One message by its number: when it was handed over or received (Unix seconds), its operation, who opened it."""

    mh: str
    at: int
    operation: str | None
    opened_by: tuple[str, ...]


async def signed_by(store: AgencyStore, partner: str, kid: str, *, since: int) -> Sequence[Known]:
    """Return the messages that a key signed since a time (Unix seconds); `partner` is whose store it is.

    Raises:
        StoreError: the store cannot be read.
    """
    if kid.partition("#")[0] == partner:
        return await store.run(lambda db: _sent(db, kid, since))
    return await store.run(
        lambda db: [Known(mh, at, op, (partner,)) for mh, at, op, _ in db.execute(_OPENED, (kid, since))]
    )


def _sent(db: sqlite3.Connection, kid: str, since: int) -> Sequence[Known]:
    found: dict[str, Known] = {}
    for mh, at, operation, addressee, state in db.execute(_SENT, (kid, since)):
        before = found.get(mh, Known(mh, at, operation, ()))
        opened = (*before.opened_by, addressee) if state == "opened" else before.opened_by
        found[mh] = Known(mh, at, operation, opened)
    return list(found.values())
