"""The lattice of marks: a join that is one, and never loosens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.protocol.errors import JsonError, MalformedError, MarksLoosenedError
from hub.protocol.marks import (
    MAX_RETAIN,
    Caveat,
    HandlingCode,
    Marks,
    Tlp,
    check_not_loosened,
    is_at_least_as_strict,
    join,
    parse_marks,
)
from hub.protocol.strictjson import parse_json
from hub.protocol.wire import parse_wire, write_wire

RESTRICTING = (HandlingCode.H1, HandlingCode.H2)


@st.composite
def any_marks(draw: st.DrawFn) -> Marks:
    codes = draw(st.sets(st.sampled_from(RESTRICTING)))
    caveats = draw(st.sets(st.sampled_from(Caveat), max_size=3))
    if caveats:
        codes.add(HandlingCode.H3)
    return Marks(
        tlp=draw(st.sampled_from(Tlp)),
        codes=tuple(sorted(codes)) or (HandlingCode.H0,),
        eval=draw(st.none() | st.builds(str.__add__, st.sampled_from("ABCX"), st.sampled_from("1234"))),
        court=HandlingCode.H1 not in codes and draw(st.booleans()),
        retain=draw(st.integers(1, MAX_RETAIN)),
        caveats=tuple(sorted(caveats)),
    )


@given(any_marks(), any_marks())
def test_join_is_commutative(a: Marks, b: Marks) -> None:
    assert join(a, b) == join(b, a)


@given(any_marks(), any_marks(), any_marks())
def test_join_is_associative(a: Marks, b: Marks, c: Marks) -> None:
    assert join(join(a, b), c) == join(a, join(b, c)) == join(a, b, c)


@given(any_marks())
def test_join_is_idempotent(a: Marks) -> None:
    assert join(a, a) == join(a) == a


@given(any_marks(), any_marks())
def test_join_is_an_upper_bound(a: Marks, b: Marks) -> None:
    assert is_at_least_as_strict(join(a, b), a)
    assert is_at_least_as_strict(join(a, b), b)


@given(any_marks(), any_marks(), any_marks())
def test_join_is_the_least_upper_bound(a: Marks, b: Marks, c: Marks) -> None:
    bound = join(a, b, c)
    assert is_at_least_as_strict(bound, join(a, b))
    if is_at_least_as_strict(c, a) and is_at_least_as_strict(c, b):
        assert is_at_least_as_strict(c, join(a, b))


@given(any_marks(), any_marks(), any_marks())
def test_the_order_is_a_partial_order(a: Marks, b: Marks, c: Marks) -> None:
    if is_at_least_as_strict(a, b) and is_at_least_as_strict(b, a):
        assert a == b
    if is_at_least_as_strict(a, b) and is_at_least_as_strict(b, c):
        assert is_at_least_as_strict(a, c)


def _plainly_at_least(a: Marks, b: Marks) -> bool:
    """The order once more, written out part by part without any join."""
    tlp = list(Tlp)
    restricted_a, restricted_b = set(a.codes) - {HandlingCode.H0}, set(b.codes) - {HandlingCode.H0}
    return (
        tlp.index(a.tlp) >= tlp.index(b.tlp)
        and restricted_a >= restricted_b
        and (a.eval is None or (b.eval is not None and a.eval[0] >= b.eval[0] and a.eval[1] >= b.eval[1]))
        and a.court <= b.court
        and a.retain <= b.retain
        and set(a.caveats) >= set(b.caveats)
    )


@given(any_marks(), any_marks())
def test_the_order_is_the_written_one(a: Marks, b: Marks) -> None:
    assert is_at_least_as_strict(a, b) == _plainly_at_least(a, b)
    assert is_at_least_as_strict(join(a, b), a) == _plainly_at_least(join(a, b), a)


@given(st.lists(any_marks(), min_size=1, max_size=8))
def test_no_sequence_of_relays_answers_and_quotations_loosens(sources: list[Marks]) -> None:
    so_far = sources[0]
    for source in sources[1:]:
        derived = join(so_far, source)
        check_not_loosened(derived, so_far, source)
        so_far = derived
    for source in sources:
        assert _plainly_at_least(so_far, source)
    check_not_loosened(so_far, *sources)


@given(any_marks(), any_marks())
def test_what_is_looser_is_refused(derived: Marks, source: Marks) -> None:
    if _plainly_at_least(derived, source):
        check_not_loosened(derived, source)
    else:
        with pytest.raises(MarksLoosenedError):
            check_not_loosened(derived, source)


def test_the_refusal_names_the_parts_only() -> None:
    source = Marks(tlp=Tlp.AMBER, codes=(HandlingCode.H2,), retain=60)
    with pytest.raises(MarksLoosenedError) as raised:
        check_not_loosened(Marks(tlp=Tlp.GREEN, codes=(HandlingCode.H2,), retain=61), source)
    assert raised.value.detail == "looser than a source: tlp, retain"


def test_without_sources_nothing_is_loosened() -> None:
    check_not_loosened(Marks(tlp=Tlp.CLEAR, court=True))


def test_raising_h0_to_h2_is_no_loosening() -> None:
    check_not_loosened(Marks(tlp=Tlp.GREEN, codes=(HandlingCode.H2,)), Marks(tlp=Tlp.GREEN))


@given(any_marks())
def test_the_wire_form_comes_back(marks: Marks) -> None:
    assert parse_wire(Marks, write_wire(marks)) == marks == parse_marks(parse_json(write_wire(marks)))


def test_the_wire_form_is_that_of_the_specification() -> None:
    wire = (
        b'{"tlp":"AMBER+STRICT","codes":["H2","H3"],"eval":"B2","court":false,"retain":7776000,'
        b'"caveats":["no-attribution","not-for-subject"]}'
    )
    assert write_wire(parse_wire(Marks, wire)) == wire


GOOD: dict[str, object] = {
    "tlp": "AMBER",
    "codes": ["H1", "H3"],
    "eval": "B2",
    "court": False,
    "retain": 60,
    "caveats": ["no-storage"],
}


@pytest.mark.parametrize(
    "change",
    [
        {"tlp": "amber"},
        {"tlp": "WHITE"},
        {"codes": []},
        {"codes": ["H3", "H1"]},
        {"codes": ["H1", "H1", "H3"]},
        {"codes": ["H0", "H1", "H3"]},
        {"codes": ["H1"]},
        {"codes": ["H4"]},
        {"eval": "D1"},
        {"eval": "B5"},
        {"eval": "B2\n"},
        {"court": True},
        {"court": 0},
        {"retain": 0},
        {"retain": MAX_RETAIN + 1},
        {"retain": "60"},
        {"caveats": []},
        {"caveats": ["no-storage", "no-attribution"]},
        {"caveats": ["whatever"]},
        {"pap": "RED"},
    ],
)
def test_another_spelling_is_refused(change: dict[str, object]) -> None:
    parse_marks(GOOD)
    with pytest.raises(MalformedError):
        parse_marks(GOOD | change)


@given(st.binary(max_size=60))
def test_parsing_raises_only_its_own_errors(data: bytes) -> None:
    with pytest.raises((JsonError, MalformedError)):
        parse_wire(Marks, data)
