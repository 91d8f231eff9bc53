"""One cell as a person or a program filled it in, read as what a column holds; what is doubtful is never guessed.

A cell that is wrong is answered with what is wrong and the nearest right value. Not for: whether the values of a row
fit together; the draft checks that. Reference page: `docs/reference/columns.md`.
"""

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Final
from zoneinfo import ZoneInfo

Cell = str | int | float | bool | datetime | date | time | None
Value = str | int | bool | list[str]

YES: Final = frozenset({"yes", "y", "true", "1", "x"})
NO: Final = frozenset({"no", "n", "false", "0"})
_DIGITS: Final = 15  # of a whole number; a spreadsheet keeps no more
_YEAR: Final = 4  # digits
_SHOWN: Final = 40  # characters of a wrong value that a report repeats
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_LOCAL_DATE: Final = re.compile(r"(\d{1,2})[./-](\d{1,2})[./-](\d{4}|\d{2})(?P<rest>[ T].*)?\Z")
_NO_OFFSET: Final = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d)(:\d\d)?\Z")
_PLAIN: Final = re.compile(r"\d*\.?\d+\Z", re.ASCII)
_MIDNIGHT: Final = time(0)


class Form(Enum):
    """What a column holds; the values are what people read."""

    TEXT = "text"
    NUMBER_TEXT = "text, though it may look like a number"
    CODE = "a code of the list"
    TEXTS = "several texts with ; between them"
    CODES = "several codes with ; between them"
    WHOLE = "whole number"
    FIGURE = "number with at most four decimals, with a point"
    YES_NO = "yes or no"
    DATE = "date: YYYY, YYYY-MM or YYYY-MM-DD"
    MOMENT = "date and time with offset: 2026-10-02T13:20+03:00"


@dataclass(frozen=True, slots=True)
class Read:
    """What a cell holds: a value, or what is wrong and the nearest right value; `warning` goes with a value."""

    value: Value | None = None
    wrong: str = ""
    nearest: str = ""
    warning: str = ""
    unknown: bool = False


def text_of(cell: Cell) -> str:
    """Return a cell as text: no blanks at its ends, numbers as they were typed."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 10**_DIGITS else repr(cell)
    if isinstance(cell, datetime) and cell.time() == _MIDNIGHT:
        return cell.date().isoformat()
    return str(cell).strip()


def read_cell(form: Form, cell: Cell, *, codes: Mapping[str, str], zone: ZoneInfo | None) -> Read | None:
    """Return what a cell holds in a column of that form, or None when it is empty.

    Args:
        form: what the column holds.
        cell: as the file had it; text from CSV, text, numbers or dates from a spreadsheet.
        codes: of a column of codes, each with its label.
        zone: whose local time a spreadsheet's dates with times are.
    """
    text = text_of(cell)
    if not text:
        return None
    found = _CONTROLS.search(text)
    if found:
        return Read(wrong=f"has the character U+{ord(found[0]):04X}, which is invisible or turns text round; remove it")
    if form in (Form.DATE, Form.MOMENT):
        return _read_date(cell, text) if form is Form.DATE else _read_moment(cell, text, zone)
    if form in (Form.CODE, Form.CODES):
        return _read_codes(text, codes, several=form is Form.CODES)
    if isinstance(cell, date | time):
        return Read(wrong=f"{text} became a date; format the column as text and write it again")
    return _READERS[form](cell, text)


# --- texts -----------------------------------------------------------------------------------------------------------


def _read_text(_cell: Cell, text: str) -> Read:
    return Read(text)


def _read_number_text(cell: Cell, text: str) -> Read:
    if isinstance(cell, int | float):
        doubt = "was a number, which loses leading zeros; compare it, and format the column as text"
        return Read(text, warning=doubt) if _PLAIN.match(text) else Read(wrong=f"{text} was a number; write it as text")
    return Read(text)


def _read_texts(cell: Cell, text: str) -> Read:
    parts = [part.strip() for part in re.split(r"[;\n]", text) if part.strip()]
    warning = _read_number_text(cell, text).warning if len(parts) == 1 else ""
    return Read(parts, warning=warning) if parts else Read(wrong="nothing between the ;")


def split_codes(text: str) -> list[str]:
    """Return what stands between separators where no item has one in itself."""
    return [part.strip() for part in re.split(r"[;,\n]", text) if part.strip()]


def plain(word: str) -> str:
    """Return a word as words are compared: small letters, one blank for what may stand between."""
    return re.sub(r"[\s_\-]+", " ", word.casefold()).strip()


def _read_codes(text: str, codes: Mapping[str, str], *, several: bool) -> Read:
    known = {plain(f"{code} {label}"): code for code, label in codes.items()}
    known |= {plain(label): code for code, label in codes.items()} | {plain(code): code for code in codes}
    found: list[str] = []
    for part in split_codes(text) if several else [text]:
        code = known.get(plain(part))
        if code is None:
            close = difflib.get_close_matches(plain(part), sorted(known), n=1)
            nearest = known[close[0]] if close else ""
            return Read(wrong=f'"{part[:_SHOWN]}" is not known', nearest=nearest, unknown=True)
        found.append(code)
    return Read(found if several else found[0])


# --- numbers ---------------------------------------------------------------------------------------------------------


def _read_figure(_cell: Cell, text: str) -> Read:
    bare = text.replace("\u00a0", "").replace("\u202f", "").replace(" ", "")
    if _PLAIN.match(bare):
        shown = bare.lstrip("0") or "0"
        return Read(f"0{shown}" if shown.startswith(".") else shown)
    if re.fullmatch(r"[\d.,']+", bare):
        digits = re.sub(r"[.,'](?=\d{3}(?:[.,']|\Z))", "", bare).replace(",", ".")
        right = f"; write {digits} or {re.sub(r'[.,]', '.', bare)}" if bare.count(",") + bare.count(".") == 1 else ""
        return Read(wrong=f'"{text[:_SHOWN]}" may be read in two ways{right}', nearest=digits)
    try:
        return Read(wrong=f'"{text[:_SHOWN]}" is not plain', nearest=format(Decimal(bare), "f"))
    except InvalidOperation:
        return Read(wrong=f'"{text[:_SHOWN]}" is not a number')


def _read_whole(cell: Cell, text: str) -> Read:
    read = _read_figure(cell, text)
    number = str(read.value) if read.value is not None else ""
    if read.value is None:
        return read
    whole = number.rstrip("0").rstrip(".") if "." in number else number
    if not whole.isdecimal() or len(whole) > _DIGITS:
        return Read(wrong=f'"{text[:_SHOWN]}" is not a whole number', nearest=number.partition(".")[0][:_DIGITS])
    return Read(int(whole))


def _read_yes_no(_cell: Cell, text: str) -> Read:
    if plain(text) in YES | NO:
        return Read(plain(text) in YES)
    close = difflib.get_close_matches(plain(text), ["no", "yes"], n=1)
    return Read(wrong=f'"{text[:_SHOWN]}" is neither yes nor no', nearest=close[0] if close else "", unknown=True)


# --- dates -----------------------------------------------------------------------------------------------------------


def _read_date(cell: Cell, text: str) -> Read:
    if isinstance(cell, datetime):
        if cell.time() != _MIDNIGHT:
            return Read(wrong="has a time of day, which this column does not take", nearest=cell.date().isoformat())
        return Read(cell.date().isoformat())
    if isinstance(cell, date):
        return Read(cell.isoformat())
    if isinstance(cell, time):
        return Read(wrong="is a time of day without a date")
    return _refuse_local(text, "") or Read(text)


def _read_moment(cell: Cell, text: str, zone: ZoneInfo | None) -> Read:
    if isinstance(cell, datetime):
        return _in_zone(cell, zone)
    if isinstance(cell, date | time | int | float):
        return Read(wrong=f"{text} has no time of day, or no date", nearest="2026-10-02T13:20+03:00")
    bare = _NO_OFFSET.match(text)
    if bare:
        return Read(wrong=f'"{text[:_SHOWN]}" has no offset from UTC', nearest=f"{bare[1]}T{bare[2]}+01:00, or with Z")
    return _refuse_local(text, "T13:20+01:00") or Read(text)


def _in_zone(cell: datetime, zone: ZoneInfo | None) -> Read:
    """Return a spreadsheet's date with time, which knows no zone, as local time of the zone of the settings."""
    if zone is None:
        nearest = cell.isoformat(timespec="minutes") + "+01:00"
        return Read(wrong="a spreadsheet's time has no zone: set time_zone, or write it as text", nearest=nearest)
    early, late = (cell.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if early.utcoffset() != late.utcoffset():  # in the hour when the clocks change: it is there twice or never
        both = " or ".join(sorted({one.isoformat(timespec="minutes") for one in (early, late)}))
        return Read(wrong=f"the clocks change at {cell:%H:%M} on that day; write it as text", nearest=both)
    seconds = "seconds" if cell.second else "minutes"
    return Read(early.replace(microsecond=0).isoformat(timespec=seconds).replace("+00:00", "Z"))


def _refuse_local(text: str, rest: str) -> Read | None:
    """Refuse a date in a local order of day, month and year, and say how to write it."""
    found = _LOCAL_DATE.match(text)
    if not found:
        return None
    first, second = int(found[1]), int(found[2])
    year = found[3] if len(found[3]) == _YEAR else f"20{found[3]}"
    ways = [(day, month) for day, month in ((first, second), (second, first)) if _is_day(int(year), month, day)]
    right = " or ".join(dict.fromkeys(f"{year}-{month:02}-{day:02}{rest}" for day, month in ways))
    twice = len(set(ways)) > 1
    reason = "may be read with the day or the month first" if twice else "is in a local order"
    return Read(wrong=f'"{text[:_SHOWN]}" {reason}', nearest=right)


def _is_day(year: int, month: int, day: int) -> bool:
    try:
        return bool(datetime(year, month, day, tzinfo=UTC))
    except ValueError:
        return False


_READERS: Final[Mapping[Form, Callable[[Cell, str], Read]]] = {
    Form.TEXT: _read_text,
    Form.NUMBER_TEXT: _read_number_text,
    Form.TEXTS: _read_texts,
    Form.WHOLE: _read_whole,
    Form.FIGURE: _read_figure,
    Form.YES_NO: _read_yes_no,
}
