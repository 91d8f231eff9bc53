"""CSV as offices write it: UTF-8, UTF-16 or Windows-1252; with commas, semicolons or tabs; and CSV that does no harm.

Not for: what the rows mean (`tables.py`). User's page: `docs/how-to/connect-a-system.md`.
"""

import codecs
import csv
import io
from collections.abc import Iterable, Sequence
from typing import Final

from connectors.interop.tables import MAX_FILE, MAX_ROWS, Grid, Table, columns_known, rows_of
from hub.protocol.errors import TableError

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DELIMITERS: Final = (",", ";", "\t")
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")  # OWASP: what spreadsheets take for a formula
_HEAD: Final = 2  # rows on which the delimiters are tried


def read_csv(file: str, data: bytes) -> Table:
    """Return the rows of a CSV file.

    Raises:
        TableError: its encoding is not known, it is no CSV, or `rows_of` refuses it; the detail says where.
    """
    if len(data) > MAX_FILE:
        raise TableError(f"{file}: more than {MAX_FILE // 2**20} MiB; split it into several files")
    if not data.strip(b"\x00 \r\n\t\xef\xbb\xbf\xff\xfe"):
        raise TableError(f"{file}: nothing in it")
    text, doubts = _decoded(file, data)
    lines = _lines(file, text, _delimiter(file, text))
    if not lines:
        raise TableError(f"{file}: nothing in it")
    (_, header), *rows = lines
    return rows_of(Grid("", header, rows), file, doubts=doubts)


def _decoded(file: str, data: bytes) -> tuple[str, list[str]]:
    """Return the text, and what is doubtful about it; a byte order mark decides, then whether it is UTF-8."""
    named = next((name for mark, name in _MARKS if data.startswith(mark)), None)
    if named is None and b"\x00" in data[:200]:
        raise TableError(f"{file}: looks like UTF-16 without a byte order mark; save it as 'CSV UTF-8'")
    try:
        text = data.decode(named or "utf-8")
    except UnicodeDecodeError as error:
        if named is not None:
            raise TableError(f"{file}: says that it is {named}, and is not at byte {error.start}") from None
        return _decoded_as_windows(file, data)
    if "\ufffd" in text:
        raise TableError(f"{file}: the program that wrote it lost characters (U+FFFD); save it as 'CSV UTF-8'")
    return text, []


def _decoded_as_windows(file: str, data: bytes) -> tuple[str, list[str]]:
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError as error:
        raise TableError(
            f"{file}: neither UTF-8 nor Windows-1252 at byte {error.start}; save it as 'CSV UTF-8'"
        ) from None
    return text, ["read as Windows-1252 because it is not UTF-8; look at names with accents"]


def _delimiter(file: str, text: str) -> str:
    """Return the delimiter with which most of the header's names are known."""
    head = "\n".join(text.splitlines()[:_HEAD])
    found = {}
    for delimiter in _DELIMITERS:
        first = next(iter(csv.reader(io.StringIO(head), delimiter=delimiter)), [])
        found[delimiter] = (columns_known(first), len(first))
    best = max(found, key=lambda one: found[one])
    if "\0" in text:
        raise TableError(f"{file}: has characters that no text has (U+0000)")
    return best


def _lines(file: str, text: str, delimiter: str) -> list[tuple[int, Sequence[str]]]:
    """Return the lines with anything in them, each with the number of its last line in the file."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    lines: list[tuple[int, Sequence[str]]] = []
    before = 0
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                lines.append((before + 1, cells))
            before = reader.line_num
            if len(lines) > MAX_ROWS + 1:
                break
    except csv.Error as error:
        raise TableError(f"{file}, row {reader.line_num}: not CSV: {error}") from None
    return lines


def harmless(cell: str) -> str:
    """Return a cell that no spreadsheet takes for a formula: an apostrophe stands before what would be one."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def write_csv(header: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """Return CSV as spreadsheets open it by themselves: UTF-8 with its mark, commas, CR LF; no cell is a formula."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow([harmless(name) for name in header])
    writer.writerows([harmless(cell) for cell in row] for row in rows)
    return codecs.BOM_UTF8 + text.getvalue().encode()
