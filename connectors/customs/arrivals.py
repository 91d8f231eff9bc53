"""What the national customs system knows of arrivals: one record for each, found by the numbers that things carry.

Not for: what is answered (`adapter.py`). User's view in `docs/trips/receive.md`.
"""

from collections.abc import Iterator
from typing import Annotated, Self

from pydantic import Field, model_validator

from hub.protocol.content.codelists import DetectionMethod, Direction, LegalReason, OutcomeCode, SeizureStatus
from hub.protocol.content.feedback import Answer
from hub.protocol.content.identifiers import (
    AirWaybill,
    ContainerNumber,
    FlightNumber,
    ImoNumber,
    Locode,
    ParcelNumber,
    Registration,
    Vin,
)
from hub.protocol.content.shape import Content, Few, Line, Moment, Prose, Some, Tally, Word, wrong
from hub.protocol.content.subjects import Cash, Concealment, Conveyance, Firearm, Goods, Person
from hub.protocol.content.warning import Consignment

Number = tuple[str, str]  # what it is of, and the number itself


class Taken(Content):
    """What was seized; `persons` become the nominal annex."""

    seizure_id: Word
    event_reference: Word | None = None
    direction: Direction
    detection: DetectionMethod = DetectionMethod.WARNING_MESSAGE
    status: SeizureStatus = SeizureStatus.SEIZED
    goods: Some[Goods] = ()
    firearms: Some[Firearm] = ()
    cash: Some[Cash] = ()
    concealment: Concealment | None = None
    arrests: Tally = 0
    persons: Some[Person] = ()


class Arrival(Content):
    """One arrival: by which number it is known, what came of it, where and when."""

    container: ContainerNumber | None = None
    parcel: ParcelNumber | None = None
    air_waybill: AirWaybill | None = None
    bill_of_lading: Word | None = None
    flight: FlightNumber | None = None
    imo: ImoNumber | None = None
    plate: Registration | None = None
    vin: Vin | None = None
    outcome: OutcomeCode
    legal_reason: LegalReason | None = None
    at: Moment
    location: Locode
    office: Line
    minutes: Tally | None = None
    useful: Annotated[int, Field(ge=0, le=3)] | None = None
    remark: Prose | None = None
    answers: Few[Answer] = ()
    taken: Taken | None = None

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if not self.numbers():
            raise wrong("give a number by which it is found", member="container")
        if (self.outcome is OutcomeCode.SEIZED) != (self.taken is not None):
            raise wrong("goes with the outcome seized: give both or neither", member="taken")
        return self

    def numbers(self) -> frozenset[Number]:
        """Return the numbers that this arrival is known by."""
        kinds = ("container", "parcel", "air_waybill", "bill_of_lading", "flight", "imo", "plate", "vin")
        return frozenset((kind, _squeezed(number)) for kind in kinds if (number := getattr(self, kind)) is not None)


def numbers_in(consignment: Consignment | None, conveyance: Conveyance | None) -> frozenset[Number]:
    """Return the numbers that a warning names."""
    return frozenset((kind, _squeezed(number)) for kind, number in _named(consignment, conveyance) if number)


def _named(consignment: Consignment | None, conveyance: Conveyance | None) -> Iterator[tuple[str, str | None]]:
    if consignment is not None:
        yield from (("container", number) for number in consignment.containers)
        yield from (("parcel", number) for number in consignment.parcels)
        yield from (("air_waybill", number) for number in consignment.air_waybills)
        yield from (("bill_of_lading", number) for number in consignment.bills_of_lading)
    for vehicle in conveyance.vehicles if conveyance is not None else ():
        yield "flight", vehicle.flight
        yield "imo", vehicle.imo
        yield "plate", vehicle.registration
        yield "vin", vehicle.vin


def _squeezed(number: str) -> str:
    """A plate is written with and without blanks."""
    return "".join(character for character in number.upper() if character.isalnum())
