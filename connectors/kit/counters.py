"""The numbers that this agency's messages have got, and how they are taken over from the hub after a restore.

Not for: giving the next numbers (`outbox.py`) or asking the hub (`standing.py`). Implements
`docs/protocol/02-envelope.md` section 4; user's view in `docs/trips/standing.md`.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from connectors.kit.agency_store import AgencyStore


@dataclass(frozen=True, slots=True)
class Adopted:
    """A message that the hub accepted from this agency and that this store did not know: it was restored from before.

    `accept` is the hub's proven word (JSON), `accepted_at` its time, `to` the addressees that were counted.
    """

    id: str
    mh: str
    kid: str
    seq: int
    manifest: str
    op: str | None
    accept: bytes
    accepted_at: int
    to: Sequence[str]


class Counters:
    """The counters in an agency's store. Every method is one durable transaction."""

    def __init__(self, store: AgencyStore) -> None:
        self._store: Final = store

    async def sealed(self, kid: str) -> int:
        """Return the number of the last message sealed under a key; 0: none."""
        sql = "SELECT seq FROM chain WHERE kid = ?"
        row = await self._store.run(lambda db: db.execute(sql, (kid,)).fetchone())
        return int(row["seq"]) if row else 0

    async def accepted(self, kid: str) -> tuple[int, str] | None:
        """Return number and digest of the last message of a key whose accept is kept here."""
        sql = "SELECT seq, mh FROM outbox WHERE kid = ? AND state = 'accepted' ORDER BY seq DESC LIMIT 1"
        row = await self._store.run(lambda db: db.execute(sql, (kid,)).fetchone())
        return (row["seq"], row["mh"]) if row else None

    async def adopt(self, message: Adopted) -> bool:
        """Take over a message that the hub accepted, its number and its addressees' counts, in one step.

        Returns:
            False when its number is not above what is here: another process of this agency took it over, or sealed.
        """
        return await self._store.run(lambda db: _adopt(db, message))


def _adopt(db: sqlite3.Connection, message: Adopted) -> bool:
    last = db.execute("SELECT seq FROM chain WHERE kid = ?", (message.kid,)).fetchone()
    if last is not None and last["seq"] >= message.seq:
        return False
    db.execute(
        "INSERT INTO outbox (id, handed_at, draft, state, mh, kid, seq, manifest, op, accept, urgent, purged_at)"
        " VALUES (:id, :at, x'', 'accepted', :mh, :kid, :seq, :manifest, :op, :accept, 0, :at)"
        " ON CONFLICT (id) DO UPDATE SET state = 'accepted', code = NULL, mh = excluded.mh, kid = excluded.kid,"
        " seq = excluded.seq, manifest = excluded.manifest, op = excluded.op, accept = excluded.accept, frame = NULL",
        {
            "id": message.id,
            "at": message.accepted_at,
            "mh": message.mh,
            "kid": message.kid,
            "seq": message.seq,
            "manifest": message.manifest,
            "op": message.op,
            "accept": message.accept,
        },
    )
    db.execute("INSERT OR REPLACE INTO chain VALUES (?, ?, ?)", (message.kid, message.seq, message.mh))
    db.executemany(
        "INSERT INTO addressed VALUES (?, 1) ON CONFLICT (partner) DO UPDATE SET rseq = rseq + 1",
        [(partner,) for partner in message.to],
    )
    return True
