"""Drafts: a whole message checks itself, and the exercise's warnings are all good."""

from pathlib import Path

import pytest

from hub.protocol.content import FeedbackDraft, SeizureDraft, WarningDraft, parse_compartment, parse_draft
from hub.protocol.content.drafts import WarningCompartments
from hub.protocol.content.seizure import Statistics
from hub.protocol.encoding import encode_b64url
from hub.protocol.errors import CheckDigitError, CodeListError, ContentError, JsonError
from hub.protocol.marks import HandlingCode, Tlp
from hub.protocol.strictjson import parse_json, write_json
from hub.protocol.vocabulary import (
    Basis,
    Label,
    MessageKind,
    Offence,
    Priority,
    Purpose,
    Status,
    Subject,
    TransportMode,
)

WARNINGS = Path(__file__).parents[2] / "config" / "exercise" / "warnings.jsonl"
LINES = WARNINGS.read_bytes().splitlines()

Facts = dict[str, object]
HEAD: Facts = {
    "marks": {"tlp": "AMBER", "codes": ["H2"], "eval": "B2", "court": False, "retain": 7776000, "caveats": []},
    "purpose": "customs-control",
    "offence": "firearms",
    "basis": "operation-plan",
}
ACTION: Facts = {
    "national_reference": "LTN-1",
    "subject": "consignment",
    "requested": ["inspect"],
    "grounds": "Exercise.",
    "contact": {"unit": "Duty desk", "phone": "+9995550100"},
}
JOURNEY: Facts = {"persons": [0], "route": [{"role": "origin", "country": "TR"}]}
SEIZED: Facts = {
    "seizure_id": "S-1",
    "at": "2027-03-06T06:10Z",
    "office": "Office",
    "location": "BEANR",
    "direction": "import",
    "mode": "sea",
    "detection": "warning-message",
    "caused_by": ["A" * 43],
    "status": "seized",
    "containers": ["CSQU3054383"],
    "firearms": [{"unit": "whole", "count": 3, "kind": "rifle"}],
    "cash": [{"instrument": "coins", "money": {"amount": "5", "currency": "USD"}}],
}


def draft(kind: str, compartments: Facts, **more: object) -> bytes:
    return write_json(HEAD | {"kind": kind, "compartments": compartments} | more)


def refused(data: bytes) -> ContentError:
    with pytest.raises(ContentError) as raised:
        parse_draft(data)
    return raised.value


# --- the exercise ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", LINES)
def test_every_warning_of_the_exercise_is_good(line: bytes) -> None:
    found = parse_draft(line)
    assert isinstance(found, WarningDraft)
    assert found.status is Status.EXERCISE
    assert found.operation == "exercise-lantern"
    assert 1 <= len(found.facets()) <= 16
    for label, fmt, data in found.body():
        parse_compartment(label, MessageKind.WARNING, data, fmt=fmt)


def test_the_exercise_shows_the_variety_of_real_traffic() -> None:
    drafts = [parse_draft(line) for line in LINES]
    assert 12 <= len(drafts) <= 20
    assert {one.marks.tlp for one in drafts} == set(Tlp)
    assert {code for one in drafts for code in one.marks.codes} == set(HandlingCode)
    assert {one.priority for one in drafts} == set(Priority)
    assert {one.basis for one in drafts} == set(Basis)
    assert len({one.purpose for one in drafts} & set(Purpose)) >= 6
    assert len({one.offence for one in drafts} & set(Offence)) >= 6
    topics = {topic for one in drafts for topic in one.facets()}
    assert {f"subject:{subject}" for subject in Subject} <= topics
    assert {f"mode:{mode}" for mode in TransportMode} <= topics
    assert {"hs:93", "hs:36", "hs:49"} <= topics
    used = {label for one in drafts for label, _, _ in one.body()}
    assert used == set(WarningCompartments.model_fields)
    assert sum(len(one.body()) >= 6 and Label.IDENTITY in {part[0] for part in one.body()} for one in drafts) >= 2


def test_the_exercise_invents_everything() -> None:
    """Documents are Utopia's, telephones and mail lead nowhere, and what is a company says that it is none."""
    text = WARNINGS.read_text("utf-8")
    assert "UTO" in text
    for line in LINES:
        parts = parse_json(line)["compartments"]
        contact = parts["action"]["contact"]
        assert contact["phone"].startswith("+999")
        assert contact["mail"].endswith(".example")
        for person in parts.get("identity", {}).get("persons", []):
            assert all(document["issuer"] == "UTO" for document in person.get("documents", []))
    references = [parse_json(line)["compartments"]["action"]["national_reference"] for line in LINES]
    assert len(set(references)) == len(references)


# --- what drafts derive ----------------------------------------------------------------------------------------------


def test_topics_come_from_the_content() -> None:
    found = parse_draft(LINES[0])
    assert found.facets() == (
        "destination:KE",
        "hs:84",
        "hs:93",
        "mode:air",
        "origin:TR",
        "subject:consignment",
        "transit:QA",
    )


def test_given_topics_are_kept_and_sorted() -> None:
    found = parse_draft(draft("warning", {"action": ACTION}, topics=["mode:sea", "hs:93", "mode:sea"]))
    assert found.facets() == ("hs:93", "mode:sea")
    assert parse_draft(draft("warning", {"action": ACTION}, topics=[])).facets() == ()


def test_many_countries_leave_the_ends_of_the_route() -> None:
    countries = ["AD", "AE", "AF", "AG", "AI", "AL", "AM", "AO", "AQ", "AR", "AS", "AT", "AU", "AW", "AX", "AZ", "BA"]
    route: list[Facts] = [{"role": "transit", "country": code} for code in countries]
    route = [{"role": "origin", "country": "TR"}, *route, {"role": "destination", "country": "KE"}]
    facets = parse_draft(draft("warning", {"action": ACTION, "conveyance": {"route": route}})).facets()
    assert len(facets) == 16
    assert {"origin:TR", "destination:KE", "subject:consignment"} <= set(facets)


def test_a_seizure_makes_its_own_statistics() -> None:
    found = parse_draft(draft("seizure", {"seizure": SEIZED}))
    assert isinstance(found, SeizureDraft)
    assert [label for label, _, _ in found.body()] == [Label.SEIZURE, Label.STATISTICS]
    figures = parse_compartment(Label.STATISTICS, MessageKind.SEIZURE, found.body()[1][2])
    assert isinstance(figures, Statistics)
    assert (figures.firearms_whole, figures.warnings) == (3, 1)
    assert found.facets() == ("hs:93", "mode:sea", "subject:cash")
    written = parse_json(found.body()[1][2])
    assert parse_draft(draft("seizure", {"seizure": SEIZED, "statistics": written})).body() == found.body()


def test_statistics_that_say_something_else_are_refused() -> None:
    written = parse_json(parse_draft(draft("seizure", {"seizure": SEIZED})).body()[1][2]) | {"firearms_whole": 4}
    assert refused(draft("seizure", {"seizure": SEIZED, "statistics": written})).field == "statistics"


def test_attachments_follow_the_compartments() -> None:
    picture: Facts = {"fmt": "image/jpeg", "data": encode_b64url(b"\xff\xd8\xff")}
    found = parse_draft(draft("feedback", {"outcome": {"code": "seized"}}, attachments=[picture, picture]))
    assert isinstance(found, FeedbackDraft)
    assert [part[:2] for part in found.body()] == [
        (Label.OUTCOME, "application/json"),
        (Label.ATTACHMENT, "image/jpeg"),
        (Label.ATTACHMENT, "image/jpeg"),
    ]
    assert found.body()[1][2] == b"\xff\xd8\xff"
    assert found.facets() == ()


# --- what drafts refuse ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "field", "error"),
    [
        (b"[]", "kind", CodeListError),
        (draft("warnin", {"action": ACTION}), "kind", CodeListError),
        (draft("warning", {}), "action", ContentError),
        (draft("warning", {"action": ACTION, "outcome": {"code": "seized"}}), "outcome", ContentError),
        (draft("warning", {"action": ACTION}, priority="urgent"), "action.urgency_reason", ContentError),
        (draft("warning", {"action": ACTION}, topics=["hs:98"]), "topics.0", CodeListError),
        (draft("warning", {"action": ACTION}, topics=["hs:93"] * 17), "topics", ContentError),
        (draft("warning", {"action": ACTION}, purpose="customs"), "purpose", CodeListError),
        (draft("warning", {"action": ACTION}, operation="Lantern"), "operation", ContentError),
        (draft("warning", {"action": ACTION}, marks={"tlp": "AMBER", "court": 1}), "marks.court", ContentError),
        (draft("warning", {"action": ACTION}, marks={"tlp": "AMBER", "codes": ["H3"]}), "marks", ContentError),
        (
            draft("warning", {"action": ACTION}, attachments=[{"fmt": "image/jpg", "data": "AA"}]),
            "attachments.0.fmt",
            CodeListError,
        ),
        (
            draft("warning", {"action": ACTION}, attachments=[{"fmt": "image/png", "data": "A"}]),
            "attachments.0.data",
            ContentError,
        ),
        (
            draft("warning", {"action": ACTION, "consignment": {"containers": ["CSQU3054380"]}}),
            "consignment.containers.0",
            CheckDigitError,
        ),
        (
            draft("warning", {"action": ACTION, "travel": {"source": "api", "journeys": [JOURNEY]}}),
            "identity.persons",
            ContentError,
        ),
        (draft("feedback", {"outcome": {"code": "could-not-execute"}}), "outcome.legal_reason", ContentError),
        (
            draft(
                "feedback",
                {
                    "outcome": {"code": "not-arrived"},
                    "observation": {"located": True, "place": {"country": "QA"}, "at": "2027-03-06T06:10Z"},
                },
            ),
            "observation.located",
            ContentError,
        ),
        (draft("seizure", {"seizure": SEIZED | {"caused_by": []}}), "seizure.caused_by", ContentError),
    ],
)
def test_the_first_wrong_field_is_named(data: bytes, field: str, error: type[ContentError]) -> None:
    found = refused(data)
    assert (found.field, type(found)) == (field, error)
    assert found.detail.startswith(field)


def test_the_nearest_value_is_named() -> None:
    assert "'warning'" in refused(draft("warnin", {})).detail
    assert "'AMBER'" in refused(draft("warning", {"action": ACTION}, marks={"tlp": "AMBR"})).detail
    assert "'customs-control'" in refused(draft("warning", {"action": ACTION}, purpose="custom-control")).detail
    assert "'priority'" in refused(draft("warning", {"action": ACTION}, prioritiy="urgent")).detail


def test_what_is_no_json_is_said_to_be_none() -> None:
    with pytest.raises(JsonError):
        parse_draft(b'{"kind":"warning","kind":"warning"}')
