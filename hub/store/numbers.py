"""The store in numbers, for whoever watches: mailboxes, the log, and what was recorded since the hub started.

Each look opens the file for reading, beside the running hub. What was recorded is counted from the record itself, from
where the last look ended. Not for: content, or names of messages. Reference page: `docs/reference/metrics.md`.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from hub.host.metrics import (
    CHECKPOINT_SIZE,
    DECISIONS,
    DURABILITY,
    ENTRIES,
    LOG_SIZE,
    OLDEST,
    REASONS,
    RECEIPTS,
    STORE_BYTES,
    WAITING,
    Measure,
    Sample,
)
from hub.protocol.encoding import decode_b64url
from hub.store.log import size_of
from hub.store.packing import ITEM, Item, unpack_all, unpack_items
from hub.store.schema import connect, typed_errors

_AT_ONCE: Final = 5_000  # runs of entries counted at one look; what is more is counted at the next
_SYNCHRONOUS: Final = ("OFF", "NORMAL", "FULL", "EXTRA")  # PRAGMA synchronous


class Numbers:
    """Counts in one store. For one thread at a time.

    Attributes:
        checkpoint: the newest signed checkpoint at the last look.
    """

    def __init__(self, database: Path, *, clock: Callable[[], int]) -> None:
        """Begin to count behind the last entry that there is; the store exists.

        Raises:
            StoreError: it cannot be read.
        """
        self._database: Final = database
        self._clock: Final = clock
        self.checkpoint: str | None = None
        self._counts: Final[Counter[tuple[Measure, str]]] = Counter()
        with typed_errors(), closing(self._open()) as db:
            self._next = size_of(db)
        with typed_errors(), closing(connect(database)) as db:  # as whoever writes is connected
            self._synchronous: Final = _SYNCHRONOUS[db.execute("PRAGMA synchronous").fetchone()[0]]

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(f"{self._database.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)

    def samples(self) -> Iterator[Sample]:
        """Yield the numbers of this moment.

        Raises:
            StoreError: the store cannot be read.
        """
        with typed_errors(), closing(self._open()) as db:
            db.execute("BEGIN")
            yield from _mailboxes(db, self._clock())
            size = size_of(db)
            yield Sample(LOG_SIZE, size)
            newest = db.execute("SELECT size, note FROM checkpoints ORDER BY size DESC LIMIT 1").fetchone()
            covered, self.checkpoint = newest or (0, None)
            yield Sample(CHECKPOINT_SIZE, covered)
            self._count(db)
            (journal,) = db.execute("PRAGMA journal_mode").fetchone()
            db.execute("ROLLBACK")
        for (measure, value), number in self._counts.items():
            yield Sample(measure, number, (value,))
        yield Sample(DURABILITY, 1, (journal, self._synchronous))
        yield from self._sizes()

    def _count(self, db: sqlite3.Connection) -> None:
        sql = "SELECT first, kind, payloads FROM entries WHERE first >= ? ORDER BY first LIMIT ?"
        for first, kind, column in db.execute(sql, (self._next, _AT_ONCE)):
            payloads = unpack_all(column)
            self._counts[ENTRIES, kind] += 1
            decisions = payloads if kind == "decision" else payloads[1:]
            self._counts[ENTRIES, "decision"] += len(payloads) - 1
            for payload in decisions:
                self._count_decision(json.loads(payload))
            if kind == "receipt":
                self._counts[RECEIPTS, _claims(payloads[0])["state"]] += 1
            self._next = first + len(payloads)

    def _count_decision(self, decision: dict[str, Any]) -> None:
        self._counts[DECISIONS, "released" if decision["rel"] else "withheld"] += 1
        for one in decision["wh"]:
            self._counts[REASONS, one["rc"]] += 1

    def _sizes(self) -> Iterator[Sample]:
        for file in (self._database, self._database.with_name(f"{self._database.name}-wal")):
            if file.exists():
                yield Sample(STORE_BYTES, file.stat().st_size, ("wal" if file != self._database else "database",))


def _mailboxes(db: sqlite3.Connection, now: int) -> Iterator[Sample]:
    """Yield how many items wait for each partner, and since when."""
    waiting = dict.fromkeys((code for (code,) in db.execute("SELECT code FROM partners")), (0, 0))
    sql = (
        "SELECT code, sum(length(items)) / ?, min(number), items FROM mail JOIN partners ON partners.id = partner "
        "GROUP BY partner, routine"
    )  # the row with the least number gives the items (sqlite.org/lang_select.html, bare columns)
    for code, count, _, items in db.execute(sql, (ITEM,)):
        before, age = waiting[code]
        waiting[code] = (before + count, max(age, now - _time_of(db, unpack_items(items)[0])))
    for code, (count, age) in waiting.items():
        yield Sample(WAITING, count, (code,))
        yield Sample(OLDEST, age, (code,))


def _time_of(db: sqlite3.Connection, item: Item) -> int:
    """Return when an item was recorded: a receipt about when it was signed, a copy when its message was accepted."""
    if item.released:
        (at,) = db.execute("SELECT accepted_at FROM messages WHERE id = ?", (item.message,)).fetchone()
        return int(at)
    (payloads,) = db.execute("SELECT payloads FROM entries WHERE first = ?", (item.first,)).fetchone()
    return int(_claims(unpack_all(payloads)[item.offset])["iat"])


def _claims(jws: bytes) -> dict[str, Any]:
    """Return what a partner signed; it was verified before it was recorded."""
    claims: dict[str, Any] = json.loads(decode_b64url(jws.decode().split(".")[1]))
    return claims
