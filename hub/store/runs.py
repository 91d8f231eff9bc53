"""Runs of the record as they are read: rows unpacked once, and kept for the addressees who ask for the same soon after.

A message to many is one row for sixteen of them, so that whoever comes next finds it unpacked. What is kept is small,
and nothing of it changes once it is recorded. Not for: writing runs (`ledger.py`). Implements
`docs/protocol/04-statements.md` section 6.
"""

import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from hub.broker.ports import RecordedEntry
from hub.protocol.statements import ACCEPT_TYP, DECISION_TYP, EXPIRY_TYP, path_in_nodes, write_proven
from hub.store.packing import cut, unpack_alike, unpack_all, unpack_numbers
from hub.tlog.entry import SALT

TYP_OF: Final = MappingProxyType(
    {"accept": ACCEPT_TYP, "decision": DECISION_TYP, "expiry": EXPIRY_TYP}
)  # the entries that are statements
COLUMNS: Final = "first, kind, batch, place, payloads, concerned, released, numbers, salts, inputs, explanations"
_BATCHES: Final = 8  # batches remembered; one of 8,192 leaves has 512 KiB of nodes
_Batch = tuple[bytes, str]  # nodes, signature


@dataclass(frozen=True, slots=True)
class Payloads:
    """What the entries of a run say, in order, and how they are proven.

    `batch` is the nodes and the signature of their batch, None when they are no statements; `place` is the first one's.
    """

    kind: str
    batch: _Batch | None
    place: int
    payloads: Sequence[bytes]

    @property
    def decides(self) -> bool:
        """Whether there are decisions in it; its first entry may be the accept, which concerns nobody."""
        return self.kind in ("accept", "decision")

    def kind_of(self, offset: int) -> str:
        """Return the kind of one entry."""
        return "decision" if offset else self.kind

    def proven(self, offset: int) -> bytes:
        """Return a statement with its way to the signed root, as `Batch.prove` writes it; nothing for the others."""
        if self.batch is None:
            return b""
        nodes, jws = self.batch
        place = self.place + offset
        return write_proven(
            TYP_OF[self.kind_of(offset)], self.payloads[offset], place, path_in_nodes(nodes, place), jws
        )


@dataclass(frozen=True, slots=True)
class KeptRun:
    """Entries of one message that were appended together, with what goes with each of them, in order."""

    first: int
    said: Payloads
    concerned: Sequence[str]
    released: Sequence[int]
    numbers: Sequence[int]
    salts: Sequence[bytes]
    inputs: Sequence[bytes]
    explanations: Sequence[bytes]

    def entry(self, offset: int) -> RecordedEntry:
        """Return one entry of the record."""
        salt, said = self.salts[offset], self.said
        return RecordedEntry(
            self.first + offset, said.kind_of(offset), salt, said.payloads[offset], said.proven(offset)
        )


class Runs:
    """Reads runs through one connection; `sign_batch` fills in for a signature that is not yet kept."""

    def __init__(self, db: sqlite3.Connection, sign_batch: Callable[[bytes], str]) -> None:
        self._db: Final = db
        self._sign: Final = sign_batch
        self._batches: Final[OrderedDict[int, _Batch]] = OrderedDict()

    def of(self, message: int) -> list[KeptRun]:
        """Return the runs about a message by its row, oldest first."""
        sql = f"SELECT {COLUMNS} FROM entries WHERE message = ? ORDER BY first"  # noqa: S608 - constants
        return [self._kept(*row) for row in self._db.execute(sql, (message,))]

    def payloads_at(self, first: int) -> Payloads:
        """Return what is said by the run that starts at an index of the log."""
        sql = "SELECT kind, batch, place, payloads FROM entries WHERE first = ?"
        kind, batch, place, payloads = self._db.execute(sql, (first,)).fetchone()
        return self._said(kind, batch, place, payloads)

    def _said(self, kind: str, batch: int | None, place: int | None, payloads: bytes) -> Payloads:
        return Payloads(kind, None if batch is None else self._batch(batch), place or 0, unpack_all(payloads))

    def _kept(self, first: int, kind: str, batch: int | None, place: int | None, *columns: bytes) -> KeptRun:
        payloads, concerned, released, numbers, salts, inputs, explanations = columns
        return KeptRun(
            first=first,
            said=self._said(kind, batch, place, payloads),
            concerned=[code.decode() for code in unpack_all(concerned)],
            released=unpack_numbers(released),
            numbers=unpack_numbers(numbers),
            salts=cut(salts, SALT),
            inputs=unpack_alike(inputs),
            explanations=unpack_all(explanations),
        )

    def _batch(self, number: int) -> _Batch:
        if number not in self._batches:
            sql = "SELECT nodes, jws, payload FROM batches WHERE id = ?"
            nodes, jws, payload = self._db.execute(sql, (number,)).fetchone()
            self._batches[number] = (nodes, jws or self._sign(payload))
            if len(self._batches) > _BATCHES:
                self._batches.popitem(last=False)
        self._batches.move_to_end(number)
        return self._batches[number]
