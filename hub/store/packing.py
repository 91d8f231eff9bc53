"""Many small values in one column: how a row of the store holds a run of entries or a page of references.

Not for: what crosses a wire (`hub/protocol/encoding.py`). Implements `docs/protocol/04-statements.md` section 6.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, pairwise
from struct import Struct, calcsize, error, pack, unpack_from
from typing import Final, NamedTuple

from hub.protocol.errors import StoreCorruptError

_COUNT: Final = calcsize(">I")
_NUMBER: Final = Struct(">Q")


def pack_all(values: Sequence[bytes]) -> bytes:
    """Return values of any length in one: their number, their lengths, then the values."""
    return pack(f">I{len(values)}I", len(values), *map(len, values)) + b"".join(values)


def unpack_all(data: bytes) -> list[bytes]:
    """Undo `pack_all`.

    Raises:
        StoreCorruptError: nothing was packed like this.
    """
    try:
        (count,) = unpack_from(">I", data)
        lengths = unpack_from(f">{count}I", data, _COUNT)
    except error as short:
        raise StoreCorruptError("a column of values is cut short") from short
    ends = list(accumulate(lengths, initial=_COUNT * (1 + count)))
    if ends[-1] != len(data):
        raise StoreCorruptError("a column of values has another length than it says")
    return [data[at:end] for at, end in pairwise(ends)]


def pack_alike(values: Sequence[bytes]) -> bytes:
    """Return values that begin alike in one: how they all begin, then the rest of each."""
    low, high = min(values), max(values)  # what these two share, everything between them shares
    shared, differs = 0, len(low) + 1  # lengths of a beginning that is shared, and of one that is not
    while differs - shared > 1:
        middle = (shared + differs) // 2
        shared, differs = (middle, differs) if high.startswith(low[:middle]) else (shared, middle)
    return pack_all([low[:shared], *(value[shared:] for value in values)])


def unpack_alike(data: bytes) -> list[bytes]:
    """Undo `pack_alike`.

    Raises:
        StoreCorruptError: nothing was packed like this.
    """
    values = unpack_all(data)
    if not values:
        raise StoreCorruptError("a column of values without their beginning")
    return [values[0] + rest for rest in values[1:]]


def pack_numbers(values: Sequence[int]) -> bytes:
    """Return numbers of up to 64 bits in one."""
    return pack(f">{len(values)}Q", *values)


def unpack_numbers(data: bytes) -> tuple[int, ...]:
    """Undo `pack_numbers`.

    Raises:
        StoreCorruptError: nothing was packed like this.
    """
    return tuple(number for (number,) in _each(_NUMBER, data))


def _each(form: Struct, data: bytes) -> Iterator[tuple[int, ...]]:
    if len(data) % form.size:
        raise StoreCorruptError("a column of numbers is cut short")
    return form.iter_unpack(data)


def cut(data: bytes, length: int) -> list[bytes]:
    """Return the values of one length that stand one after the other in `data`."""
    return [data[at : at + length] for at in range(0, len(data), length)]


class Item(NamedTuple):
    """What waits in a mailbox: its number there, and which entry of which run of which message it is.

    `released` are the compartments as bits; a receipt releases none. `run` is the run's place among the message's.
    """

    number: int
    message: int
    first: int
    released: int
    run: int
    offset: int


_ITEM: Final = Struct(">QQQIHH")
ITEM: Final = _ITEM.size  # bytes


def pack_items(items: Iterable[Item]) -> bytes:
    """Return items in one."""
    return b"".join(_ITEM.pack(*item) for item in items)


def unpack_items(data: bytes) -> list[Item]:
    """Undo `pack_items`.

    Raises:
        StoreCorruptError: nothing was packed like this.
    """
    return [Item(*values) for values in _each(_ITEM, data)]
