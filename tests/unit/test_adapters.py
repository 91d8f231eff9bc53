"""The three adapters: what each answers to the exercise's warnings, and what it leaves to officers."""

import stat
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, cast

import pytest

from connectors.customs import adapter as customs
from connectors.customs.arrivals import Arrival
from connectors.interpol import adapter as interpol
from connectors.interpol.adapter import Colour
from connectors.kit.agency import Agency
from connectors.kit.reading import OpenedMessage, ReadCompartment
from connectors.kit.register import read_register
from connectors.kit.runner import Reply
from connectors.kit.settings import ConnectorSettings
from connectors.police import adapter as police
from connectors.police.adapter import Encounter
from hub.protocol.audience import Via
from hub.protocol.content import Draft, FeedbackDraft, SeizureDraft, parse_compartment, parse_draft
from hub.protocol.content.codelists import LegalReason, OutcomeCode
from hub.protocol.content.counting import total
from hub.protocol.content.seizure import Statistics
from hub.protocol.errors import OpenError, SetupError
from hub.protocol.keyring import Keyring
from hub.protocol.manifest import Manifest, MessageId
from hub.protocol.marks import Caveat, HandlingCode, Marks
from hub.protocol.vocabulary import Label, MessageKind, Offence, Purpose, Subject, Verb
from hub.protocol.wire import Digest
from tests.support.tree import ROOT

EXERCISE: Final = ROOT / "config" / "exercise"
REGISTERS: Final = EXERCISE / "registers"
MH: Final[Digest] = "A" * 43
THREAD: Final[MessageId] = "01900000-0000-7000-8000-000000000000"
NOW: Final = 1_800_000_000  # Unix seconds


def opened(draft: Draft, *, via: Via = "operation", verb: Verb = Verb.ALERT, **marks: Any) -> OpenedMessage:
    """Return a draft as the addressee reads it after it came with all its compartments."""
    body = draft.body()
    kind = cast("Any", draft).kind
    facts: dict[str, Any] = {
        "iss": "fr-customs",
        "mt": kind,
        "verb": verb,
        "thread": THREAD,
        "op": draft.operation,
        "purpose": draft.purpose,
        "offence": draft.offence,
        "basis": draft.basis,
        "pri": draft.priority,
        "status": draft.status,
        "topics": draft.facets(),
        "marks": draft.marks.model_copy(update=marks),
    }
    compartments = {
        f"c{place}": ReadCompartment(label, fmt, data, parse_compartment(label, kind, data, fmt=fmt))
        for place, (label, fmt, data) in enumerate(body)
    }
    return OpenedMessage(
        mh=MH,
        manifest=Manifest.model_construct(**facts),
        compartments=compartments,
        withheld={},
        decisions=(),
        via=via,
        received_at=NOW,
    )


def warning(number: int) -> Draft:
    """Return the exercise's warning LTN-<number>."""
    return parse_draft((EXERCISE / "warnings.jsonl").read_bytes().splitlines()[number - 1])


def arrivals(partner: str) -> tuple[Arrival, ...]:
    return read_register(REGISTERS / f"{partner}.jsonl", Arrival)


def outcomes(replies: Sequence[Reply]) -> list[str]:
    drafts = [reply.draft for reply in replies]
    return [one.compartments.outcome.code if isinstance(one, FeedbackDraft) else "report" for one in drafts]


def agency_with(folder: Path, register: str = "") -> Agency:
    """Return an agency of which an adapter needs the settings and the keys only."""
    file = folder / "register.jsonl"
    if register:
        file.write_text(register)
    settings = ConnectorSettings(
        partner="de-police", federation="x", hub="int-hub", hub_url="https://hub.example", register_file=file
    )
    keyring = Keyring.generate("de-police", now=NOW, second_signature=False)
    return Agency(settings, cast("Any", type("Connector", (), {"keyring": keyring})()))


# --- the exercise's table and registers ------------------------------------------------------------------------------


def test_the_exercise_has_thirty_one_partners_and_each_has_rules() -> None:
    table = tomllib.loads((EXERCISE / "partners.toml").read_text("utf-8"))["partner"]
    assert len({one["code"] for one in table}) == 31
    assert {one["code"] for one in table} == {path.name for path in (ROOT / "policies" / "partners").iterdir()}
    registers = {one["code"]: one["register"] for one in table if "register" in one}
    assert {f"registers/{path.name}" for path in REGISTERS.iterdir()} == set(registers.values())
    assert all(code in name for code, name in registers.items())


def test_the_exercise_counts_a_double_report_once() -> None:
    reports: list[Statistics] = []
    answered: dict[str, list[str]] = {}
    for path in sorted(REGISTERS.glob("*-customs.jsonl")):
        for number in range(1, 17):
            replies = customs.answers_to(opened(warning(number)), arrivals(path.stem), country=path.stem[:2].upper())
            answered.setdefault(path.stem, []).extend(outcomes(replies))
            seizures = [one.draft for one in replies if isinstance(one.draft, SeizureDraft)]
            reports += [
                cast("Statistics", parse_compartment(label, MessageKind.SEIZURE, data))
                for one in seizures
                for label, _, data in one.body()
                if label is Label.STATISTICS
            ]
    totals = total(reports)
    assert (totals.reports, totals.events, totals.double_reports) == (3, 2, 1)
    assert (totals.firearm_parts, totals.firearms_whole, totals.arrests) == (12, 0, 1)
    assert sum(map(len, answered.values())) >= 10
    assert all(answered.values()), "every register is of use"


# --- customs ---------------------------------------------------------------------------------------------------------


def test_customs_report_a_seizure_that_the_warning_caused() -> None:
    message = opened(warning(1))
    feedback, report = customs.answers_to(message, arrivals("de-customs"), country="DE")
    assert isinstance(feedback.draft, FeedbackDraft)
    assert feedback.draft.compartments.outcome.code is OutcomeCode.SEIZED
    assert feedback.draft.compartments.observation is not None
    assert [one.id for one in feedback.draft.compartments.observation.answers] == ["q1", "q2"]
    assert isinstance(report.draft, SeizureDraft)
    assert report.draft.compartments.seizure.caused_by == (message.mh,)
    assert report.draft.compartments.seizure.parcels == ("LANTERN-77310025",)
    assert report.draft.compartments.identity is not None
    for reply in (feedback, report):
        assert reply.addressing.subscribers
        assert not reply.addressing.to
        assert (reply.draft.operation, reply.draft.status) == ("exercise-lantern", "exercise")
        assert reply.draft.marks == message.manifest.marks


@pytest.mark.parametrize(
    ("partner", "number", "expected"),
    [
        ("de-customs", 8, ["inspected-positive"]),
        ("ke-customs", 1, ["not-arrived"]),
        ("ke-customs", 10, ["let-pass"]),
        ("ke-customs", 3, []),
        ("it-customs", 7, ["could-not-execute"]),
        ("tr-customs", 5, ["inspected-negative"]),
    ],
)
def test_customs_answer_what_their_register_says(partner: str, number: int, expected: list[str]) -> None:
    replies = customs.answers_to(opened(warning(number)), arrivals(partner), country=partner[:2].upper())
    assert outcomes(replies) == expected


@pytest.mark.parametrize(("country", "expected"), [("TR", []), ("QA", ["not-arrived"]), ("FR", [])])
def test_nothing_arrives_where_a_route_begins_or_does_not_lead(country: str, expected: list[str]) -> None:
    assert outcomes(customs.answers_to(opened(warning(1)), (), country=country)) == expected


def test_customs_answer_only_questions_that_were_asked() -> None:
    (arrival,) = [one for one in arrivals("de-customs") if one.taken]
    observation = customs.observation_of(arrival, opened(warning(4)))
    assert observation is not None
    assert [one.id for one in observation.answers] == ["q1"]


def test_a_withheld_compartment_is_no_error() -> None:
    message = opened(warning(1))
    only_action = replace(message, compartments={"c0": message.compartments["c0"]})
    assert customs.answers_to(only_action, arrivals("de-customs"), country="DE") == []


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"outcome": "let-pass", "at": "2027-03-01T00:00Z", "location": "DELEJ", "office": "x"}', "number"),
        ('{"parcel": "LANTERN-1", "outcome": "seized", "at": "2027-03-01T00:00Z", "location": "DELEJ", "office": "x"}',
         "taken"),
        ("{", "register.jsonl:1"),
    ],
)  # fmt: skip
async def test_a_wrong_line_of_a_register_is_named(tmp_path: Path, line: str, told: str) -> None:
    with pytest.raises(SetupError) as caught:
        await customs.answer_as_customs(agency_with(tmp_path, line), opened(warning(1)))
    assert told in caught.value.detail


async def test_a_missing_register_is_empty(tmp_path: Path) -> None:
    assert list(await customs.answer_as_customs(agency_with(tmp_path), opened(warning(3)))) == []


# --- police ----------------------------------------------------------------------------------------------------------

PLACE: Final = '"place": {"country": "NL"}, "at": "2027-03-03T21:40+01:00"'


def encounter(known: str) -> tuple[Encounter, ...]:
    return (Encounter.model_validate_json(f"{{{known}, {PLACE}}}"),)


@pytest.mark.parametrize(
    ("known", "is_found"),
    [
        ('"surname": "Funke-Beispiel", "born": "1975-06-02"', True),
        ('"surname": "FUNKE-BEISPIEL", "born": "1975"', False),
        ('"surname": "FUNKE", "born": "1975-06-02"', False),
        ('"documents": [{"type": "I", "number": "XI880041K", "issuer": "UTO"}]', True),
        ('"documents": [{"type": "I", "number": "XI880041K", "issuer": "NLD"}]', False),
    ],
)
def test_police_find_by_document_or_by_name_and_whole_date(known: str, *, is_found: bool) -> None:
    replies = police.answers_to(opened(warning(7)), encounter(known))
    assert bool(replies) == is_found
    for reply in replies:
        assert isinstance(reply.draft, FeedbackDraft)
        assert reply.draft.compartments.observation is not None
        assert reply.draft.compartments.observation.located


def test_a_date_that_is_only_partly_known_finds_nobody() -> None:
    assert police.answers_to(opened(warning(1)), encounter('"surname": "LAMPWICK", "born": "1987-04"')) == []


@pytest.mark.parametrize(
    ("via", "number", "expected"),
    [("named", 7, ["inspected-negative"]), ("operation", 7, []), ("topic", 7, []), ("named", 3, [])],
)
def test_police_say_that_nobody_was_found_only_when_asked_by_name(via: Via, number: int, expected: list[str]) -> None:
    assert outcomes(police.answers_to(opened(warning(number), via=via), ())) == expected


@pytest.mark.parametrize("code", ["nl-police", "de-police"])
def test_the_exercise_has_police_find_somebody(code: str) -> None:
    register = read_register(REGISTERS / f"{code}.jsonl", Encounter)
    found = [number for number in range(1, 17) if police.answers_to(opened(warning(number)), register)]
    assert len(found) == 1


async def test_a_program_leaves_decisions_to_officers_where_the_caveat_says_so(tmp_path: Path) -> None:
    known = '"documents": [{"type": "P", "number": "XL0014462", "issuer": "UTO"}]'
    agency, message = agency_with(tmp_path, f"{{{known}, {PLACE}}}"), opened(warning(14))
    assert Caveat.NO_AUTOMATED_DECISION in message.manifest.marks.caveats
    assert list(await police.answer_as_police(agency, message)) == []
    free = opened(warning(14), caveats=(), codes=(HandlingCode.H1,))
    assert outcomes(await police.answer_as_police(agency, free)) == ["let-pass"]


@pytest.mark.parametrize("verb", [Verb.UPDATE, Verb.CANCEL, Verb.ACK])
async def test_only_new_warnings_are_answered(tmp_path: Path, verb: Verb) -> None:
    agency = agency_with(tmp_path)
    for answer in (customs.answer_as_customs, police.answer_as_police):
        assert list(await answer(agency, opened(warning(1), via="named", verb=verb))) == []


# --- bureau ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("purpose", "offence", "subject", "colour"),
    [
        (Purpose.WANTED_PERSONS, Offence.FIREARMS, Subject.PERSON, Colour.RED),
        (Purpose.IDENTIFY_PERSONS, Offence.TRAFFICKING, Subject.PERSON, Colour.BLUE),
        (Purpose.REMAINS, Offence.NONE, Subject.PERSON, Colour.BLACK),
        (Purpose.ALERT, Offence.EXPLOSIVES, Subject.CONSIGNMENT, Colour.ORANGE),
        (Purpose.ALERT, Offence.FIREARMS, Subject.PERSON, Colour.GREEN),
        (Purpose.WANTED_PERSONS, Offence.FIREARMS, Subject.MODUS_OPERANDI, Colour.PURPLE),
        (Purpose.ALERT, Offence.OTHER_SERIOUS, Subject.DOCUMENT, Colour.DOCUMENT),
    ],
)
def test_the_colour_of_a_notice(purpose: Purpose, offence: Offence, subject: Subject, colour: Colour) -> None:
    assert interpol.colour_of(purpose, offence, subject) is colour


async def test_a_notice_is_kept_once_and_sealed(tmp_path: Path) -> None:
    agency, message = agency_with(tmp_path), opened(warning(14))
    for _ in range(2):
        await interpol.answer_as_bureau(agency, message)
    file = agency.settings.register_file
    assert b"KERZENMACHER" not in file.read_bytes()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    (notice,) = interpol.notices(file, agency.connector.keyring)
    assert (notice.colour, notice.national_reference) == (Colour.RED, "LTN-0014")
    assert notice.persons[0].surname == "KERZENMACHER"
    assert notice.keep_until == NOW + message.manifest.marks.retain


async def test_an_altered_notice_is_refused(tmp_path: Path) -> None:
    agency = agency_with(tmp_path)
    await interpol.answer_as_bureau(agency, opened(warning(14)))
    file = agency.settings.register_file
    text = bytearray(file.read_bytes())
    at = len(text) - 30
    text[at] = ord("A") if text[at] != ord("A") else ord("B")
    file.write_bytes(bytes(text))
    with pytest.raises(OpenError):
        interpol.notices(file, agency.connector.keyring)


def test_what_must_not_be_stored_becomes_no_notice() -> None:
    marks = Marks(tlp=warning(14).marks.tlp, codes=(HandlingCode.H3,), caveats=(Caveat.NO_STORAGE,))
    assert interpol.notice_of(opened(warning(14), **dict(marks))) is None


@pytest.mark.parametrize(
    ("via", "number", "says_no"), [("named", 1, True), ("operation", 1, False), ("named", 3, False)]
)
def test_a_bureau_says_that_it_has_no_powers_when_it_is_asked_by_name(via: Via, number: int, *, says_no: bool) -> None:
    replies = interpol.answers_to(opened(warning(number), via=via))
    assert bool(replies) == says_no
    for reply in replies:
        assert isinstance(reply.draft, FeedbackDraft)
        assert reply.draft.compartments.outcome.legal_reason is LegalReason.NO_LEGAL_POWER
