"""Base64url, frames, padding and strict JSON: one spelling of everything, and no error but their own."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.protocol.encoding import (
    decode_b64url,
    encode_all_b64url,
    encode_b64url,
    lp,
    pad,
    padded_length,
    parse_frame,
    unpad,
)
from hub.protocol.errors import Base64Error, FrameError, JsonError, MalformedError, PaddingError
from hub.protocol.strictjson import MAX_DEPTH, parse_json, write_json
from hub.protocol.wire import Count, Wire, parse_wire


@given(st.binary())
def test_base64url_has_one_spelling(data: bytes) -> None:
    text = encode_b64url(data)
    assert decode_b64url(text) == data
    assert "=" not in text


@given(st.integers(1, 70).flatmap(lambda size: st.lists(st.binary(min_size=size, max_size=size), max_size=5)))
def test_many_are_encoded_as_one_by_one(items: list[bytes]) -> None:
    assert encode_all_b64url(items) == [encode_b64url(item) for item in items]


@given(st.text())
def test_base64url_raises_only_its_own_error(text: str) -> None:
    try:
        data = decode_b64url(text)
    except Base64Error:
        return
    assert encode_b64url(data) == text


@pytest.mark.parametrize("text", ["A", "AA=", "AA==", "A+", "A/", "AB", "AAB", "A A", "AA\n", "é"])
def test_other_spellings_are_refused(text: str) -> None:
    with pytest.raises(Base64Error):
        decode_b64url(text)


def test_lp_is_what_the_specification_says() -> None:
    assert lp("ab", b"\x01", 12).hex() == "00000002" + "6162" + "00000001" + "01" + "00000002" + "3132"


@given(st.lists(st.binary(max_size=50), max_size=8), st.lists(st.binary(max_size=50), max_size=8))
def test_lp_is_unambiguous_and_joins_in_steps(left: list[bytes], right: list[bytes]) -> None:
    assert parse_frame(lp(*left), max_parts=8) == left
    assert lp(*left) + lp(*right) == lp(*left, *right)
    assert (lp(*left) == lp(*right)) == (left == right)


@given(st.binary(max_size=200))
def test_frames_raise_only_their_own_error(data: bytes) -> None:
    try:
        parts = parse_frame(data, max_parts=4)
    except FrameError:
        return
    assert lp(*parts) == data


def test_too_many_parts_are_refused() -> None:
    with pytest.raises(FrameError):
        parse_frame(lp("a", "b", "c"), max_parts=2)


@given(st.binary(max_size=3_000))
def test_padding_round_trips_and_hides_the_length(data: bytes) -> None:
    padded = pad(data)
    assert unpad(padded) == data
    assert len(padded) == padded_length(len(data) + 4)
    assert len(padded) <= max(256, (len(data) + 4) * 1.12 + 1)


@given(st.binary(max_size=600))
def test_unpad_raises_only_its_own_error(data: bytes) -> None:
    try:
        plaintext = unpad(data)
    except PaddingError:
        return
    assert pad(plaintext) == data


@pytest.mark.parametrize(("length", "padded"), [(1, 256), (256, 256), (257, 272), (1_000, 1_024), (1_025, 1_088)])
def test_padme_lengths(length: int, padded: int) -> None:
    assert padded_length(length) == padded


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1,"a":2}',
        '{"a":{"b":1,"b":2}}',
        "1.0",
        "1e3",
        "NaN",
        "Infinity",
        "-Infinity",
        "9007199254740992",
        "-9007199254740992",
        "1" * 5_000,
        "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1),
        "[" * 100_000,
        '{"a":' * (MAX_DEPTH + 1) + "1" + "}" * (MAX_DEPTH + 1),
        '"\\ud800"',
        "{} {}",
        " {}",
        "",
        "tru",
        '"\x01"',
    ],
)
def test_json_that_is_not_strict_is_refused(text: str) -> None:
    with pytest.raises(JsonError):
        parse_json(text.encode())


@pytest.mark.parametrize("data", [b"\xff", b"\xef\xbb\xbf{}", b'"\xed\xa0\x80"'])
def test_json_that_is_not_utf8_is_refused(data: bytes) -> None:
    with pytest.raises(JsonError):
        parse_json(data)


def test_brackets_inside_strings_are_not_depth() -> None:
    value = ['\\"' + "[" * 100]
    assert parse_json(write_json(value)) == value


@given(st.binary())
def test_json_raises_only_its_own_error(data: bytes) -> None:
    try:
        parse_json(data)
    except JsonError:
        return


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(_VALUES)
def test_json_round_trips(value: object) -> None:
    assert parse_json(write_json(value)) == value


class _Loose(Wire):
    value: Any


class _Unbounded(Wire):
    value: int


class _Fraction(Wire):
    value: float


class _Bounded(Wire):
    value: Count


@pytest.mark.parametrize("shape", [_Loose, _Unbounded, _Fraction, _Bounded])
@pytest.mark.parametrize("value", ["9007199254740993", "1.5", "1e3", '1,"value":1'])
def test_no_shape_takes_what_is_not_strict(shape: type[Wire], value: str) -> None:
    """Bytes that read like their own value are not read twice; nothing that is not strict gets through by it."""
    with pytest.raises((JsonError, MalformedError)):
        parse_wire(shape, f'{{"value":{value}}}'.encode())


def test_what_is_strict_is_taken_in_every_spelling() -> None:
    for text in ('{"value":1}', '{ "value" : 1 }', '{"v\\u0061lue":1}'):
        assert parse_wire(_Bounded, text.encode()).value == 1
