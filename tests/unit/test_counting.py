"""Counting: one event, however many agencies report it."""

from decimal import Decimal

import pytest

from hub.protocol.content.counting import counting_keys, group_events, statistics_of, total
from hub.protocol.content.seizure import Seizure
from hub.protocol.content.shape import parse_content
from hub.protocol.content.subjects import Conveyance
from hub.protocol.errors import ContentError
from hub.protocol.strictjson import write_json

Facts = dict[str, object]

SEEN_BY_CUSTOMS: Facts = {
    "seizure_id": "EX-2027-1",
    "at": "2027-03-06T06:10+01:00",
    "office": "Exercise customs office Antwerp",
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
    "cash": [
        {"instrument": "banknotes", "money": {"amount": "100.50", "currency": "USD", "usd": "100.5"}},
        {"instrument": "coins", "money": {"amount": "20", "currency": "USD", "usd": "20"}},
        {"instrument": "cheque", "money": {"amount": "70", "currency": "EUR"}},
    ],
    "goods": [
        {"category": "tobacco", "description": "Cigarettes", "quantity": "12.5", "unit": "MIL"},
        {"category": "tobacco", "description": "Cigarettes", "quantity": "7.5", "unit": "MIL"},
        {"category": "tobacco", "description": "Loose tobacco", "quantity": "40", "unit": "KGM"},
    ],
    "arrests": 1,
}
SEEN_BY_POLICE: Facts = SEEN_BY_CUSTOMS | {
    "seizure_id": "PV 77/27",
    "at": "2027-03-06T23:50+01:00",
    "office": "Exercise police Antwerp",
    "firearms": [{"unit": "whole", "count": 11, "kind": "rifle"}, {"unit": "part", "count": 44, "part": "barrel"}],
    "goods": [],
    "cash": [],
    "arrests": 3,
}


def seizure(facts: Facts, **change: object) -> Seizure:
    return parse_content(Seizure, write_json(facts | change))


def test_two_agencies_that_report_one_container_have_one_key() -> None:
    assert counting_keys(seizure(SEEN_BY_CUSTOMS)) == counting_keys(seizure(SEEN_BY_POLICE))


def test_the_key_is_fixed_for_ever() -> None:
    """Another key for the same facts would make every old report a new event."""
    assert counting_keys(seizure(SEEN_BY_CUSTOMS)) == ("uch7bZMP825Lp_wuOTkS2Vp8rfpn0EIna7JrJyfH0tg",)


@pytest.mark.parametrize(
    "change",
    [
        {"location": "NLRTM"},
        {"at": "2027-03-07T00:10+01:00"},
        {"containers": []},
        {"containers": ["LNTU2104177"]},
    ],
)
def test_another_place_day_or_container_is_another_event(change: Facts) -> None:
    first, other = set(counting_keys(seizure(SEEN_BY_CUSTOMS))), counting_keys(seizure(SEEN_BY_CUSTOMS, **change))
    assert first.isdisjoint(other)


def test_the_day_is_that_of_the_place() -> None:
    late = seizure(SEEN_BY_CUSTOMS, at="2027-03-06T00:10+01:00")  # the fifth in UTC
    assert counting_keys(late) == counting_keys(seizure(SEEN_BY_CUSTOMS))


def test_an_agreed_reference_joins_what_has_no_number() -> None:
    bare: Facts = {"containers": [], "event_reference": "JOINT 2027/4"}
    one = seizure(SEEN_BY_CUSTOMS, **bare)
    other = seizure(SEEN_BY_POLICE, **(bare | {"event_reference": "joint-2027-4"}))
    assert counting_keys(one) == counting_keys(other)


def test_a_report_without_any_number_is_its_own_event() -> None:
    one, other = seizure(SEEN_BY_CUSTOMS, containers=[]), seizure(SEEN_BY_POLICE, containers=[])
    assert set(counting_keys(one)).isdisjoint(counting_keys(other))


def test_bills_count_only_when_there_is_nothing_better() -> None:
    bill: Facts = {"bills_of_lading": ["LNT-1"]}
    assert counting_keys(seizure(SEEN_BY_CUSTOMS, **bill)) == counting_keys(seizure(SEEN_BY_CUSTOMS))
    only = [seizure(facts, containers=[], **bill) for facts in (SEEN_BY_CUSTOMS, SEEN_BY_POLICE)]
    assert counting_keys(only[0]) == counting_keys(only[1])


def _by(vehicle: Facts) -> Conveyance:
    return parse_content(Conveyance, write_json({"vehicles": [vehicle]}))


def test_a_plate_counts_in_any_spelling_and_a_flight_does_not() -> None:
    bare = seizure(SEEN_BY_CUSTOMS, containers=[])
    spelt = [counting_keys(bare, _by({"mode": "road", "registration": plate})) for plate in ("EX 22-LN", "ex22ln")]
    assert spelt[0] == spelt[1] != counting_keys(bare)
    assert counting_keys(bare, _by({"mode": "air", "flight": "ZX417", "registration": "EX-LNT"})) == counting_keys(bare)


def test_statistics_keep_units_apart() -> None:
    figures = statistics_of(seizure(SEEN_BY_CUSTOMS))
    assert (figures.firearms_whole, figures.firearm_parts, figures.ammunition) == (12, 40, 500)
    assert [(line.currency, line.amount, line.usd) for line in figures.cash] == [
        ("EUR", "70", None),
        ("USD", "120.5", "120.5"),
    ]
    assert [(line.category, line.unit, line.quantity) for line in figures.goods] == [
        ("tobacco", "KGM", "40"),
        ("tobacco", "MIL", "20"),
    ]
    assert (figures.day, figures.country, figures.warnings) == ("2027-03-06", "BE", 0)


def test_a_double_report_counts_once_with_its_larger_figures() -> None:
    reports = [statistics_of(seizure(facts)) for facts in (SEEN_BY_CUSTOMS, SEEN_BY_POLICE)]
    elsewhere = statistics_of(seizure(SEEN_BY_POLICE, location="NLRTM", caused_by=["A" * 43]))
    totals = total([*reports, elsewhere])
    assert (totals.reports, totals.events, totals.double_reports, totals.events_from_warnings) == (3, 2, 1, 1)
    assert (totals.firearms_whole, totals.firearm_parts, totals.ammunition) == (12 + 11, 44 + 44, 500)
    assert totals.arrests == 6
    assert totals.cash_usd == Decimal("120.5")
    assert totals.cash == {"EUR": Decimal(70), "USD": Decimal("120.5")}
    assert totals == total([elsewhere, *reversed(reports)])


def test_reports_join_through_a_third_one() -> None:
    one = statistics_of(seizure(SEEN_BY_CUSTOMS, containers=["CSQU3054383"]))
    both = statistics_of(seizure(SEEN_BY_POLICE, containers=["CSQU3054383", "LNTU2104177"]))
    other = statistics_of(seizure(SEEN_BY_POLICE, containers=["LNTU2104177"], seizure_id="3"))
    for order in ([one, other, both], [both, one, other], [one, both, other]):
        assert len(group_events(order)) == 1
    assert len(group_events([one, other])) == 2


def test_no_reports_no_events() -> None:
    assert total([]).events == 0


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"goods": [], "firearms": [], "cash": []}, "goods"),
        ({"goods": [{"category": "drugs", "description": "x"}]}, "goods"),
        ({"detection": "warning-message"}, "caused_by"),
        ({"caused_by": ["A" * 43, "A" * 43]}, "caused_by"),
        ({"firearms": [{"unit": "part", "count": 1}]}, "firearms.0.part"),
        ({"firearms": [{"unit": "whole", "count": 2, "kind": "pistol", "serial": "1"}]}, "firearms.0.count"),
        ({"firearms": [{"unit": "whole", "count": 1, "kind": "pistol", "part": "slide"}]}, "firearms.0.part"),
        ({"firearms": [{"unit": "whole", "count": 1, "kind": "pistol", "trace_requested": True}]}, "firearms.0.serial"),
        ({"cash": [{"instrument": "coins", "money": {"amount": "1,5", "currency": "EUR"}}]}, "cash.0.money.amount"),
    ],
)
def test_what_cannot_be_counted_is_refused(change: Facts, field: str) -> None:
    with pytest.raises(ContentError) as raised:
        seizure(SEEN_BY_CUSTOMS, **change)
    assert raised.value.field == field
