"""XLSX as officers fill it in: bounded before it is opened, and refused where cells do not say what they show.

Merged cells, formulas, hidden rows, columns and sheets are refused by name, because nobody sees what would be sent. Not
for: the templates (`templates.py`). User's page: `docs/how-to/fill-in-a-template.md`.
"""

import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from typing import Any, Final
from xml.etree import ElementTree as ET

from openpyxl import Workbook, load_workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.utils import get_column_letter
from openpyxl.utils.exceptions import InvalidFileException

from connectors.interop.cells import Cell, plain, text_of
from connectors.interop.tables import MAX_COLUMNS, MAX_FILE, MAX_ROWS, Grid, Table, rows_of
from hub.protocol.errors import TableError

OURS: Final = frozenset({"how to fill in", "codes"})  # sheets of the templates that hold no rows
_MAX_PARTS: Final = 200  # files in the archive; a workbook of ten sheets has about 30
_MAX_UNPACKED: Final = 48 * 1024 * 1024  # bytes of all of them together
_SHEET_PART: Final = re.compile(r"xl/worksheets/[^/]+\.xml\Z")
_REFERENCE: Final = re.compile(r"[A-Z]{1,3}([0-9]{1,7})\Z")
_SHEET_ERROR: Final = frozenset("#N/A #NAME? #NULL! #NUM! #REF! #VALUE! #DIV/0! #GETTING_DATA".split())  # noqa: SIM905 - easier to read
_BROKEN: Final = (
    InvalidFileException,
    zipfile.BadZipFile,
    ET.ParseError,
    KeyError,
    ValueError,
    TypeError,
    IndexError,
    AttributeError,
    OSError,
    EOFError,
    RuntimeError,
)


def read_spreadsheet(file: str, data: bytes) -> Table:
    """Return the rows of the workbook's one sheet of rows.

    Raises:
        TableError: it is no workbook, is too large, hides something, or `rows_of` refuses it; the detail says where.
    """
    if len(data) > MAX_FILE:
        raise TableError(f"{file}: more than {MAX_FILE // 2**20} MiB; split it into several files")
    _check_archive(file, data)
    try:
        return rows_of(_grid(file, data), file)
    except TableError:
        raise
    except _BROKEN as error:
        raise TableError(
            f"{file}: not a workbook that can be read ({type(error).__name__}); save it anew as .xlsx"
        ) from None


# --- before it is opened ---------------------------------------------------------------------------------------------


def _check_archive(file: str, data: bytes) -> None:
    """Bound what unpacking makes, and look through each sheet's XML for what a reader would blow up or pass over."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = archive.infolist()
            if len(parts) > _MAX_PARTS or sum(part.file_size for part in parts) > _MAX_UNPACKED:
                raise TableError(
                    f"{file}: unpacks to more than {_MAX_UNPACKED // 2**20} MiB; split it into several files"
                )
            if any(part.flag_bits & 1 for part in parts):
                raise TableError(f"{file}: protected by a password; save it without one")
            if any("vbaproject" in part.filename.lower() for part in parts):
                raise TableError(f"{file}: has macros; save it as .xlsx without them")
            for part in parts:
                if part.filename.endswith((".xml", ".rels")) and b"<!DOCTYPE" in archive.read(part):
                    raise TableError(f"{file}: its XML has a document type, which no spreadsheet program writes")
            for part in parts:
                if _SHEET_PART.match(part.filename):
                    with archive.open(part) as sheet:
                        _check_sheet(file, sheet)
    except (zipfile.BadZipFile, ET.ParseError, RuntimeError, OSError, EOFError, ValueError) as error:
        raise TableError(f"{file}: not an .xlsx workbook ({type(error).__name__}); save it anew as .xlsx") from None


def _check_sheet(file: str, sheet: Any) -> None:  # noqa: ANN401 - a stream of zipfile's
    """Check a sheet's XML. Its document types were refused, and the parser takes no more than was unpacked."""
    for _, element in ET.iterparse(sheet, events=("end",)):  # noqa: S314 - as said above
        problem = _hidden_in(element)
        if problem:
            raise TableError(f"{file}, {problem}")
        if element.tag.endswith("}row"):
            element.clear()


def _hidden_in(element: ET.Element) -> str:
    tag, given = element.tag.rpartition("}")[2], element.attrib
    if tag == "mergeCell":
        return f"cells {given.get('ref', '')[:20]} are merged; unmerge them, and fill in each"
    if tag == "row" and (_is_on(given.get("hidden")) and len(element)):
        return f"row {given.get('r', '')[:7]} is hidden; show it or delete it"
    if tag == "col" and _is_on(given.get("hidden")) and int(given.get("min", "0")) <= MAX_COLUMNS:
        return f"column {get_column_letter(int(given['min']))} is hidden; show it or delete it"
    if tag == "c" and (element.find("{*}v") is not None or element.find("{*}is") is not None):
        found = _REFERENCE.match(given.get("r", ""))
        if found and int(found[1]) > MAX_ROWS + 1:
            return f"row {found[1]}: more than {MAX_ROWS} rows; split it into several files"
    if tag == "c" and element.find("{*}f") is not None:
        return f"cell {given.get('r', '')[:10]} has a formula; copy it and paste it as a value"
    return ""


def _is_on(text: str | None) -> bool:
    return text in ("1", "true")


# --- opened ----------------------------------------------------------------------------------------------------------


def _grid(file: str, data: bytes) -> Grid:
    workbook = load_workbook(io.BytesIO(data), read_only=True, data_only=False, keep_links=False)
    try:
        for sheet in workbook.worksheets:
            if sheet.sheet_state != "visible":
                raise TableError(f"{file}: the sheet '{sheet.title[:31]}' is hidden; show it or delete it")
        filled = [
            grid
            for sheet in workbook.worksheets
            if plain(sheet.title) not in OURS and (grid := _cells(file, sheet)) is not None
        ]
    finally:
        workbook.close()
    if not filled:
        raise TableError(f"{file}: nothing in it")
    if len(filled) > 1:
        names = ", ".join(f"'{grid.title[:31]}'" for grid in filled)
        raise TableError(f"{file}: the sheets {names} all have rows; send each as a file of its own")
    return filled[0]


def _cells(file: str, sheet: Any) -> Grid | None:  # noqa: ANN401 - openpyxl's sheet for reading
    lines: list[tuple[int, Sequence[Cell]]] = []
    rows = sheet.iter_rows(max_row=MAX_ROWS + 2, max_col=MAX_COLUMNS + 1, values_only=True)
    for number, cells in enumerate(rows, 1):
        values = _trimmed(cells)
        wrong = next((place for place, cell in enumerate(values, 1) if str(cell) in _SHEET_ERROR), 0)
        if wrong:
            at = f"{get_column_letter(wrong)}{number}"
            raise TableError(f"{file}, row {number}: cell {at} holds an error of the spreadsheet; correct it")
        if values:
            lines.append((number, values))
    if not lines:
        return None
    (_, header), *below = lines
    return Grid(sheet.title, header, below)


def _trimmed(cells: Sequence[Any]) -> list[Cell]:
    values: list[Cell] = list(cells)
    while values and not text_of(values[-1]):
        values.pop()
    return values


# --- written ---------------------------------------------------------------------------------------------------------


def write_spreadsheet(
    title: str, header: Sequence[str], rows: Iterator[Sequence[str]] | Sequence[Sequence[str]]
) -> bytes:
    """Return a workbook of one sheet in which every cell is text: none is a formula, a date or a number."""
    workbook = Workbook(write_only=True)
    sheet = workbook.create_sheet(title)
    sheet.freeze_panes = "A2"
    for line in (header, *rows):
        sheet.append([_text_cell(sheet, text) for text in line])
    data = io.BytesIO()
    workbook.save(data)
    return data.getvalue()


def _text_cell(sheet: Any, text: str) -> WriteOnlyCell:  # noqa: ANN401 - openpyxl's sheet for writing
    cell = WriteOnlyCell(sheet, value=text)
    cell.data_type = "s"  # openpyxl takes a text that begins with = for a formula
    cell.number_format = "@"
    return cell
