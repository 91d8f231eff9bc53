"""Whether an agency's store is what it must be: the file sound, numbers without holes, receipts and accepts believed.

It reads one moment of the store, beside a running connector, and changes nothing. Not for: mending; what is damaged
here is restored from a backup. User's page: `docs/how-to/back-up-and-restore.md`.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from connectors.kit.agency_store import VERSION, read_only
from hub.host.findings import Finding, ask, fail, fine, warn
from hub.protocol.directory import Directory
from hub.protocol.encoding import encode_b64url
from hub.protocol.envelope import Proven
from hub.protocol.errors import ValiseError
from hub.protocol.hazmat import sha256
from hub.protocol.manifest import parse_manifest
from hub.protocol.receipt import verify_receipt
from hub.protocol.statements import ACCEPT_TYP, Accept, read_statement, verify_statement
from hub.protocol.wire import parse_wire

_RESTORE: Final = "Restore the store from its backup; keep this file for whoever looks into it."
_SHOWN: Final = 8  # characters of a message's number: enough to find it


def examine_store(store: Path, directory: Directory | None) -> Iterator[Finding]:
    """Yield what is found in an agency's store, which exists.

    Args:
        store: the SQLite file.
        directory: believed; without it no signature is checked, and a warning says so.
    """
    with closing(read_only(store)) as db:
        db.row_factory = sqlite3.Row
        db.execute("BEGIN")
        sound = list(ask("file", lambda: check_file(db)))
        yield from sound
        if any(one.remedy for one in sound):
            return
        yield from ask("numbers", lambda: check_numbers(db))
        yield from ask("messages", lambda: check_messages(db))
        yield from ask("copies", lambda: check_copies(db))
        if directory is None:
            yield warn(
                "signatures", "no directory is believed", "Start the connector once, so that it has a directory."
            )
            return
        yield from ask("accepts", lambda: check_accepts(db, directory))
        yield from ask("receipts", lambda: check_receipts(db, directory))


def check_file(db: sqlite3.Connection) -> Iterator[Finding]:
    """Check the file with SQLite's own check, and its version."""
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version != VERSION:
        yield fail("file", f"version {version}", "Use the program that wrote it.")
        return
    try:
        wrong = [row[0] for row in db.execute("PRAGMA integrity_check(10)") if row[0] != "ok"]
    except sqlite3.DatabaseError as error:
        wrong = [str(error)]
    if wrong:
        yield fail("file", f"SQLite finds it damaged: {wrong[0]}", _RESTORE)
    else:
        yield fine("file", "SQLite finds it sound")


def check_numbers(db: sqlite3.Connection) -> Iterator[Finding]:
    """Check the chain of own messages: for each key numbers without holes, each message naming the one before it.

    A number that was lost with an older store has its alarm, and is no hole.
    """
    count = 0
    lost = {about for (about,) in db.execute("SELECT about FROM alarms WHERE kind = 'number-lost'")}
    last: dict[str, tuple[int, str]] = {}
    rows = db.execute("SELECT kid, seq, mh, manifest FROM outbox WHERE seq IS NOT NULL ORDER BY kid, seq")
    for kid, seq, mh, text in rows:
        count += 1
        before = last.get(kid)
        manifest = parse_manifest(text)[0]
        follows = before is None or f"{kid}/{seq - 1}" in lost or (before[0] + 1, before[1]) == (seq, manifest.prev)
        if manifest.seq != seq or not follows:
            yield fail("numbers", f"{kid} {seq} ({mh[:_SHOWN]}) does not follow what was sent before", _RESTORE)
        last[kid] = (seq, mh)
    for kid, seq, mh in db.execute("SELECT kid, seq, mh FROM chain"):
        if last.get(kid, (seq, mh)) != (seq, mh):
            yield fail("numbers", f"the chain of {kid} ends elsewhere than its last message", _RESTORE)
    yield fine("numbers", f"{count} own messages of {len(last)} keys were looked at")


def check_messages(db: sqlite3.Connection) -> Iterator[Finding]:
    """Check that each own message's number is the digest of its manifest, and its state fits what is kept of it."""
    count = 0
    for mh, text, state, frame, accept in db.execute(
        "SELECT mh, manifest, state, frame, accept FROM outbox WHERE mh IS NOT NULL"
    ):
        count += 1
        payload = text.split(".")[1]
        if encode_b64url(sha256(payload.encode())) != mh:
            yield fail("messages", f"{mh[:_SHOWN]} is not the digest of its manifest", _RESTORE)
        if (state == "accepted") != (accept is not None) or (state == "sealed" and frame is None):
            yield fail("messages", f"{mh[:_SHOWN]} is {state}, and what that needs is not there", _RESTORE)
    yield fine("messages", f"{count} sealed messages were looked at")


def check_copies(db: sqlite3.Connection) -> Iterator[Finding]:
    """Check that each copy of the inbox is the bytes that its name says."""
    count = 0
    for digest, frame in db.execute("SELECT digest, frame FROM inbox WHERE frame IS NOT NULL"):
        count += 1
        if encode_b64url(sha256(frame)) != digest:
            yield fail("copies", f"copy {digest[:_SHOWN]} was altered", _RESTORE)
    yield fine("copies", f"{count} copies were looked at")


def check_accepts(db: sqlite3.Connection, directory: Directory) -> Iterator[Finding]:
    """Check that each accept is the hub's word about that message."""
    count = 0
    for mh, data in db.execute("SELECT mh, accept FROM outbox WHERE accept IS NOT NULL"):
        count += 1
        try:
            believed = verify_statement(parse_wire(Proven, data), directory, typ=ACCEPT_TYP, now=None)
            about = read_statement(Accept, believed, directory).mh
        except ValiseError as error:
            yield fail("accepts", f"the accept of {mh[:_SHOWN]}: {error.code}", _RESTORE)
            continue
        if about != mh:
            yield fail("accepts", f"the accept kept for {mh[:_SHOWN]} is about another message", _RESTORE)
    yield fine("accepts", f"{count} accepts were verified")


def check_receipts(db: sqlite3.Connection, directory: Directory) -> Iterator[Finding]:
    """Check that each receipt is its issuer's word about that message."""
    count = 0
    for iss, mh, jws, state in db.execute("SELECT iss, mh, jws, state FROM receipts"):
        count += 1
        try:
            receipt = verify_receipt(jws, directory, now=None).receipt
        except ValiseError as error:
            yield fail("receipts", f"the receipt of {iss} for {mh[:_SHOWN]}: {error.code}", _RESTORE)
            continue
        if (receipt.iss, receipt.mh, receipt.state) != (iss, mh, state):
            yield fail("receipts", f"the receipt of {iss} for {mh[:_SHOWN]} says something else", _RESTORE)
    yield fine("receipts", f"{count} receipts were verified")
