"""Workbooks that an officer fills in: one sheet of rows with lists to choose from, one that explains, one of all codes.

Made from the table of columns, so a template never offers what the drop folder refuses. Not for: reading them
(`spreadsheets.py`). User's page: `docs/how-to/fill-in-a-template.md`.
"""

import io
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from openpyxl import Workbook
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation

from connectors.interop.cells import Form
from connectors.interop.columns import NOTE, Column, choice, of_kind
from hub.protocol.vocabulary import MessageKind

ROWS: Final = 1_000  # that lists and formats reach
_TITLES: Final[Mapping[MessageKind, str]] = MappingProxyType(
    {MessageKind.WARNING: "Warnings", MessageKind.FEEDBACK: "Feedback", MessageKind.SEIZURE: "Seizures"}
)
_COLOURS: Final = ("1F4E79", "385723", "7F6000", "843C0C", "3B3838", "44546A", "5B2C6F", "0E6655")
_FORMATS: Final[Mapping[Form, str]] = MappingProxyType(
    {Form.MOMENT: "yyyy-mm-dd hh:mm", Form.WHOLE: "0", Form.FIGURE: "General"}
)
_WIDTHS: Final[Mapping[Form, int]] = MappingProxyType(
    {Form.TEXT: 28, Form.TEXTS: 26, Form.CODE: 22, Form.CODES: 30, Form.MOMENT: 20, Form.YES_NO: 12, Form.WHOLE: 12}
)
_WIDTH: Final = 20
_PRINTED: Final = 8  # columns on a printed page
_MOST_PROMPT: Final = 250  # characters that a spreadsheet shows beside a cell
_YES_NO: Final = '"yes,no"'
EXAMPLE_NOTE: Final = "EXAMPLE - this row is not sent"
_HANDLING: Final[Mapping[str, str]] = MappingProxyType(
    {
        NOTE: EXAMPLE_NOTE,
        "to": "de-customs; de-police",
        "tlp": "AMBER",
        "handling codes": "H2",
        "evaluation": "B2",
        "purpose": "customs-control",
        "offence": "drugs",
        "basis": "cmaa",
        "priority": "routine",
        "status": "exercise",
    }
)
EXAMPLES: Final[Mapping[MessageKind, Mapping[str, str]]] = MappingProxyType(
    {
        MessageKind.WARNING: {
            **_HANDLING,
            "national reference": "FR-2026-0001",
            "subject": "consignment",
            "requested": "inspect; information-only",
            "grounds": "Declared weight does not fit the goods.",
            "feedback by": "2026-10-09T12:00+02:00",
            "question": "Who collects it?",
            "contact unit": "Customs duty desk",
            "contact phone": "+33123456789",
            "goods hs": "2402",
            "goods description": "Cigarettes, declared as spare parts",
            "goods quantity": "1200.5",
            "goods unit": "KGM kilogram",
            "containers": "CSQU3054383",
            "transport mode": "sea",
            "origin country": "AE",
            "destination country": "DE",
            "destination arrives": "2026-10-05T06:00+02:00",
        },
        MessageKind.FEEDBACK: {
            **_HANDLING,
            "to": "",
            "answers": "k3J9xQ2mP0",
            "outcome": "inspected-negative",
            "outcome at": "2026-10-06T15:30+02:00",
            "minutes": "90",
            "useful": "2",
            "located": "yes",
            "seen country": "DE",
            "seen locode": "DEHAM",
            "seen at": "2026-10-06T14:00+02:00",
            "answer": "The consignee's own lorry.",
        },
        MessageKind.SEIZURE: {
            **_HANDLING,
            "to": "",
            "answers": "k3J9xQ2mP0",
            "seizure id": "DE-S-0042",
            "seized at": "2026-10-06T15:30+02:00",
            "office": "Port customs office",
            "location": "DEHAM",
            "direction": "import",
            "detection": "warning-message",
            "seizure status": "seized",
            "arrests": "1",
            "goods hs": "2402",
            "goods category": "tobacco",
            "goods description": "Cigarettes",
            "goods quantity": "1200.5",
            "goods unit": "KGM kilogram",
        },
    }
)
_RULES: Final = (
    "Write one message in each row, from row 3 on. Row 2 is an example and is not sent; you may delete it.",
    "Columns marked * must be filled in. Leave out what you do not know; delete columns that you do not need.",
    "Where a list is offered, choose from it. The sheet 'Codes' has all lists.",
    "Where several values are taken, put ; between them.",
    "Dates: YYYY-MM-DD, or as much as is known: 1980 or 1980-05.",
    "Dates with time: with the offset from UTC, as 2026-10-02T13:20+03:00.",
    "A spreadsheet's own date with time is your agency's local time, if your operator has set which zone that is.",
    "Numbers: a point before decimals and nothing between thousands: 1200.5",
    "A second part of a kind has a column of its own: copy 'goods hs' and call it 'goods 2 hs', up to 9.",
    "Do not merge cells, hide rows or columns, or use formulas: such a file is refused, and the report says where.",
    "To send the same row once more on purpose, write something into 'note'.",
    "Save as .xlsx and put the file into the folder 'in'. The report on every row is in 'done' or 'failed'.",
    "This file has content in the clear: treat it like the case file, and delete it when it was sent.",
)


def template(kind: MessageKind) -> bytes:
    """Return the workbook for one kind of message."""
    workbook = Workbook()
    sheet = workbook.active
    sheet.title = _TITLES[kind]
    places = _codes(workbook, kind)
    shown = [column for column in of_kind(kind) if column.shown]
    sections = list(dict.fromkeys(column.section for column in shown))
    for place, column in enumerate(shown, 1):
        colour = _COLOURS[sections.index(column.section) % len(_COLOURS)]
        _column(sheet, place, column, colour=colour, example=EXAMPLES[kind], lists=places)
    _lay_out(sheet, len(shown))
    _explain(workbook, shown)
    workbook.properties.creator = "valise template"
    data = io.BytesIO()
    workbook.save(data)
    return data.getvalue()


def _column(
    sheet: Any,  # noqa: ANN401 - openpyxl's sheet
    place: int,
    column: Column,
    *,
    colour: str,
    example: Mapping[str, str],
    lists: Mapping[str, str],
) -> None:
    letter = get_column_letter(place)
    name = column.named(1)
    head = sheet.cell(1, place, f"{name} *" if column.required else name)
    head.font = Font(bold=True, color="FFFFFF")
    head.fill = PatternFill("solid", fgColor=colour)
    head.alignment = Alignment(wrap_text=True, vertical="center")
    head.border = Border(right=Side("thin", color="FFFFFF"))
    sheet.column_dimensions[letter].width = _WIDTHS.get(column.form, _WIDTH)
    form = _FORMATS.get(column.form, "@")  # as text, so that no number or date is made of what is typed
    sheet.column_dimensions[letter].number_format = form
    shown = sheet.cell(2, place, example.get(name) or None)
    shown.font = Font(italic=True, color="7F7F7F")
    shown.fill = PatternFill("solid", fgColor="F2F2F2")
    shown.alignment = Alignment(wrap_text=True, vertical="top")
    shown.number_format = "@"
    sheet.add_data_validation(_validation(column, letter, lists))


def _validation(column: Column, letter: str, lists: Mapping[str, str]) -> DataValidation:
    """Return what a cell of a column offers and says; where several codes are taken, others may be typed."""
    source = lists.get(column.name) or (_YES_NO if column.form is Form.YES_NO else None)
    made = DataValidation(type="list" if source else None, formula1=source, allow_blank=True)
    made.showErrorMessage = bool(source) and column.form is not Form.CODES
    made.errorTitle, made.error = "Not in the list", "Choose a value of the list; the sheet 'Codes' has them all."
    made.showInputMessage = True
    made.promptTitle = column.named(1)[:32]
    must = " Must be filled in." if column.required else ""
    made.prompt = f"{column.meaning}{must}\n{column.form.value[:1].upper()}{column.form.value[1:]}."[:_MOST_PROMPT]
    made.add(f"{letter}2:{letter}{ROWS + 1}")
    return made


def _lay_out(sheet: Any, columns: int) -> None:  # noqa: ANN401 - openpyxl's sheet
    sheet.freeze_panes = "B2"
    sheet.row_dimensions[1].height = 42
    sheet.row_dimensions[2].height = 48
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.paperSize = sheet.PAPERSIZE_A4
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
    sheet.page_setup.fitToWidth = -(-columns // _PRINTED)
    sheet.page_setup.fitToHeight = 0
    sheet.print_options.gridLines = True
    sheet.print_title_rows = "1:1"
    sheet.print_title_cols = "A:A"
    sheet.print_area = f"A1:{get_column_letter(columns)}25"
    sheet.oddFooter.center.text = "&A, page &P of &N"


def _codes(workbook: Workbook, kind: MessageKind) -> Mapping[str, str]:
    """Write the sheet of all codes; return, by column, where its list stands. Equal lists stand there once."""
    sheet = workbook.create_sheet("Codes")
    places: dict[tuple[str, ...], str] = {}
    found = {}
    for column in of_kind(kind):
        if not (column.codes and column.shown):
            continue
        words = tuple(choice(code, label) for code, label in column.codes.items())
        if words not in places:
            place = len(places) + 1
            letter = get_column_letter(place)
            for row, word in enumerate((column.named(1), *words), 1):
                sheet.cell(row, place, word).number_format = "@"
            sheet.cell(1, place).font = Font(bold=True)
            sheet.column_dimensions[letter].width = min(max(map(len, words)) + 3, 40)
            places[words] = f"Codes!${letter}$2:${letter}${len(words) + 1}"
        found[column.name] = places[words]
    sheet.freeze_panes = "A2"
    sheet.page_setup.orientation = "landscape"
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
    sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = 2, 0
    return found


def _explain(workbook: Workbook, columns: Sequence[Column]) -> None:
    sheet = workbook.create_sheet("How to fill in", 1)
    for width, letter in ((28, "A"), (24, "B"), (58, "C"), (46, "D")):
        sheet.column_dimensions[letter].width = width
    for row, rule in enumerate(_RULES, 1):
        sheet.cell(row, 1, rule)
    head = len(_RULES) + 2
    for place, title in enumerate(("Section", "Column", "Meaning", "Holds"), 1):
        sheet.cell(head, place, title).font = Font(bold=True)
    for row, column in enumerate(columns, head + 1):
        name = f"{column.named(1)} *" if column.required else column.named(1)
        for place, text in enumerate((column.section, name, column.meaning, column.form.value), 1):
            sheet.cell(row, place, text).alignment = Alignment(wrap_text=True, vertical="top")
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = 1, 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
