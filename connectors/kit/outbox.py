"""The outbox: what the agency wants to send, from the moment a draft is handed over until the hub's accept is kept.

A message goes `waiting` (a draft) -> `sealed` (its bytes and numbers are fixed for ever) -> `accepted`, or ends as
`refused` with its wire code; urgent ones go before routine ones. Numbers are given in the same transaction that keeps
the sealed bytes, so they are never given twice, whatever crashes when. Not for: sealing or sending (`send.py`). User's
view in `docs/trips/send.md`.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Final, Literal

from connectors.kit.agency_store import AgencyStore
from connectors.kit.deadlines import Expected, expect_in, settle_in
from hub.protocol.errors import NotFoundError
from hub.protocol.receipt import VerifiedReceipt

OutboxState = Literal["waiting", "sealed", "accepted", "refused"]


@dataclass(frozen=True, slots=True)
class HandedOver:
    """A draft to be sent: its identifier, its bytes sealed to the agency's own key, and how urgent it is.

    `keep` is for how many seconds the content may be kept here; None: for ever.
    """

    id: str
    draft: bytes
    urgent: bool = False
    keep: int | None = None


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """One message of the outbox.

    `draft` is sealed to the agency's own key, and empty once it was purged. `code` is that of the refusal, or of what
    kept the message where it is at `tried_at`. `frame` are the bytes to upload, kept until the hub accepted them;
    `head` is their first part (JSON of `SubmissionHead`), kept for evidence, and `manifest` the manifest in it.
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
    tried_at: int | None = None
    purged_at: int | None = None


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
    act: str | None = None


_COLUMNS: Final = "id, handed_at, draft, state, code, mh, frame, manifest, head, accept, tried_at, purged_at"


class Outbox:
    """The outbox in an agency's store. Every method is one durable transaction; see `AgencyStore.run` for failures."""

    def __init__(self, store: AgencyStore) -> None:
        self._store: Final = store

    async def hand_over(self, drafts: Sequence[HandedOver], *, at: int, handled: str | None = None) -> None:
        """Keep drafts by their identifiers; one that is known already stays as it is.

        Args:
            drafts: what is to be sent.
            at: Unix seconds.
            handled: the message of the inbox that they all answer; it is marked as handled in the same step, so a crash
                neither answers it twice nor never.
        """

        def keep(db: sqlite3.Connection) -> None:
            if handled is not None:
                marked = db.execute(
                    "UPDATE inbox SET handled = 1 WHERE mh = ? AND state = 'opened' AND handled = 0", (handled,)
                )
                if marked.rowcount != 1:  # by another process of this agency, meanwhile
                    return
            _insert(db, drafts, at=at)

        await self._store.run(keep)

    async def hand_over_again(self, identifier: str, draft: HandedOver, code: str, *, at: int) -> None:
        """Give a sealed message up with its code, and keep its draft to be sealed anew, in one step."""

        def keep(db: sqlite3.Connection) -> None:
            sql = "UPDATE outbox SET state = 'refused', code = ?, frame = NULL WHERE id = ? AND state = 'sealed'"
            if db.execute(sql, (code, identifier)).rowcount == 1:
                _insert(db, [draft], at=at)

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
        """Return the identifiers that are neither accepted nor refused, urgent before routine, then oldest first."""
        sql = "SELECT id FROM outbox WHERE state IN ('waiting', 'sealed') ORDER BY urgent DESC, place"
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

    async def keep_accept(self, identifier: str, accept: bytes, expected: Sequence[Expected] = ()) -> None:
        """Keep the hub's verified accept, and what the message waits for from now on.

        The bytes need not be sent again, and no refusal stands against it.
        """

        def keep(db: sqlite3.Connection) -> None:
            kept = db.execute(
                "UPDATE outbox SET state = 'accepted', code = NULL, accept = ?, frame = NULL"
                " WHERE id = ? AND mh IS NOT NULL AND state != 'accepted'",
                (accept, identifier),
            )
            if kept.rowcount == 1:
                expect_in(db, expected)

        await self._store.run(keep)

    async def stay(self, identifier: str, code: str, *, at: int) -> None:
        """Note why a message stays where it is for now."""
        sql = "UPDATE outbox SET code = ?, tried_at = ? WHERE id = ? AND state IN ('waiting', 'sealed')"
        await self._store.run(lambda db: db.execute(sql, (code, at, identifier)))

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

    async def add_receipt(self, verified: VerifiedReceipt, *, at: int) -> None:
        """Keep a receipt for an own message at a time (Unix seconds); the same again changes nothing.

        Raises:
            NotFoundError: it is about no message of this outbox.
        """
        said = verified.receipt
        row = (said.iss, said.jti, said.mh, verified.jws, said.state, said.act, said.error, said.iat)

        def add(db: sqlite3.Connection) -> None:
            if db.execute("SELECT 1 FROM outbox WHERE mh = ?", (said.mh,)).fetchone() is None:
                raise NotFoundError("receipt for another's message")
            db.execute(
                "INSERT INTO receipts (iss, jti, mh, jws, state, act, code, signed_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                row,
            )
            settle_in(db, "receipt", said.mh, said.iss, at=at)

        await self._store.run(add)

    async def receipts(self, mh: str) -> Sequence[KeptReceipt]:
        """Return the receipts for one own message, oldest first."""
        sql = "SELECT iss, mh, state, code, signed_at, jws, act FROM receipts WHERE mh = ? ORDER BY signed_at, jti"
        return [KeptReceipt(*row) for row in await self._store.run(lambda db: db.execute(sql, (mh,)).fetchall())]

    async def add_expiry(self, mh: str, partner: str, proven: bytes, *, at: int) -> None:
        """Keep the hub's verified word that a copy of an own message expired; the same again changes nothing.

        Raises:
            NotFoundError: it is about no message of this outbox.
        """

        def add(db: sqlite3.Connection) -> None:
            if db.execute("SELECT 1 FROM outbox WHERE mh = ?", (mh,)).fetchone() is None:
                raise NotFoundError("expiry of another's message")
            db.execute("INSERT INTO expiries VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", (mh, partner, at, proven))
            settle_in(db, "receipt", mh, partner, at=at)

        await self._store.run(add)

    async def answered_by(self, mh: str) -> Sequence[str]:
        """Return who has answered an own message with one of its own, as far as it was opened here."""
        sql = "SELECT DISTINCT iss FROM inbox WHERE irt = ? AND state = 'opened' ORDER BY iss"
        return [row["iss"] for row in await self._store.run(lambda db: db.execute(sql, (mh,)).fetchall())]

    async def purge(self, *, now: int) -> int:
        """Destroy the content of finished messages that may not be kept any longer; return of how many."""
        sql = (
            "UPDATE outbox SET draft = x'', frame = NULL, purged_at = :now "
            "WHERE purged_at IS NULL AND purge_at <= :now AND state IN ('accepted', 'refused')"
        )
        return await self._store.run(lambda db: db.execute(sql, {"now": now}).rowcount)

    async def scrub(self) -> None:
        """Overwrite on disk what was destroyed; see `AgencyStore.scrub` for errors."""
        await self._store.scrub()


def _insert(db: sqlite3.Connection, drafts: Sequence[HandedOver], *, at: int) -> None:
    db.executemany(
        "INSERT INTO outbox (id, handed_at, draft, state, urgent, purge_at) VALUES (?, ?, ?, 'waiting', ?, ?)"
        " ON CONFLICT DO NOTHING",
        [(one.id, at, one.draft, one.urgent, None if one.keep is None else at + one.keep) for one in drafts],
    )


def _next_numbers(db: sqlite3.Connection, kid: str, partners: Sequence[str]) -> Numbers:
    last = db.execute("SELECT seq, mh FROM chain WHERE kid = ?", (kid,)).fetchone()
    counted = dict(db.execute("SELECT partner, rseq FROM addressed").fetchall())
    return Numbers(
        kid=kid,
        seq=last["seq"] + 1 if last else 1,
        prev=last["mh"] if last else None,
        rseqs={partner: counted.get(partner, 0) + 1 for partner in partners},
    )
