"""The tree: how it grows, how it is kept and continued, and what it refuses to answer."""

from collections.abc import Callable

import pytest

from hub.protocol.errors import LogRangeError
from hub.protocol.hazmat import DIGEST
from hub.protocol.merkle import EMPTY_ROOT, node_hash, verify_consistency, verify_inclusion
from hub.tlog.tiles import WIDTH
from hub.tlog.tree import GrowingTree, TreeView, nodes_over
from tests.support.log import grown, leaves, root_over

LEAVES = leaves(WIDTH * WIDTH + 300)  # three levels of tiles


class Kept:
    """A store of tiles in a dictionary, which counts what is written."""

    def __init__(self) -> None:
        self.tiles: dict[tuple[int, int], tuple[int, bytes]] = {}
        self.written: list[int] = []

    def save(self, tree: GrowingTree) -> None:
        changed = tree.take_changed()
        self.written.append(sum(len(tile.nodes) for tile in changed))
        self.tiles |= {(tile.level, tile.number): (tile.width, tile.nodes) for tile in changed}

    def read(self, level: int, number: int) -> tuple[int, bytes] | None:
        return self.tiles.get((level, number))


def test_an_empty_tree_has_the_root_of_nothing() -> None:
    tree = GrowingTree()
    assert tree.size == 0
    assert tree.view().root(0) == EMPTY_ROOT
    assert tree.take_changed() == []


def test_every_root_is_that_of_the_plain_algorithm() -> None:
    view = grown(LEAVES[:600]).view()
    for size in (*range(1, 20), *range(250, 262), 511, 512, 513, 600):
        assert view.root(size) == root_over(LEAVES[:size]), size


def test_proofs_hold_across_three_levels_of_tiles() -> None:
    view, size = grown(LEAVES).view(), len(LEAVES)
    root = root_over(LEAVES)
    assert view.root(size) == root
    for index in (0, 1, 255, 256, 65_535, 65_536, size - 1):
        verify_inclusion(LEAVES[index], index, size, view.inclusion(index, size), root)
    for old in (1, 255, 256, 257, 65_535, 65_536, 65_537, size):
        verify_consistency((old, view.root(old)), (size, root), view.consistency(old, size))


def test_a_tree_continues_where_it_was_kept() -> None:
    """Kept after every 97 leaves and begun anew each time, as if the process had ended."""
    kept, size = Kept(), 0
    while size < 1_000:
        tree = GrowingTree(size, kept.read)
        for leaf in LEAVES[size : size + 97]:
            tree.append(leaf)
        kept.save(tree)
        size = tree.size
    view = TreeView(size, kept.read)
    assert view.root(size) == root_over(LEAVES[:size])
    assert GrowingTree(size, kept.read).view().root(size) == view.root(size)
    verify_inclusion(LEAVES[500], 500, size, view.inclusion(500, size), view.root(size))


def test_to_continue_reads_one_tile_a_level_and_to_append_writes_as_few() -> None:
    kept = Kept()
    kept.save(grown(LEAVES))
    asked = []

    def read(level: int, number: int) -> tuple[int, bytes] | None:
        asked.append((level, number))
        return kept.read(level, number)

    tree = GrowingTree(len(LEAVES), read)
    assert asked == [(0, 257), (1, 1), (2, 0)]
    tree.append(LEAVES[0])
    kept.save(tree)
    assert kept.written[-1] <= 2 * WIDTH * DIGEST


def test_changes_can_be_read_before_they_are_kept() -> None:
    kept = Kept()
    tree = GrowingTree(0, kept.read)
    for leaf in LEAVES[:300]:
        tree.append(leaf)
    kept.save(tree)
    for leaf in LEAVES[300:700]:
        tree.append(leaf)
    assert tree.view().root(700) == root_over(LEAVES[:700])
    assert TreeView(300, kept.read).root(300) == root_over(LEAVES[:300])


def test_a_reader_of_an_older_size_is_not_disturbed_by_growth() -> None:
    kept = Kept()
    kept.save(grown(LEAVES[:700]))
    view = TreeView(300, kept.read)
    assert view.root(300) == root_over(LEAVES[:300])
    assert view.inclusion(299, 300) == grown(LEAVES[:300]).view().inclusion(299, 300)


def test_what_is_served_is_the_beginning_of_what_is_kept() -> None:
    kept = Kept()
    kept.save(grown(LEAVES[:600]))
    view = TreeView(600, kept.read)
    assert sorted(kept.tiles) == [(0, 0), (0, 1), (0, 2), (1, 0)]
    assert view.tile(0, 1, WIDTH) == b"".join(LEAVES[256:512]) == kept.tiles[0, 1][1][: WIDTH * DIGEST]
    assert view.tile(0, 2, 88) == b"".join(LEAVES[512:600])
    assert view.tile(1, 0, 2) == root_over(LEAVES[:256]) + root_over(LEAVES[256:512])


def test_nodes_over_a_narrow_tile_are_its_complete_nodes() -> None:
    one, two, three = LEAVES[:3]
    assert nodes_over(one + two + three) == one + two + three + node_hash(one, two)


VIEW = grown(LEAVES[:300]).view()


@pytest.mark.parametrize(
    "ask",
    [
        lambda: VIEW.root(301),
        lambda: VIEW.root(-1),
        lambda: VIEW.inclusion(0, 0),
        lambda: VIEW.inclusion(300, 300),
        lambda: VIEW.inclusion(0, 301),
        lambda: VIEW.inclusion(-1, 300),
        lambda: VIEW.consistency(2, 1),
        lambda: VIEW.consistency(-1, 1),
        lambda: VIEW.consistency(1, 301),
        lambda: VIEW.tile(0, 0, 0),
        lambda: VIEW.tile(0, 0, 257),
        lambda: VIEW.tile(0, 1, 45),
        lambda: VIEW.tile(0, 2, 1),
        lambda: VIEW.tile(0, -1, 1),
        lambda: VIEW.tile(1, 0, 2),
        lambda: VIEW.tile(-1, 0, 1),
        lambda: VIEW.tile(63, 0, 1),
    ],
)
def test_what_the_log_does_not_have_is_out_of_range(ask: Callable[[], object]) -> None:
    with pytest.raises(LogRangeError):
        ask()


@pytest.mark.parametrize("kept", [None, (43, b""), (45, bytes(45 * DIGEST)), (44, bytes(44 * DIGEST))])
def test_a_tree_does_not_continue_from_a_tile_that_does_not_fit(kept: tuple[int, bytes] | None) -> None:
    with pytest.raises(LogRangeError):
        GrowingTree(300, lambda _level, _number: kept)


def test_a_view_refuses_a_tile_that_is_cut_short() -> None:
    with pytest.raises(LogRangeError):
        TreeView(2, lambda _level, _number: (2, bytes(2 * DIGEST))).root(2)
