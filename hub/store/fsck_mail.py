"""The mailboxes made again from the record: what waits, what was collected, which bodies and receipts there must be.

Not for: the record itself (`fsck_record.py`). Implements the checks of `docs/how-to/back-up-and-restore.md`, from
`docs/protocol/04-statements.md` section 6.
"""

import sqlite3
from collections.abc import Iterator
from functools import reduce
from operator import or_
from typing import Final

from hub.host.findings import Finding, fail, fine
from hub.protocol.directory import Directory
from hub.protocol.encoding import encode_b64url
from hub.protocol.errors import ValiseError
from hub.protocol.hazmat import sha256
from hub.protocol.manifest import parse_manifest
from hub.protocol.receipt import verify_receipt
from hub.store.fsck_record import RESTORE, SHOWN, claims_of
from hub.store.packing import Item, unpack_all, unpack_items, unpack_numbers
from hub.store.schema import BODIES, RUNS, places_in

_TOLD: Final = frozenset({"receipt", "expiry"})  # what an originator is told of its copies
_DERIVED: Final = "It follows from the record; restore the backup, whose record is the same."


def check_mailboxes(db: sqlite3.Connection) -> Iterator[Finding]:
    """Check that every released copy waits, or was collected, or expired with a record; and that nothing else waits."""
    waiting = released = 0
    yield from _gather(db)
    for partner, item in _items(db):
        waiting += 1
        yield from _check_item(db, partner, item)
    sql = (
        "SELECT first, kind, message, iss, concerned, released, numbers FROM entries "
        "JOIN messages ON messages.id = message ORDER BY first"
    )
    for first, kind, message, originator, concerned, masks, numbers in db.execute(sql):
        codes, numbered = [code.decode() for code in unpack_all(concerned)], unpack_numbers(numbers)
        for offset, mask in enumerate(unpack_numbers(masks)):
            if mask and (offset or kind == "decision"):
                released += 1
                yield from _check_copy(db, message, codes[offset], numbered[offset], first + offset)
        if kind in _TOLD and not _is_somewhere(db, originator, numbered[0]):
            yield fail("mailboxes", f"the {kind} of entry {first} neither waits nor was collected", _DERIVED)
    yield fine("mailboxes", f"{waiting} items that wait and {released} released copies were accounted for")


def _gather(db: sqlite3.Connection) -> Iterator[Finding]:
    """Note what waits in a table of our own; tell of numbers that wait twice."""
    db.execute("CREATE TEMP TABLE waits (partner TEXT, number INTEGER, PRIMARY KEY (partner, number)) WITHOUT ROWID")
    for partner, item in _items(db):
        try:
            db.execute("INSERT INTO waits VALUES (?, ?)", (partner, item.number))
        except sqlite3.IntegrityError:
            yield fail("mailboxes", f"number {item.number} waits twice for {partner}", _DERIVED)


def _items(db: sqlite3.Connection) -> Iterator[tuple[str, Item]]:
    sql = "SELECT code, items FROM mail JOIN partners ON partners.id = partner ORDER BY partner, routine, number"
    for partner, items in db.execute(sql):
        for item in unpack_items(items):
            yield partner, item


def _check_item(db: sqlite3.Connection, partner: str, item: Item) -> Iterator[Finding]:
    """Check that what waits is an entry of the record, for this partner, with these compartments, not yet collected."""
    place = f"item {item.number} of {partner}"
    row = db.execute(
        "SELECT message, kind, concerned, released, numbers FROM entries WHERE first = ?", (item.first,)
    ).fetchone()
    if row is None or row[0] != item.message:
        yield fail("mailboxes", f"{place} is not in the record", _DERIVED)
        return
    _, kind, concerned, masks, numbers = row
    if item.released:
        said = (unpack_all(concerned)[item.offset].decode(), unpack_numbers(masks)[item.offset])
        if said != (partner, item.released) or unpack_numbers(numbers)[item.offset] != item.number:
            yield fail("mailboxes", f"{place} is not what the decision released", _DERIVED)
    elif kind not in _TOLD:
        yield fail("mailboxes", f"{place} is neither a copy nor a receipt nor word of an expiry", _DERIVED)
    elif unpack_numbers(numbers) != (item.number,):
        yield fail("mailboxes", f"{place} is not what was recorded under its number", _DERIVED)
    (last,) = db.execute("SELECT last FROM partners WHERE code = ?", (partner,)).fetchone()
    if item.number > last:
        yield fail("mailboxes", f"{place} has a number that was never given out", _DERIVED)
    if _is_collected(db, partner, item.number):
        yield fail("mailboxes", f"{place} waits although it was collected", _DERIVED)


def _check_copy(db: sqlite3.Connection, message: int, to: str, number: int, index: int) -> Iterator[Finding]:
    """Check that a released copy is somewhere."""
    if not _is_somewhere(db, to, number) and not _has_expired(db, message, to):
        yield fail("mailboxes", f"the copy for {to} of entry {index} neither waits nor was collected", _DERIVED)


def _is_somewhere(db: sqlite3.Connection, partner: str, number: int) -> bool:
    waits = db.execute("SELECT 1 FROM waits WHERE partner = ? AND number = ?", (partner, number)).fetchone()
    return waits is not None or _is_collected(db, partner, number)


def _is_collected(db: sqlite3.Connection, partner: str, number: int) -> bool:
    row = db.execute(
        "SELECT last FROM collected WHERE partner = (SELECT id FROM partners WHERE code = ?) AND first <= ? "
        "ORDER BY first DESC LIMIT 1",
        (partner, number),
    ).fetchone()
    return row is not None and number <= row[0]


def _has_expired(db: sqlite3.Connection, message: int, to: str) -> bool:
    rows = db.execute("SELECT concerned FROM entries WHERE message = ? AND kind = 'expiry'", (message,))
    return any(to.encode() in unpack_all(concerned) for (concerned,) in rows)


# --- what waiting copies need ----------------------------------------------------------------------------------------


def check_needs(db: sqlite3.Connection) -> Iterator[Finding]:
    """Check the counts of waiting copies against the mailboxes: they say when a ciphertext leaves the hub."""
    db.execute(
        "CREATE TEMP TABLE counted (message INTEGER, released INTEGER, copies INTEGER, "
        "PRIMARY KEY (message, released)) WITHOUT ROWID"
    )
    for _, item in _items(db):
        if item.released:
            db.execute(
                "INSERT INTO counted VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET copies = copies + 1",
                (item.message, item.released),
            )
    sql = (
        "SELECT mh, n, c FROM (SELECT message, released, sum(n) AS n, sum(c) AS c FROM (SELECT message, released, "
        "copies AS n, 0 AS c FROM needs UNION ALL SELECT message, released, 0, copies FROM counted) "
        "GROUP BY message, released) JOIN messages ON messages.id = message WHERE n != c"
    )
    for mh, kept, counted in db.execute(sql):
        text = f"message {mh[:SHOWN]}: {kept} copies are said to wait, and {counted} do"
        yield fail("needs", text, _DERIVED)
    (count,) = db.execute("SELECT count(*) FROM counted").fetchone()
    yield fine("needs", f"{count} counts of waiting copies were made again")


def check_bodies(db: sqlite3.Connection) -> Iterator[Finding]:
    """Check that each ciphertext that a waiting copy needs is there and the message's, and no other is kept."""
    count = 0
    for message, mh, text in db.execute(
        "SELECT id, mh, manifest FROM messages WHERE id IN (SELECT message FROM needs UNION SELECT id / ? FROM bodies) "
        "ORDER BY id",
        (BODIES,),
    ):
        masks = [mask for (mask,) in db.execute("SELECT released FROM needs WHERE message = ? AND copies", (message,))]
        needed = set(places_in(reduce(or_, masks, 0)))
        kept = set()
        digests = parse_manifest(text)[0].cmp
        low = message * BODIES
        sql = "SELECT id - ?, disclosure FROM bodies WHERE id >= ? AND id < ?"
        for place, disclosure in db.execute(sql, (low, low, low + BODIES)):
            count += 1
            kept.add(place)
            if place >= len(digests) or encode_b64url(sha256(disclosure.encode())) != digests[place].digest:
                yield fail("bodies", f"compartment c{place} of {mh[:SHOWN]} is not the message's", RESTORE)
        for place in sorted(needed - kept):
            yield fail("bodies", f"compartment c{place} of {mh[:SHOWN]} is gone, and a copy waits for it", RESTORE)
        for place in sorted(kept - needed):
            yield fail("bodies", f"compartment c{place} of {mh[:SHOWN]} is kept, and nobody waits for it", _DERIVED)
        if needed:
            yield from _check_parts(db, message, mh)
    yield fine("bodies", f"{count} ciphertexts were looked at")


def _check_parts(db: sqlite3.Connection, message: int, mh: str) -> Iterator[Finding]:
    """Check that addressees' own parts are there for each run of decisions that releases something."""
    sql = "SELECT released FROM entries WHERE message = ? AND kind IN ('accept', 'decision') ORDER BY first"
    for run, (masks,) in enumerate(db.execute(sql, (message,))):
        released = unpack_numbers(masks)
        row = db.execute("SELECT parts FROM parts WHERE id = ?", (message * RUNS + run,)).fetchone()
        parts = unpack_all(row[0]) if row else [b""] * len(released)
        if any(mask and not part for mask, part in zip(released, parts, strict=False)):
            yield fail("bodies", f"an addressee's own part of {mh[:SHOWN]} is gone, and its copy waits", RESTORE)


# --- receipts --------------------------------------------------------------------------------------------------------


def check_receipts(db: sqlite3.Connection, directory: Directory | None) -> Iterator[Finding]:
    """Check that each receipt is in the record under what it says, and is its issuer's word."""
    count = 0
    sql = (
        "SELECT receipts.iss, receipts.jti, digest, mh, kind, payloads FROM receipts "
        "JOIN messages ON messages.id = receipts.message JOIN entries ON first = entry"
    )
    for iss, jti, digest, mh, kind, payloads in db.execute(sql):
        count += 1
        jws = unpack_all(payloads)[0].decode()
        said = claims_of(jws)
        place = f"the receipt of {iss} for {mh[:SHOWN]}"
        if kind != "receipt" or sha256(jws.encode()) != digest:
            yield fail("receipts", f"{place} is not what was recorded", RESTORE)
        elif (said["iss"], said["jti"], said["mh"]) != (iss, jti, mh):
            yield fail("receipts", f"{place} says something else than it is filed under", RESTORE)
        elif directory is not None:
            try:
                verify_receipt(jws, directory, now=None)
            except ValiseError as error:
                yield fail("receipts", f"{place}: {error.code}", RESTORE)
    (recorded,) = db.execute("SELECT count(*) FROM entries WHERE kind = 'receipt'").fetchone()
    if recorded != count:
        yield fail("receipts", f"{recorded} receipts are recorded, and {count} are filed", RESTORE)
    yield fine("receipts", f"{count} receipts were looked at")
