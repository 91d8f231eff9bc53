"""Whether a hub's store is what its record says: every leaf, tile, checkpoint, signature, mailbox and body, made again.

It reads one moment of the store beside a running hub, in bounded memory, and changes nothing: what could be made again
without doubt is said, and the remedy for the rest is a backup. Not for: whether decisions were right
(`hub/verify/`). Implements the checks of `docs/how-to/back-up-and-restore.md`.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hub.host.findings import Finding, ask, fail, fine, warn
from hub.protocol.directory import Directory
from hub.protocol.errors import StoreCorruptError
from hub.store.fsck_mail import check_bodies, check_mailboxes, check_needs, check_receipts
from hub.store.fsck_record import check_checkpoints, check_messages, check_record
from hub.store.log import size_of, view_of
from hub.store.schema import APPLICATION_ID, VERSION, typed_errors
from hub.tlog.note import NoteKey, parse_key

_MOST: Final = 20  # findings of one check that are shown; a store that is damaged all over says so in a few
_RESTORE: Final = "Restore the store from its backup, and keep this file for whoever looks into it."


@dataclass(frozen=True, slots=True)
class Extent:
    """How much a store holds: entries of the log, and the root over them."""

    entries: int
    root: bytes


def open_to_read(database: Path) -> sqlite3.Connection:
    """Return a connection to a store that exists, which changes nothing in it.

    Raises:
        StoreError: it cannot be opened.
    """
    with typed_errors():
        db = sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True, timeout=10.0, isolation_level=None)
        db.execute("PRAGMA temp_store = FILE")  # what is counted meanwhile may be large
        return db


def extent_of(database: Path) -> Extent:
    """Return how much a store holds.

    Raises:
        StoreError: it cannot be read.
    """
    with typed_errors(), closing(open_to_read(database)) as db:
        db.execute("BEGIN")
        size = size_of(db)
        return Extent(size, view_of(db).root(size))


def examine_store(database: Path, directory: Directory | None, *, hub: str) -> Iterator[Finding]:
    """Yield what is found in a store, which exists.

    Args:
        database: the SQLite file.
        directory: believed; without it no signature is checked, and a warning says so.
        hub: whose store it must be.
    """
    with closing(open_to_read(database)) as db:
        file = list(_some("file", ask("file", lambda: check_file(db))))
        yield from file
        if any(one.remedy for one in file):
            return
        db.execute("BEGIN")
        keys = _log_keys(directory, hub)
        if directory is None:
            yield warn(
                "signatures", "no directory is believed", "Have the directory renewed: signatures were not checked."
            )
        for check, question in (
            ("record", lambda: check_record(db, directory)),
            ("messages", lambda: check_messages(db)),
            ("checkpoints", lambda: check_checkpoints(db, keys)),
            ("mailboxes", lambda: check_mailboxes(db)),
            ("needs", lambda: check_needs(db)),
            ("bodies", lambda: check_bodies(db)),
            ("receipts", lambda: check_receipts(db, directory)),
        ):
            yield from _some(check, ask(check, question))


def _log_keys(directory: Directory | None, hub: str) -> Sequence[NoteKey] | None:
    if directory is None:
        return None
    return [parse_key(text) for text in directory.partner(hub).log_keys]


def _some(check: str, findings: Iterable[Finding]) -> Iterator[Finding]:
    """Yield the first findings of a check, and how many more there are; a broken database ends the check."""
    count = 0
    try:
        for one in findings:
            count += bool(one.remedy)
            if not one.remedy or count <= _MOST:
                yield one
    except (
        sqlite3.Error,
        StoreCorruptError,
        ValueError,
        LookupError,
        TypeError,
    ) as error:  # rows that are not even of their form
        yield fail(check, f"a row cannot be read: {type(error).__name__}", _RESTORE)
    if count > _MOST:
        yield fail(check, f"{count - _MOST} more of this kind", _RESTORE)


def check_file(db: sqlite3.Connection) -> Iterator[Finding]:
    """Check the file with SQLite's own checks, and that it is a store of this version."""
    try:
        (application,) = db.execute("PRAGMA application_id").fetchone()
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if (application, version) != (APPLICATION_ID, VERSION):
            yield fail("file", f"application {application:#x}, version {version}", "Use the program that wrote it.")
            return
        wrong = [row[0] for row in db.execute("PRAGMA integrity_check(10)") if row[0] != "ok"]
        wrong += [f"a row of {row[0]} refers to nothing" for row in db.execute("PRAGMA foreign_key_check")]
    except sqlite3.DatabaseError as error:
        wrong = [str(error)]
    if wrong:
        yield fail("file", f"SQLite finds it damaged: {wrong[0]}", _RESTORE)
    else:
        yield fine("file", "SQLite finds it sound")
