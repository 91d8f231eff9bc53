"""What sent messages wait for, and until when: a receipt of every addressee, and the log's proof of the accept.

Not for: looking whether it came (`watch.py`). User's view in `docs/trips/alarms.md`.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from connectors.kit.agency_store import AgencyStore
from hub.protocol.vocabulary import Priority

ExpectedKind = Literal["receipt", "log-proof"]


@dataclass(frozen=True, slots=True)
class Terms:
    """After how many seconds what did not come is late, counted from the hub's accept."""

    urgent: int = 3_600
    routine: int = 24 * 3_600
    proof: int = 600

    def receipt(self, priority: Priority) -> int:
        """Return how long an addressee may take to open or refuse."""
        return self.urgent if priority is Priority.URGENT else self.routine


@dataclass(frozen=True, slots=True)
class Expected:
    """Something that a message waits for; `partner` is empty for a proof. `due_at` is Unix seconds."""

    kind: ExpectedKind
    mh: str
    partner: str
    due_at: int


class Deadlines:
    """The deadlines in an agency's store. Every method is one durable transaction."""

    def __init__(self, store: AgencyStore) -> None:
        self._store: Final = store

    async def unproven(self, *, limit: int) -> Sequence[str]:
        """Return accepted messages whose log proof has not come, in the order of their deadlines."""
        sql = "SELECT mh FROM expected WHERE kind = 'log-proof' AND came_at IS NULL ORDER BY due_at LIMIT ?"
        return [row["mh"] for row in await self._store.run(lambda db: db.execute(sql, (limit,)).fetchall())]

    async def overdue(self, *, now: int, limit: int) -> Sequence[Expected]:
        """Return what should have come by now, longest overdue first."""
        sql = (
            "SELECT kind, mh, partner, due_at FROM expected WHERE came_at IS NULL AND due_at <= ? "
            "ORDER BY due_at LIMIT ?"
        )
        return [Expected(*row) for row in await self._store.run(lambda db: db.execute(sql, (now, limit)).fetchall())]

    async def addressees(self, mh: str) -> Sequence[str]:
        """Return whose receipts a message waited for."""
        sql = "SELECT partner FROM expected WHERE kind = 'receipt' AND mh = ? ORDER BY partner"
        return [row["partner"] for row in await self._store.run(lambda db: db.execute(sql, (mh,)).fetchall())]

    async def settle(self, kind: ExpectedKind, mh: str, partner: str = "", *, at: int) -> None:
        """Note that something came, or that nothing will; the first time counts."""
        await self._store.run(lambda db: settle_in(db, kind, mh, partner, at=at))


def expect_in(db: sqlite3.Connection, expected: Sequence[Expected]) -> None:
    """Note within a transaction what a message waits for; what is noted already stays."""
    rows = [(one.kind, one.mh, one.partner, one.due_at) for one in expected]
    sql = "INSERT INTO expected (kind, mh, partner, due_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
    db.executemany(sql, rows)


def settle_in(db: sqlite3.Connection, kind: ExpectedKind, mh: str, partner: str, *, at: int) -> None:
    """Note within a transaction that something came, or that nothing will."""
    sql = "UPDATE expected SET came_at = ? WHERE kind = ? AND mh = ? AND partner = ? AND came_at IS NULL"
    db.execute(sql, (at, kind, mh, partner))
