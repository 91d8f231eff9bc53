"""Rows of columns: what a person may write, and that what is wrong is named with field, reason and nearest value."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from connectors.interop.cells import Cell, Form, read_cell
from connectors.interop.columns import ADDRESSING, COLUMNS, KIND, NOTE, names_of, of_kind
from connectors.interop.rows import Mapped, Row, map_row
from hub.protocol.content.drafts import FeedbackDraft, SeizureDraft, WarningDraft
from hub.protocol.vocabulary import MessageKind
from tests.support.columns import FEEDBACK, SEIZURE, WARNING

PARIS = ZoneInfo("Europe/Paris")
MH = "A" * 43


def mapped(kind: MessageKind, cells: Mapping[str, Cell], **change: Cell) -> Mapped:
    names = {**cells, **{name.replace("_", " "): cell for name, cell in change.items()}}
    row = Row(7, {names_of(kind)[name]: cell for name, cell in names.items()})
    return map_row(row, kind, zone=PARIS, defaults={}, numbers={})


def warned(**change: Cell) -> Mapped:
    return mapped(MessageKind.WARNING, WARNING, **change)


def told(found: Mapped) -> str:
    return "; ".join(one.sentence("arrivals.xlsx", 7) for one in found.problems)


def test_a_wrong_code_names_file_row_field_and_the_nearest_right_value() -> None:
    assert told(warned(transport_mode="aire")) == (
        'arrivals.xlsx, row 7, transport mode: "aire" is not known; nearest: air'
    )


def test_a_row_becomes_the_draft_that_it_says() -> None:
    draft = warned(
        transport_mode="Air",
        transport_flight="ZX417",
        origin_country="TR",
        transit_country="QA",
        transit_2_country="ET",
        destination_country="FR",
        destination_arrives=datetime(2026, 7, 2, 13, 20),  # noqa: DTZ001 - a spreadsheet's times know no zone
        question="Who collects it?",
        question_3="Which seals?",
        goods_2_description="Second line without a first",
        person_role="courier",
        person_reason="Exercise",
        person_surname="Doe",
        person_document_type="passport",
        person_document_number="X123",
        person_document_issuer="UTO",
        retain_days=30,
        caveats="not for subject; contact before action",
        handling_codes="H3; H2",
    ).draft
    assert isinstance(draft, WarningDraft)
    parts = draft.compartments
    assert parts.conveyance is not None
    assert [(leg.role.value, leg.country) for leg in parts.conveyance.route] == [
        ("origin", "TR"),
        ("transit", "QA"),
        ("transit", "ET"),
        ("destination", "FR"),
    ]
    assert parts.conveyance.route[-1].arrives == "2026-07-02T13:20+02:00"
    assert [one.id for one in parts.action.questions] == ["q1", "q3"]
    assert parts.consignment is not None
    assert parts.consignment.goods[0].description == "Second line without a first"
    assert parts.identity is not None
    assert parts.identity.persons[0].documents[0].type == "P"
    assert draft.marks.retain == 30 * 86_400
    assert draft.marks.codes == ("H2", "H3")
    assert draft.marks.caveats == ("contact-before-action", "not-for-subject")


def test_feedback_and_seizure_are_rows_as_well() -> None:
    feedback = mapped(
        MessageKind.FEEDBACK, FEEDBACK, answers=MH, located="no", answer_2="Nobody.", carried_category="it-item"
    )
    assert "carried description" in told(feedback)
    feedback = mapped(MessageKind.FEEDBACK, FEEDBACK, answers=MH, located="no", answer_2="Nobody.")
    assert isinstance(feedback.draft, FeedbackDraft)
    assert feedback.draft.compartments.observation is not None
    assert feedback.draft.compartments.observation.answers[0].id == "q2"
    assert feedback.relations == {"answers": MH}
    seizure = mapped(MessageKind.SEIZURE, SEIZURE, detection="warning message", answers=MH, arrests=2.0)
    assert isinstance(seizure.draft, SeizureDraft), told(seizure)
    assert seizure.draft.compartments.seizure.caused_by == (MH,)
    assert seizure.draft.compartments.seizure.arrests == 2


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"subject": None}, "subject: must be filled in"),
        ({"containers": "CSQU3054384"}, "containers: fails the check digit of ISO 6346"),
        ({"priority": "urgnt"}, 'priority: "urgnt" is not known; nearest: urgent'),
        ({"priority": "urgent"}, "urgency reason: an urgent warning says why"),
        ({"transit_2_country": "QA", "transit_2_locode": "TRIST"}, "transit 2 locode: lies in another country"),
        ({"goods_3_description": "x", "goods_3_quantity": "1"}, "goods 3 unit: a quantity and its unit go together"),
        ({"transport_2_mode": "sea", "transport_2_flight": "ZX417"}, "transport 2 flight: does not belong"),
        ({"requested": "inspect; sieze"}, 'requested: "sieze" is not known; nearest: seize'),
        ({"handling_codes": "H3"}, "handling: "),
        ({"contact_phone": "0033123"}, "contact phone: "),
        ({"grounds": "turned \u202e round"}, "grounds: has the character U+202E"),
        ({"goods_description": "x", "goods_unit": "kilogramm", "goods_quantity": "1"}, "nearest: KGM"),
        ({"feedback_by": "02/03/2026"}, "nearest: 2026-03-02T13:20+01:00 or 2026-02-03T13:20+01:00"),
        ({"feedback_by": "25.03.2026"}, "is in a local order; nearest: 2026-03-25T13:20+01:00"),
        ({"feedback_by": "2026-03-25 10:00"}, "has no offset from UTC; nearest: 2026-03-25T10:00+01:00"),
        ({"feedback_by": date(2026, 3, 25)}, "has no time of day"),
        ({"feedback_by": datetime(2026, 10, 25, 2, 30)}, "the clocks change"),  # noqa: DTZ001
        ({"goods_description": "x", "goods_quantity": "1,200", "goods_unit": "KGM"}, "may be read in two ways"),
        ({"goods_description": datetime(2026, 3, 2, 1, tzinfo=UTC)}, "became a date"),
        ({"updates": MH, "cancels": MH}, "updated or cancelled, not both"),
        ({"retain_days": "many"}, 'retain days: "many" is not a number'),
        ({"court": "perhaps"}, "neither yes nor no"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Cell], sentence: str) -> None:
    found = warned(**change)
    assert found.draft is None
    assert sentence in told(found)


def test_every_wrong_cell_of_a_row_is_named() -> None:
    assert len(warned(priority="x", subject="y", tlp="z").problems) == 3


def test_a_spreadsheets_time_needs_a_zone() -> None:
    cell = datetime(2026, 3, 25, 10, 0)  # noqa: DTZ001
    read = read_cell(Form.MOMENT, cell, codes={}, zone=None)
    assert read is not None
    assert "time_zone" in read.wrong
    assert read.nearest.startswith("2026-03-25T10:00")


@pytest.mark.parametrize(
    ("form", "cell", "value"),
    [
        (Form.FIGURE, 1200.5, "1200.5"),
        (Form.FIGURE, "1 200.5", "1200.5"),
        (Form.FIGURE, "007", "7"),
        (Form.FIGURE, ".5", "0.5"),
        (Form.WHOLE, 3.0, 3),
        (Form.WHOLE, "3", 3),
        (Form.YES_NO, True, True),
        (Form.YES_NO, "No", False),
        (Form.DATE, 1980, "1980"),
        (Form.DATE, date(1980, 5, 1), "1980-05-01"),
        (Form.DATE, datetime(1980, 5, 1), "1980-05-01"),  # noqa: DTZ001
        (Form.TEXT, "  trailing \u00a0", "trailing"),
        (Form.TEXTS, "a; b\nc", ["a", "b", "c"]),
    ],
)
def test_a_cell_is_read_as_what_it_is(form: Form, cell: Cell, value: object) -> None:
    read = read_cell(form, cell, codes={}, zone=PARIS)
    assert read is not None
    assert read.value == value


def test_a_number_that_may_have_lost_its_zeros_is_doubted() -> None:
    found = warned(national_reference=12345)
    assert found.draft is not None
    assert [one.field for one in found.warnings] == ["national reference"]
    assert "leading zeros" in found.warnings[0].wrong
    assert "was a number" in told(warned(national_reference=1.5e20))


def test_every_column_leads_into_a_draft() -> None:
    """A path that no draft has would be refused as a member that is not there, whatever stands in the cell."""
    lost = []
    for kind, cells in (
        (MessageKind.WARNING, WARNING),
        (MessageKind.FEEDBACK, FEEDBACK),
        (MessageKind.SEIZURE, SEIZURE),
    ):
        for column in of_kind(kind):
            if column.name in ADDRESSING | {NOTE, KIND} or column.name in cells:
                continue
            value = next(iter(column.codes), "1")
            found = mapped(
                kind,
                {**cells, "answers": MH} if kind is MessageKind.FEEDBACK else cells,
                **{column.name.replace(" #", "").replace(" ", "_"): value},
            )
            lost += [column.name for one in found.problems if "no such member" in one.wrong]
    assert lost == []


def test_names_are_not_ambiguous() -> None:
    for kind in MessageKind:
        names = [name.replace(" #", "") for column in of_kind(kind) for name in (column.name, *column.aliases)]
        assert len(names) == len(set(names)), kind
    assert all(column.meaning.endswith(".") for column in COLUMNS)
