"""Workbooks: the templates can be filled in and sent; what hides or computes something is refused by name."""

import io
import json
import zipfile
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import CliRunner
from openpyxl import Workbook, load_workbook
from openpyxl.worksheet.hyperlink import Hyperlink

from connectors.cli.template import template as template_command
from connectors.interop.columns import choice, names_of, of_kind
from connectors.interop.drop import DropFolder
from connectors.interop.items import read_items
from connectors.interop.rows import Row, map_row
from connectors.interop.tables import name_of
from connectors.interop.templates import EXAMPLES, template
from connectors.kit.agency import Agency
from connectors.kit.link_settings import DropSettings
from hub.protocol.errors import SetupError, TableError
from hub.protocol.vocabulary import MessageKind
from tests.support.agency import World, running_world, warning_draft
from tests.support.columns import FEEDBACK, SEIZURE, WARNING

ROWS: Final = {MessageKind.WARNING: WARNING, MessageKind.FEEDBACK: FEEDBACK, MessageKind.SEIZURE: SEIZURE}


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    async with running_world(tmp_path, monkeypatch) as running:
        yield running


def saved(workbook: Workbook) -> bytes:
    data = io.BytesIO()
    workbook.save(data)
    return data.getvalue()


def filled(kind: MessageKind, change: Callable[[Any], None] = lambda _: None, **cells: Any) -> bytes:
    """Return a template of which row 3 is filled in, as an officer's program saves it."""
    workbook = load_workbook(io.BytesIO(template(kind)))
    sheet = workbook.worksheets[0]
    places = {name_of(cell.value): cell.column for cell in sheet[1]}
    values = {**ROWS[kind], **{name.replace("_", " "): value for name, value in cells.items()}}
    for name, value in values.items():
        sheet.cell(3, places[name], value)
    change(sheet)
    return saved(workbook)


async def take(agency: Agency, drop: Path, data: bytes) -> list[dict[str, Any]]:
    folder = DropFolder(agency, DropSettings(folder=drop, time_zone="Europe/Paris"))
    (drop / "in" / "filled.xlsx").write_bytes(data)
    await folder.take()
    await folder.take()
    return _report(drop)


def _report(drop: Path) -> list[dict[str, Any]]:
    [report] = drop.glob("*/*.report.json")
    lines: list[dict[str, Any]] = json.loads(report.read_bytes())["rows"]
    return lines


@pytest.mark.parametrize("kind", list(MessageKind))
async def test_a_filled_in_template_is_sent_and_its_example_is_not(
    world: World, tmp_path: Path, kind: MessageKind
) -> None:
    customs, police = await world.open(), await world.open("de-police")
    sent = await customs.send(warning_draft(), to=["de-police"])
    await police.receive_once()
    cells: dict[str, Any] = {} if kind is MessageKind.WARNING else {"answers": sent.mh[:10]}
    lines = await take(police, tmp_path / "drop", filled(kind, to="fr-customs", **cells))
    assert [(line["row"], line["state"]) for line in lines] == [(2, "example"), (3, "sent")]
    await customs.receive_once()
    [entry] = await customs.inbox()
    assert (entry.mh, entry.mt) == (lines[1]["number"], kind)


async def test_a_spreadsheets_own_time_is_local_and_named_when_wrong(world: World, tmp_path: Path) -> None:
    agency = await world.open()
    when = datetime(2026, 7, 2, 13, 20)  # noqa: DTZ001 - a spreadsheet's times know no zone
    lines = await take(agency, tmp_path / "drop", filled(MessageKind.WARNING, feedback_by=when, transport_mode="aire"))
    assert [line["says"] for line in lines if line["state"] == "wrong"] == [
        'filled.xlsx, row 3, transport mode: "aire" is not known; nearest: air'
    ]
    [raw] = [
        one for one in read_items("filled.xlsx", filled(MessageKind.WARNING, feedback_by=when))[0] if one.number == 3
    ]
    assert raw.row is not None
    assert raw.row.text("feedback by") == "2026-07-02 13:20:00"


@pytest.mark.parametrize("kind", list(MessageKind))
def test_a_template_offers_every_code_and_nothing_else(kind: MessageKind) -> None:
    workbook = load_workbook(io.BytesIO(template(kind)))
    sheet, lists = workbook.worksheets[0], workbook["Codes"]
    offered = {}
    for validation in sheet.data_validations.dataValidation:
        letter = str(validation.sqref).partition("2:")[0]
        name = name_of(sheet[f"{letter}1"].value)
        if validation.type == "list" and validation.formula1.startswith("Codes!"):
            place = validation.formula1.removeprefix("Codes!").replace("$", "")
            offered[name] = [line[0].value for line in lists[place]]
        assert validation.prompt, name
    expected = {
        column.named(1): [choice(*one) for one in column.codes.items()]
        for column in of_kind(kind)
        if column.codes and column.shown
    }
    assert offered == expected
    assert sheet.freeze_panes == "B2"
    assert sheet.print_title_rows == "$1:$1"


@pytest.mark.parametrize("kind", list(MessageKind))
def test_an_example_would_be_a_message_if_it_were_sent(kind: MessageKind) -> None:
    row = Row(2, {names_of(kind)[name]: text for name, text in EXAMPLES[kind].items()})
    assert row.is_example
    answers = {"k3J9xQ2mP0": "A" * 43}
    assert map_row(row, kind, zone=None, defaults={}, numbers=answers).problems == []


# --- what is refused -------------------------------------------------------------------------------------------------


def _formula(sheet: Any) -> None:
    sheet["B4"] = "=1+1"


def _second_sheet(sheet: Any) -> None:
    sheet.parent.create_sheet("Tabelle2")["A1"] = "more"


def _hidden_sheet(sheet: Any) -> None:
    sheet.parent.create_sheet("Tabelle2").sheet_state = "veryHidden"


def _far_away(sheet: Any) -> None:
    sheet["A1048576"] = "x"


def _hyperlink_everywhere(sheet: Any) -> None:
    sheet["A4"].hyperlink = Hyperlink(ref="A4:XFD1048576", target="https://host.example")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda sheet: sheet.merge_cells("A4:C5"), "cells A4:C5 are merged; unmerge them"),
        (_formula, "cell B4 has a formula; copy it and paste it as a value"),
        (lambda sheet: setattr(sheet.row_dimensions[3], "hidden", True), "row 3 is hidden"),
        (lambda sheet: setattr(sheet.column_dimensions["C"], "hidden", True), "column C is hidden"),
        (_second_sheet, "the sheets 'Warnings', 'Tabelle2' all have rows"),
        (_hidden_sheet, "the sheet 'Tabelle2' is hidden"),
        (_far_away, "row 1048576: more than 5000 rows"),
        (lambda sheet: setattr(sheet["B1"], "value", "note"), "note is there twice, in columns 1 and 2"),
        (lambda sheet: setattr(sheet["B1"], "value", "too"), '"too" is not known; nearest: to'),
        (lambda sheet: setattr(sheet["B4"], "value", "#REF!"), "cell B4 holds an error of the spreadsheet"),
        (lambda sheet: sheet.delete_rows(2, 2), "no row below the header"),
        (lambda sheet: sheet.delete_rows(1, 3), "nothing in it"),
    ],
)
def test_what_hides_or_computes_something_is_refused(change: Callable[[Any], None], told: str) -> None:
    with pytest.raises(TableError) as caught:
        read_items("filled.xlsx", filled(MessageKind.WARNING, change))
    assert told in caught.value.detail


def test_a_hyperlink_over_the_whole_sheet_costs_nothing() -> None:
    raws, _ = read_items("filled.xlsx", filled(MessageKind.WARNING, _hyperlink_everywhere))
    assert [raw.number for raw in raws] == [2, 3, 4], "its address is the text of one cell"


def _repacked(change: Callable[[str, bytes], bytes], *more: tuple[str, bytes]) -> bytes:
    data = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(filled(MessageKind.WARNING))) as old,
        zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
        for name, text in more:
            new.writestr(name, text)
    return data.getvalue()


def _same(_name: str, text: bytes) -> bytes:
    return text


def _merged_everywhere(name: str, text: bytes) -> bytes:
    merged = b'</sheetData><mergeCells count="1"><mergeCell ref="A1:XFD1048576"/></mergeCells>'
    return text.replace(b"</sheetData>", merged) if name.endswith("sheet1.xml") else text


def _laughs(name: str, text: bytes) -> bytes:
    document = b'<!DOCTYPE lolz [<!ENTITY lol "lol">]>'
    return document + text if name.endswith("styles.xml") else text


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (lambda: _repacked(_same, ("xl/media/bomb.bin", bytes(64 * 2**20))), "unpacks to more than 48 MiB"),
        (lambda: _repacked(_same, *((f"xl/{number}.xml", b"<a/>") for number in range(300))), "unpacks to more than"),
        (lambda: _repacked(_same, ("xl/vbaProject.bin", b"x")), "has macros"),
        (lambda: _repacked(_merged_everywhere), "cells A1:XFD1048576 are merged"),
        (lambda: _repacked(_laughs), "its XML has a document type"),
        (lambda: _repacked(lambda name, text: b"" if name.endswith("workbook.xml") else text), "not a"),
        (lambda: filled(MessageKind.WARNING)[:-200], "not an .xlsx workbook"),
        (lambda: b"PK\x03\x04" + bytes(17 * 2**20), "more than 16 MiB"),
    ],
)
def test_an_archive_that_is_a_bomb_or_broken_is_refused_before_it_is_opened(
    data: Callable[[], bytes], told: str
) -> None:
    with pytest.raises(TableError) as caught:
        read_items("filled.xlsx", data())
    assert told in caught.value.detail


# --- the command -----------------------------------------------------------------------------------------------------


def test_the_command_writes_a_template_and_replaces_nothing(tmp_path: Path) -> None:
    file = tmp_path / "warnings.xlsx"
    done = CliRunner().invoke(template_command, ["warning", str(file), "--json"])
    assert json.loads(done.output) == {"file": str(file), "kind": "warning"}
    assert load_workbook(file).sheetnames == ["Warnings", "How to fill in", "Codes"]
    again = CliRunner().invoke(template_command, ["warning", str(file)])
    assert isinstance(again.exception, SetupError)
    assert CliRunner().invoke(template_command, ["warning", str(tmp_path / "a.xls")]).exit_code == 2
