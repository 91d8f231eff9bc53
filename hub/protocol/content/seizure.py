"""The compartments of a seizure: what was taken, where and how, and the figures that statistics count.

Not for: persons (the nominal annex is `subjects.Identity`) nor adding up reports (`counting.py`). Implements
`docs/protocol/08-content.md` section 8.
"""

from typing import Annotated, Self

from pydantic import Field, model_validator

from hub.protocol.content.codelists import Category, Currency, DetectionMethod, Direction, SeizureStatus, Unit
from hub.protocol.content.identifiers import AirWaybill, ContainerNumber, Locode, ParcelNumber
from hub.protocol.content.shape import Content, Few, Figure, Line, Moment, Some, Tally, Word, wrong
from hub.protocol.content.subjects import Cash, Concealment, Firearm, Goods, Route, check_route
from hub.protocol.vocabulary import Country, TransportMode
from hub.protocol.wire import Digest


class Seizure(Content):
    """The compartment `seizure`.

    `caused_by` lists the `mh` of the warnings that led to it. `event_reference` is a number on which the agencies that
    report one event agreed (docs/protocol/08-content.md section 9).
    """

    seizure_id: Word
    event_reference: Word | None = None
    at: Moment
    office: Line
    location: Locode
    direction: Direction
    mode: TransportMode | None = None
    detection: DetectionMethod
    caused_by: Few[Digest] = ()
    status: SeizureStatus
    goods: Some[Goods] = ()
    firearms: Some[Firearm] = ()
    cash: Some[Cash] = ()
    containers: Some[ContainerNumber] = ()
    parcels: Some[ParcelNumber] = ()
    air_waybills: Few[AirWaybill] = ()
    bills_of_lading: Few[Word] = ()
    concealment: Concealment | None = None
    route: Route = ()
    arrests: Tally = 0

    @model_validator(mode="after")
    def _took_something(self) -> Self:
        if not (self.goods or self.firearms or self.cash):
            raise wrong("give goods, firearms or cash; a check without a find is a feedback", member="goods")
        if len(set(self.caused_by)) != len(self.caused_by):
            raise wrong("names a warning twice", member="caused_by")
        if self.detection is DetectionMethod.WARNING_MESSAGE and not self.caused_by:
            raise wrong("must name the warning when the detection is warning-message", member="caused_by")
        if any(line.category is None or line.quantity is None for line in self.goods):
            raise wrong("each line needs a category and a quantity, or it cannot be counted", member="goods")
        check_route(self.route)
        return self


class CashTotal(Content):
    """Cash and bearer instruments of one currency; `usd` only when every line says its value in dollars."""

    currency: Currency
    amount: Figure
    usd: Figure | None = None


class GoodsTotal(Content):
    """Goods of one category in one unit; figures in different units are never added up."""

    category: Category
    unit: Unit
    quantity: Figure


class Statistics(Content):
    """The compartment `statistics`: one report's figures, without persons and without case references.

    `keys` are the counting keys: reports that have one in common are about one event.
    """

    keys: Annotated[tuple[Digest, ...], Field(min_length=1, max_length=400)]
    day: Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
    country: Country
    detection: DetectionMethod
    warnings: Tally = 0
    firearms_whole: Tally = 0
    firearm_parts: Tally = 0
    ammunition: Tally = 0
    arrests: Tally = 0
    cash: Some[CashTotal] = ()
    goods: Some[GoodsTotal] = ()

    @model_validator(mode="after")
    def _has_one_spelling(self) -> Self:
        if list(self.keys) != sorted(set(self.keys)):
            raise wrong("must be sorted and without repetition", member="keys")
        return self
