"""Each compartment has the shape that its label promises, and errors say where and how to correct."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import get_args

import pytest
from pydantic import BaseModel

from hub.protocol.content import codelists, parse_compartment, write_compartment
from hub.protocol.content.compartments import ATTACHMENT_FORMATS, SHAPES, Attachment
from hub.protocol.content.drafts import FeedbackCompartments, SeizureCompartments, WarningCompartments
from hub.protocol.errors import CheckDigitError, CodeListError, ContentError
from hub.protocol.strictjson import write_json
from hub.protocol.vocabulary import LABELS_OF, REQUIRED_LABEL, Label, MessageKind

Facts = dict[str, object]
WARNING, FEEDBACK, SEIZURE = MessageKind
ROUTE: list[Facts] = [
    {"country": "TR", "locode": "TRIST", "airport": "IST", "role": "origin", "departs": "2027-03-02T01:40+03:00"},
    {"country": "QA", "role": "transit", "arrives": "2027-03-02T05:55+03:00", "departs": "2027-03-02T09:10+03:00"},
    {"country": "KE", "role": "destination", "name": "Nairobi"},
]
PERSON: Facts = {"role": "courier", "reason": "Exercise.", "surname": "LAMPWICK", "born": "1987-04"}
ACTION: Facts = {
    "national_reference": "LTN-1",
    "subject": "consignment",
    "requested": ["inspect", "information-only"],
    "grounds": "Exercise.",
    "contact": {"unit": "Duty desk", "phone": "+9995550100"},
}
# One full example of every compartment.
EXAMPLES: list[tuple[MessageKind, Label, Facts]] = [
    (WARNING, Label.ACTION, ACTION),
    (
        WARNING,
        Label.CONSIGNMENT,
        {
            "goods": [
                {
                    "hs": "930510",
                    "category": "weapons",
                    "description": "Slides",
                    "quantity": "12.5",
                    "unit": "KGM",
                    "value": {"amount": "380", "currency": "EUR", "usd": "410"},
                    "origin": "TR",
                    "marks_and_numbers": "LTN 1-12",
                }
            ],
            "containers": ["CSQU3054383"],
            "seals": ["S-1"],
            "bills_of_lading": ["B-1"],
            "air_waybills": ["020-12345675"],
            "parcels": ["RR473124829GB"],
            "gross_weight": "14 kg",
            "concealment": {"place": "parcel", "method": "Inside."},
        },
    ),
    (
        WARNING,
        Label.CONVEYANCE,
        {"vehicles": [{"mode": "sea", "name": "BEACON", "imo": "9074729", "mmsi": "299000112"}], "route": ROUTE},
    ),
    (
        WARNING,
        Label.IDENTITY,
        {
            "persons": [
                PERSON | {"documents": [{"type": "P", "number": "L898902C3", "issuer": "UTO", "check_digit": 6}]}
            ]
        },
    ),
    (WARNING, Label.COMPANY, {"companies": [{"name": "Test Ltd", "role": "notify", "country": "KE"}]}),
    (WARNING, Label.TRAVEL, {"source": "pnr", "journeys": [{"persons": [0], "route": ROUTE, "pnr_locator": "LTRN05"}]}),
    (
        WARNING,
        Label.FINANCIAL,
        {"transfers": [{"money": {"amount": "5", "currency": "USD"}, "from_account": "GB29NWBK60161331926819"}]},
    ),
    (WARNING, Label.BIOMETRICS, {"samples": [{"person": 0, "modality": "iris", "format": "png", "sample": "AAAA"}]}),
    (WARNING, Label.NARRATIVE, {"language": "ar", "text": "تمرين\n\tسطر"}),
    (
        FEEDBACK,
        Label.OUTCOME,
        {"code": "could-not-execute", "legal_reason": "no-authority-in-transit", "minutes": 40, "useful": 0},
    ),
    (
        FEEDBACK,
        Label.OBSERVATION,
        {
            "located": True,
            "place": {"country": "QA", "airport": "DOH"},
            "at": "2027-03-02T06:30+03:00",
            "accompanying": [PERSON],
            "carried": [{"category": "it-item", "description": "Two telephones"}],
            "answers": [{"id": "q1", "text": "Yes."}],
        },
    ),
    (FEEDBACK, Label.IDENTITY, {"persons": [PERSON]}),
    (FEEDBACK, Label.NARRATIVE, {"language": "en", "text": "Exercise."}),
    (
        SEIZURE,
        Label.SEIZURE,
        {
            "seizure_id": "S-1",
            "at": "2027-03-06T06:10Z",
            "office": "Office",
            "location": "BEANR",
            "direction": "transit",
            "detection": "warning-message",
            "caused_by": ["A" * 43],
            "status": "detained",
            "cash": [{"instrument": "coins", "money": {"amount": "5", "currency": "USD"}, "declared": False}],
        },
    ),
    (
        SEIZURE,
        Label.STATISTICS,
        {"keys": ["A" * 43], "day": "2027-03-06", "country": "BE", "detection": "dog", "arrests": 1},
    ),
    (SEIZURE, Label.IDENTITY, {"persons": [PERSON]}),
    (SEIZURE, Label.CONVEYANCE, {"vehicles": [{"mode": "road", "vin": "1M8GDM9AXKP042788"}]}),
    (SEIZURE, Label.NARRATIVE, {"language": "en", "text": "Exercise."}),
]


def example(kind: MessageKind, label: Label) -> Facts:
    return next(facts for one, other, facts in EXAMPLES if (one, other) == (kind, label))


def refused(kind: MessageKind, label: Label, change: Mapping[str, object]) -> ContentError:
    with pytest.raises(ContentError) as raised:
        parse_compartment(label, kind, write_json({**example(kind, label), **change}))
    return raised.value


@pytest.mark.parametrize(("kind", "label", "facts"), EXAMPLES)
def test_what_is_written_comes_back(kind: MessageKind, label: Label, facts: Facts) -> None:
    content = parse_compartment(label, kind, write_json(facts))
    written = write_compartment(content)
    assert parse_compartment(label, kind, written) == content
    assert b"null" not in written


def test_every_label_of_every_kind_has_an_example() -> None:
    shown = {(kind, label) for kind, label, _ in EXAMPLES}
    assert shown == {
        (kind, label) for kind in MessageKind for label in LABELS_OF[kind] if label is not Label.ATTACHMENT
    }


@pytest.mark.parametrize(
    ("kind", "shape"),
    [(WARNING, WarningCompartments), (FEEDBACK, FeedbackCompartments), (SEIZURE, SeizureCompartments)],
)
def test_drafts_have_the_labels_of_their_kind(kind: MessageKind, shape: type[BaseModel]) -> None:
    assert set(shape.model_fields) == LABELS_OF[kind] - {Label.ATTACHMENT}
    assert {name for name, field in shape.model_fields.items() if field.is_required()} == {REQUIRED_LABEL[kind]}
    for name, field in shape.model_fields.items():
        assert SHAPES[Label(name)] in (field.annotation, *get_args(field.annotation))


def _types_in(annotation: object) -> Iterator[type]:
    if isinstance(annotation, type):
        yield annotation
    for inner in get_args(annotation):
        yield from _types_in(inner)


def _words_of(shape: type[BaseModel]) -> Iterator[type[StrEnum]]:
    for field in shape.model_fields.values():
        for found in _types_in(field.annotation):
            if issubclass(found, BaseModel):
                yield from _words_of(found)
            elif issubclass(found, StrEnum):
                yield found


def test_every_code_list_is_the_type_of_some_field() -> None:
    used = {words for shape in SHAPES.values() for words in _words_of(shape)}
    lists = {one for one in vars(codelists).values() if isinstance(one, type) and issubclass(one, StrEnum)} - {StrEnum}
    assert lists <= used


@pytest.mark.parametrize("action", list(codelists.RequestedAction))
def test_every_requested_action_may_stand_alone(action: str) -> None:
    parse_compartment(Label.ACTION, WARNING, write_json(ACTION | {"requested": [action]}))


def test_the_whole_chain_of_fallbacks_is_one() -> None:
    parse_compartment(Label.ACTION, WARNING, write_json(ACTION | {"requested": list(codelists.RequestedAction)}))


@pytest.mark.parametrize("code", list(codelists.OutcomeCode))
def test_only_could_not_execute_has_a_legal_reason(code: codelists.OutcomeCode) -> None:
    reason: Facts = {"legal_reason": "immunity"} if code == "could-not-execute" else {}
    parse_compartment(Label.OUTCOME, FEEDBACK, write_json({"code": code, **reason}))
    wrong = {} if reason else {"legal_reason": "immunity"}
    with pytest.raises(ContentError) as raised:
        parse_compartment(Label.OUTCOME, FEEDBACK, write_json({"code": code, **wrong}))
    assert raised.value.field == "outcome.legal_reason"


@pytest.mark.parametrize(
    ("kind", "label", "change", "field", "error"),
    [
        (WARNING, Label.ACTION, {"requested": ["inspct"]}, "action.requested.0", CodeListError),
        (WARNING, Label.ACTION, {"requested": ["discreet-check", "inspect"]}, "action.requested", ContentError),
        (WARNING, Label.ACTION, {"requested": []}, "action.requested", ContentError),
        (WARNING, Label.ACTION, {"subject": "ship"}, "action.subject", CodeListError),
        (WARNING, Label.ACTION, {"contact": {"unit": "x"}}, "action.contact.phone", ContentError),
        (WARNING, Label.ACTION, {"questions": [{"id": "q1", "text": "a"}] * 2}, "action.questions", ContentError),
        (WARNING, Label.ACTION, {"feedback_by": "2027-02-30T10:00Z"}, "action.feedback_by", ContentError),
        (WARNING, Label.ACTION, {"feedback_by": "2027-02-03T10:00"}, "action.feedback_by", ContentError),
        (WARNING, Label.ACTION, {"feedback_by": "0001-01-01T00:00+14:00"}, "action.feedback_by", ContentError),
        (
            WARNING,
            Label.ACTION,
            {"valid": {"begins": "2027-03-02T00:00Z", "ends": "2027-03-01T23:00-01:00"}},
            "action.valid.ends",
            ContentError,
        ),
        (WARNING, Label.CONSIGNMENT, {"containers": ["CSQU3054384"]}, "consignment.containers.0", CheckDigitError),
        (
            WARNING,
            Label.CONSIGNMENT,
            {"goods": [{"description": "x", "quantity": "1"}]},
            "consignment.goods.0.unit",
            ContentError,
        ),
        (
            WARNING,
            Label.CONSIGNMENT,
            {"goods": [{"description": "x", "value": {"amount": "1", "currency": "ERU"}}]},
            "consignment.goods.0.value.currency",
            CodeListError,
        ),
        (WARNING, Label.CONVEYANCE, {"vehicles": [], "route": []}, "conveyance.vehicles", ContentError),
        (WARNING, Label.CONVEYANCE, {"route": ROUTE[::-1]}, "conveyance.route", ContentError),
        (WARNING, Label.CONVEYANCE, {"route": ROUTE[:1] * 2}, "conveyance.route", ContentError),
        (
            WARNING,
            Label.CONVEYANCE,
            {"route": [{"country": "TR", "locode": "QADOH", "role": "origin"}]},
            "conveyance.route.0.locode",
            ContentError,
        ),
        (
            WARNING,
            Label.CONVEYANCE,
            {"vehicles": [{"mode": "road", "imo": "9074729"}]},
            "conveyance.vehicles.0.imo",
            ContentError,
        ),
        (
            WARNING,
            Label.CONVEYANCE,
            {"vehicles": [{"mode": "sea", "imo": "9074728"}]},
            "conveyance.vehicles.0.imo",
            CheckDigitError,
        ),
        (WARNING, Label.IDENTITY, {"persons": []}, "identity.persons", ContentError),
        (
            WARNING,
            Label.IDENTITY,
            {"persons": [{"role": "suspect", "reason": "x"}]},
            "identity.persons.0.surname",
            ContentError,
        ),
        (WARNING, Label.IDENTITY, {"persons": [PERSON | {"born": "1987-13"}]}, "identity.persons.0.born", ContentError),
        (WARNING, Label.IDENTITY, {"persons": [PERSON | {"born": "87"}]}, "identity.persons.0.born", ContentError),
        (
            WARNING,
            Label.IDENTITY,
            {"persons": [PERSON | {"documents": [{"type": "P", "number": "X1", "issuer": "XXZ"}]}]},
            "identity.persons.0.documents.0.issuer",
            CodeListError,
        ),
        (
            WARNING,
            Label.IDENTITY,
            {"persons": [PERSON | {"documents": [{"type": "P", "number": "X1", "issuer": "D", "check_digit": 0}]}]},
            "identity.persons.0.documents.0.number",
            CheckDigitError,
        ),
        (WARNING, Label.TRAVEL, {"source": "api"}, "travel.journeys.0.pnr_locator", ContentError),
        (FEEDBACK, Label.OUTCOME, {"useful": 4}, "outcome.useful", ContentError),
        (FEEDBACK, Label.OUTCOME, {"useful": True}, "outcome.useful", ContentError),
        (FEEDBACK, Label.OUTCOME, {"executed": "inspect"}, "outcome.executed", ContentError),
        (FEEDBACK, Label.OBSERVATION, {"at": None}, "observation.at", ContentError),
        (SEIZURE, Label.STATISTICS, {"keys": ["B" * 43, "A" * 43]}, "statistics.keys", ContentError),
    ],
)
def test_errors_name_the_field(
    kind: MessageKind, label: Label, change: Mapping[str, object], field: str, error: type[ContentError]
) -> None:
    found = refused(kind, label, change)
    assert (found.field, type(found)) == (field, error)
    assert found.detail.startswith(field)


def test_errors_name_the_nearest_code_and_the_nearest_member() -> None:
    assert "'inspect'" in refused(WARNING, Label.ACTION, {"requested": ["inspct"]}).detail
    assert "'grounds'" in refused(WARNING, Label.ACTION, {"ground": "x"}).detail
    persons = {"persons": [PERSON | {"surnmae": "x"}]}
    assert "'surname'" in refused(WARNING, Label.IDENTITY, persons).detail
    goods = {"goods": [{"description": "x", "value": {"amount": "1", "currency": "EURO"}}]}
    assert "'EUR'" in refused(WARNING, Label.CONSIGNMENT, goods).detail
    assert "one of F, M, X" in refused(WARNING, Label.IDENTITY, {"persons": [PERSON | {"sex": "?"}]}).detail


def test_errors_never_repeat_what_was_written() -> None:
    canary = "Zzyzx-Canary"
    actions: list[Facts] = [{canary: 1}, {"subject": canary}, {"requested": [canary]}, {"grounds": canary + "\u202e"}]
    for change in actions:
        found = refused(WARNING, Label.ACTION, change)
        assert canary not in found.detail + found.field
    persons: list[Facts] = [{"born": canary}, {"nationalities": [canary]}, {"sex": canary}]
    for change in persons:
        assert canary not in refused(WARNING, Label.IDENTITY, {"persons": [PERSON | change]}).detail


@pytest.mark.parametrize(
    "character", [*"\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069", *"\0\x1b\x7f\x85\u2028\u2029"]
)
def test_characters_that_deceive_are_refused_in_every_text(character: str) -> None:
    for change in ({"grounds": f"a{character}b"}, {"national_reference": f"a{character}b"}):
        assert refused(WARNING, Label.ACTION, change).field == f"action.{next(iter(change))}"
    assert refused(WARNING, Label.NARRATIVE, {"text": f"a{character}b"}).field == "narrative.text"


def test_a_line_has_no_line_breaks_and_a_text_no_blank_ends() -> None:
    assert refused(WARNING, Label.ACTION, {"national_reference": "a\nb"}).field == "action.national_reference"
    assert refused(WARNING, Label.NARRATIVE, {"text": " a"}).field == "narrative.text"
    assert refused(WARNING, Label.NARRATIVE, {"text": "a" * 32_001}).field == "narrative.text"


def test_a_label_of_another_kind_is_refused() -> None:
    with pytest.raises(CodeListError):
        parse_compartment(Label.OUTCOME, WARNING, b'{"code":"seized"}')
    with pytest.raises(CodeListError):
        parse_compartment(Label.ACTION, WARNING, write_json(ACTION), fmt="text/plain")


@pytest.mark.parametrize("fmt", sorted(ATTACHMENT_FORMATS))
def test_attachments_are_opaque(fmt: str) -> None:
    content = parse_compartment(Label.ATTACHMENT, SEIZURE, b"\xff\0", fmt=fmt)
    assert content == Attachment(fmt=fmt, data=b"\xff\0")
    assert write_compartment(content) == b"\xff\0"


def test_attachments_are_of_listed_types_and_bounded() -> None:
    with pytest.raises(CodeListError, match="image/jpeg"):
        parse_compartment(Label.ATTACHMENT, WARNING, b"x", fmt="image/jpg")
    with pytest.raises(ContentError):
        parse_compartment(Label.ATTACHMENT, WARNING, b"", fmt="image/png")


def test_code_lists_are_complete() -> None:
    assert len(codelists.ISSUERS) == 249 + 28
    assert {"UTO", "D", "XXA", "XXB", "XXC", "UNO", "EUE", "RKS"} <= codelists.ISSUERS
    assert {"EUR", "XOF", "XCG", "ZWG"} <= codelists.CURRENCIES
    assert {"XAU", "XTS", "XXX", "USN"}.isdisjoint(codelists.CURRENCIES)
    assert len(codelists.Category) == 13
    assert len(codelists.ObjectCategory) == 18
