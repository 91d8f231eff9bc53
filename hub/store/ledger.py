"""The writing connection: one transaction at a time, and what it appends to the record, the log and the mailboxes.

Rows that need the batch's tree are gathered and written at the end of the transaction, all at once. Not for: which rows
a message or a receipt makes (`writes.py`), nor who waits for a transaction (`writer.py`). Implements
`docs/protocol/04-statements.md` sections 3 and 6.
"""

import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from typing import Final

from hub.protocol.errors import StoreError, ValiseError
from hub.protocol.hazmat import random_bytes
from hub.protocol.merkle import leaf_hash
from hub.protocol.statements import DECISION_TYP, Batch
from hub.store.log import growing_tree, save_tree
from hub.store.mailbox import Handed
from hub.store.packing import Item, cut, pack_alike, pack_all, pack_items, pack_numbers
from hub.store.queries import Queries
from hub.store.runs import TYP_OF
from hub.store.schema import BODIES, PAGE, RUNS, places_in
from hub.tlog.entry import SALT, commit, write_entry
from hub.tlog.tree import GrowingTree


@dataclass(slots=True)
class Mailbox:
    """A partner's row, and the number last given out in its mailbox."""

    id: int
    last: int


@dataclass(frozen=True, slots=True)
class Run:
    """A row of `entries` before its batch is known: entries of one message, and what goes with each.

    `place` is the first one's in the batch, None when they are no statements. `columns` are the packed columns from
    `concerned` on.
    """

    first: int
    message: int
    kind: str
    place: int | None
    columns: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Fresh:
    """An entry that is to be recorded. Only decisions have inputs and an explanation; what is posted has a number."""

    payload: bytes
    concerned: str = ""
    released: int = 0
    number: int = 0
    inputs: bytes = b""
    explanation: bytes = b""


@dataclass(slots=True)
class Group:
    """What one transaction has gathered.

    `taken` counts the copies that left mailboxes, by message and released compartments; `rung` are the partners that
    something new waits for.
    """

    at: int
    statements: list[tuple[str, bytes]] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    mail: dict[tuple[int, bool], list[Item]] = field(default_factory=dict)
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

    What it remembers (mailbox numbers, the edge of the log's tree) is read again after a transaction that failed;
    nobody else writes, because the store is held by one process (`lock.py`).
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
        self.queries: Final = Queries(db, sign_batch, Handed())
        self._remembers = False
        self.boxes: dict[str, Mailbox] = {}
        self._tree = GrowingTree()
        self.group = Group(at=0)

    def begin(self) -> None:
        """Begin a transaction whose commit waits for the disk; what is remembered is right afterwards."""
        self.db.execute("PRAGMA synchronous = FULL")
        self.db.execute("BEGIN IMMEDIATE")
        if not self._remembers:
            rows = self.db.execute("SELECT code, id, last FROM partners")
            self.boxes = {code: Mailbox(number, last) for code, number, last in rows}
            self._tree = growing_tree(self.db)
            self._remembers = True
        self.group = Group(at=self._clock())

    def commit(self) -> set[str]:
        """Write what was gathered, make it durable, then sign its batch; return the partners that mail waits for."""
        group = self.group
        self._write_entries(group)
        self._write_mail(group)
        boxes = [self.box(partner) for partner in group.rung]
        self.db.executemany("UPDATE partners SET last = ? WHERE id = ?", [(box.last, box.id) for box in boxes])
        save_tree(self.db, self._tree)
        self._drop_bodies(group)
        self.db.execute("COMMIT")
        self.sign_batches()
        return group.rung

    def roll_back(self) -> None:
        """Leave nothing of a transaction that failed, and remember nothing of it."""
        self._remembers = False
        if self.db.in_transaction:
            self.db.execute("ROLLBACK")

    def empty_log(self) -> bool:
        """Bring what the write-ahead log holds into the file and empty it; return whether it is empty.

        What was deleted is overwritten in the file only; the log would remember ciphertexts until it is written over.
        It stays as it is while somebody reads.
        """
        try:
            (patience,) = self.db.execute("PRAGMA busy_timeout").fetchone()
            self.db.execute("PRAGMA busy_timeout = 0")  # whoever writes next would wait for readers too
            (busy, _, _) = self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            self.db.execute(f"PRAGMA busy_timeout = {patience}")
        except sqlite3.Error:  # the next transaction tells
            return True
        return not busy

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
            sql = "INSERT INTO batches (payload, nodes) VALUES (?, ?)"
            batch = self.db.execute(sql, (group.batch.payload, group.batch.nodes)).lastrowid
        self.db.executemany(
            "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (run.first, run.message, run.kind, None if run.place is None else batch, run.place, *run.columns)
                for run in group.runs
            ),
        )

    def _write_mail(self, group: Group) -> None:
        self.db.executemany(
            "INSERT INTO mail (partner, routine, number, items) VALUES (?, ?, ?, ?)",
            (
                (partner, routine, items[at].number, pack_items(items[at : at + PAGE]))
                for (partner, routine), items in group.mail.items()
                for at in range(0, len(items), PAGE)
            ),
        )

    def _drop_bodies(self, group: Group) -> None:
        """Delete the ciphertexts that no waiting copy releases any longer."""
        sql = "UPDATE needs SET copies = copies - ? WHERE message = ? AND released = ? RETURNING copies"
        met: dict[int, int] = {}
        for (message, released), copies in group.taken.items():
            if self.db.execute(sql, (copies, message, released)).fetchone() == (0,):
                met[message] = met.get(message, 0) | released
        for message, released in met.items():
            self.db.execute("DELETE FROM needs WHERE message = ? AND copies = 0", (message,))
            left = [mask for (mask,) in self.db.execute("SELECT released FROM needs WHERE message = ?", (message,))]
            numbers = [(message * BODIES + place,) for place in places_in(released & ~reduce(or_, left, 0))]
            self.db.executemany("DELETE FROM bodies WHERE id = ?", numbers)
            if not left:
                runs = (message * RUNS, message * RUNS + RUNS - 1)
                self.db.execute("DELETE FROM parts WHERE id BETWEEN ? AND ?", runs)

    def append(self, kind: str, message: int, entries: Sequence[Fresh]) -> Run:
        """Append a run of entries to the record and their commitments to the log; statements also join the batch.

        Args:
            kind: of the first entry; those after it are decisions.
            message: the row of the message that they are about.
            entries: at least one and at most `RUN`.
        """
        place, statements = None, self.group.statements
        if kind in TYP_OF:
            place = len(statements)
            statements.append((TYP_OF[kind], entries[0].payload))
            statements += [(DECISION_TYP, entry.payload) for entry in entries[1:]]
        salts = cut(random_bytes(SALT * len(entries)), SALT)
        commitments = [commit(salt, entry.payload) for salt, entry in zip(salts, entries, strict=True)]
        first, *_ = [
            self._tree.append(leaf_hash(write_entry("decision" if offset else kind, commitment)))
            for offset, commitment in enumerate(commitments)
        ]
        columns = (
            pack_all([entry.concerned.encode() for entry in entries]),
            pack_numbers([entry.released for entry in entries]),
            pack_numbers([entry.number for entry in entries]),
            b"".join(commitments),
            b"".join(salts),
            pack_all([entry.payload for entry in entries]),
            pack_alike([entry.inputs for entry in entries]),
            pack_all([entry.explanation for entry in entries]),
        )
        run = Run(first, message, kind, place, columns)
        self.group.runs.append(run)
        return run

    def box(self, partner: str) -> Mailbox:
        """Return a partner's mailbox; it is made when the partner is first heard of."""
        box = self.boxes.get(partner)
        if box is None:
            number = self.db.execute("INSERT INTO partners (code) VALUES (?)", (partner,)).lastrowid
            box = self.boxes[partner] = Mailbox(number or 0, 0)
        return box

    def number(self, partner: str) -> int:
        """Return the next number of a partner's mailbox."""
        box = self.box(partner)
        box.last += 1
        return box.last

    def post(self, partner: str, item: Item, *, routine: bool) -> None:
        """Put a copy or a receipt into a mailbox, under a number that was just given out."""
        self.group.mail.setdefault((self.box(partner).id, routine), []).append(item)
        self.group.rung.add(partner)
