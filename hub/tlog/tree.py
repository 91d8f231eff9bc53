"""The log's tree: grows by one leaf at a time, is kept in tiles, and is read for roots and proofs.

A tile is kept with all complete nodes above its 256 hashes, lowest row first. So what is served is the beginning of
what is kept, to grow costs one hash a leaf, a proof reads nodes instead of making them, and a restart reads one tile a
level. Not for: keeping the tiles (`hub/store/`) nor for checking proofs (`hub/protocol/merkle.py`). Implements
`docs/protocol/05-log.md` section 3.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from hub.protocol.errors import LogRangeError
from hub.protocol.hazmat import DIGEST
from hub.protocol.merkle import EMPTY_ROOT, node_hash
from hub.tlog.tiles import HEIGHT, WIDTH

ReadTile = Callable[[int, int], tuple[int, bytes] | None]  # level, number -> width, nodes; or None: no such tile


@dataclass(frozen=True, slots=True)
class KeptTile:
    """A tile to keep. `nodes` are its rows of 32-byte hashes one after the other, the `width` hashes served first."""

    level: int
    number: int
    width: int
    nodes: bytes


def nodes_over(hashes: bytes) -> bytes:
    """Return a tile's hashes, followed by the rows of complete nodes above them."""
    edge = _Edge(0, 0, b"")
    for start in range(0, len(hashes), DIGEST):
        edge.push(hashes[start : start + DIGEST])
    return edge.nodes


class GrowingTree:
    """A tree that grows; of what is kept elsewhere it remembers only the right edge.

    Whoever keeps it writes `take_changed` in the transaction that writes the entries, and after a transaction that
    failed makes the tree anew from what is kept. A tree that nobody keeps holds everything in memory, about 64 bytes a
    leaf.
    """

    def __init__(self, size: int = 0, read: ReadTile = lambda _level, _number: None) -> None:
        """Continue the tree of `size` leaves of which `read` returns the tiles.

        Raises:
            LogRangeError: a tile at the right edge is not there, or not as wide as the size says.
        """
        self._read: Final = read
        self._size = size
        self._edges: Final[list[_Edge]] = []
        self._changed: Final[dict[tuple[int, int], _Edge]] = {}
        while hashes := size >> len(self._edges) * HEIGHT:
            number, width = divmod(hashes, WIDTH)
            kept = (read(len(self._edges), number) if width else None) or (0, b"")
            if kept[0] != width or len(kept[1]) != _start_of(width, HEIGHT):
                raise LogRangeError(f"tile {len(self._edges)}/{number}")
            self._edges.append(_Edge(number, *kept))

    @property
    def size(self) -> int:
        """The number of leaves."""
        return self._size

    def append(self, leaf: bytes) -> int:
        """Append a leaf hash; return its index."""
        node: bytes | None = leaf
        level = 0
        while node is not None:
            if level == len(self._edges):
                self._edges.append(_Edge(0, 0, b""))
            edge = self._edges[level]
            node = edge.push(node)
            self._changed[level, edge.number] = edge
            if node is not None:
                self._edges[level] = _Edge(edge.number + 1, 0, b"")
            level += 1
        self._size += 1
        return self._size - 1

    def take_changed(self) -> list[KeptTile]:
        """Return the tiles that changed since the last time; from now on `read` returns them."""
        tiles = [KeptTile(*place, edge.width, edge.nodes) for place, edge in self._changed.items()]
        self._changed.clear()
        return tiles

    def view(self) -> "TreeView":
        """Return the tree as it is now, changes included."""
        return TreeView(self._size, self._tile)

    def _tile(self, level: int, number: int) -> tuple[int, bytes] | None:
        edge = self._changed.get((level, number))
        return (edge.width, edge.nodes) if edge else self._read(level, number)


class TreeView:
    """A tree of one size, read from its tiles, for one question: it remembers the tiles that it has read.

    Tiles only ever grow, so `read` may return wider ones than this size has.
    """

    def __init__(self, size: int, read: ReadTile) -> None:
        """Take the number of leaves, and what returns the tiles."""
        self._size: Final = size
        self._read: Final = read
        self._tiles: Final[dict[tuple[int, int], tuple[int, bytes]]] = {}

    def root(self, size: int) -> bytes:
        """Return the root over the first `size` leaves (RFC 9162 section 2.1.1).

        Raises:
            LogRangeError: there are not so many.
        """
        self._check(0, size)
        return self._hash(0, size) if size else EMPTY_ROOT

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """Return the path of leaf `index` to the root over `size` leaves (RFC 9162 section 2.1.3.1).

        Raises:
            LogRangeError: outside the tree.
        """
        self._check(index, size)
        if index == size:
            raise LogRangeError(f"entry {index} of {size}")
        low, high, path = 0, size, list[bytes]()
        while high - low > 1:
            middle = low + _split(high - low)
            if index < middle:
                path.append(self._hash(middle, high))
                high = middle
            else:
                path.append(self._hash(low, middle))
                low = middle
        return path[::-1]

    def consistency(self, old: int, new: int) -> list[bytes]:
        """Return the path between the roots over `old` and over `new` leaves (RFC 9162 section 2.1.4.1).

        Raises:
            LogRangeError: outside the tree.
        """
        self._check(old, new)
        if old in (0, new):
            return []
        low, high, path = 0, new, list[bytes]()
        while old != high:
            middle = low + _split(high - low)
            if old <= middle:
                path.append(self._hash(middle, high))
                high = middle
            else:
                path.append(self._hash(low, middle))
                low = middle
        return ([self._hash(low, high)] if low else []) + path[::-1]

    def tile(self, level: int, number: int, width: int) -> bytes:
        """Return the hashes of a tile as it is served.

        Raises:
            LogRangeError: there is no such tile, or it is narrower.
        """
        if min(level, number) < 0 or not 0 < width <= min(WIDTH, (self._size >> level * HEIGHT) - number * WIDTH):
            raise LogRangeError(f"tile {level}/{number}.{width}")
        return self._tile(level, number)[1][: width * DIGEST]

    def _hash(self, low: int, high: int) -> bytes:
        """Return the hash over the leaves from `low` until before `high`, as the tree of the RFC joins them."""
        size = high - low
        if size & (size - 1) == 0:
            return self._node(size.bit_length() - 1, low)
        middle = low + _split(size)
        return node_hash(self._hash(low, middle), self._hash(middle, high))

    def _node(self, height: int, low: int) -> bytes:
        """Return the complete node over the 2**height leaves from `low`."""
        level, inside = divmod(height, HEIGHT)
        number, place = divmod(low >> level * HEIGHT, WIDTH)
        width, nodes = self._tile(level, number)
        start = _start_of(width, inside) + (place >> inside) * DIGEST
        return nodes[start : start + DIGEST]

    def _tile(self, level: int, number: int) -> tuple[int, bytes]:
        known = self._tiles.get((level, number))
        if known is None:
            known = self._read(level, number)
            if known is None or len(known[1]) != _start_of(known[0], HEIGHT):
                raise LogRangeError(f"tile {level}/{number}")
            self._tiles[level, number] = known
        return known

    def _check(self, low: int, high: int) -> None:
        if not 0 <= low <= high <= self._size:
            raise LogRangeError(f"{low} of {high}")


class _Edge:
    """The tile at the right edge of one tile level: rows of complete nodes, its hashes first."""

    def __init__(self, number: int, width: int, nodes: bytes) -> None:
        self.number: Final = number
        self.width = width
        self._rows: Final = [
            bytearray(nodes[_start_of(width, height) : _start_of(width, height + 1)]) for height in range(HEIGHT)
        ]

    @property
    def nodes(self) -> bytes:
        """The rows one after the other, as kept."""
        return b"".join(self._rows)

    def push(self, node: bytes) -> bytes | None:
        """Add a hash; return the root of the tile when that fills it."""
        self.width += 1
        width = self.width
        for row in self._rows:
            row.extend(node)
            if width % 2:
                return None
            node = node_hash(bytes(row[-2 * DIGEST : -DIGEST]), node)
            width //= 2
        return node


def _start_of(width: int, height: int) -> int:
    """Return where the row at a height starts in the nodes of a tile of `width` hashes, in bytes."""
    return sum(width >> below for below in range(height)) * DIGEST


def _split(size: int) -> int:
    """Return the largest power of two below `size` (RFC 9162 section 2.1.1)."""
    return 1 << (size - 1).bit_length() - 1
