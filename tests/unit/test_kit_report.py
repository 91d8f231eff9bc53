"""An operation's statistics: each event once, each rule of the operation kept, no small cell shown or derivable."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.kit.report import Item, make_report, suppress
from hub.protocol.content.counting import statistics_of
from hub.protocol.content.feedback import Outcome
from hub.protocol.content.seizure import Seizure
from hub.protocol.content.shape import parse_content
from hub.protocol.operation import CountingRules
from hub.protocol.strictjson import write_json
from hub.protocol.vocabulary import MessageKind, Verb
from tests.support.exchange import NOW, make_directory, message_id, warning

MANIFEST: Final = warning(make_directory(), to={"de-customs": [0]}, seq=1).manifest
RULES: Final = CountingRules()
FOUND: Final[dict[str, object]] = {
    "seizure_id": "EX-1",
    "at": "2027-03-06T06:10+01:00",
    "office": "Exercise customs office",
    "location": "BEANR",
    "direction": "import",
    "detection": "risk-profile",
    "status": "seized",
    "containers": ["CSQU3054383"],
    "firearms": [
        {"unit": "whole", "count": 12, "kind": "rifle"},
        {"unit": "part", "count": 40, "part": "barrel"},
        {"unit": "ammunition", "count": 500, "calibre": "7.62 x 39"},
    ],
    "cash": [{"instrument": "banknotes", "money": {"amount": "100.50", "currency": "USD", "usd": "100.5"}}],
}


def _item(mh: str, mt: MessageKind, *, thread: int, at: int = NOW, **content: Any) -> Item:
    members: dict[str, Any] = {name: content.pop(name) for name in ("verb", "refs", "iss") if name in content}
    manifest = MANIFEST.model_copy(update={"mt": mt, "thread": message_id(thread), "iat": at, **members})
    return Item(mh * 43, manifest, **content)


def _warning(mh: str, *, thread: int, **members: Any) -> Item:
    return _item(mh, MessageKind.WARNING, thread=thread, **members)


def _feedback(mh: str, *, thread: int, code: str = "inspected-negative", **members: Any) -> Item:
    outcome = parse_content(Outcome, write_json({"code": code}))
    return _item(mh, MessageKind.FEEDBACK, thread=thread, outcome=outcome, **members)


def _seizure(mh: str, *, thread: int, facts: Mapping[str, object] | None = None, **members: Any) -> Item:
    found = parse_content(Seizure, write_json({**FOUND, **(facts or {})}))
    return _item(mh, MessageKind.SEIZURE, thread=thread, seizure=found, statistics=statistics_of(found), **members)


def test_rates_and_times_are_by_warning() -> None:
    report = make_report(
        [
            *(_warning(letter, thread=number) for number, letter in enumerate("ABCD")),
            _warning("E", thread=0, verb=Verb.UPDATE, refs=("A" * 43,)),
            _feedback("F", thread=0, at=NOW + 600),
            _feedback("G", thread=0, at=NOW + 60),
            _feedback("H", thread=1, at=NOW + 100),
            _feedback("I", thread=2, at=NOW - 5),
            _feedback("J", thread=99, at=NOW),
            _seizure("K", thread=1),
            _seizure("L", thread=50, facts={"caused_by": ["D" * 43], "seizure_id": "EX-2", "containers": []}),
        ],
        RULES,
    )
    assert (report.warnings, report.answered, report.fruitful) == (4, 3, 2)
    assert report.median_answer == 60, "the first feedback of each; a clock that is behind counts as 0"
    assert (report.feedback_rate, report.yield_rate) == (0.75, 0.5)
    assert report.outcomes == {"inspected-negative": 5}


def test_one_event_that_two_agencies_report_counts_once() -> None:
    police = {"seizure_id": "PV 7", "firearms": [{"unit": "whole", "count": 11, "kind": "rifle"}], "cash": []}
    both = [_seizure("A", thread=1), _seizure("B", thread=2, facts=police, iss="de-police")]
    report = make_report([*both, both[0]], RULES)
    assert (report.reports, report.events, report.double_reports) == (2, 1, 1)
    assert (report.firearms, report.firearm_parts, report.ammunition) == (12, 40, 500)
    assert report.cash_usd == Decimal("100.5")
    assert report.cash == {"USD": Decimal("100.50")}
    assert report.countries == {"BE": 1}
    assert report.detections == {"risk-profile": 1}


def test_parts_count_as_the_operation_says() -> None:
    report = make_report([_seizure("A", thread=1)], CountingRules(firearm_parts="as-firearms"))
    assert (report.firearms, report.firearm_parts) == (52, 40)


def test_the_latest_word_counts() -> None:
    corrected = {"firearms": [{"unit": "whole", "count": 2, "kind": "rifle"}]}
    report = make_report(
        [
            _seizure("A", thread=1),
            _seizure("B", thread=1, facts=corrected, verb=Verb.UPDATE, refs=("A" * 43,)),
            _feedback("C", thread=1),
            _feedback("D", thread=1, code="seized", verb=Verb.UPDATE, refs=("C" * 43,)),
            _seizure("E", thread=2, facts={"containers": []}),
            _seizure("F", thread=2, facts={"containers": []}, verb=Verb.CANCEL, refs=("E" * 43,)),
        ],
        RULES,
    )
    assert (report.reports, report.firearms) == (1, 2)
    assert report.outcomes == {"seized": 1}


def test_nobody_replaces_anothers_report() -> None:
    report = make_report(
        [_seizure("A", thread=1), _feedback("B", thread=1, iss="de-police", verb=Verb.UPDATE, refs=("A" * 43,))], RULES
    )
    assert report.reports == 1


def test_small_figures_are_suppressed() -> None:
    report = make_report([_warning("A", thread=1), _seizure("B", thread=1)], CountingRules(small_cell=5))
    assert (report.warnings, report.events, report.cash_usd, report.cash) == (None, None, None, {})
    assert (report.feedback_rate, report.yield_rate) == (None, None)
    assert report.answered == 0, "none is none"
    assert report.countries == {"BE": None}


def test_nothing_gives_nothing() -> None:
    report = make_report([], RULES, unread=3)
    assert (report.warnings, report.feedback_rate, report.median_answer, report.unread) == (0, None, None, 3)


@pytest.mark.parametrize(
    ("counts", "shown"),
    [
        ({"a": 9, "b": 1, "c": 7}, {"a": 9, "b": None, "c": None}),
        ({"a": 9, "b": 1, "c": 2}, {"a": 9, "b": None, "c": None}),
        ({"a": 9, "b": 8}, {"a": 9, "b": 8}),
        ({"a": 1}, {"a": None}),
    ],
)
def test_a_suppressed_cell_cannot_be_had_from_the_total(counts: dict[str, int], shown: dict[str, int | None]) -> None:
    assert suppress(counts, 3) == shown


@given(st.dictionaries(st.text(max_size=3), st.integers(1, 30), max_size=8), st.integers(0, 10))
def test_no_single_cell_is_ever_hidden_alone(counts: dict[str, int], small: int) -> None:
    cells = suppress(counts, small)
    hidden = [name for name, count in cells.items() if count is None]
    assert cells.keys() == counts.keys()
    assert all(count is None or count == counts[name] >= small for name, count in cells.items())
    assert len(hidden) != 1 or len(counts) == 1
