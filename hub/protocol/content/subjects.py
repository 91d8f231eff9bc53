"""What messages are about: routes, goods, money, firearms, persons, documents, companies and conveyances.

Not for: what is asked or reported about them (`warning.py`, `feedback.py`, `seizure.py`). Implements
`docs/protocol/08-content.md` section 5.
"""

from typing import Annotated, Final, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from hub.protocol.content.codelists import (
    CashInstrument,
    Category,
    CompanyRole,
    ConcealmentPlace,
    Currency,
    DocumentFraud,
    DocumentType,
    FirearmKind,
    FirearmPart,
    FirearmUnit,
    Issuer,
    LegRole,
    ObjectCategory,
    PersonRole,
    RequestedAction,
    Sex,
    Unit,
    WarningMarker,
)
from hub.protocol.content.identifiers import (
    AirportCode,
    CallSign,
    FlightNumber,
    HsCode,
    ImoNumber,
    Locode,
    Mmsi,
    Registration,
    Vin,
    mrz_check_digit,
)
from hub.protocol.content.shape import (
    Content,
    Few,
    Figure,
    Line,
    Moment,
    Narration,
    PartialDate,
    Pieces,
    Prose,
    Some,
    Word,
    wrong,
)
from hub.protocol.content.shape import unix_seconds as unix
from hub.protocol.vocabulary import Country, TransportMode

# --- places and routes -----------------------------------------------------------------------------------------------


class Place(Content):
    """Where: a country, and as much more as is known."""

    country: Country
    locode: Locode | None = None
    airport: AirportCode | None = None
    name: Line | None = None

    @model_validator(mode="after")
    def _is_one_place(self) -> Self:
        if self.locode and self.locode[:2] != self.country:
            raise wrong("lies in another country than the one given", member="locode")
        return self


class Leg(Place):
    """One place of a route, with its times there (local time with offset, so UTC is known too)."""

    role: LegRole
    arrives: Moment | None = None
    departs: Moment | None = None

    @model_validator(mode="after")
    def _is_forward(self) -> Self:
        if self.arrives and self.departs and unix(self.arrives) > unix(self.departs):
            raise wrong("departs before it arrives", member="departs")
        return self


def check_route(route: tuple[Leg, ...], member: str = "route") -> None:
    """Check that a route runs from at most one origin through transits to at most one destination.

    Raises:
        ValueError: it does not, for pydantic to report.
    """
    order = [list(LegRole).index(leg.role) for leg in route]
    once = all(order.count(list(LegRole).index(role)) <= 1 for role in (LegRole.ORIGIN, LegRole.DESTINATION))
    if order != sorted(order) or not once:
        raise wrong("must run in order: origin, transits, destination", member=member)


Route = Annotated[tuple[Leg, ...], Field(max_length=32)]

# --- goods, money, firearms ------------------------------------------------------------------------------------------


class Money(Content):
    """An amount; `usd` is its value in United States dollars on that day, for statistics."""

    amount: Figure
    currency: Currency
    usd: Figure | None = None


class Goods(Content):
    """One commodity line."""

    hs: HsCode | None = None
    category: Category | None = None
    description: Line
    quantity: Figure | None = None
    unit: Unit | None = None
    value: Money | None = None
    origin: Country | None = None
    marks_and_numbers: Line | None = None  # as on the packages, in the sense of a bill of lading

    @model_validator(mode="after")
    def _counts_in_a_unit(self) -> Self:
        if (self.quantity is None) != (self.unit is None):
            raise wrong("a quantity and its unit go together: give both or neither", member="unit")
        return self


class Concealment(Content):
    """Where and how something is hidden."""

    place: ConcealmentPlace
    method: Prose | None = None


class Cash(Content):
    """One line of cash or bearer-negotiable instruments. `declared` is None when that is not known."""

    instrument: CashInstrument
    money: Money
    declared: bool | None = None


class Firearm(Content):
    """One line of firearms, parts or ammunition; `count` is in pieces of its `unit` and no two units are added up."""

    unit: FirearmUnit
    count: Pieces
    kind: FirearmKind | None = None
    part: FirearmPart | None = None
    make: Word | None = None
    model: Word | None = None
    calibre: Word | None = None
    serial: Word | None = None
    trace_requested: bool = False

    @model_validator(mode="after")
    def _says_what_it_counts(self) -> Self:
        needed = {FirearmUnit.WHOLE: "kind", FirearmUnit.PART: "part", FirearmUnit.AMMUNITION: "calibre"}[self.unit]
        if getattr(self, needed) is None:
            raise wrong(f"must be given when the unit is {self.unit}", member=needed)
        if self.part and self.unit is not FirearmUnit.PART:
            raise wrong("belongs to the unit part only", member="part")
        if self.serial and self.count != 1:
            raise wrong("must be 1 beside a serial number: one line for each", member="count")
        if self.trace_requested and not self.serial:
            raise wrong("must be given for a trace request", member="serial")
        return self


# --- persons, documents, companies -----------------------------------------------------------------------------------

MAX_NAME: Final = 120  # characters; ICAO 9303 cuts at 39, lists of aliases do not


class Document(Content):
    """A travel or identity document; `check_digit` is the one beside the number in its machine-readable zone."""

    type: DocumentType
    number: Annotated[str, Field(pattern=r"^[A-Z0-9]{1,20}$")]
    issuer: Issuer
    check_digit: Annotated[int, Field(ge=0, le=9)] | None = None
    issued: PartialDate | None = None
    expires: PartialDate | None = None
    fraud: DocumentFraud | None = None

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.check_digit is not None and mrz_check_digit(self.number) != self.check_digit:
            raise PydanticCustomError(
                "check_digit", "fails the check digit of ICAO 9303-3; read it again", {"member": "number"}
            )
        if self.issued and self.expires and self.issued[:4] > self.expires[:4]:
            raise wrong("expires before it was issued", member="expires")
        return self


class Person(Content):
    """A natural person: at least a name or a document, and why (Regulation (EU) 2018/1862 art. 20(2))."""

    role: PersonRole
    reason: Prose
    surname: Annotated[Line, Field(max_length=MAX_NAME)] | None = None
    forenames: Annotated[Line, Field(max_length=MAX_NAME)] | None = None
    aliases: Few[Annotated[Line, Field(max_length=MAX_NAME)]] = ()
    born: PartialDate | None = None
    birth_place: Line | None = None
    birth_country: Country | None = None
    sex: Sex | None = None
    nationalities: Few[Issuer] = ()
    documents: Few[Document] = ()
    markers: Few[WarningMarker] = ()
    action: RequestedAction | None = None

    @model_validator(mode="after")
    def _is_somebody(self) -> Self:
        if not (self.surname or self.forenames or self.aliases or self.documents):
            raise wrong("give a name or a document; nobody can be found by this", member="surname")
        return self


class Company(Content):
    """A company and what it is to the consignment. `identifier` is a register's or an economic operator's number."""

    name: Line
    role: CompanyRole
    identifier: Word | None = None
    country: Country | None = None
    address: Line | None = None


class Item(Content):
    """An object that somebody carried or that is looked for."""

    category: ObjectCategory
    description: Line
    identifier: Word | None = None


# --- conveyances -----------------------------------------------------------------------------------------------------


class Vehicle(Content):
    """One means of transport, by as many of its numbers as are known."""

    mode: TransportMode
    carrier: Line | None = None
    flight: FlightNumber | None = None
    voyage: Word | None = None
    name: Line | None = None
    imo: ImoNumber | None = None
    mmsi: Mmsi | None = None
    call_sign: CallSign | None = None
    registration: Registration | None = None
    vin: Vin | None = None
    nationality: Country | None = None

    @model_validator(mode="after")
    def _fits_its_mode(self) -> Self:
        only = {
            "flight": {TransportMode.AIR, TransportMode.POST},
            "imo": {TransportMode.SEA},
            "mmsi": {TransportMode.SEA},
            "vin": {TransportMode.ROAD},
        }
        for member, modes in only.items():
            if getattr(self, member) is not None and self.mode not in modes:
                raise wrong(f"does not belong to the mode {self.mode}", member=member)
        return self


class Conveyance(Content):
    """The compartment `conveyance`: by what and by which way."""

    vehicles: Few[Vehicle] = ()
    route: Route = ()

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not (self.vehicles or self.route):
            raise wrong("give a vehicle or a route", member="vehicles")
        check_route(self.route)
        return self


# --- compartments that all three messages share ----------------------------------------------------------------------


class Identity(Content):
    """The compartment `identity`: persons. In a seizure it is the nominal annex."""

    persons: Annotated[Some[Person], Field(min_length=1)]


class Narrative(Content):
    """The compartment `narrative`: what fits no field. It can name persons, so it is nominal."""

    language: Annotated[str, Field(pattern=r"^[a-z]{2}$")]  # ISO 639-1
    text: Narration
