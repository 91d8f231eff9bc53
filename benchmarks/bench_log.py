"""How fast the log's tree grows and proves at a million entries, in units of the hashing that it cannot do without.

    python -m benchmarks.bench_log [ENTRIES]

An entry costs its tree one node hash, and a check of its proof one for each node; what a node hash costs is measured in
the same run. Not for: the store's transactions (`benchmarks/bench_store.py`).
"""

import platform
import random
import sys
import time
from collections.abc import Callable, Iterable
from typing import Final

from hub.protocol.merkle import leaf_hash, node_hash, verify_inclusion
from hub.tlog.audit import verify_bundle
from hub.tlog.checkpoint import Checkpoint
from hub.tlog.entry import commit, write_entry
from hub.tlog.tiles import WIDTH, parse_tile_path, write_bundle
from hub.tlog.tree import GrowingTree, TreeView

ENTRIES: Final = 1_000_000
ASKED: Final = 2_000  # proofs, each of another entry
GROUP: Final = 128  # entries that one transaction of the store appends
TARGETS: Final = {"append": 10.0, "inclusion proof": 100.0}  # microseconds


def timed(work: Callable[[], object], count: int) -> float:
    """Return the microseconds that each of `count` pieces of work takes."""
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1e6 / count


def each(work: Callable[[int], object], numbers: Iterable[int]) -> None:
    for number in numbers:
        work(number)


class Tiles:
    """Keeps tiles as a store does: by place, whole ones overwritten by wider ones."""

    def __init__(self) -> None:
        self.kept: dict[tuple[int, int], tuple[int, bytes]] = {}
        self.written = 0  # bytes

    def read(self, level: int, number: int) -> tuple[int, bytes] | None:
        """Return a tile's width and nodes."""
        return self.kept.get((level, number))

    def save(self, tree: GrowingTree) -> None:
        """Keep what changed."""
        for tile in tree.take_changed():
            self.kept[tile.level, tile.number] = tile.width, tile.nodes
            self.written += len(tile.nodes)


def grow(tiles: Tiles, leaves: list[bytes]) -> GrowingTree:
    tree = GrowingTree(0, tiles.read)
    for number, leaf in enumerate(leaves, 1):
        tree.append(leaf)
        if number % GROUP == 0:
            tiles.save(tree)
    tiles.save(tree)
    return tree


def leaf_of(number: int) -> bytes:
    return leaf_hash(write_entry("accept", commit(bytes(16), b"%d" % number)))


def prove(tiles: Tiles, leaves: list[bytes], asked: list[int], show: Callable[[str, float], None]) -> None:
    """Measure proofs; each question reads its tiles anew, as a store's reader does."""
    count = len(leaves)
    view = TreeView(count, tiles.read)
    root = view.root(count)
    paths = {number: view.inclusion(number, count) for number in asked}

    def include(number: int) -> None:
        TreeView(count, tiles.read).inclusion(number, count)

    def connect(number: int) -> None:
        TreeView(count, tiles.read).consistency(number, count)

    def check(number: int) -> None:
        verify_inclusion(leaves[number], number, count, paths[number], root)

    show("inclusion proof", timed(lambda: each(include, asked), len(asked)))
    show("consistency proof", timed(lambda: each(connect, asked), len(asked)))
    show("check of an inclusion proof", timed(lambda: each(check, asked), len(asked)))


def audit(tiles: Tiles, entries: list[bytes], bundles: list[int]) -> float:
    """Return the microseconds that an auditor needs for one entry of a bundle, tiles included."""
    view = TreeView(len(entries), tiles.read)
    checkpoint = Checkpoint("valise.example/bench", len(entries), view.root(len(entries)))

    def fetch(path: str) -> bytes:
        tile, start = parse_tile_path(path), parse_tile_path(path).number * WIDTH
        if tile.level is None:
            return write_bundle(entries[start : start + tile.width])
        return view.tile(tile.level, tile.number, tile.width)

    return timed(lambda: each(lambda number: verify_bundle(checkpoint, number, fetch), bundles), len(bundles) * WIDTH)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else ENTRIES
    print(f"python {platform.python_version()}, {platform.system()} {platform.machine()}; {count:,} entries")
    entries = [write_entry("accept", commit(bytes(16), b"%d" % number)) for number in range(count)]
    leaves = [leaf_hash(entry) for entry in entries]
    asked = random.Random(9162).sample(range(count), min(ASKED, count))  # noqa: S311 - which entries are asked for
    unit = timed(lambda: each(lambda number: node_hash(leaves[number], leaves[number - 1]), range(count)), count)

    def show(name: str, micros: float) -> None:
        target = f"  target {TARGETS[name]:.0f} us" if name in TARGETS else ""
        print(f"{name:<32}{micros:9.2f} us{micros / unit:9.1f} node hashes{target}")

    show("node hash", unit)
    show("commitment and leaf hash", timed(lambda: each(leaf_of, range(count)), count))
    tiles = Tiles()
    show("append", timed(lambda: grow(tiles, leaves), count))
    held = sum(len(nodes) for _, nodes in tiles.kept.values())
    print(f"kept every {GROUP} entries: {tiles.written / count:.0f} bytes written an entry, {held / count:.0f} held")
    show("restart", timed(lambda: GrowingTree(count, tiles.read), 1))
    prove(tiles, leaves, asked, show)
    show("audit of an entry", audit(tiles, entries, sorted({number // WIDTH for number in asked[:100]})))


if __name__ == "__main__":
    main()
