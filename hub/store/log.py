"""The log in the store: its tree's tiles are written with the record's entries, in the same transaction.

Not for: the tree itself (`hub/tlog/tree.py`). Implements `docs/protocol/05-log.md` section 4.
"""

import sqlite3
from functools import partial

from hub.protocol.errors import LogRangeError, StoreCorruptError
from hub.tlog.entry import write_entry
from hub.tlog.tiles import WIDTH, write_bundle
from hub.tlog.tree import GrowingTree, TreeView


def size_of(db: sqlite3.Connection) -> int:
    """Return the number of entries."""
    (last,) = db.execute("SELECT max(number) FROM entries").fetchone()
    return 0 if last is None else last + 1


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
    sql = "SELECT kind, commitment FROM entries WHERE number >= ? ORDER BY number LIMIT ?"
    return write_bundle(write_entry(*row) for row in db.execute(sql, (first, width)))


def _read_tile(db: sqlite3.Connection, level: int, number: int) -> tuple[int, bytes] | None:
    sql = "SELECT width, nodes FROM tiles WHERE level = ? AND number = ?"
    row: tuple[int, bytes] | None = db.execute(sql, (level, number)).fetchone()
    return row
