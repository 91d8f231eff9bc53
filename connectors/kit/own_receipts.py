"""What this agency signed about the copies it received, until the hub has taken it and as proof afterwards.

Each state is receipted once for each copy. Not for: when to sign (`receive.py`, `acts.py`, `purge.py`) or receipts of
others (`outbox.py`). Implements `docs/protocol/04-statements.md` section 5; user's view in `docs/trips/receipts.md`.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from connectors.kit.agency_store import AgencyStore
from hub.protocol.receipt import Receipt


@dataclass(frozen=True, slots=True)
class SignedReceipt:
    """A receipt of ours: what it says, and as signed."""

    receipt: Receipt
    jws: str


@dataclass(frozen=True, slots=True)
class OwnReceipt:
    """A receipt of ours and whether the hub has taken it. `act` is empty where nothing was done."""

    place: int
    state: str
    act: str
    signed_at: int
    jws: str
    sent: Literal["waiting", "taken", "refused"]


_COLUMNS = "own_receipts.place, own_receipts.state, act, signed_at, jws, sent"


class OwnReceipts:
    """The receipts of an agency in its store. Every method is one durable transaction."""

    def __init__(self, store: AgencyStore) -> None:
        self._store = store

    async def waiting(self, *, limit: int) -> Sequence[OwnReceipt]:
        """Return what the hub has not taken: of urgent messages first, then in the order in which they were signed."""
        sql = (
            f"SELECT {_COLUMNS} FROM own_receipts JOIN inbox USING (digest) WHERE sent = 'waiting' "  # noqa: S608 - constants
            "ORDER BY urgent DESC, own_receipts.place LIMIT ?"
        )
        return [OwnReceipt(*row) for row in await self._store.run(lambda db: db.execute(sql, (limit,)).fetchall())]

    async def settle(self, place: int, sent: Literal["taken", "refused"]) -> None:
        """Note that the hub took a receipt, or refused it for good."""
        sql = "UPDATE own_receipts SET sent = ? WHERE place = ? AND sent = 'waiting'"
        await self._store.run(lambda db: db.execute(sql, (sent, place)))

    async def of(self, mh: str) -> Sequence[OwnReceipt]:
        """Return what was signed about an opened message, oldest first."""
        sql = (
            f"SELECT {_COLUMNS} FROM own_receipts JOIN inbox USING (digest) "  # noqa: S608 - constants
            "WHERE mh = ? AND inbox.state = 'opened' ORDER BY own_receipts.place"
        )
        return [OwnReceipt(*row) for row in await self._store.run(lambda db: db.execute(sql, (mh,)).fetchall())]

    async def add(self, mh: str, signed: SignedReceipt) -> bool:
        """Keep a receipt about an opened message, to be sent; return False when that was receipted before."""

        def add(db: sqlite3.Connection) -> bool:
            row = db.execute("SELECT digest FROM inbox WHERE mh = ? AND state = 'opened'", (mh,)).fetchone()
            return row is not None and add_own(db, row["digest"], signed)

        return await self._store.run(add)


def add_own(db: sqlite3.Connection, digest: str, signed: SignedReceipt) -> bool:
    """Keep a receipt within a transaction; return False when that was receipted before."""
    receipt = signed.receipt
    added = db.execute(
        "INSERT INTO own_receipts (digest, state, act, signed_at, jws, sent) VALUES (?, ?, ?, ?, ?, 'waiting')"
        " ON CONFLICT DO NOTHING",
        (digest, receipt.state, receipt.act or "", receipt.iat, signed.jws),
    )
    return added.rowcount == 1
