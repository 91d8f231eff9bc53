"""Content from arbitrary bytes raises nothing but its own errors, and counting does not depend on order."""

import contextlib
from functools import partial
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hub.protocol.content import parse_compartment, parse_draft, write_compartment
from hub.protocol.content.codelists import DetectionMethod
from hub.protocol.content.counting import total
from hub.protocol.content.seizure import Statistics
from hub.protocol.encoding import encode_b64url
from hub.protocol.errors import ContentError, JsonError
from hub.protocol.strictjson import parse_json, write_json
from hub.protocol.vocabulary import Label, MessageKind

LINES = (Path(__file__).parents[2] / "config" / "exercise" / "warnings.jsonl").read_bytes().splitlines()
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def _places(value: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place, *(found for name, one in inner for found in _places(one, (*place, name)))]


def _replaced(value: Any, place: tuple[Any, ...], new: Any) -> Any:
    if not place:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[place[0]] = _replaced(value[place[0]], place[1:], new)
    return copy


@given(st.sampled_from(Label), st.sampled_from(MessageKind), st.binary(max_size=80))
def test_arbitrary_bytes_raise_only_own_errors(label: Label, kind: MessageKind, data: bytes) -> None:
    try:
        parse_compartment(label, kind, data)
    except (ContentError, JsonError):
        return
    raise AssertionError("these bytes are nothing")


@given(st.sampled_from(Label), st.sampled_from(MessageKind), VALUES)
def test_arbitrary_json_raises_only_own_errors(label: Label, kind: MessageKind, value: object) -> None:
    try:
        data = write_json(value)
    except UnicodeEncodeError:  # a lone surrogate is no JSON to begin with
        return
    for parse in (partial(parse_compartment, label, kind), parse_draft):
        with contextlib.suppress(ContentError, JsonError):
            parse(data)


@given(st.sampled_from(LINES), st.data(), VALUES)
def test_a_draft_with_one_part_exchanged_is_refused_or_comes_back(
    line: bytes, data: st.DataObject, new: object
) -> None:
    value = parse_json(line)
    place = data.draw(st.sampled_from(_places(value)))
    try:
        changed = parse_draft(write_json(_replaced(value, place, new)))
    except (ContentError, JsonError, UnicodeEncodeError):
        return
    for label, fmt, plaintext in changed.body():
        again = parse_compartment(label, changed.kind, plaintext, fmt=fmt)
        assert write_compartment(again) == plaintext


KEYS = st.lists(st.integers(0, 6), min_size=1, max_size=3, unique=True).map(
    lambda numbers: tuple(sorted(encode_b64url(bytes([number]) * 32) for number in numbers))
)
REPORTS = st.builds(
    Statistics,
    keys=KEYS,
    day=st.just("2027-03-06"),
    country=st.just("BE"),
    detection=st.just(DetectionMethod.DOG),
    firearms_whole=st.integers(0, 9),
    arrests=st.integers(0, 9),
)


@given(st.lists(REPORTS, max_size=8).flatmap(lambda reports: st.tuples(st.just(reports), st.permutations(reports))))
def test_totals_do_not_depend_on_the_order_of_reports(orders: tuple[list[Statistics], list[Statistics]]) -> None:
    assert total(orders[0]) == total(orders[1])


@given(st.lists(REPORTS, max_size=8))
def test_repeating_every_report_changes_no_figure(reports: list[Statistics]) -> None:
    once, twice = total(reports), total(reports * 2)
    assert (once.events, once.firearms_whole, once.arrests) == (twice.events, twice.firearms_whole, twice.arrests)
    assert twice.double_reports == len(reports) + once.double_reports


@given(st.lists(REPORTS, max_size=8))
def test_no_total_exceeds_the_plain_sum_nor_falls_below_the_largest(reports: list[Statistics]) -> None:
    figures = [report.firearms_whole for report in reports]
    assert max(figures, default=0) <= total(reports).firearms_whole <= sum(figures)
