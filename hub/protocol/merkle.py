"""RFC 6962 / RFC 9162 hashing and proofs over a list that fits in memory.

Used by the audience tree, by batches of statements and by everybody who checks a proof of the log. Not for: the log
itself, which grows without bound (`hub/tlog/`). Implements `docs/protocol/05-log.md` section 1.
"""

from collections.abc import Sequence
from typing import Final

from hub.protocol.errors import ConsistencyError, InclusionError
from hub.protocol.hazmat import DIGEST, is_same, sha256

EMPTY_ROOT: Final = sha256(b"")  # RFC 9162 section 2.1.1
MAX_PATH: Final = 64  # nodes; a longer path cannot belong to a tree of less than 2**64 leaves


def leaf_hash(entry: bytes) -> bytes:
    """Return H(0x00 || entry)."""
    return sha256(b"\x00" + entry)


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return H(0x01 || left || right)."""
    return sha256(b"\x01" + left + right)


def levels(leaves: Sequence[bytes]) -> list[list[bytes]]:
    """Return all levels of the tree over `leaves` (leaf hashes first, the root last).

    An odd node at the end of a level moves up unchanged, which gives the tree of RFC 9162 section 2.1.1.
    """
    tree = [list(leaves)]
    while len(tree[-1]) > 1:
        below = tree[-1]
        above = [node_hash(below[i], below[i + 1]) for i in range(0, len(below) - 1, 2)]
        if len(below) % 2:
            above.append(below[-1])
        tree.append(above)
    return tree


def root_of(tree: list[list[bytes]]) -> bytes:
    """Return the root of `levels`."""
    return tree[-1][0] if tree[-1] else EMPTY_ROOT


def path_in(tree: list[list[bytes]], index: int) -> list[bytes]:
    """Return the inclusion path of leaf `index` in `levels`, lowest sibling first.

    Raises:
        InclusionError: there is no such leaf.
    """
    if not 0 <= index < len(tree[0]):
        raise InclusionError("no such leaf")
    path = []
    for level in tree[:-1]:
        sibling = index ^ 1
        if sibling < len(level):
            path.append(level[sibling])
        index >>= 1
    return path


def root_from_path(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """Return the root that a leaf hash and its path lead to (RFC 9162 section 2.1.3.2).

    Raises:
        InclusionError: the path has the wrong length for this index and size, or a node of the wrong length.
    """
    if not 0 <= index < size or len(path) > MAX_PATH or any(len(node) != DIGEST for node in (leaf, *path)):
        raise InclusionError
    position, last, result = index, size - 1, leaf
    for node in path:
        if last == 0:
            raise InclusionError("path too long")
        if position % 2 or position == last:
            result = node_hash(node, result)
            while position % 2 == 0 and position:
                position, last = position >> 1, last >> 1
        else:
            result = node_hash(result, node)
        position, last = position >> 1, last >> 1
    if last:
        raise InclusionError("path too short")
    return result


def verify_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> None:
    """Check that a leaf hash stands at `index` of the tree of `size` leaves with this root.

    Raises:
        InclusionError: it does not.
    """
    if not is_same(root_from_path(leaf, index, size, path), root):
        raise InclusionError


def verify_consistency(  # noqa: C901 - the algorithm of the RFC, step by step
    old: tuple[int, bytes], new: tuple[int, bytes], path: Sequence[bytes]
) -> None:
    """Check that the tree (size, root) `new` continues `old` (RFC 9162 section 2.1.4.2).

    Raises:
        ConsistencyError: it does not, or the proof is malformed.
    """
    (old_size, old_root), (new_size, new_root) = old, new
    nodes = [old_root, new_root, *path]
    if not 0 <= old_size <= new_size or len(path) > MAX_PATH or any(len(node) != DIGEST for node in nodes):
        raise ConsistencyError
    if old_size in (0, new_size):
        expected = EMPTY_ROOT if old_size == 0 else new_root
        if path or not is_same(old_root, expected) or (new_size == 0 and not is_same(new_root, EMPTY_ROOT)):
            raise ConsistencyError
        return
    nodes = [old_root, *path] if old_size & (old_size - 1) == 0 else list(path)
    position, last = old_size - 1, new_size - 1
    while position % 2:
        position, last = position >> 1, last >> 1
    if not nodes:
        raise ConsistencyError
    first = second = nodes[0]
    for node in nodes[1:]:
        if last == 0:
            raise ConsistencyError
        if position % 2 or position == last:
            first, second = node_hash(node, first), node_hash(node, second)
            while position % 2 == 0 and position:
                position, last = position >> 1, last >> 1
        else:
            second = node_hash(second, node)
        position, last = position >> 1, last >> 1
    if last or not is_same(first, old_root) or not is_same(second, new_root):
        raise ConsistencyError
