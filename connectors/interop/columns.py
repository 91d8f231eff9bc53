"""The columns of a row: one table from a name that people read to a place in a draft, for all three messages.

`#` in a name and a path stands for a repeated part: `goods # hs` is `goods hs`, `goods 2 hs` ... `goods 9 hs`. Parts of
the route have their places by their role. Not for: reading a row (`rows.py`) nor parts that only a JSON draft has
(travel, biometrics, transfers, attachments). Reference page: `docs/reference/columns.md`, generated from here.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from types import MappingProxyType
from typing import Final

from connectors.interop.cells import Form, plain
from hub.protocol.content import codelists as lists
from hub.protocol.marks import Caveat, HandlingCode, Tlp
from hub.protocol.vocabulary import (
    COUNTRIES,
    Basis,
    MessageKind,
    Offence,
    Priority,
    Purpose,
    Status,
    Subject,
    TransportMode,
)

MOST_PARTS: Final = 9  # repeats of a part in one row; more go into a JSON draft
DESTINATION: Final = 99  # place of the route's end; the origin is 0, transits count from 1
NOTE: Final = "note"  # is not sent; a row whose note begins with EXAMPLE is passed over
KIND: Final = "kind"
ADDRESSING: Final = frozenset({"to", "to members", "to subscribers", "leave out", "answers", "updates", "cancels"})

_MUST: Final = True
W: Final = frozenset({MessageKind.WARNING})
F: Final = frozenset({MessageKind.FEEDBACK})
S: Final = frozenset({MessageKind.SEIZURE})
ALL: Final = W | F | S


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """One column: its name, its place in a draft (nothing for addressing), what it holds, and for which messages.

    `shown` is how many of its repeats a template has; `section` is the heading it stands under there.
    """

    name: str
    path: str
    form: Form
    kinds: frozenset[MessageKind]
    meaning: str
    section: str
    required: bool = False
    codes: Mapping[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    shown: int = 1

    def named(self, number: int) -> str:
        """Return the name of its repeat of that number."""
        return re.sub(r" ?#", "" if number == 1 else f" {number}", self.name)

    def at(self, number: int) -> str:
        """Return the path of its repeat of that number."""
        return self.path.replace("#", str(number))

    @property
    def codes_name(self) -> str:
        """What its list of codes is called: the name of the first column that has the same."""
        return next((one.name for one in COLUMNS if one.codes == self.codes), self.name)

    @property
    def repeats(self) -> int:
        """How often it may stand in a row."""
        return MOST_PARTS if "#" in self.path else 1


def _labels(codes: type[StrEnum]) -> Mapping[str, str]:
    return MappingProxyType({one.value: one.name.lower().replace("_", " ") for one in codes})


def _same(codes: frozenset[str]) -> Mapping[str, str]:
    return MappingProxyType({code: code for code in sorted(codes)})


_COUNTRY: Final = _same(COUNTRIES)
_ISSUER: Final = _same(lists.ISSUERS)
_CURRENCY: Final = _same(lists.CURRENCIES)
_T, _N, _C, _TS, _CS = Form.TEXT, Form.NUMBER_TEXT, Form.CODE, Form.TEXTS, Form.CODES


def _send() -> Iterator[Column]:
    say = "To whom"
    yield Column("to", "", _TS, ALL, "Partner codes of addressees, such as de-customs.", say, aliases=("addressees",))
    yield Column("to members", "", Form.YES_NO, ALL, "Also to all members of the operation.", say)
    yield Column("to subscribers", "", Form.YES_NO, ALL, "Also to all who subscribed to such messages.", say)
    yield Column("leave out", "", _TS, ALL, "Partners that shall get nothing.", say, shown=0)
    yield Column(
        "answers", "", _T, F | S, "Number of the message that it answers, whole or its beginning.", say, aliases=("mh",)
    )
    yield Column("updates", "", _T, W, "Number of the own warning that it replaces.", say, shown=0)
    yield Column("cancels", "", _T, W, "Number of the own warning that it cancels.", say, shown=0)
    yield Column("operation", "operation", _T, ALL, "Name of the operation that it belongs to.", say)


def _marks() -> Iterator[Column]:
    say = "Handling"
    yield Column("tlp", "marks.tlp", _C, ALL, "Who may see it.", say, _MUST, _labels(Tlp), ("traffic light",))
    codes = _labels(HandlingCode)
    yield Column("handling codes", "marks.codes", _CS, ALL, "H0 alone, or some of H1, H2, H3.", say, codes=codes)
    yield Column("evaluation", "marks.eval", _T, ALL, "Source A, B, C, X and information 1 to 4: B2.", say)
    yield Column("court", "marks.court", Form.YES_NO, ALL, "May be used in court.", say, shown=0)
    yield Column("retain days", "marks.retain", Form.WHOLE, ALL, "Days after which it is destroyed.", say, shown=0)
    caveats = _labels(Caveat)
    yield Column("caveats", "marks.caveats", _CS, ALL, "Go with H3.", say, codes=caveats)
    yield Column("purpose", "purpose", _C, ALL, "What it may be used for.", say, _MUST, _labels(Purpose))
    yield Column("offence", "offence", _C, ALL, "The class of offence.", say, _MUST, _labels(Offence))
    yield Column("basis", "basis", _C, ALL, "The legal instrument.", say, _MUST, _labels(Basis), ("legal basis",))
    yield Column("priority", "priority", _C, ALL, "Routine unless given.", say, codes=_labels(Priority))
    yield Column("status", "status", _C, ALL, "Actual unless given.", say, codes=_labels(Status))
    yield Column("topics", "topics", _TS, ALL, "Topics; made from the content unless given.", say, shown=0)


def _action() -> Iterator[Column]:
    say, at = "What is asked", "compartments.action."
    yield Column("national reference", at + "national_reference", _N, W, "Your own number for the case.", say, _MUST)
    yield Column("related references", at + "related_references", _TS, W, "Other numbers.", say, shown=0)
    yield Column("subject", at + "subject", _C, W, "What it is about.", say, _MUST, _labels(Subject))
    asked = _labels(lists.RequestedAction)
    what = "What to do; after it what to do where the law forbids that."
    yield Column("requested", at + "requested", _CS, W, what, say, _MUST, asked, ("requested action", "actions"))
    yield Column("grounds", at + "grounds", _T, W, "Why.", say, _MUST, aliases=("reason",))
    yield Column("urgency reason", at + "urgency_reason", _T, W, "Why it is urgent; an urgent warning says so.", say)
    risks = _labels(lists.RiskIndicator)
    yield Column("risk # indicator", at + "risks.#.indicator", _C, W, "Why it is suspected.", say, codes=risks)
    yield Column("risk # reason", at + "risks.#.reason", _T, W, "The same in words.", say)
    yield Column("valid from", at + "valid.begins", Form.MOMENT, W, "Not before.", say)
    yield Column("valid until", at + "valid.ends", Form.MOMENT, W, "Not after.", say)
    yield Column("feedback by", at + "feedback_by", Form.MOMENT, W, "When an answer is wanted.", say)
    yield Column("question #", at + "questions.#.text", _T, W, "A question; feedback answers it by its number.", say)
    yield Column("contact unit", at + "contact.unit", _T, W, "A unit that answers day and night.", say, _MUST)
    yield Column("contact phone", at + "contact.phone", _N, W, "With country: +33123456789.", say, aliases=("phone",))
    yield Column("contact mail", at + "contact.mail", _T, W, "Its mail address.", say, aliases=("mail", "e mail"))


def _outcome() -> Iterator[Column]:
    say, at = "What came of it", "compartments.outcome."
    yield Column("outcome", at + "code", _C, F, "What came of the warning.", say, _MUST, _labels(lists.OutcomeCode))
    yield Column("outcome at", at + "at", Form.MOMENT, F, "When.", say)
    yield Column("executed", at + "executed", _C, F, "What was done.", say, codes=_labels(lists.RequestedAction))
    yield Column("legal reason", at + "legal_reason", _C, F, "Why not.", say, codes=_labels(lists.LegalReason))
    yield Column("legal text", at + "legal_text", _T, F, "The same in words.", say)
    yield Column("minutes", at + "minutes", Form.WHOLE, F, "Officers' time.", say)
    yield Column("useful", at + "useful", Form.WHOLE, F, "0 no use, to 3 decisive.", say)
    yield Column("same hit as", at + "same_hit_as", _T, F, "Number of an earlier feedback.", say, shown=0)
    say, at = "What was seen", "compartments.observation."
    yield Column("located", at + "located", Form.YES_NO, F, "Whether it was found.", say)
    yield Column("seen country", at + "place.country", _C, F, "Where: country.", say, codes=_COUNTRY)
    yield Column("seen locode", at + "place.locode", _T, F, "Where: UN/LOCODE, such as QADOH.", say)
    yield Column("seen airport", at + "place.airport", _T, F, "Where: IATA code.", say, shown=0)
    yield Column("seen place", at + "place.name", _T, F, "Where: name.", say)
    yield Column("seen at", at + "at", Form.MOMENT, F, "When.", say)
    yield Column("reason of check", at + "reason_of_check", _T, F, "Why it was checked.", say, shown=0)
    yield Column("circumstances", at + "circumstances", _T, F, "How.", say)
    yield Column("answer #", at + "answers.#.text", _T, F, "Answer to the question of that number.", say)
    things = _labels(lists.ObjectCategory)
    yield Column(
        "carried # category", at + "carried.#.category", _C, F, "An object that was carried.", say, codes=things
    )
    yield Column("carried # description", at + "carried.#.description", _T, F, "The same in words.", say)
    yield Column("carried # identifier", at + "carried.#.identifier", _N, F, "Its number.", say)


def _seizure() -> Iterator[Column]:
    say, at = "What was seized", "compartments.seizure."
    yield Column("seizure id", at + "seizure_id", _N, S, "Your own number for the seizure.", say, _MUST)
    yield Column("event reference", at + "event_reference", _N, S, "A number agreed with others.", say, shown=0)
    yield Column("seized at", at + "at", Form.MOMENT, S, "When.", say, _MUST, aliases=("at",))
    yield Column("office", at + "office", _T, S, "The office that seized.", say, _MUST)
    yield Column("location", at + "location", _T, S, "UN/LOCODE, such as QADOH.", say, _MUST, aliases=("locode",))
    yield Column("direction", at + "direction", _C, S, "Which way it went.", say, _MUST, _labels(lists.Direction))
    yield Column("mode of transport", at + "mode", _C, S, "How it travelled.", say, codes=_labels(TransportMode))
    yield Column("detection", at + "detection", _C, S, "How it was found.", say, _MUST, _labels(lists.DetectionMethod))
    yield Column("caused by", at + "caused_by", _TS, S, "Numbers of the warnings; that of `answers` unless given.", say)
    yield Column("seizure status", at + "status", _C, S, "What became of it.", say, _MUST, _labels(lists.SeizureStatus))
    yield Column("arrests", at + "arrests", Form.WHOLE, S, "Persons arrested.", say)


def _goods(kinds: frozenset[MessageKind], base: str) -> Iterator[Column]:
    say, at = "Goods", f"compartments.{base}."
    yield Column("goods # hs", at + "goods.#.hs", _N, kinds, "HS code: 2 to 10 digits.", say, aliases=("hs # code",))
    groups = _labels(lists.Category)
    yield Column("goods # category", at + "goods.#.category", _C, kinds, "Commodity group.", say, codes=groups)
    yield Column("goods # description", at + "goods.#.description", _T, kinds, "In words.", say)
    yield Column("goods # quantity", at + "goods.#.quantity", Form.FIGURE, kinds, "How much.", say)
    yield Column("goods # unit", at + "goods.#.unit", _C, kinds, "Of what.", say, codes=_labels(lists.Unit))
    yield Column("goods # value", at + "goods.#.value.amount", Form.FIGURE, kinds, "What it is worth.", say)
    money = "goods.#.value."
    yield Column("goods # currency", at + money + "currency", _C, kinds, "In which money.", say, codes=_CURRENCY)
    yield Column("goods # usd", at + money + "usd", Form.FIGURE, kinds, "The same in US dollars.", say, shown=0)
    yield Column("goods # origin", at + "goods.#.origin", _C, kinds, "Country.", say, codes=_COUNTRY)
    yield Column("goods # marks", at + "goods.#.marks_and_numbers", _T, kinds, "On the packages.", say, shown=0)
    yield Column("containers", at + "containers", _TS, kinds, "Container numbers.", say, aliases=("container",))
    yield Column("bills of lading", at + "bills_of_lading", _TS, kinds, "Their numbers.", say)
    yield Column("air waybills", at + "air_waybills", _TS, kinds, "As 020-12345675.", say, aliases=("awb",))
    yield Column("parcels", at + "parcels", _TS, kinds, "Parcel numbers.", say, aliases=("parcel",))
    places = _labels(lists.ConcealmentPlace)
    yield Column("hidden in", at + "concealment.place", _C, kinds, "Where it is hidden.", say, codes=places)
    yield Column("hidden how", at + "concealment.method", _T, kinds, "In words.", say)


def _consignment() -> Iterator[Column]:
    at = "compartments.consignment."
    yield from _goods(W, "consignment")
    yield Column("seals", at + "seals", _TS, W, "Numbers of seals.", "Goods", shown=0)
    yield Column("gross weight", at + "gross_weight", _N, W, "As declared, with its unit.", "Goods")
    say, at = "Companies", "compartments.company.companies.#."
    yield Column("company # name", at + "name", _T, W, "Its name.", say)
    yield Column("company # role", at + "role", _C, W, "What it is.", say, codes=_labels(lists.CompanyRole))
    yield Column("company # identifier", at + "identifier", _N, W, "Register number.", say)
    yield Column("company # country", at + "country", _C, W, "Country.", say, codes=_COUNTRY)
    yield Column("company # address", at + "address", _T, W, "Address.", say, shown=0)


def _firearms() -> Iterator[Column]:
    say, at = "Firearms", "compartments.seizure.firearms.#."
    yield Column("firearm # unit", at + "unit", _C, S, "What is counted.", say, codes=_labels(lists.FirearmUnit))
    yield Column("firearm # count", at + "count", Form.WHOLE, S, "How many.", say)
    yield Column("firearm # kind", at + "kind", _C, S, "Of a whole one.", say, codes=_labels(lists.FirearmKind))
    yield Column("firearm # part", at + "part", _C, S, "Of a part.", say, codes=_labels(lists.FirearmPart))
    yield Column("firearm # make", at + "make", _T, S, "Make.", say)
    yield Column("firearm # model", at + "model", _N, S, "Model.", say)
    yield Column("firearm # calibre", at + "calibre", _N, S, "Calibre.", say)
    yield Column("firearm # serial", at + "serial", _N, S, "Serial number; one line each.", say)
    yield Column(
        "firearm # trace", at + "trace_requested", Form.YES_NO, S, "Whether a trace is asked for.", say, shown=0
    )


def _cash(kinds: frozenset[MessageKind], base: str) -> Iterator[Column]:
    say, at = "Cash", f"compartments.{base}.cash.#."
    kind = _labels(lists.CashInstrument)
    yield Column("cash # instrument", at + "instrument", _C, kinds, "Which kind.", say, codes=kind)
    yield Column("cash # amount", at + "money.amount", Form.FIGURE, kinds, "How much.", say)
    yield Column("cash # currency", at + "money.currency", _C, kinds, "In which money.", say, codes=_CURRENCY)
    yield Column("cash # usd", at + "money.usd", Form.FIGURE, kinds, "The same in US dollars.", say, shown=0)
    yield Column("cash # declared", at + "declared", Form.YES_NO, kinds, "Whether it was declared.", say)


def _transport(kinds: frozenset[MessageKind], vehicles: str, route: str) -> Iterator[Column]:
    say, at = "Transport", f"compartments.{vehicles}.vehicles.#."
    yield Column("transport # mode", at + "mode", _C, kinds, "How it travels.", say, codes=_labels(TransportMode))
    yield Column("transport # carrier", at + "carrier", _T, kinds, "Who carries.", say)
    yield Column("transport # flight", at + "flight", _T, kinds, "As ZX417.", say, aliases=("flight #",))
    yield Column("transport # voyage", at + "voyage", _N, kinds, "Of a ship.", say, shown=0)
    yield Column("transport # ship", at + "name", _T, kinds, "Its name.", say, aliases=("vessel #",))
    yield Column("transport # imo", at + "imo", _N, kinds, "Seven digits.", say)
    yield Column("transport # mmsi", at + "mmsi", _N, kinds, "Nine digits.", say, shown=0)
    yield Column("transport # call sign", at + "call_sign", _T, kinds, "Radio call sign.", say, shown=0)
    yield Column("transport # registration", at + "registration", _N, kinds, "As on the plate.", say)
    yield Column("transport # vin", at + "vin", _N, kinds, "Seventeen characters.", say, shown=0)
    nations = _COUNTRY
    yield Column("transport # nationality", at + "nationality", _C, kinds, "Country.", say, codes=nations)
    for name, place, times in (("origin", "0", ("departs",)), ("transit #", "#", ("arrives", "departs"))):
        yield from _leg(kinds, name, f"compartments.{route}.route.{place}.", times)
    yield from _leg(kinds, "destination", f"compartments.{route}.route.{DESTINATION}.", ("arrives",))


def _leg(kinds: frozenset[MessageKind], name: str, at: str, times: tuple[str, ...]) -> Iterator[Column]:
    say = "Route"
    yield Column(f"{name} country", at + "country", _C, kinds, "Country.", say, codes=_COUNTRY)
    yield Column(f"{name} locode", at + "locode", _T, kinds, "UN/LOCODE.", say)
    yield Column(f"{name} airport", at + "airport", _T, kinds, "IATA code.", say)
    yield Column(f"{name} place", at + "name", _T, kinds, "In words.", say, shown=0)
    for one in times:
        yield Column(f"{name} {one}", at + one, Form.MOMENT, kinds, "Local time with offset.", say)


def _persons() -> Iterator[Column]:
    say, at = "Persons", "compartments.identity.persons.#."
    yield Column("person # role", at + "role", _C, ALL, "What the person is.", say, codes=_labels(lists.PersonRole))
    yield Column("person # reason", at + "reason", _T, ALL, "Why the person is named.", say)
    yield Column("person # surname", at + "surname", _T, ALL, "Family name.", say, aliases=("surname #",))
    yield Column("person # forenames", at + "forenames", _T, ALL, "Given names.", say, aliases=("forenames #",))
    yield Column("person # aliases", at + "aliases", _TS, ALL, "Other names.", say, shown=0)
    yield Column("person # born", at + "born", Form.DATE, ALL, "As much as is known.", say)
    yield Column("person # birth place", at + "birth_place", _T, ALL, "Where born.", say, shown=0)
    yield Column("person # birth country", at + "birth_country", _C, ALL, "Country.", say, codes=_COUNTRY, shown=0)
    yield Column("person # sex", at + "sex", _C, ALL, "As in the document.", say, codes=_labels(lists.Sex))
    yield Column("person # nationalities", at + "nationalities", _CS, ALL, "ICAO codes: FRA.", say, codes=_ISSUER)
    yield Column("person # markers", at + "markers", _CS, ALL, "Dangers.", say, codes=_labels(lists.WarningMarker))
    wanted = _labels(lists.RequestedAction)
    yield Column("person # action", at + "action", _C, ALL, "What to do.", say, codes=wanted, shown=0)
    at += "documents.0."
    kind = _labels(lists.DocumentType)
    yield Column("person # document type", at + "type", _C, ALL, "Kind of document.", say, codes=kind)
    names = ("document # number", "passport #")
    yield Column("person # document number", at + "number", _N, ALL, "Capitals and digits.", say, aliases=names)
    yield Column("person # document issuer", at + "issuer", _C, ALL, "ICAO code: FRA.", say, codes=_ISSUER)
    digit = "The digit beside the number in the machine-readable zone."
    yield Column("person # document check digit", at + "check_digit", Form.WHOLE, ALL, digit, say, shown=0)


def _narrative() -> Iterator[Column]:
    say, at = "In words", "compartments.narrative."
    yield Column("narrative language", at + "language", _T, ALL, "Two letters: en.", say)
    yield Column("narrative", at + "text", _T, ALL, "What fits no other column.", say)


def _all() -> Iterator[Column]:
    yield Column(NOTE, "", _T, ALL, "Is not sent. A row whose note begins with EXAMPLE is passed over.", "Note")
    yield Column(
        KIND, "", _C, ALL, "Needed where neither file nor sheet says it.", "Note", codes=_labels(MessageKind), shown=0
    )
    yield from (*_send(), *_marks(), *_action(), *_outcome(), *_seizure(), *_consignment())
    yield from (*_goods(S, "seizure"), *_firearms(), *_cash(W, "financial"), *_cash(S, "seizure"))
    yield from _transport(W, "conveyance", "conveyance")
    yield from _transport(F, "observation", "observation")
    yield from _transport(S, "conveyance", "seizure")
    yield from (*_persons(), *_narrative())


COLUMNS: Final[tuple[Column, ...]] = tuple(_all())
"""Every column, in the order of the templates."""


def choice(code: str, label: str) -> str:
    """Return a code as a list offers it: with its label where the code alone says little; a cell takes that as well."""
    return code if plain(code) == plain(label) else f"{code} {label}"


def of_kind(kind: MessageKind) -> tuple[Column, ...]:
    """Return the columns of one kind of message."""
    return tuple(column for column in COLUMNS if kind in column.kinds)


@cache
def names_of(kind: MessageKind) -> Mapping[str, tuple[Column, int]]:
    """Return every name that a column of that kind may have, aliases and repeats included, in the form of `plain`."""
    found: dict[str, tuple[Column, int]] = {}
    for column in of_kind(kind):
        for number in range(1, column.repeats + 1):
            names = (column.name, *column.aliases)
            for name in names:
                found[re.sub(r" ?#", "" if number == 1 else f" {number}", name)] = (column, number)
            if number == 1:
                found |= {name.replace("#", "1"): (column, 1) for name in names}
    return MappingProxyType(found)
