"""The log in the store: its tree's tiles are written with the record's entries, in the same transaction.

Not for: the tree itself (`hub/tlog/tree.py`). Implements `docs/protocol/05-log.md` section 4.
"""

import sqlite3
from functools import partial

from hub.protocol.errors import LogRangeError, StoreCorruptError
from hub.protocol.hazmat import DIGEST
from hub.store.packing import cut
from hub.store.schema import RUN
from hub.tlog.entry import write_entry
from hub.tlog.tiles import WIDTH, write_bundle
from hub.tlog.tree import GrowingTree, TreeView


def size_of(db: sqlite3.Connection) -> int:
    """Return the number of entries."""
    row = db.execute(
        "SELECT first + length(commitments) / ? FROM entries ORDER BY first DESC LIMIT 1", (DIGEST,)
    ).fetchone()
    return row[0] if row else 0


def growing_tree(db: sqlite3.Connection) -> GrowingTree:
    """Return the tree to append to; reads one tile for each level, however long the log is.

    Raises:
        StoreCorruptError: entries and tiles do not belong together.
    """
    try:
        return GrowingTree(size_of(db), partial(_read_tile, db))
    except LogRangeError as error:
        raise StoreCorruptError(error.detail) from error


def save_tree(db: sqlite3.Connection, tree: GrowingTree) -> None:
    """Write the tiles that changed; part of the transaction that writes the entries."""
    db.executemany(
        "INSERT INTO tiles (level, number, width, nodes) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (level, number) DO UPDATE SET width = excluded.width, nodes = excluded.nodes",
        [(tile.level, tile.number, tile.width, tile.nodes) for tile in tree.take_changed()],
    )


def view_of(db: sqlite3.Connection) -> TreeView:
    """Return the tree as it is kept, for one question."""
    return TreeView(size_of(db), partial(_read_tile, db))


def entry_bundle(db: sqlite3.Connection, number: int, width: int) -> bytes:
    """Return the entries under a tile of the lowest level.

    Raises:
        LogRangeError: there is no such tile, or it is narrower.
    """
    first = number * WIDTH
    if not 0 < width <= WIDTH or not 0 <= first <= size_of(db) - width:
        raise LogRangeError(f"entries {number}.{width}")
    rows = db.execute(
        "SELECT first, kind, commitments FROM entries WHERE first > ? AND first < ? ORDER BY first",
        (first - RUN, first + width),
    )
    entries = (
        write_entry("decision" if offset else kind, commitment)
        for start, kind, commitments in rows
        for offset, commitment in enumerate(cut(commitments, DIGEST))
        if first <= start + offset < first + width
    )
    return write_bundle(entries)


def _read_tile(db: sqlite3.Connection, level: int, number: int) -> tuple[int, bytes] | None:
    sql = "SELECT width, nodes FROM tiles WHERE level = ? AND number = ?"
    row: tuple[int, bytes] | None = db.execute(sql, (level, number)).fetchone()
    return row
