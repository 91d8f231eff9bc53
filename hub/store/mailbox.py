"""What waits for a partner: references of its mailbox, joined with the record and the bodies into copies and receipts.

What one addressee was handed is remembered for a moment, because the others of the same message come for it next; so
memory may hold a ciphertext for a while after it left the disk, at most until the hub ends. Not for: the record itself
(`queries.py`). Implements `docs/protocol/04-statements.md` sections 6 and 7.
"""

import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Final, Generic, TypeVar

from hub.broker.ports import MailCopy, MailItem, MailMark, MailNotice, MailReceipt
from hub.store.packing import Item, unpack_all, unpack_items
from hub.store.runs import Payloads, Runs
from hub.store.schema import BODIES, RUNS, places_in

_MAX_ANSWER: Final = 16 * 1024 * 1024  # bytes of ciphertext read at once for one mailbox; one copy may have 32 MiB
_MEMORY: Final = 32 * 1024 * 1024  # bytes of runs, and as many of bodies: 64 messages to a hundred are 25 MB
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class Recent(Generic[_Key, _Value]):
    """What was used last, up to a size in bytes; for several threads."""

    def __init__(self, most: int) -> None:
        """Take the size."""
        self._most: Final = most
        self._kept: Final[OrderedDict[_Key, tuple[_Value, int]]] = OrderedDict()
        self._size = 0
        self._lock: Final = Lock()

    def get(self, key: _Key, make: Callable[[], tuple[_Value, int]]) -> _Value:
        """Return what is kept under a key, or else what `make` returns together with its size."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key][0]
        value, size = make()
        with self._lock:
            if size <= self._most and key not in self._kept:
                self._kept[key] = value, size
                self._size += size
            while self._size > self._most:
                self._size -= self._kept.popitem(last=False)[1][1]
        return value


@dataclass(frozen=True, slots=True)
class _Body:
    """What all who get the same compartments of a message get alike."""

    mh: str
    manifest: str
    second: str | None
    disclosures: tuple[str, ...]
    blobs: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class _Handed:
    """What a run of decisions says, with the addressees' own parts."""

    said: Payloads
    parts: Sequence[bytes]


class Handed:
    """What was handed out last, remembered for all connections; nothing of it changes once it is recorded."""

    def __init__(self) -> None:
        self.runs: Final[Recent[int, _Handed]] = Recent(_MEMORY)
        self.bodies: Final[Recent[tuple[int, int], _Body]] = Recent(_MEMORY)


class MailReader:
    """Reads mailboxes through one connection, for one thread."""

    def __init__(self, db: sqlite3.Connection, runs: Runs, handed: Handed) -> None:
        self._db: Final = db
        self._runs: Final = runs
        self._handed: Final = handed

    def has_mail(self, partner: str, after: MailMark) -> bool:
        """Return whether anything waits for a partner after a mark."""
        return bool(self._references(partner, 1, after))

    def waiting(self, partner: str, limit: int, after: MailMark) -> Sequence[MailItem]:
        """Return what waits for a partner, urgent first, as far as it fits into one answer."""
        items: list[MailItem] = []
        size = 0
        for item, urgent in self._references(partner, limit, after):
            found = self._item(item, urgent=urgent)
            if isinstance(found, MailCopy):
                size += sum(map(len, found.blobs))
                if items and size > _MAX_ANSWER:
                    break
            items.append(found)
        return items

    def _references(self, partner: str, limit: int, after: MailMark) -> list[tuple[Item, bool]]:
        """Return what waits after a mark, with whether it is urgent; a row has the numbers up to the next row's."""
        found: list[tuple[Item, bool]] = []
        sql = (
            "WITH box AS (SELECT id FROM partners WHERE code = :code) "
            "SELECT items FROM mail WHERE partner = (SELECT id FROM box) AND routine = :routine AND number >= coalesce("
            "(SELECT max(number) FROM mail WHERE partner = (SELECT id FROM box) AND routine = :routine "
            "AND number <= :after), 0) ORDER BY number"
        )
        for routine, seen in ((0, after.urgent), (1, after.routine)):
            for (items,) in self._db.execute(sql, {"code": partner, "routine": routine, "after": seen}):
                found += [(item, not routine) for item in unpack_items(items) if item.number > seen]
                if len(found) >= limit:
                    return found[:limit]
        return found

    def _item(self, item: Item, *, urgent: bool) -> MailItem:
        handed = self._handed.runs.get(item.first, lambda: self._read(item))
        said, offset = handed.said, item.offset
        if not item.released:
            (mh,) = self._db.execute("SELECT mh FROM messages WHERE id = ?", (item.message,)).fetchone()
            if said.kind == "expiry":
                return MailNotice(item.number, mh, said.proven(offset))
            return MailReceipt(item.number, mh, said.payloads[offset].decode("ascii"))
        body = self._handed.bodies.get((item.message, item.released), lambda: self._read_body(item))
        return MailCopy(
            seq=item.number,
            urgent=urgent,
            mh=body.mh,
            manifest=body.manifest,
            second=body.second,
            disclosures=body.disclosures,
            part=handed.parts[offset],
            decision=said.proven(offset),
            blobs=body.blobs,
        )

    def _read(self, item: Item) -> tuple[_Handed, int]:
        said = self._runs.payloads_at(item.first)
        row = self._db.execute("SELECT parts FROM parts WHERE id = ?", (item.message * RUNS + item.run,)).fetchone()
        parts = unpack_all(row[0]) if row and item.released else []
        return _Handed(said, parts), sum(map(len, (*parts, *said.payloads)))

    def _read_body(self, item: Item) -> tuple[_Body, int]:
        head = self._db.execute("SELECT mh, manifest, second FROM messages WHERE id = ?", (item.message,)).fetchone()
        numbers = [item.message * BODIES + place for place in places_in(item.released)]
        rows = [
            self._db.execute("SELECT disclosure, blob FROM bodies WHERE id = ?", (one,)).fetchone() for one in numbers
        ]
        mh, manifest, second = head
        body = _Body(mh, manifest, second, tuple(row[0] for row in rows), tuple(row[1] for row in rows))
        return body, sum(map(len, body.blobs))
