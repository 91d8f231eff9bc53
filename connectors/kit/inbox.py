"""The inbox: copies as they were received, still sealed, and what became of each.

A copy is `new` until it was examined, then `opened` or `refused` with its wire code; its signed receipt waits here
until the hub has taken it. Not for: examining (`receive.py`). Implements steps 5 (jti, seq) and 13 (rseq) of
`docs/protocol/02-envelope.md` section 7; user's view in `docs/trips/receive.md`.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from connectors.kit.agency_store import AgencyStore
from hub.protocol.encoding import encode_b64url
from hub.protocol.errors import ForkError, NotFoundError, ReplayError
from hub.protocol.hazmat import sha256
from hub.protocol.manifest import Manifest

InboxState = Literal["new", "opened", "refused"]


@dataclass(frozen=True, slots=True)
class InboxEntry:
    """One copy. `digest` names its bytes; `mh` and what follows are known, and believed, of an opened one only."""

    digest: str
    received_at: int
    state: InboxState
    code: str | None
    examined_at: int | None
    mh: str | None
    iss: str | None
    mt: str | None
    thread: str | None
    irt: str | None
    op: str | None


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a verified copy stands in its originator's counts: what the inbox compares and keeps."""

    mh: str
    kid: str
    rseq: int
    manifest: Manifest


_COLUMNS: Final = "digest, received_at, state, code, examined_at, mh, iss, mt, thread, irt, op"


_MARK_OPENED: Final = """
UPDATE inbox SET state = 'opened', examined_at = :at, mh = :mh, iss = :iss, jti = :jti, kid = :kid, seq = :seq,
    rseq = :rseq, mt = :mt, thread = :thread, irt = :irt, op = :op, receipt = :receipt, receipt_state = 'waiting'
WHERE digest = :digest AND state = 'new'
"""
_SAME: Final = """
SELECT mh, iss, jti FROM inbox
WHERE state = 'opened' AND (mh = :mh OR (iss = :iss AND jti = :jti) OR (kid = :kid AND seq = :seq))
"""


def frame_digest(frame: bytes) -> str:
    """Return the name of a copy's bytes."""
    return encode_b64url(sha256(frame))


class Inbox:
    """The inbox in an agency's store. Every method is one durable transaction; see `AgencyStore.run` for failures."""

    def __init__(self, store: AgencyStore) -> None:
        self._store: Final = store

    async def keep(self, frames: Sequence[bytes], *, at: int) -> None:
        """Keep copies as received; the same bytes again change nothing."""
        rows = [(frame_digest(frame), frame, at) for frame in frames]
        await self._store.run(
            lambda db: db.executemany(
                "INSERT INTO inbox (digest, frame, received_at, state) VALUES (?, ?, ?, 'new') ON CONFLICT DO NOTHING",
                rows,
            )
        )

    async def unexamined(self) -> Sequence[str]:
        """Return the digests of new copies, oldest first."""
        sql = "SELECT digest FROM inbox WHERE state = 'new' ORDER BY place"
        return [row["digest"] for row in await self._store.run(lambda db: db.execute(sql).fetchall())]

    async def frame(self, digest: str) -> bytes:
        """Return a copy's bytes as received.

        Raises:
            NotFoundError: there is no such copy.
        """
        sql = "SELECT frame FROM inbox WHERE digest = ?"
        row = await self._store.run(lambda db: db.execute(sql, (digest,)).fetchone())
        if row is None:
            raise NotFoundError("copy")
        frame: bytes = row["frame"]
        return frame

    async def mark_opened(self, digest: str, standing: Standing, receipt: str, *, at: int) -> bool:
        """Mark a new copy as opened and keep its receipt to be sent.

        Returns:
            False when the message was opened before from another copy; this one is then dropped.

        Raises:
            ReplayError: another message of this originator was opened under the same identifier.
            ForkError: another message was opened under the same number of the same key.
        """
        values = _values(standing)

        def mark(db: sqlite3.Connection) -> bool:
            if _is_known(db, standing):
                db.execute("DELETE FROM inbox WHERE digest = ? AND state = 'new'", (digest,))
                return False
            db.execute(_MARK_OPENED, {**values, "digest": digest, "at": at, "receipt": receipt})
            return True

        return await self._store.run(mark)

    async def mark_refused(self, digest: str, code: str, receipt: str | None, *, at: int) -> None:
        """Mark a new copy as refused; without a receipt when it does not even say which message it is."""
        await self._store.run(
            lambda db: db.execute(
                "UPDATE inbox SET state = 'refused', examined_at = ?, code = ?, receipt = ?, receipt_state = ?"
                " WHERE digest = ? AND state = 'new'",
                (at, code, receipt, "waiting" if receipt else None, digest),
            )
        )

    async def waiting_receipts(self) -> Sequence[tuple[str, str]]:
        """Return (digest, receipt) of every receipt that the hub has not taken, oldest first."""
        sql = "SELECT digest, receipt FROM inbox WHERE receipt_state = 'waiting' ORDER BY place"
        return [(row["digest"], row["receipt"]) for row in await self._store.run(lambda db: db.execute(sql).fetchall())]

    async def settle_receipt(self, digest: str, state: Literal["taken", "refused"]) -> None:
        """Note that the hub took a receipt, or refused it for good."""
        sql = "UPDATE inbox SET receipt_state = ? WHERE digest = ? AND receipt_state = 'waiting'"
        await self._store.run(lambda db: db.execute(sql, (state, digest)))

    async def entries(self, *, limit: int) -> Sequence[InboxEntry]:
        """Return the latest copies, newest first."""
        sql = f"SELECT {_COLUMNS} FROM inbox ORDER BY place DESC LIMIT ?"  # noqa: S608 - a constant
        return [InboxEntry(*row) for row in await self._store.run(lambda db: db.execute(sql, (limit,)).fetchall())]

    async def opened(self, mh: str) -> InboxEntry:
        """Return the opened copy of a message.

        Raises:
            NotFoundError: there is none.
        """
        sql = f"SELECT {_COLUMNS} FROM inbox WHERE mh = ? AND state = 'opened'"  # noqa: S608 - a constant
        row = await self._store.run(lambda db: db.execute(sql, (mh,)).fetchone())
        if row is None:
            raise NotFoundError("inbox")
        return InboxEntry(*row)

    async def beginning(self, number: str) -> Sequence[str]:
        """Return the numbers (`mh`) of messages that begin as given."""
        sql = "SELECT mh FROM inbox WHERE state = 'opened' AND substr(mh, 1, ?) = ? LIMIT 10"
        rows = await self._store.run(lambda db: db.execute(sql, (len(number), number)).fetchall())
        return [row["mh"] for row in rows]

    async def has_opened(self, mh: str) -> bool:
        """Return whether a copy of this message was opened."""
        sql = "SELECT 1 FROM inbox WHERE mh = ? AND state = 'opened'"
        return await self._store.run(lambda db: db.execute(sql, (mh,)).fetchone()) is not None

    async def unhandled(self) -> Sequence[str]:
        """Return the opened messages that the agency's own program has not dealt with, oldest first."""
        sql = "SELECT mh FROM inbox WHERE state = 'opened' AND handled = 0 ORDER BY place"
        return [row["mh"] for row in await self._store.run(lambda db: db.execute(sql).fetchall())]

    async def of_operation(self, operation: str) -> Sequence[InboxEntry]:
        """Return the opened messages of an operation, oldest first."""
        sql = f"SELECT {_COLUMNS} FROM inbox WHERE op = ? AND state = 'opened' ORDER BY place"  # noqa: S608 - a constant
        return [InboxEntry(*row) for row in await self._store.run(lambda db: db.execute(sql, (operation,)).fetchall())]

    async def gaps(self) -> Mapping[str, Sequence[range]]:
        """Return, by originator, the numbers that were counted for this agency and never came (step 13).

        What a hub withheld as a whole is a gap as well; only the originator can tell the two apart.
        """
        sql = "SELECT DISTINCT iss, rseq FROM inbox WHERE state = 'opened' ORDER BY iss, rseq"
        came: dict[str, list[int]] = {}
        for row in await self._store.run(lambda db: db.execute(sql).fetchall()):
            came.setdefault(row["iss"], []).append(row["rseq"])
        found = {iss: list(_missing(numbers)) for iss, numbers in came.items()}
        return {iss: gaps for iss, gaps in found.items() if gaps}


def _values(standing: Standing) -> dict[str, Any]:
    values = standing.manifest.model_dump(mode="json", include={"iss", "jti", "seq", "mt", "thread", "irt", "op"})
    return {**values, "mh": standing.mh, "kid": standing.kid, "rseq": standing.rseq}


def _is_known(db: sqlite3.Connection, standing: Standing) -> bool:
    """Compare identifier and sequence number with those of the messages opened before (step 5)."""
    manifest = standing.manifest
    known = db.execute(_SAME, _values(standing)).fetchall()
    if any(row["mh"] == standing.mh for row in known):
        return True
    if any((row["iss"], row["jti"]) == (manifest.iss, manifest.jti) for row in known):
        raise ReplayError(manifest.jti)
    if known:
        raise ForkError(f"{standing.kid} {manifest.seq}")
    return False


def _missing(numbers: Sequence[int]) -> Iterator[range]:
    expected = 1
    for number in numbers:
        if number > expected:
            yield range(expected, number)
        expected = number + 1
