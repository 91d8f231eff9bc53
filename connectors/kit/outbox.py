"""The outbox: what the agency wants to send, from the moment a draft is handed over until the hub's accept is kept.

A message goes `waiting` (a draft) -> `sealed` (its bytes and numbers are fixed for ever) -> `accepted`, or ends as
`refused` with its wire code. Numbers are given in the same transaction that keeps the sealed bytes, so they are never
given twice, whatever crashes when. Not for: sealing or sending (`send.py`). User's view in `docs/trips/send.md`.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Final, Literal

from connectors.kit.agency_store import AgencyStore
from hub.protocol.errors import NotFoundError
from hub.protocol.receipt import VerifiedReceipt

OutboxState = Literal["waiting", "sealed", "accepted", "refused"]


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """One message of the outbox.

    `draft` is sealed to the agency's own key. `frame` are the bytes to upload, kept until the hub accepted them; `head`
    is their first part (JSON of `SubmissionHead`), kept for evidence, and `manifest` the manifest in it.
    """

    id: str
    handed_at: int
    draft: bytes
    state: OutboxState
    code: str | None
    mh: str | None
    frame: bytes | None
    manifest: str | None
    head: bytes | None
    accept: bytes | None


@dataclass(frozen=True, slots=True)
class Numbers:
    """The numbers that the next message gets: `seq` and `prev` of the signing key, `rseqs` by addressee."""

    kid: str
    seq: int
    prev: str | None
    rseqs: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class SealedMessage:
    """What sealing made: the digest, the operation, the manifest, the submission's head, and all of it to upload."""

    mh: str
    op: str | None
    manifest: str
    head: bytes
    frame: bytes


@dataclass(frozen=True, slots=True)
class KeptReceipt:
    """A verified receipt for an own message. `signed_at` is the addressee's clock in Unix seconds."""

    iss: str
    mh: str
    state: str
    code: str | None
    signed_at: int
    jws: str


_COLUMNS: Final = "id, handed_at, draft, state, code, mh, frame, manifest, head, accept"


class Outbox:
    """The outbox in an agency's store. Every method is one durable transaction; see `AgencyStore.run` for failures."""

    def __init__(self, store: AgencyStore) -> None:
        self._store: Final = store

    async def hand_over(self, drafts: Mapping[str, bytes], *, at: int, handled: str | None = None) -> None:
        """Keep drafts by their identifiers; one that is known already stays as it is.

        Args:
            drafts: sealed to the agency's own key.
            at: Unix seconds.
            handled: the message of the inbox that they all answer; it is marked as handled in the same step, so a crash
                neither answers it twice nor never.
        """
        rows = [(identifier, at, draft) for identifier, draft in drafts.items()]

        def keep(db: sqlite3.Connection) -> None:
            if handled is not None:
                marked = db.execute(
                    "UPDATE inbox SET handled = 1 WHERE mh = ? AND state = 'opened' AND handled = 0", (handled,)
                )
                if marked.rowcount != 1:  # by another process of this agency, meanwhile
                    return
            db.executemany(
                "INSERT INTO outbox (id, handed_at, draft, state) VALUES (?, ?, ?, 'waiting') ON CONFLICT DO NOTHING",
                rows,
            )

        await self._store.run(keep)

    async def entry(self, identifier: str) -> OutboxEntry:
        """Return one message by the identifier of its hand-over.

        Raises:
            NotFoundError: there is none.
        """
        return await self._one("id", identifier)

    async def message(self, mh: str) -> OutboxEntry:
        """Return one sealed message by its digest.

        Raises:
            NotFoundError: there is none.
        """
        return await self._one("mh", mh)

    async def _one(self, column: Literal["id", "mh"], value: str) -> OutboxEntry:
        sql = f"SELECT {_COLUMNS} FROM outbox WHERE {column} = ?"  # noqa: S608 - the column is one of two literals
        row = await self._store.run(lambda db: db.execute(sql, (value,)).fetchone())
        if row is None:
            raise NotFoundError("outbox")
        return OutboxEntry(*row)

    async def beginning(self, number: str) -> Sequence[str]:
        """Return the numbers (`mh`) of messages that begin as given."""
        sql = "SELECT mh FROM outbox WHERE substr(mh, 1, ?) = ? LIMIT 10"
        rows = await self._store.run(lambda db: db.execute(sql, (len(number), number)).fetchall())
        return [row["mh"] for row in rows]

    async def unfinished(self) -> Sequence[str]:
        """Return the identifiers that are neither accepted nor refused, oldest first."""
        sql = "SELECT id FROM outbox WHERE state IN ('waiting', 'sealed') ORDER BY place"
        return [row["id"] for row in await self._store.run(lambda db: db.execute(sql).fetchall())]

    async def entries(self, *, limit: int) -> Sequence[OutboxEntry]:
        """Return the latest messages, newest first."""
        sql = f"SELECT {_COLUMNS} FROM outbox ORDER BY place DESC LIMIT ?"  # noqa: S608 - a constant
        return [OutboxEntry(*row) for row in await self._store.run(lambda db: db.execute(sql, (limit,)).fetchall())]

    async def of_operation(self, operation: str) -> Sequence[OutboxEntry]:
        """Return the accepted messages of an operation, oldest first."""
        sql = f"SELECT {_COLUMNS} FROM outbox WHERE op = ? AND state = 'accepted' ORDER BY place"  # noqa: S608 - a constant
        return [OutboxEntry(*row) for row in await self._store.run(lambda db: db.execute(sql, (operation,)).fetchall())]

    async def next_numbers(self, kid: str, partners: Sequence[str]) -> Numbers:
        """Return the numbers that a message to these partners would get now; nothing is reserved."""
        return await self._store.run(lambda db: _next_numbers(db, kid, partners))

    async def keep_sealed(self, identifier: str, numbers: Numbers, sealed: SealedMessage) -> bool:
        """Fix a waiting message's bytes and numbers, in one step.

        Returns:
            False when another message took the numbers, or this one was sealed or refused, in between: the given bytes
            must then be forgotten, for no second message may ever carry the same numbers.
        """

        def keep(db: sqlite3.Connection) -> bool:
            if _next_numbers(db, numbers.kid, list(numbers.rseqs)) != numbers:
                return False
            taken = db.execute(
                "UPDATE outbox SET state = 'sealed', kid = ?, seq = ?,"
                " mh = ?, op = ?, manifest = ?, head = ?, frame = ? WHERE id = ? AND state = 'waiting'",
                (numbers.kid, numbers.seq, *astuple(sealed), identifier),
            )
            if taken.rowcount != 1:
                return False
            db.execute("INSERT OR REPLACE INTO chain VALUES (?, ?, ?)", (numbers.kid, numbers.seq, sealed.mh))
            db.executemany("INSERT OR REPLACE INTO addressed VALUES (?, ?)", numbers.rseqs.items())
            return True

        return await self._store.run(keep)

    async def keep_accept(self, identifier: str, accept: bytes) -> None:
        """Keep the hub's verified accept; the bytes need not be sent again, and no refusal stands against it."""
        await self._store.run(
            lambda db: db.execute(
                "UPDATE outbox SET state = 'accepted', code = NULL, accept = ?, frame = NULL"
                " WHERE id = ? AND mh IS NOT NULL AND state != 'accepted'",
                (accept, identifier),
            )
        )

    async def refuse(self, identifier: str, code: str, *, found: OutboxState) -> None:
        """Give a message up for good, with the wire code; its numbers stay used.

        Nothing changes when it is no longer in the state in which it was `found`: another process brought it further.
        """
        await self._store.run(
            lambda db: db.execute(
                "UPDATE outbox SET state = 'refused', code = ? WHERE id = ? AND state = ?",
                (code, identifier, found),
            )
        )

    async def add_receipt(self, verified: VerifiedReceipt) -> None:
        """Keep a receipt for an own message; the same again changes nothing.

        Raises:
            NotFoundError: it is about no message of this outbox.
        """
        receipt = verified.receipt

        def add(db: sqlite3.Connection) -> None:
            if db.execute("SELECT 1 FROM outbox WHERE mh = ?", (receipt.mh,)).fetchone() is None:
                raise NotFoundError("receipt for another's message")
            db.execute(
                "INSERT INTO receipts (iss, jti, mh, jws, state, code, signed_at) VALUES (?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT DO NOTHING",
                (receipt.iss, receipt.jti, receipt.mh, verified.jws, receipt.state, receipt.error, receipt.iat),
            )

        await self._store.run(add)

    async def receipts(self, mh: str) -> Sequence[KeptReceipt]:
        """Return the receipts for one own message, oldest first."""
        sql = "SELECT iss, mh, state, code, signed_at, jws FROM receipts WHERE mh = ? ORDER BY signed_at, jti"
        return [KeptReceipt(*row) for row in await self._store.run(lambda db: db.execute(sql, (mh,)).fetchall())]


def _next_numbers(db: sqlite3.Connection, kid: str, partners: Sequence[str]) -> Numbers:
    last = db.execute("SELECT seq, mh FROM chain WHERE kid = ?", (kid,)).fetchone()
    counted = dict(db.execute("SELECT partner, rseq FROM addressed").fetchall())
    return Numbers(
        kid=kid,
        seq=last["seq"] + 1 if last else 1,
        prev=last["mh"] if last else None,
        rseqs={partner: counted.get(partner, 0) + 1 for partner in partners},
    )
