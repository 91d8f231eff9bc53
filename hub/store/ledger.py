"""The writing connection: one transaction at a time, and what it appends to the record, the log and the mailboxes.

Rows that need the batch's tree are gathered and written at the end of the transaction, all at once. Not for: which rows
a message or a receipt makes (`writes.py`), nor who waits for a transaction (`writer.py`). Implements
`docs/protocol/04-statements.md` sections 3 and 6.
"""

import sqlite3
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from typing import Final

from hub.protocol.errors import StoreError, ValiseError
from hub.protocol.hazmat import random_bytes
from hub.protocol.merkle import leaf_hash
from hub.protocol.statements import Batch
from hub.store.log import growing_tree, save_tree
from hub.store.queries import TYP_OF, Queries
from hub.store.schema import BODIES, places_in
from hub.tlog.entry import SALT, commit, write_entry
from hub.tlog.tree import GrowingTree


@dataclass(slots=True)
class Mailbox:
    """A partner's row, and the number last given out in its mailbox."""

    id: int
    last: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of `entries` before its batch is known; `place` is that of a statement in the batch."""

    number: int
    kind: str
    salt: bytes
    payload: bytes
    commitment: bytes
    message: int
    partner: int | None
    place: int | None
    inputs: bytes | None
    explanation: bytes | None


@dataclass(slots=True)
class Group:
    """What one transaction has gathered.

    `taken` counts the copies that left mailboxes, by message and released compartments; `rung` are the partners that
    something new waits for.
    """

    at: int
    statements: list[tuple[str, bytes]] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    deliveries: list[tuple[int, int, str]] = field(default_factory=list)
    mail: list[tuple[int, bool, int, int, int, bytes | None]] = field(default_factory=list)
    accepts: dict[str, int] = field(default_factory=dict)
    taken: Counter[tuple[int, int]] = field(default_factory=Counter)
    rung: set[str] = field(default_factory=set)
    batch: Batch | None = None
    jws: str = ""

    def prove(self, place: int) -> bytes:
        """Return one statement as signed after the commit; nothing before that."""
        return self.batch.prove(place, self.jws) if self.batch else b""


class Ledger:
    """The writing connection and what it must remember between transactions; for one thread.

    What it remembers (mailbox numbers, the edge of the log's tree) is read again after a transaction that failed, and
    after another process wrote.
    """

    def __init__(
        self,
        db: sqlite3.Connection,
        *,
        federation: str,
        hub: str,
        sign_batch: Callable[[bytes], str],
        clock: Callable[[], int],
    ) -> None:
        self.db: Final = db
        self._federation: Final = federation
        self._hub: Final = hub
        self._sign: Final = sign_batch
        self._clock: Final = clock
        self.queries: Final = Queries(db, sign_batch)
        self._version: int | None = None
        self.boxes: dict[str, Mailbox] = {}
        self._tree = GrowingTree()
        self.group = Group(at=0)

    def begin(self) -> None:
        """Begin a transaction whose commit waits for the disk; what is remembered is right afterwards."""
        self.db.execute("PRAGMA synchronous = FULL")
        self.db.execute("BEGIN IMMEDIATE")
        (version,) = self.db.execute("PRAGMA data_version").fetchone()
        if version != self._version:
            rows = self.db.execute("SELECT code, id, last FROM partners")
            self.boxes = {code: Mailbox(number, last) for code, number, last in rows}
            self._tree = growing_tree(self.db)
            self._version = version
        self.group = Group(at=self._clock())

    def commit(self) -> set[str]:
        """Write what was gathered, make it durable, then sign its batch; return the partners that mail waits for."""
        group = self.group
        self._write_entries(group)
        self.db.executemany("INSERT INTO deliveries (decision, released, state) VALUES (?, ?, ?)", group.deliveries)
        self.db.executemany(
            "INSERT INTO mail (partner, routine, seq, entry, released, part) VALUES (?, ?, ?, ?, ?, ?)", group.mail
        )
        boxes = [self.box(partner) for partner in group.rung]
        self.db.executemany("UPDATE partners SET last = ? WHERE id = ?", [(box.last, box.id) for box in boxes])
        save_tree(self.db, self._tree)
        self._drop_bodies(group)
        self.db.execute("COMMIT")
        self.sign_batches()
        return group.rung

    def roll_back(self) -> None:
        """Leave nothing of a transaction that failed, and remember nothing of it."""
        self._version = None
        if self.db.in_transaction:
            self.db.execute("ROLLBACK")

    def sign_batches(self) -> None:
        """Sign every batch that is durable and not signed yet: the latest, and what a crash left.

        The signature is not synced: made again from the same payload it is the same (RFC 8032 section 5.1.6).

        Raises:
            StoreError: the key cannot be used; what was committed stays.
        """
        unsigned = self.db.execute("SELECT id, payload FROM batches WHERE jws IS NULL ORDER BY id").fetchall()
        if not unsigned:
            return
        try:
            signed = [(self._sign(payload), number) for number, payload in unsigned]
        except ValiseError as error:
            raise StoreError("the batch is durable but cannot be signed") from error
        self.group.jws = signed[-1][0]
        self.db.execute("PRAGMA synchronous = NORMAL")  # until the next `begin`
        self.db.execute("BEGIN IMMEDIATE")
        self.db.executemany("UPDATE batches SET jws = ? WHERE id = ?", signed)
        self.db.execute("COMMIT")

    def _write_entries(self, group: Group) -> None:
        batch = None
        if group.statements:
            group.batch = Batch(group.statements, federation=self._federation, hub=self._hub, at=group.at)
            batch = self.db.execute("INSERT INTO batches (payload) VALUES (?)", (group.batch.payload,)).lastrowid
        self.db.executemany(
            "INSERT INTO entries (number, kind, salt, payload, commitment, message, partner, batch, place, path, "
            "inputs, explanation) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    entry.number,
                    entry.kind,
                    entry.salt,
                    entry.payload,
                    entry.commitment,
                    entry.message,
                    entry.partner,
                    None if entry.place is None else batch,
                    entry.place,
                    None if group.batch is None or entry.place is None else b"".join(group.batch.path(entry.place)),
                    entry.inputs,
                    entry.explanation,
                )
                for entry in group.entries
            ),
        )

    def _drop_bodies(self, group: Group) -> None:
        """Delete the ciphertexts that no waiting copy releases any longer."""
        sql = "UPDATE needs SET copies = copies - ? WHERE message = ? AND released = ?"
        self.db.executemany(sql, [(copies, *need) for need, copies in group.taken.items()])
        for message in {message for message, _ in group.taken}:
            needs = self.db.execute("SELECT released, copies FROM needs WHERE message = ?", (message,)).fetchall()
            met = reduce(or_, (mask for mask, copies in needs if not copies), 0)
            if met:
                unneeded = met & ~reduce(or_, (mask for mask, copies in needs if copies), 0)
                numbers = [(message * BODIES + place,) for place in places_in(unneeded)]
                self.db.executemany("DELETE FROM bodies WHERE id = ?", numbers)
                self.db.execute("DELETE FROM needs WHERE message = ? AND copies = 0", (message,))

    def append(
        self,
        kind: str,
        payload: bytes,
        message: int,
        partner: int | None = None,
        *,
        inputs: bytes | None = None,
        explanation: bytes | None = None,
    ) -> Entry:
        """Append an entry to the record and its commitment to the log; a statement also joins the batch."""
        place, group = None, self.group
        if kind in TYP_OF:
            place = len(group.statements)
            group.statements.append((TYP_OF[kind], payload))
        salt = random_bytes(SALT)
        commitment = commit(salt, payload)
        number = self._tree.append(leaf_hash(write_entry(kind, commitment)))
        entry = Entry(number, kind, salt, payload, commitment, message, partner, place, inputs, explanation)
        group.entries.append(entry)
        return entry

    def box(self, partner: str) -> Mailbox:
        """Return a partner's mailbox; it is made when the partner is first heard of."""
        box = self.boxes.get(partner)
        if box is None:
            number = self.db.execute("INSERT INTO partners (code) VALUES (?)", (partner,)).lastrowid
            box = self.boxes[partner] = Mailbox(number or 0, 0)
        return box

    def post(self, partner: str, *, routine: bool, entry: int, released: int, part: bytes | None) -> None:
        """Put a copy, or a receipt (no `part`), into a mailbox under the next number."""
        box = self.box(partner)
        box.last += 1
        self.group.mail.append((box.id, routine, box.last, entry, released, part))
        self.group.rung.add(partner)
