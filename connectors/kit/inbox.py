"""The inbox: copies as they were received, still sealed, and what became of each.

A copy is `new` until it was examined, then `opened` or `refused` with its wire code; what this agency signed about it
waits in `own_receipts.py` until the hub has taken it. Not for: examining (`receive.py`) or destroying (`purge.py`).
Implements steps 5 (jti, seq) and 13 (rseq) of `docs/protocol/02-envelope.md` section 7; user's view in
`docs/trips/receive.md`.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from connectors.kit.agency_store import AgencyStore
from connectors.kit.own_receipts import SignedReceipt, add_own
from hub.protocol.encoding import encode_b64url
from hub.protocol.envelope import parse_copy
from hub.protocol.errors import ForkError, NotFoundError, PurgedError, ReplayError, ValiseError
from hub.protocol.hazmat import sha256
from hub.protocol.manifest import Manifest, parse_manifest
from hub.protocol.vocabulary import Priority

InboxState = Literal["new", "opened", "refused"]
REFUSED_KEPT: Final = 30 * 86_400  # seconds; long enough to look into why, and nothing in it was ever believed


@dataclass(frozen=True, slots=True)
class InboxEntry:
    """One copy. `digest` names its bytes; `mh` and what follows are known, and believed, of an opened one only.

    `purged_at` is when its content was destroyed (Unix seconds).
    """

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
    purged_at: int | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a verified copy stands in its originator's counts: what the inbox compares and keeps.

    `text` is the manifest as signed; `keep` for how many seconds the content may be kept.
    """

    mh: str
    kid: str
    rseq: int
    manifest: Manifest
    text: str
    keep: int


_COLUMNS: Final = "digest, received_at, state, code, examined_at, mh, iss, mt, thread, irt, op, purged_at"


_MARK_OPENED: Final = """
UPDATE inbox SET state = 'opened', examined_at = :at, mh = :mh, iss = :iss, jti = :jti, kid = :kid, seq = :seq,
    rseq = :rseq, mt = :mt, thread = :thread, irt = :irt, op = :op, manifest = :text, purge_at = :purge_at
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

    async def keep(self, frames: Sequence[bytes], *, at: int, seqs: Sequence[int] = ()) -> None:
        """Keep copies as received; the same bytes again change nothing.

        Args:
            frames: the copies.
            at: Unix seconds.
            seqs: the numbers in the hub's mailbox of all that came with them, receipts too.
        """
        rows = [(frame_digest(frame), frame, at, _is_urgent(frame)) for frame in frames]

        def keep(db: sqlite3.Connection) -> None:
            db.executemany(
                "INSERT INTO inbox (digest, frame, received_at, state, urgent) VALUES (?, ?, ?, 'new', ?)"
                " ON CONFLICT DO NOTHING",
                rows,
            )
            db.executemany("INSERT INTO collected VALUES (?) ON CONFLICT DO NOTHING", [(seq,) for seq in seqs])

        await self._store.run(keep)

    async def collected(self) -> int:
        """Return how many items of the hub's mailbox were ever kept here."""
        return await self._store.run(lambda db: int(db.execute("SELECT count(*) FROM collected").fetchone()[0]))

    async def unexamined(self) -> Sequence[str]:
        """Return the digests of new copies, urgent before routine, then oldest first."""
        sql = "SELECT digest FROM inbox WHERE state = 'new' ORDER BY urgent DESC, place"
        return [row["digest"] for row in await self._store.run(lambda db: db.execute(sql).fetchall())]

    async def frame(self, digest: str) -> bytes:
        """Return a copy's bytes as received.

        Raises:
            NotFoundError: there is no such copy.
            PurgedError: its content was destroyed.
        """
        sql = "SELECT frame FROM inbox WHERE digest = ?"
        row = await self._store.run(lambda db: db.execute(sql, (digest,)).fetchone())
        if row is None:
            raise NotFoundError("copy")
        if row["frame"] is None:
            raise PurgedError(digest)
        frame: bytes = row["frame"]
        return frame

    async def manifest(self, mh: str) -> str:
        """Return the manifest of an opened message as it was signed; it outlives the content.

        Raises:
            NotFoundError: there is none.
        """
        sql = "SELECT manifest FROM inbox WHERE mh = ? AND state = 'opened'"
        row = await self._store.run(lambda db: db.execute(sql, (mh,)).fetchone())
        if row is None:
            raise NotFoundError("inbox")
        text: str = row["manifest"]
        return text

    async def mark_opened(self, digest: str, standing: Standing, receipt: SignedReceipt, *, at: int) -> bool:
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
            own = {"digest": digest, "at": at, "text": standing.text, "purge_at": at + standing.keep}
            db.execute(_MARK_OPENED, {**values, **own})
            add_own(db, digest, receipt)
            return True

        return await self._store.run(mark)

    async def mark_refused(self, digest: str, code: str, receipt: SignedReceipt | None, *, at: int) -> None:
        """Mark a new copy as refused; without a receipt when it does not even say which message it is."""

        def mark(db: sqlite3.Connection) -> None:
            refused = db.execute(
                "UPDATE inbox SET state = 'refused', examined_at = ?, code = ?, purge_at = ?"
                " WHERE digest = ? AND state = 'new'",
                (at, code, at + REFUSED_KEPT, digest),
            )
            if refused.rowcount == 1 and receipt is not None:
                add_own(db, digest, receipt)

        await self._store.run(mark)

    async def due_for_purge(self, *, now: int, limit: int) -> Sequence[InboxEntry]:
        """Return examined copies whose content may not be kept any longer."""
        sql = f"SELECT {_COLUMNS} FROM inbox WHERE purged_at IS NULL AND purge_at <= ? ORDER BY purge_at LIMIT ?"  # noqa: S608 - a constant
        rows = await self._store.run(lambda db: db.execute(sql, (now, limit)).fetchall())
        return [InboxEntry(*row) for row in rows]

    async def purge(self, digest: str, receipt: SignedReceipt | None, *, at: int) -> bool:
        """Destroy a copy's content; what stays says which message it was. Return False when it was destroyed before."""

        def destroy(db: sqlite3.Connection) -> bool:
            sql = (
                "UPDATE inbox SET frame = NULL, purged_at = ? WHERE digest = ? AND purged_at IS NULL AND state != 'new'"
            )
            if db.execute(sql, (at, digest)).rowcount != 1:
                return False
            if receipt is not None:
                add_own(db, digest, receipt)
            return True

        return await self._store.run(destroy)

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
        """Return the opened messages that the agency's own program has not dealt with, urgent first, then oldest."""
        sql = "SELECT mh FROM inbox WHERE state = 'opened' AND handled = 0 ORDER BY urgent DESC, place"
        return [row["mh"] for row in await self._store.run(lambda db: db.execute(sql).fetchall())]

    async def of_operation(self, operation: str) -> Sequence[InboxEntry]:
        """Return the opened messages of an operation, oldest first."""
        sql = f"SELECT {_COLUMNS} FROM inbox WHERE op = ? AND state = 'opened' ORDER BY place"  # noqa: S608 - a constant
        return [InboxEntry(*row) for row in await self._store.run(lambda db: db.execute(sql, (operation,)).fetchall())]

    async def gaps(self, *, since: int | None = None) -> Mapping[str, Sequence[range]]:
        """Return, by originator, the numbers that were counted for this agency and never came (step 13).

        What a hub withheld as a whole is a gap as well; only the originator can tell the two apart.

        Args:
            since: only gaps below a number that came by then (Unix seconds); those above may still be under way.
        """
        sql = "SELECT iss, rseq, min(received_at) AS at FROM inbox WHERE state = 'opened' GROUP BY iss, rseq"
        came: dict[str, list[int]] = {}
        settled: dict[str, int] = {}
        for row in await self._store.run(lambda db: db.execute(f"{sql} ORDER BY iss, rseq").fetchall()):
            came.setdefault(row["iss"], []).append(row["rseq"])
            if since is None or row["at"] <= since:
                settled[row["iss"]] = row["rseq"]
        found = {
            iss: [gap for gap in _missing(numbers) if gap.stop <= settled.get(iss, 0)] for iss, numbers in came.items()
        }
        return {iss: gaps for iss, gaps in found.items() if gaps}


def _is_urgent(frame: bytes) -> bool:
    """Return what an unbelieved copy says of itself; one that says nothing is in no hurry."""
    try:
        return parse_manifest(parse_copy(frame).head.m)[0].pri is Priority.URGENT
    except ValiseError:
        return False


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
