"""Counting: the keys by which two reports of one event are known for one, and totals in which it counts once.

Not for: suppressing small cells or choosing whether parts count as firearms; an operation's rules do that with these
totals. Implements `docs/protocol/08-content.md` section 9.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, TypeVar

from hub.protocol.content.codelists import Category, FirearmUnit, Unit
from hub.protocol.content.seizure import CashTotal, GoodsTotal, Seizure, Statistics
from hub.protocol.content.shape import local_day
from hub.protocol.content.subjects import Cash, Conveyance, Goods
from hub.protocol.encoding import encode_b64url, lp
from hub.protocol.hazmat import sha256

_CONTEXT: Final = "valise1 count"


def _squeezed(text: str) -> str:
    return "".join(character for character in text.upper() if character.isalnum())


def _things(seizure: Seizure, conveyance: Conveyance | None) -> Iterator[tuple[str, str]]:
    yield from (("container", number) for number in seizure.containers)
    yield from (("parcel", number) for number in seizure.parcels)
    for vehicle in conveyance.vehicles if conveyance else ():
        if vehicle.vin:
            yield "vin", vehicle.vin
        if vehicle.registration and vehicle.mode == "road":
            yield "plate", f"{vehicle.nationality or '--'} {_squeezed(vehicle.registration)}"


def _bills(seizure: Seizure) -> Iterator[tuple[str, str]]:
    yield from (("awb", number) for number in seizure.air_waybills)
    yield from (("bill", _squeezed(number)) for number in seizure.bills_of_lading)


def counting_keys(seizure: Seizure, conveyance: Conveyance | None = None) -> tuple[str, ...]:
    """Return the counting keys of a report, sorted: SHA-256 over place, local day and one fact each.

    The facts, by the first rule that gives any: (1) the agreed event reference, and every container, parcel and road
    vehicle; (2) waybills and bills of lading; (3) the report itself, which then counts as its own event. A flight or a
    ship is no fact: one carries many events.
    """
    facts = list(_things(seizure, conveyance))
    if seizure.event_reference:
        facts.append(("event", _squeezed(seizure.event_reference)))
    facts = facts or list(_bills(seizure)) or [("report", lp(seizure.office, seizure.seizure_id).hex())]
    day = local_day(seizure.at)
    return tuple(
        sorted({encode_b64url(sha256(lp(_CONTEXT, seizure.location, day, kind, fact))) for kind, fact in facts})
    )


def _cash_totals(lines: Sequence[Cash]) -> Iterator[CashTotal]:
    for currency in sorted({line.money.currency for line in lines}):
        moneys = [line.money for line in lines if line.money.currency == currency]
        usd = [Decimal(money.usd) for money in moneys if money.usd is not None]
        yield CashTotal(
            currency=currency,
            amount=_figure(sum(Decimal(money.amount) for money in moneys)),
            usd=_figure(sum(usd)) if len(usd) == len(moneys) else None,
        )


def _goods_totals(lines: Sequence[Goods]) -> Iterator[GoodsTotal]:
    totals: dict[tuple[Category, Unit], Decimal] = defaultdict(Decimal)
    for line in lines:
        if line.category is not None and line.unit is not None and line.quantity is not None:
            totals[line.category, line.unit] += Decimal(line.quantity)
    for (category, unit), quantity in sorted(totals.items()):
        yield GoodsTotal(category=category, unit=unit, quantity=_figure(quantity))


def _figure(number: Decimal | int) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def statistics_of(seizure: Seizure, conveyance: Conveyance | None = None) -> Statistics:
    """Return the figures of one seizure, ready for the compartment `statistics`."""

    def pieces(unit: FirearmUnit) -> int:
        return sum(line.count for line in seizure.firearms if line.unit is unit)

    return Statistics(
        keys=counting_keys(seizure, conveyance),
        day=local_day(seizure.at),
        country=seizure.location[:2],
        detection=seizure.detection,
        warnings=len(seizure.caused_by),
        firearms_whole=pieces(FirearmUnit.WHOLE),
        firearm_parts=pieces(FirearmUnit.PART),
        ammunition=pieces(FirearmUnit.AMMUNITION),
        arrests=seizure.arrests,
        cash=tuple(_cash_totals(seizure.cash)),
        goods=tuple(_goods_totals(seizure.goods)),
    )


@dataclass(frozen=True, slots=True)
class Totals:
    """Figures over many reports in which each event counts once.

    Of an event that was reported more than once, each figure is the largest that any report gives: agencies see parts
    of one event, and adding them up would count it twice. `cash_usd` holds only what reports gave in dollars.
    """

    reports: int
    events: int
    events_from_warnings: int
    firearms_whole: int
    firearm_parts: int
    ammunition: int
    arrests: int
    cash_usd: Decimal
    cash: Mapping[str, Decimal] = field(default_factory=dict)
    goods: Mapping[tuple[Category, Unit], Decimal] = field(default_factory=dict)

    @property
    def double_reports(self) -> int:
        """How many reports were about an event that another report had already told."""
        return self.reports - self.events


def group_events(reports: Iterable[Statistics]) -> list[list[Statistics]]:
    """Return the reports in groups, one for each event: reports with a key in common, directly or through others."""
    groups: list[tuple[set[str], list[Statistics]]] = []
    for report in reports:
        keys, together, apart = set(report.keys), [report], []
        for group in groups:
            if group[0].isdisjoint(report.keys):
                apart.append(group)
            else:
                keys |= group[0]
                together = group[1] + together
        groups = [*apart, (keys, together)]
    return [together for _, together in groups]


_Counted = TypeVar("_Counted")


def _largest(figures: Iterable[tuple[_Counted, str]]) -> Iterable[tuple[_Counted, Decimal]]:
    found: dict[_Counted, Decimal] = defaultdict(Decimal)
    for counted, figure in figures:
        found[counted] = max(found[counted], Decimal(figure))
    return found.items()


def total(reports: Iterable[Statistics]) -> Totals:
    """Return the totals of these reports; their order does not matter."""
    every = list(reports)
    events = group_events(every)
    cash: dict[str, Decimal] = defaultdict(Decimal)
    goods: dict[tuple[Category, Unit], Decimal] = defaultdict(Decimal)
    usd = Decimal()
    for event in events:
        for currency, amount in _largest((c.currency, c.amount) for report in event for c in report.cash):
            cash[currency] += amount
        for line, quantity in _largest(((g.category, g.unit), g.quantity) for report in event for g in report.goods):
            goods[line] += quantity
        usd += max(sum((Decimal(c.usd) for c in report.cash if c.usd), Decimal()) for report in event)
    return Totals(
        reports=len(every),
        events=len(events),
        events_from_warnings=sum(any(report.warnings for report in event) for event in events),
        firearms_whole=sum(max(report.firearms_whole for report in event) for event in events),
        firearm_parts=sum(max(report.firearm_parts for report in event) for event in events),
        ammunition=sum(max(report.ammunition for report in event) for event in events),
        arrests=sum(max(report.arrests for report in event) for event in events),
        cash_usd=usd,
        cash=dict(sorted(cash.items())),
        goods=dict(sorted(goods.items())),
    )
