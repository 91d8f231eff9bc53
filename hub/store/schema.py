"""The one file of an embedded hub: its tables, how a connection to it is opened, and what its errors are called.

Not for: what is written into the tables (`ledger.py`) or read out of them (`queries.py`). Implements
`docs/protocol/04-statements.md` section 6.
"""

import sqlite3
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Final

from hub.protocol.errors import (
    StoreCorruptError,
    StoreError,
    StoreFullError,
    StoreLockedError,
    StoreVersionError,
)

APPLICATION_ID: Final = 0x56414C53  # "VALS"; `file` and we tell a store from any other database by it
VERSION: Final = 1
_LOCK_WAIT: Final = 5.0  # seconds that a writer waits for another process, such as a command of the operator
_PAGE: Final = 16_384  # bytes; a decision and a copy fit in whole, which commits 40 % faster than with 4 KiB
_WAL_PAGES: Final = 2_048  # pages (32 MiB) between checkpoints; every checkpoint costs two more syncs
_CACHE: Final = 16_384  # KiB of pages in memory, for each connection

BODIES: Final = 32  # numbers of `bodies` set aside for a message; never fewer than MAX_COMPARTMENTS
RUN: Final = 16  # entries of one row: few enough to read one of them fast, many enough that rows do not count
RUNS: Final = 128  # numbers of `parts` set aside for a message: 1,024 addressees and the accept take 65 runs
PAGE: Final = 64  # items of one row of `mail`: what one answer takes, so that confirming it deletes whole rows

TABLES: Final = """
CREATE TABLE partners (       -- `last` is the highest number given out in the partner's mailbox
  id INTEGER PRIMARY KEY,
  code TEXT NOT NULL UNIQUE,
  last INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE messages (
  id INTEGER PRIMARY KEY,
  mh TEXT NOT NULL UNIQUE,
  iss TEXT NOT NULL,
  jti TEXT NOT NULL,
  kid TEXT NOT NULL,
  seq INTEGER NOT NULL,
  thread TEXT NOT NULL,
  irt TEXT,
  operation TEXT,
  marks BLOB NOT NULL,
  manifest TEXT NOT NULL,
  second TEXT,
  exp INTEGER NOT NULL,
  accepted_at INTEGER NOT NULL,
  UNIQUE (iss, jti),
  UNIQUE (kid, seq)
) STRICT;
CREATE INDEX messages_of ON messages (iss, id);
CREATE INDEX messages_of_operation ON messages (iss, operation, id) WHERE operation IS NOT NULL;

CREATE TABLE batches (        -- `jws` follows its payload by one commit: signed only after that is durable
  id INTEGER PRIMARY KEY,
  payload BLOB NOT NULL,
  nodes BLOB NOT NULL,                -- all levels of the batch's tree, leaves first
  jws TEXT
) STRICT;
CREATE UNIQUE INDEX batches_unsigned ON batches (id) WHERE jws IS NULL;

CREATE TABLE entries (        -- the record in runs of at most RUN entries; each BLOB has one value for every entry
  first INTEGER PRIMARY KEY,          -- index in the log of the run's first entry
  message INTEGER NOT NULL REFERENCES messages,
  kind TEXT NOT NULL,                 -- of the first entry; those after it are decisions
  batch INTEGER REFERENCES batches,   -- statements of ours: their batch, and the first one's place in it
  place INTEGER,
  concerned BLOB NOT NULL,            -- partner codes
  released BLOB NOT NULL,             -- compartments as bits
  numbers BLOB NOT NULL,              -- of a copy in its addressee's mailbox, of a receipt in the originator's
  commitments BLOB NOT NULL,          -- to salt and payload: all that the log shows
  salts BLOB NOT NULL,
  payloads BLOB NOT NULL,
  inputs BLOB NOT NULL,               -- of decisions: what they are recomputed from, and why
  explanations BLOB NOT NULL
) STRICT;
CREATE INDEX entries_about ON entries (message);

CREATE TABLE receipts (
  iss TEXT NOT NULL,
  jti TEXT NOT NULL,
  digest BLOB NOT NULL,
  message INTEGER NOT NULL REFERENCES messages,
  entry INTEGER NOT NULL REFERENCES entries DEFERRABLE INITIALLY DEFERRED,
  PRIMARY KEY (iss, jti)
) STRICT, WITHOUT ROWID;
CREATE INDEX receipts_about ON receipts (message, iss);

CREATE TABLE denials (        -- messages refused as forks, so that each is recorded once
  mh TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

CREATE TABLE mail (           -- what waits: references to entries of the record, at most PAGE of one commit in a row
  partner INTEGER NOT NULL REFERENCES partners,
  routine INTEGER NOT NULL,
  number INTEGER NOT NULL,            -- of the first item that the row ever had
  items BLOB NOT NULL,
  PRIMARY KEY (partner, routine, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE collected (      -- numbers that were taken out of a mailbox together
  partner INTEGER NOT NULL REFERENCES partners,
  first INTEGER NOT NULL,
  last INTEGER NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (partner, first)
) STRICT, WITHOUT ROWID;

CREATE TABLE bodies (         -- ciphertexts, once for all addressees
  id INTEGER PRIMARY KEY,             -- BODIES * message + place
  disclosure TEXT NOT NULL,
  blob BLOB NOT NULL
) STRICT;
CREATE TABLE parts (          -- what is an addressee's own of a copy, for each run of decisions
  id INTEGER PRIMARY KEY,             -- RUNS * message + place of the run
  parts BLOB NOT NULL
) STRICT;
CREATE TABLE needs (          -- how many waiting copies of a message release just these compartments
  message INTEGER NOT NULL REFERENCES messages,
  released INTEGER NOT NULL,
  copies INTEGER NOT NULL,
  PRIMARY KEY (message, released)
) STRICT, WITHOUT ROWID;

CREATE TABLE operations (
  name TEXT PRIMARY KEY,
  jws TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE subscriptions (
  partner TEXT PRIMARY KEY,
  iat INTEGER NOT NULL,
  active INTEGER NOT NULL,
  jws TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE tiles (          -- the log's tree; `nodes` are the tile's hashes and all complete nodes above them
  level INTEGER NOT NULL,
  number INTEGER NOT NULL,
  width INTEGER NOT NULL,
  nodes BLOB NOT NULL,
  PRIMARY KEY (level, number)
) STRICT;
CREATE TABLE checkpoints (
  size INTEGER PRIMARY KEY,
  note TEXT NOT NULL
) STRICT;
"""

_LEAF_OF: Final = MappingProxyType(
    {
        sqlite3.SQLITE_FULL: StoreFullError,
        sqlite3.SQLITE_BUSY: StoreLockedError,
        sqlite3.SQLITE_LOCKED: StoreLockedError,
        sqlite3.SQLITE_CORRUPT: StoreCorruptError,
        sqlite3.SQLITE_NOTADB: StoreCorruptError,
    }
)


@contextmanager
def typed_errors() -> Iterator[None]:
    """Turn what SQLite raises into our errors.

    Raises:
        StoreError: a leaf that says whether the disk is full, the file locked or damaged; or itself for the rest.
    """
    try:
        yield
    except sqlite3.Error as error:
        primary = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte; the rest is the extended code
        raise _LEAF_OF.get(primary, StoreError)(str(error)) from error
    except UnicodeDecodeError as error:  # SQLite quotes the damaged text of a schema in its own error
        raise StoreCorruptError("a text that is not UTF-8") from error


@contextmanager
def sound_values() -> Iterator[None]:
    """Turn what reading a damaged value raises into our error: SQLite has no checksums, so it hands such values on.

    Only round what reads; round what writes it would hide a mistake of the program's.

    Raises:
        StoreCorruptError: what is kept makes no sense.
    """
    try:
        yield
    except (ValueError, TypeError, LookupError, ArithmeticError, struct.error) as error:
        raise StoreCorruptError(f"{type(error).__name__}: {error}") from error


def connect(path: Path) -> sqlite3.Connection:
    """Open a connection for one thread at a time; transactions are begun and ended by their user.

    A commit waits for the disk (`synchronous = FULL` syncs the write-ahead log); what is deleted is overwritten. A new
    file, and with it what SQLite puts beside it, is its owner's only.

    Raises:
        StoreError: the file cannot be opened.
    """
    try:
        path.touch(mode=0o600)
    except OSError as error:
        raise StoreError(f"{path.name}: {error.strerror}") from error
    with typed_errors():
        db = sqlite3.connect(path, timeout=_LOCK_WAIT, isolation_level=None, check_same_thread=False)
        db.execute(f"PRAGMA page_size = {_PAGE}")  # heeded by a new file only
        db.execute(f"PRAGMA cache_size = -{_CACHE}")
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA secure_delete = ON")
        db.execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}")
        return db


def prepare(db: sqlite3.Connection) -> None:
    """Make the tables in a new file, or check that an old one is ours.

    Raises:
        StoreVersionError: another program or another version wrote the file.
        StoreError: it cannot be read or written.
    """
    with typed_errors():
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("BEGIN IMMEDIATE")
        try:
            _prepare(db)
            db.execute("COMMIT")
        finally:
            if db.in_transaction:
                db.execute("ROLLBACK")


def _prepare(db: sqlite3.Connection) -> None:
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if (application, version) == (APPLICATION_ID, VERSION):
        return
    (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if (application, version, tables) != (0, 0, 0):
        raise StoreVersionError(f"application {application:#x}, version {version}")
    for statement in TABLES.split(";\n"):
        db.execute(statement)
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute(f"PRAGMA user_version = {VERSION}")


def mask_of(cids: tuple[str, ...]) -> int:
    """Return compartments as bits: `cn` is bit n."""
    return sum(1 << int(cid[1:]) for cid in cids)


def cids_in(mask: int) -> tuple[str, ...]:
    """Undo `mask_of`, in order."""
    return tuple(f"c{place}" for place in places_in(mask))


def places_in(mask: int) -> list[int]:
    """Return the places of the compartments in a mask, in order."""
    return [place for place in range(BODIES) if mask >> place & 1]
