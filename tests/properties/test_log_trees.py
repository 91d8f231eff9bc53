"""Whatever the log holds: its proofs hold, serve nothing else, and survive being kept and continued."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.protocol.errors import ConsistencyError, InclusionError
from hub.protocol.hazmat import DIGEST
from hub.protocol.merkle import root_from_path, verify_consistency, verify_inclusion
from hub.tlog.tree import GrowingTree, TreeView
from tests.support.log import grown, leaves, root_over

SMALL = 40  # all pairs of sizes up to here
LEAVES = leaves(700)
ROOTS = [root_over(LEAVES[:size]) for size in range(SMALL + 1)]
VIEW = grown(LEAVES).view()


def test_every_leaf_of_every_small_tree_is_proven_and_no_other() -> None:
    for size in range(1, SMALL + 1):
        for index in range(size):
            path = VIEW.inclusion(index, size)
            verify_inclusion(LEAVES[index], index, size, path, ROOTS[size])
            for other in range(size):
                if other != index:
                    with pytest.raises(InclusionError):
                        verify_inclusion(LEAVES[other], index, size, path, ROOTS[size])


def test_all_pairs_of_small_sizes_are_consistent() -> None:
    for new in range(SMALL + 1):
        for old in range(new + 1):
            verify_consistency((old, ROOTS[old]), (new, ROOTS[new]), VIEW.consistency(old, new))


def test_no_path_serves_another_pair_of_sizes() -> None:
    for old in range(1, SMALL):
        path = VIEW.consistency(old, SMALL)
        for other in range(1, SMALL):
            if other != old:
                with pytest.raises(ConsistencyError):
                    verify_consistency((other, ROOTS[other]), (SMALL, ROOTS[SMALL]), path)


@given(st.data())
def test_a_path_serves_one_leaf_at_one_place(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, len(LEAVES)))
    index, other = data.draw(st.lists(st.integers(0, size - 1), min_size=2, max_size=2, unique=True))
    path, root = VIEW.inclusion(index, size), VIEW.root(size)
    verify_inclusion(LEAVES[index], index, size, path, root)
    for leaf, place in ((LEAVES[other], index), (LEAVES[index], other), (LEAVES[other], other)):
        with pytest.raises(InclusionError):
            verify_inclusion(leaf, place, size, path, root)


@given(st.integers(0, 700), st.integers(0, 700), st.integers(0, 699))
def test_a_tree_with_one_other_leaf_before_the_old_size_is_a_fork(first: int, second: int, at: int) -> None:
    old, new = sorted((first, second))
    fork = grown([*LEAVES[:at], bytes(DIGEST), *LEAVES[at + 1 :]]).view()
    before, after, path = (old, VIEW.root(old)), (new, fork.root(new)), fork.consistency(old, new)
    if at >= old:
        verify_consistency(before, after, path)
        return
    with pytest.raises(ConsistencyError):
        verify_consistency(before, after, path)


@given(st.lists(st.integers(1, 300), min_size=1, max_size=6))
def test_a_tree_that_is_kept_and_continued_is_the_same_tree(batches: list[int]) -> None:
    tiles: dict[tuple[int, int], tuple[int, bytes]] = {}

    def read(level: int, number: int) -> tuple[int, bytes] | None:
        return tiles.get((level, number))

    size = 0
    for batch in batches:
        tree = GrowingTree(size, read)
        for leaf in (LEAVES * 3)[size : size + batch]:
            tree.append(leaf)
        tiles |= {(tile.level, tile.number): (tile.width, tile.nodes) for tile in tree.take_changed()}
        size = tree.size
    whole = grown((LEAVES * 3)[:size])
    assert TreeView(size, read).root(size) == whole.view().root(size)
    everything = {(tile.level, tile.number): (tile.width, tile.nodes) for tile in whole.take_changed()}
    assert tiles == everything


SIZES = st.integers(-2, 70) | st.integers(2**63 - 2, 2**64 + 2)
NODES = st.lists(st.binary(max_size=40) | st.binary(min_size=DIGEST, max_size=DIGEST), max_size=70)


@given(st.binary(max_size=40), SIZES, SIZES, NODES)
def test_paths_of_any_bytes_raise_their_own_error_only(leaf: bytes, index: int, size: int, path: list[bytes]) -> None:
    try:
        root = root_from_path(leaf, index, size, path)
    except InclusionError:
        return
    assert 0 <= index < size
    assert len(root) == DIGEST


@given(SIZES, SIZES, st.binary(max_size=40), st.binary(max_size=40), NODES)
def test_consistency_of_any_bytes_is_refused(
    old: int, new: int, before: bytes, after: bytes, path: list[bytes]
) -> None:
    """Any two roots are consistent only when they are the same, or the older is that of nothing."""
    if before != after:
        with pytest.raises(ConsistencyError):
            verify_consistency((old, before), (new, after), path)
