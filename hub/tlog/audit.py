"""The auditor's reading of a log: from the tiles and entries that it serves, believing none that does not fit the root.

Not for: fetching, which is the caller's, nor for what an entry commits to (`entry.py`). Implements
`docs/protocol/05-log.md` section 10.
"""

from collections.abc import Callable

from hub.protocol.errors import LogRangeError
from hub.protocol.hazmat import DIGEST
from hub.protocol.merkle import leaf_hash, verify_inclusion
from hub.tlog.checkpoint import Checkpoint
from hub.tlog.tiles import HEIGHT, WIDTH, Tile, parse_bundle
from hub.tlog.tree import ReadTile, TreeView, nodes_over

Fetch = Callable[[str], bytes]  # a path below the log's prefix -> what is served there


def served_tile(level: int | None, number: int, size: int) -> Tile:
    """Return a tile of the tree of `size` leaves, as wide as that tree has it.

    Raises:
        LogRangeError: the tree has no such tile.
    """
    width = min(WIDTH, (size >> (level or 0) * HEIGHT) - number * WIDTH)
    if number < 0 or width <= 0:
        raise LogRangeError(f"tile {level}/{number}")
    return Tile(level, number, width)


def read_served(size: int, fetch: Fetch) -> TreeView:
    """Return the tree of `size` leaves as served tiles show it.

    What it answers is unbelieved: a path is checked against a believed root (`verify_inclusion`, `check_growth`).
    """
    return TreeView(size, _reader(size, fetch))


def _reader(size: int, fetch: Fetch) -> ReadTile:
    def read(level: int, number: int) -> tuple[int, bytes]:
        tile = served_tile(level, number, size)
        hashes = fetch(tile.path)
        if len(hashes) != tile.width * DIGEST:
            raise LogRangeError(tile.path)
        return tile.width, nodes_over(hashes)

    return read


def verify_bundle(checkpoint: Checkpoint, number: int, fetch: Fetch) -> list[bytes]:
    """Return the entries of one bundle, all of which are under a believed checkpoint.

    One path proves them all: that of the first entry, in which the nodes inside the tile are made from the others.

    Args:
        checkpoint: believed.
        number: of the bundle; it starts with entry `number * 256`.
        fetch: returns tiles and bundles.

    Raises:
        LogRangeError: the log has no such bundle, or what is served is not one.
        InclusionError: an entry is not the one in the log.
    """
    tile = served_tile(None, number, checkpoint.size)
    entries = parse_bundle(fetch(tile.path))
    if len(entries) != tile.width:
        raise LogRangeError(tile.path)
    leaves = [leaf_hash(entry) for entry in entries]
    others = _reader(checkpoint.size, fetch)

    def read(level: int, place: int) -> tuple[int, bytes] | None:
        return (tile.width, nodes_over(b"".join(leaves))) if (level, place) == (0, number) else others(level, place)

    first = number * WIDTH
    path = TreeView(checkpoint.size, read).inclusion(first, checkpoint.size)
    verify_inclusion(leaves[0], first, checkpoint.size, path, checkpoint.root)
    return entries
