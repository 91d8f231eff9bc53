"""The one file in which a connector keeps what it must not lose: outbox and inbox, in SQLite.

Every call is one transaction in the store's own thread, so that the event loop never waits for the disk; when it
returns, its writes are durable (WAL, synchronous FULL). Several processes of one agency may open the file. Content in
it is sealed. Not for: what the tables mean (`outbox.py`, `inbox.py`) or keys (`keystore.py`). User's view in
`docs/trips/send.md` and `docs/trips/receive.md`.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Final, Self, TypeVar

from hub.protocol.errors import (
    StoreCorruptError,
    StoreError,
    StoreFullError,
    StoreLockedError,
    StoreVersionError,
)

VERSION: Final = 2
_PATIENCE: Final = 10.0  # seconds to wait for another process's transaction
_SCHEMA: Final = """
CREATE TABLE outbox (
    place INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,          -- the message's jti, given when the draft was handed over
    handed_at INTEGER NOT NULL,
    draft BLOB NOT NULL,              -- sealed to this agency's own key (at_rest.py); empty once it was purged
    state TEXT NOT NULL CHECK (state IN ('waiting', 'sealed', 'accepted', 'refused')),
    code TEXT,                        -- wire code of the refusal, or of what keeps it waiting
    mh TEXT UNIQUE,
    kid TEXT,
    seq INTEGER,
    frame BLOB,                       -- the bytes to upload, until they were accepted
    manifest TEXT,
    head BLOB,                        -- of the submission, without ciphertexts: what evidence is made of
    op TEXT,
    accept BLOB,                      -- the hub's statement as received
    urgent INTEGER NOT NULL,
    purge_at INTEGER,                 -- when the content is destroyed
    purged_at INTEGER,
    tried_at INTEGER,                 -- when it last stayed where it is, with `code`
    UNIQUE (kid, seq)
) STRICT;
CREATE INDEX outbox_unfinished ON outbox (urgent DESC, place) WHERE state IN ('waiting', 'sealed');
CREATE TABLE chain (kid TEXT PRIMARY KEY, seq INTEGER NOT NULL, mh TEXT NOT NULL) STRICT;
CREATE TABLE addressed (partner TEXT PRIMARY KEY, rseq INTEGER NOT NULL) STRICT;
CREATE TABLE receipts (               -- of addressees, for own messages
    iss TEXT NOT NULL,
    jti TEXT NOT NULL,
    mh TEXT NOT NULL,
    jws TEXT NOT NULL,
    state TEXT NOT NULL,
    act TEXT,
    code TEXT,
    signed_at INTEGER NOT NULL,
    PRIMARY KEY (iss, jti)
) STRICT;
CREATE INDEX receipts_of ON receipts (mh);
CREATE TABLE expiries (               -- the hub's word that a copy expired uncollected
    mh TEXT NOT NULL,
    partner TEXT NOT NULL,
    at INTEGER NOT NULL,
    proven BLOB NOT NULL,
    PRIMARY KEY (mh, partner)
) STRICT;
CREATE TABLE expected (               -- what sent messages wait for: a receipt of each addressee, a proof of the log
    kind TEXT NOT NULL CHECK (kind IN ('receipt', 'log-proof')),
    mh TEXT NOT NULL,
    partner TEXT NOT NULL,            -- empty for a proof
    due_at INTEGER NOT NULL,
    came_at INTEGER,                  -- also when it turned out that nothing will come
    PRIMARY KEY (kind, mh, partner)
) STRICT;
CREATE INDEX expected_due ON expected (due_at) WHERE came_at IS NULL;
CREATE TABLE inbox (
    place INTEGER PRIMARY KEY,
    digest TEXT NOT NULL UNIQUE,      -- of the frame, since an unbelieved copy has no other name
    frame BLOB,                       -- as received: content stays sealed; NULL once it was purged
    received_at INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('new', 'opened', 'refused')),
    code TEXT,
    examined_at INTEGER,
    mh TEXT,
    iss TEXT,
    jti TEXT,
    kid TEXT,
    seq INTEGER,
    rseq INTEGER,
    mt TEXT,
    thread TEXT,
    irt TEXT,
    op TEXT,
    manifest TEXT,
    urgent INTEGER NOT NULL,          -- as the copy says of itself; unbelieved while it is new, and only for the order
    purge_at INTEGER,                 -- when the content is destroyed
    purged_at INTEGER,
    handled INTEGER NOT NULL DEFAULT 0    -- whether the agency's own program has answered or filed it
) STRICT;
CREATE UNIQUE INDEX opened_mh ON inbox (mh) WHERE state = 'opened';
CREATE UNIQUE INDEX opened_jti ON inbox (iss, jti) WHERE state = 'opened';
CREATE UNIQUE INDEX opened_seq ON inbox (kid, seq) WHERE state = 'opened';
CREATE INDEX inbox_state ON inbox (state, handled);
CREATE INDEX inbox_purge ON inbox (purge_at) WHERE purged_at IS NULL;
CREATE TABLE own_receipts (           -- what this agency signed about copies
    place INTEGER PRIMARY KEY,
    digest TEXT NOT NULL,
    state TEXT NOT NULL,
    act TEXT NOT NULL,                -- empty where nothing was done
    signed_at INTEGER NOT NULL,
    jws TEXT NOT NULL,
    sent TEXT NOT NULL CHECK (sent IN ('waiting', 'taken', 'refused')),
    UNIQUE (digest, state, act)
) STRICT;
CREATE INDEX own_receipts_waiting ON own_receipts (place) WHERE sent = 'waiting';
CREATE TABLE collected (              -- numbers of the hub's mailbox that were kept here
    seq INTEGER PRIMARY KEY
) STRICT;
CREATE TABLE checkpoints (hub TEXT PRIMARY KEY, note TEXT NOT NULL) STRICT;
CREATE TABLE alarms (                 -- what somebody must look at; see alarms.py
    place INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    about TEXT NOT NULL,
    partner TEXT NOT NULL,
    reason TEXT NOT NULL,
    proof TEXT NOT NULL,              -- JSON: what convicts, where there is something
    raised_at INTEGER NOT NULL,
    cleared_at INTEGER,
    dismissed INTEGER NOT NULL DEFAULT 0,    -- by an officer: the same is not raised again before it has come
    UNIQUE (kind, about, partner)
) STRICT;
"""

_T = TypeVar("_T")
_FAILED: Final = (sqlite3.Error, UnicodeDecodeError)  # the second from the texts of a damaged file
_LEAF_OF: Final = MappingProxyType(
    {
        sqlite3.SQLITE_FULL: StoreFullError,
        sqlite3.SQLITE_BUSY: StoreLockedError,
        sqlite3.SQLITE_LOCKED: StoreLockedError,
        sqlite3.SQLITE_CORRUPT: StoreCorruptError,
        sqlite3.SQLITE_NOTADB: StoreCorruptError,
    }
)


class AgencyStore:
    """An asynchronous context manager round one SQLite file. Only `open` makes one."""

    def __init__(self, connection: sqlite3.Connection, thread: ThreadPoolExecutor) -> None:
        self._connection: Final = connection
        self._thread: Final = thread

    @classmethod
    async def open(cls, path: Path) -> Self:
        """Open the file, or make it, readable to its owner only.

        Raises:
            StoreVersionError: it was written by another version.
            StoreError: it cannot be opened.
        """
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="agency-store")
        try:
            connection = await asyncio.get_running_loop().run_in_executor(thread, _connect, path)
        except StoreError:
            thread.shutdown(wait=False)
            raise
        return cls(connection, thread)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the file after the transactions that were begun."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._connection.close)
        self._thread.shutdown(wait=False)

    async def scrub(self) -> None:
        """Overwrite what was destroyed in the write-ahead log too, so that no page of it stays on disk.

        Raises:
            StoreError: another process reads or writes; call it again.
        """
        await asyncio.get_running_loop().run_in_executor(self._thread, _scrub, self._connection)

    async def run(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Run `work` as one transaction: all of it durable when this returns, none of it when `work` raised.

        Raises:
            StoreError: the disk failed; the transaction may or may not have been kept, so make it again.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, _transact, self._connection, work)


def _connect(path: Path) -> sqlite3.Connection:
    try:
        path.touch(mode=0o600)
        connection = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"{path}: {error}") from error
    try:
        connection.row_factory = sqlite3.Row
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
            connection.execute(f"PRAGMA {pragma}")
        _transact(connection, _migrate)
    except _FAILED as error:
        connection.close()
        raise _typed(error, f"{path}: ") from error
    except StoreError:
        connection.close()
        raise
    return connection


def _typed(error: Exception, place: str = "") -> StoreError:
    """Return our error for what SQLite, or reading a damaged text, raised."""
    if isinstance(error, UnicodeDecodeError):
        return StoreCorruptError(f"{place}{error.reason}")
    primary = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte; the rest is the extended code
    return _LEAF_OF.get(primary, StoreError)(f"{place}{error}")


def read_only(path: Path) -> sqlite3.Connection:
    """Return a connection that looks beside a running connector and changes nothing; the file exists.

    Raises:
        StoreError: it cannot be opened.
    """
    try:
        return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_PATIENCE, isolation_level=None)
    except sqlite3.Error as error:
        raise StoreError(f"{path}: {error}") from error


def _migrate(connection: sqlite3.Connection) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == 0:
        for statement in _SCHEMA.split(";\n"):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")
    elif version != VERSION:
        raise StoreVersionError(str(version))


def _scrub(connection: sqlite3.Connection) -> None:
    try:
        (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.Error as error:
        raise StoreError(str(error)) from error
    if busy:
        raise StoreError("the write-ahead log is in use")


def _transact(connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], _T]) -> _T:
    try:
        connection.execute("BEGIN IMMEDIATE")
        try:
            result = work(connection)
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
    except _FAILED as error:
        raise _typed(error) from error
    return result
