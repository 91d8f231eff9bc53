"""The compartments of a warning: what is asked, and about which consignment, conveyance, company, money and travel.

Not for: persons, narrative and conveyance, which other messages have too (`subjects.py`). Implements
`docs/protocol/08-content.md` section 6.
"""

from itertools import pairwise
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from hub.protocol.content.codelists import Modality, RequestedAction, RiskIndicator, SampleFormat, TravelSource
from hub.protocol.content.identifiers import AirWaybill, ContainerNumber, FlightNumber, Iban, ParcelNumber
from hub.protocol.content.shape import Content, Few, Line, Moment, PartialDate, Prose, Some, Span, Word, wrong
from hub.protocol.content.subjects import Cash, Company, Concealment, Goods, Money, Route, check_route
from hub.protocol.vocabulary import Country, Subject

MAX_SAMPLE: Final = 512 * 1024  # characters of base64url; a set of ten fingerprints in WSQ has about 150 kB


class Risk(Content):
    """Why something is suspected: a code for statistics and filters, and the reason for the officer."""

    indicator: RiskIndicator
    reason: Prose


class Question(Content):
    """A question that feedback is asked to answer, by its `id`."""

    id: Annotated[str, Field(pattern=r"^q[1-9][0-9]?$")]
    text: Prose


class Contact(Content):
    """Who can be reached day and night: a unit, never a named officer."""

    unit: Line
    phone: Annotated[str, Field(pattern=r"^\+[1-9][0-9]{4,14}$")] | None = None  # ITU-T E.164
    mail: Annotated[str, Field(pattern=r"^[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9.-]{3,128}$")] | None = None

    @model_validator(mode="after")
    def _can_be_reached(self) -> Self:
        if not (self.phone or self.mail):
            raise wrong("give a telephone number or a mail address", member="phone")
        return self


class Action(Content):
    """The compartment `action`: what is asked, of whom, until when.

    `requested` begins with the action wanted; each that follows is what to do where the law does not allow the one
    before it, and is less intrusive (Regulation (EU) 2018/1862 art. 36 and 37: specific, inquiry, discreet check).
    """

    national_reference: Word
    related_references: Few[Word] = ()
    subject: Subject
    requested: Annotated[tuple[RequestedAction, ...], Field(min_length=1, max_length=len(RequestedAction))]
    grounds: Prose
    urgency_reason: Prose | None = None
    risks: Few[Risk] = ()
    valid: Span | None = None
    feedback_by: Moment | None = None
    questions: Few[Question] = ()
    contact: Contact

    @model_validator(mode="after")
    def _is_executable(self) -> Self:
        order = list(RequestedAction)
        if any(order.index(first) >= order.index(then) for first, then in pairwise(self.requested)):
            raise wrong(f"each must be less intrusive than the one before: {' > '.join(order)}", member="requested")
        if len({question.id for question in self.questions}) != len(self.questions):
            raise wrong("two questions have one id", member="questions")
        return self


class Consignment(Content):
    """The compartment `consignment`: goods, what they are in, under which papers."""

    goods: Some[Goods] = ()
    containers: Some[ContainerNumber] = ()
    seals: Some[Word] = ()
    bills_of_lading: Few[Word] = ()
    air_waybills: Few[AirWaybill] = ()
    parcels: Some[ParcelNumber] = ()
    gross_weight: Line | None = None
    concealment: Concealment | None = None

    @model_validator(mode="after")
    def _can_be_found(self) -> Self:
        if not (self.goods or self.containers or self.bills_of_lading or self.air_waybills or self.parcels):
            raise wrong("give goods, a container, a bill, a waybill or a parcel", member="goods")
        return self


class CompanyList(Content):
    """The compartment `company`."""

    companies: Annotated[Some[Company], Field(min_length=1)]


class Journey(Content):
    """One person's journey; `persons` counts from 0 in the compartment `identity`."""

    persons: Few[Annotated[int, Field(ge=0, lt=200)]] = ()
    flight: FlightNumber | None = None
    route: Annotated[Route, Field(min_length=1)]
    pnr_locator: Annotated[str, Field(pattern=r"^[A-Z0-9]{5,8}$")] | None = None
    booked: PartialDate | None = None
    seat: Annotated[str, Field(pattern=r"^[0-9]{1,3}[A-Z]$")] | None = None
    bag_tags: Few[Annotated[str, Field(pattern=r"^[0-9]{10}$")]] = ()  # IATA resolution 740


class Travel(Content):
    """The compartment `travel`: journeys, and where the particulars come from (API and PNR never in one message)."""

    source: TravelSource
    journeys: Annotated[Few[Journey], Field(min_length=1)]

    @model_validator(mode="after")
    def _follows_its_law(self) -> Self:
        for place, journey in enumerate(self.journeys):
            check_route(journey.route, f"journeys.{place}.route")
            if journey.pnr_locator and self.source is TravelSource.API:
                raise wrong("is PNR data in an API compartment", member=f"journeys.{place}.pnr_locator")
        return self


class Transfer(Content):
    """One movement of money between accounts."""

    money: Money
    at: PartialDate | None = None
    from_country: Country | None = None
    to_country: Country | None = None
    from_account: Iban | None = None
    to_account: Iban | None = None
    reference: Line | None = None


class Financial(Content):
    """The compartment `financial`: cash, bearer instruments and transfers."""

    cash: Some[Cash] = ()
    transfers: Some[Transfer] = ()

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not (self.cash or self.transfers):
            raise wrong("give cash or a transfer", member="cash")
        return self


class Sample(Content):
    """One biometric sample; `person` counts from 0 in the compartment `identity`."""

    person: Annotated[int, Field(ge=0, lt=200)]
    modality: Modality
    format: SampleFormat
    sample: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$", max_length=MAX_SAMPLE)]
    taken: PartialDate | None = None


class Biometrics(Content):
    """The compartment `biometrics`."""

    samples: Annotated[Few[Sample], Field(min_length=1)]
