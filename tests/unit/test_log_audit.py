"""An auditor with nothing but what a log serves: proofs from tiles, and entries that are not the log's."""

from collections.abc import Callable

import pytest

from hub.protocol.errors import ConsistencyError, InclusionError, LogRangeError
from hub.protocol.merkle import leaf_hash, verify_inclusion
from hub.tlog.audit import read_served, served_tile, verify_bundle
from hub.tlog.checkpoint import Checkpoint
from hub.tlog.tiles import WIDTH, Tile, parse_tile_path, write_bundle
from hub.tlog.witness import check_growth
from tests.support.log import checkpoint_over, grown

ENTRIES = [f"entry {number}".encode() for number in range(WIDTH * 2 + 70)]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]
CHECKPOINT = checkpoint_over(LEAVES)


class Served:
    """A log behind its paths; it refuses what its size does not have, and remembers what was asked."""

    def __init__(self, entries: list[bytes]) -> None:
        self._entries = entries
        self._view = grown([leaf_hash(entry) for entry in entries]).view()
        self.asked: list[str] = []

    def __call__(self, path: str) -> bytes:
        self.asked.append(path)
        tile = parse_tile_path(path)
        start = tile.number * WIDTH
        if tile.level is None:
            return write_bundle(self._entries[start : start + tile.width])
        return self._view.tile(tile.level, tile.number, tile.width)


def test_a_path_from_served_tiles_leads_to_the_root() -> None:
    tree = read_served(CHECKPOINT.size, Served(ENTRIES))
    for index in (0, 255, 256, 511, 512, CHECKPOINT.size - 1):
        path = tree.inclusion(index, CHECKPOINT.size)
        verify_inclusion(LEAVES[index], index, CHECKPOINT.size, path, CHECKPOINT.root)


def test_growth_can_be_checked_from_served_tiles() -> None:
    tree = read_served(CHECKPOINT.size, Served(ENTRIES))
    for size in (1, 256, 300, 512, CHECKPOINT.size):
        check_growth(checkpoint_over(LEAVES[:size]), CHECKPOINT, tree.consistency(size, CHECKPOINT.size))


def test_a_log_that_changed_an_old_entry_is_caught() -> None:
    changed = Served([*ENTRIES[:9], b"another", *ENTRIES[10:]])
    tree = read_served(CHECKPOINT.size, changed)
    new = Checkpoint(CHECKPOINT.origin, CHECKPOINT.size, tree.root(CHECKPOINT.size))
    for size in (10, 256, 300):
        with pytest.raises(ConsistencyError):
            check_growth(checkpoint_over(LEAVES[:size]), new, tree.consistency(size, new.size))


@pytest.mark.parametrize("number", [0, 1, 2])
def test_the_entries_of_a_bundle_are_the_logs(number: int) -> None:
    start = number * WIDTH
    assert verify_bundle(CHECKPOINT, number, Served(ENTRIES)) == ENTRIES[start : start + WIDTH]


def test_a_bundle_is_checked_without_the_tile_that_it_makes_itself() -> None:
    log = Served(ENTRIES)
    verify_bundle(CHECKPOINT, 0, log)
    assert log.asked == ["tile/entries/000", "tile/0/002.p/70", "tile/1/000.p/2"]


@pytest.mark.parametrize("at", [0, 1, 128, 255, 256, 300, 511, 512, 513, 581])
def test_one_other_entry_in_a_bundle_is_caught(at: int) -> None:
    honest, lying = Served(ENTRIES), Served([*ENTRIES[:at], b"another", *ENTRIES[at + 1 :]])

    def fetch(path: str) -> bytes:
        return (lying if "entries" in path else honest)(path)

    with pytest.raises(InclusionError):
        verify_bundle(CHECKPOINT, at // WIDTH, fetch)
    with pytest.raises(InclusionError):
        verify_bundle(CHECKPOINT, at // WIDTH, lying)


def test_a_tile_is_as_wide_as_the_tree_has_it() -> None:
    """The example of c2sp.org/tlog-tiles."""
    assert served_tile(0, 272, 70_000) == Tile(0, 272, 256)
    assert served_tile(0, 273, 70_000) == Tile(0, 273, 112)
    assert served_tile(1, 0, 70_000) == Tile(1, 0, 256)
    assert served_tile(1, 1, 70_000) == Tile(1, 1, 17)
    assert served_tile(2, 0, 70_000) == Tile(2, 0, 1)
    assert served_tile(1, 0, 256) == Tile(1, 0, 1)
    for level, number, size in ((0, 274, 70_000), (2, 1, 70_000), (3, 0, 70_000), (0, -1, 70_000), (0, 1, 256)):
        with pytest.raises(LogRangeError):
            served_tile(level, number, size)


@pytest.mark.parametrize("serve", [lambda _: b"", lambda _: bytes(33), lambda _: b"\0\x01a" * 3])
def test_what_is_no_tile_and_no_bundle_is_refused(serve: Callable[[str], bytes]) -> None:
    with pytest.raises(LogRangeError):
        read_served(CHECKPOINT.size, serve).inclusion(0, CHECKPOINT.size)
    with pytest.raises(LogRangeError):
        verify_bundle(CHECKPOINT, 0, serve)


def test_a_bundle_beyond_the_checkpoint_is_out_of_range() -> None:
    with pytest.raises(LogRangeError):
        verify_bundle(CHECKPOINT, 3, Served(ENTRIES))
