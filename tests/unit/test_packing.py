"""What goes into a column of the store comes out of it again."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.protocol.errors import StoreCorruptError
from hub.store.packing import (
    ITEM,
    Item,
    cut,
    pack_alike,
    pack_all,
    pack_items,
    pack_numbers,
    unpack_alike,
    unpack_all,
    unpack_items,
    unpack_numbers,
)

NUMBERS = st.integers(0, 2**64 - 1)


@given(st.lists(st.binary(max_size=40)))
def test_values_of_any_length(values: list[bytes]) -> None:
    assert unpack_all(pack_all(values)) == values


@given(st.binary(max_size=30), st.lists(st.binary(max_size=8), min_size=1))
def test_values_that_begin_alike(beginning: bytes, rests: list[bytes]) -> None:
    values = [beginning + rest for rest in rests]
    assert unpack_alike(pack_alike(values)) == values


def test_what_is_alike_is_kept_once() -> None:
    assert len(pack_alike([bytes(1_000) + bytes([end]) for end in range(16)])) < 1_200


@given(st.lists(NUMBERS))
def test_numbers(values: list[int]) -> None:
    assert list(unpack_numbers(pack_numbers(values))) == values


@given(
    st.lists(st.builds(Item, NUMBERS, NUMBERS, NUMBERS, st.integers(0, 2**32 - 1), *[st.integers(0, 2**16 - 1)] * 2))
)
def test_items(items: list[Item]) -> None:
    packed = pack_items(items)
    assert unpack_items(packed) == items
    assert len(packed) == ITEM * len(items)


@given(st.lists(st.binary(max_size=40)), st.data())
def test_what_is_cut_short_is_damaged(values: list[bytes], data: st.DataObject) -> None:
    packed = pack_all(values)
    for damaged in (packed[: data.draw(st.integers(0, len(packed) - 1))], packed + b"x"):
        with pytest.raises(StoreCorruptError):
            unpack_all(damaged)


@pytest.mark.parametrize(
    ("unpack", "damaged"),
    [(unpack_numbers, bytes(7)), (unpack_items, bytes(ITEM + 1)), (unpack_alike, bytes(4)), (unpack_alike, b"")],
)
def test_damaged_columns(unpack: Callable[[bytes], object], damaged: bytes) -> None:
    with pytest.raises(StoreCorruptError):
        unpack(damaged)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_values_of_one_length(count: int) -> None:
    assert cut(b"abcd" * count, 4) == [b"abcd"] * count
