"""The drop folder: good rows go exactly once, bad ones are named, whatever crashes or is dropped again."""

import csv
import io
import json
import stat
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from connectors.interop.cells import Cell
from connectors.interop.csv_files import write_csv
from connectors.interop.drop import DropFolder
from connectors.interop.items import read_items
from connectors.kit.agency import Agency
from connectors.kit.connector import Connector
from connectors.kit.link_settings import DropSettings
from connectors.kit.send import Sent, advance
from hub.protocol.errors import SetupError, TableError
from hub.protocol.strictjson import write_json
from tests.support.agency import World, line_of, running_world, warning_draft
from tests.support.columns import FEEDBACK, WARNING


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    async with running_world(tmp_path, monkeypatch) as running:
        yield running


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    return tmp_path / "drop"


def table(*rows: Mapping[str, Cell], delimiter: str = ",") -> str:
    header = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerow(header)
    writer.writerows([[row.get(name, "") for name in header] for row in rows])
    return text.getvalue()


def rows(count: int, **change: Cell) -> list[dict[str, Cell]]:
    return [{**WARNING, **change, "national reference": f"FR-{number}"} for number in range(1, count + 1)]


async def take(agency: Agency, drop: Path, **settings: Any) -> None:
    """Look twice, as the connector does: a file is complete when two looks see the same."""
    folder = DropFolder(agency, DropSettings(folder=drop, **settings))
    await folder.take()
    await folder.take()


def put(drop: Path, name: str, data: str | bytes) -> None:
    (drop / "in").mkdir(parents=True, exist_ok=True)
    (drop / "in" / name).write_bytes(data.encode() if isinstance(data, str) else data)


def report(drop: Path, name: str, ended: str = "done") -> list[dict[str, Any]]:
    value = json.loads((drop / ended / f"{name}.report.json").read_bytes())
    assert value["state"] == ended
    lines: list[dict[str, Any]] = value["rows"]
    return lines


def files(drop: Path, folder: str) -> list[str]:
    return sorted(file.name for file in (drop / folder).iterdir())


def states(lines: Sequence[Mapping[str, Any]]) -> list[str]:
    return [line["state"] for line in lines]


async def test_rows_are_sent_and_reported(world: World, drop: Path) -> None:
    agency, police = await world.open(), await world.open("de-police")
    put(drop, "warnings.csv", table(*rows(3)))
    await take(agency, drop)
    lines = report(drop, "warnings.csv")
    assert states(lines) == ["sent"] * 3
    assert [line["row"] for line in lines] == [2, 3, 4]
    await police.receive_once()
    assert {line["number"] for line in lines} == {entry.mh for entry in await police.inbox()}
    assert files(drop, "in") == files(drop, "work") == []
    assert _modes(drop / "done", "*.report.*") == {0o600}
    assert _modes(drop, "[!i]*") == {0o700}


def _modes(folder: Path, pattern: str) -> set[int]:
    return {stat.S_IMODE(file.stat().st_mode) for file in folder.glob(pattern)}


async def test_half_a_file_is_bad_and_the_good_half_goes(world: World, drop: Path) -> None:
    agency = await world.open()
    good, bad = rows(2), rows(2, priority="urgnt", subject="persn")
    put(drop, "warnings.csv", table(good[0], bad[0], good[1], bad[1]))
    await take(agency, drop)
    lines = report(drop, "warnings.csv", "failed")
    assert states(lines) == ["sent", "wrong", "wrong", "sent", "wrong", "wrong"]
    wrong = lines[1]
    assert (wrong["row"], wrong["field"], wrong["nearest"], wrong["code"]) == (
        3,
        "subject",
        "person",
        "content/unknown-code",
    )
    assert wrong["says"] == 'warnings.csv, row 3, subject: "persn" is not known; nearest: person'
    assert len(await agency.outbox()) == 2
    corrected = [
        one if one["subject"] != "persn" else {**one, "subject": "person", "priority": "routine", "grounds": "New."}
        for one in (good[0], bad[0], good[1], bad[1])
    ]
    put(drop, "warnings.csv", table(*corrected))
    await take(agency, drop)
    assert states(report(drop, "warnings.csv")) == ["sent before", "sent", "sent before", "sent"]
    assert len(await agency.outbox()) == 4, "the corrected file is dropped whole, and repeats nothing"


async def test_a_crash_in_the_middle_repeats_nothing(world: World, drop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(drop, "warnings.csv", table(*rows(5)))
    async with AsyncExitStack() as first_process:
        agency = await world.open(stack=first_process)
        with monkeypatch.context() as patch:
            patch.setattr("connectors.interop.taking.advance", _dying())
            with pytest.raises(_Killed):
                await take(agency, drop)
    assert files(drop, "work") == ["warnings.csv"]
    agency = await world.open()
    await take(agency, drop)
    assert set(states(report(drop, "warnings.csv"))) <= {"sent", "sent before"}
    assert len(report(drop, "warnings.csv")) == 5
    police = await world.open("de-police")
    await police.receive_once()
    assert len(await police.inbox()) == 5


class _Killed(BaseException):
    """What nothing of ours catches."""


def _dying() -> Any:
    seen: list[str] = []

    async def advance_until(connector: Connector, identifier: str) -> Sent:
        seen.append(identifier)
        if len(seen) == 3:
            raise _Killed
        return await advance(connector, identifier)

    return advance_until


async def test_a_crash_between_report_and_move_writes_the_same_report(
    world: World, drop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agency = await world.open()
    put(drop, "warnings.csv", table(*rows(1)))
    really = Path.rename

    def dies(file: Path, target: Path) -> Path:
        if target.parent.name == "done":
            raise OSError(5, "input/output error")
        return really(file, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", dies)
        with pytest.raises(SetupError):
            await take(agency, drop)
    first = report(drop, "warnings.csv")
    await take(agency, drop)
    again = report(drop, "warnings.csv")
    assert (first[0]["number"], first[0]["state"], again[0]["state"]) == (again[0]["number"], "sent", "sent before")
    assert files(drop, "done") == [
        "warnings.csv",
        "warnings.csv.report.csv",
        "warnings.csv.report.json",
    ]


async def test_a_hub_that_is_away_keeps_the_rows_in_the_outbox(world: World, drop: Path) -> None:
    agency = await world.open()
    line_of(agency).break_before["/v1/audience"] = 1
    put(drop, "warnings.csv", table(*rows(3)))
    await take(agency, drop)
    lines = report(drop, "warnings.csv")
    assert states(lines) == ["waiting"] * 3
    assert [line["number"] for line in lines] == list(await agency.connector.outbox.unfinished())


async def test_a_file_is_taken_only_when_it_is_complete(world: World, drop: Path) -> None:
    agency = await world.open()
    folder = DropFolder(agency, DropSettings(folder=drop))
    text = table(*rows(2))
    put(drop, "warnings.csv", text[: len(text) // 2])
    put(drop, "warnings.csv.part", text)
    put(drop, ".hidden.csv", text)
    (drop / "in" / "link.csv").symlink_to("/etc/hostname")
    (drop / "in" / "folder.csv").mkdir()
    await folder.take()
    put(drop, "warnings.csv", text)
    await folder.take()
    assert files(drop, "done") == [], "it grew between two looks"
    with (drop / "in" / "warnings.csv").open("ab"):
        await folder.take()
        assert files(drop, "done") == [], "somebody has it open for writing"
    await folder.take()
    assert states(report(drop, "warnings.csv")) == ["sent", "sent"]
    assert files(drop, "in") == [".hidden.csv", "folder.csv", "link.csv", "warnings.csv.part"]


async def test_feedback_answers_by_the_beginning_of_a_number(world: World, drop: Path) -> None:
    customs, police = await world.open(), await world.open("de-police")
    sent = await customs.send(warning_draft(), to=["de-police"])
    await police.receive_once()
    put(drop, "feedback.csv", table({**FEEDBACK, "answers": sent.mh[:8]}, {**FEEDBACK, "answers": "zzzzzz"}, FEEDBACK))
    await take(police, drop)
    lines = report(drop, "feedback.csv", "failed")
    assert states(lines) == ["sent", "wrong", "wrong"]
    assert {line["field"] for line in lines[1:]} == {"answers"}
    await customs.receive_once()
    assert [entry.irt for entry in await customs.inbox()] == [sent.mh]


@pytest.mark.parametrize(
    ("change", "field", "nearest"),
    [
        ({"to": "de-polise"}, "to", "de-police"),
        ({"to": ""}, "to", ""),
        ({"to members": "yes"}, "operation", ""),
        ({"updates": "B" * 43}, "updates", ""),
        ({"status": ""}, "status", "exercise"),
    ],
)
async def test_wrong_addressing_is_named(
    world: World, drop: Path, change: dict[str, str], field: str, nearest: str
) -> None:
    agency = await world.open()
    put(drop, "warnings.csv", table({**WARNING, **change}))
    await take(agency, drop)
    [line] = report(drop, "warnings.csv", "failed")
    assert (line["field"], line["nearest"]) == (field, nearest)
    assert await agency.outbox() == []


async def test_settings_fill_in_what_rows_leave_out(world: World, drop: Path) -> None:
    agency = await world.open()
    without = {name: cell for name, cell in WARNING.items() if name not in ("to", "tlp", "status")}
    put(drop, "warnings.csv", table(without))
    await take(agency, drop, to=("de-police",), defaults={"tlp": "RED", "status": "exercise"})
    [line] = report(drop, "warnings.csv")
    manifest = (await agency.connector.outbox.message(line["number"])).manifest
    assert manifest is not None
    assert (await agency.matrix(line["number"]))[0].to == "de-police"


async def test_json_drafts_and_flat_objects_are_taken(world: World, drop: Path) -> None:
    agency = await world.open()
    draft = json.loads(warning_draft().model_dump_json(exclude_defaults=True))
    handed = {"to": ["de-police"], "draft": draft}
    lines = [
        handed,
        {**handed, "note": "again"},
        handed,
        {**handed, "draft": {**draft, "offence": "drgs"}},
        {**handed, "too": 1},
    ]
    put(drop, "some.jsonl", "\n".join(write_json(line).decode() for line in lines))
    put(drop, "warnings.json", write_json([dict(WARNING)]))
    put(drop, "one.json", write_json(draft))
    await take(agency, drop, to=("de-police",))
    found = report(drop, "some.jsonl", "failed")
    assert states(found) == ["sent", "sent", "sent", "wrong", "wrong"]
    assert found[3]["field"] == "offence"
    assert "drugs" in found[3]["wrong"]
    assert states(report(drop, "warnings.json")) == ["sent"]
    assert states(report(drop, "one.json")) == ["sent"]


async def test_what_policy_refuses_is_reported_with_its_code(world: World, drop: Path) -> None:
    agency = await world.open()
    put(drop, "warnings.csv", table({**WARNING, "to": "de-police", "leave out": "de-police"}))
    await take(agency, drop)
    [line] = report(drop, "warnings.csv", "failed")
    assert (line["state"], line["code"]) == ("refused", "policy/denied")


async def test_an_earlier_file_of_the_same_name_is_kept(world: World, drop: Path) -> None:
    agency = await world.open()
    for number in (1, 2):
        put(drop, "warnings.csv", table({**WARNING, "note": str(number)}))
        await take(agency, drop)
    names = set(files(drop, "done"))
    assert {"warnings.csv", "warnings.2.csv", "warnings.2.csv.report.csv"} <= names
    assert len(await agency.outbox()) == 2, "another note makes another message"


# --- files as offices write them -------------------------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_csv_of_any_office_is_read(delimiter: str, encoding: str) -> None:
    text = table({**WARNING, "grounds": "Gewicht paßt nicht; très léger, \u201cExercise\u201d"}, delimiter=delimiter)
    raws, doubts = read_items("warnings.csv", text.encode(encoding))
    assert raws[0].row is not None
    assert raws[0].row.text("grounds") == "Gewicht paßt nicht; très léger, \u201cExercise\u201d"
    assert bool(doubts) == (encoding == "cp1252")


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("warnings.csv", b"", "nothing in it"),
        ("warnings.csv", b"tlp,to\n,\n", "no row below the header"),
        ("warnings.csv", b"tlp,to,tlp\nRED,a,RED\n", "there twice, in columns 1 and 3"),
        ("warnings.csv", b"tlp,grunds\nRED,x\n", '"grunds" is not known; nearest: grounds'),
        ("warnings.csv", b"tlp,outcome\nRED,x\n", '"outcome" is not known in a warning'),
        ("warnings.csv", b"tlp,to\nRED,a,b\n", "row 2: column 3 has a value but no name"),
        ("warnings.csv", "tlp,to\nRED,a\n".encode("utf-16-le"), "UTF-16 without a byte order mark"),
        ("warnings.csv", b"tlp,to\nRED,\x81\n", "neither UTF-8 nor Windows-1252 at byte 11"),
        ("warnings.csv", "tlp,to\nRED,\ufffd\n".encode(), "lost characters"),
        ("warnings.csv", b'tlp,to\nRED,"a\n', "not CSV"),
        ("warnings.csv", b"tlp,to\n" + b"RED,a\n" * 5001, "more than 5000 rows"),
        ("rows.csv", b"tlp,to\nRED,a\n", "not said which message"),
        ("rows.csv", b"kind,to\nwarnin,a\n", "nearest: warning"),
        ("rows.csv", b"kind,to\nwarning,a\nseizure,b\n", "the same in every row"),
        ("rows.doc", b"", "not one of .csv, .json, .jsonl, .xlsx"),
        ("rows.json", b"{", "not strict JSON"),
        ("rows.json", b"[]", "nothing in it"),
        ("rows.json", b"[1]", "item 1: not an object"),
        ("rows.jsonl", b'{"draft":{}}\n{"a":1.5}', "not strict JSON"),
        ("warnings.xlsx", b"PK\x03\x04nonsense", "not an .xlsx workbook"),
    ],
)
def test_a_file_that_is_no_table_is_refused_as_a_whole(name: str, data: bytes, told: str) -> None:
    with pytest.raises(TableError) as caught:
        read_items(name, data)
    assert caught.value.detail.startswith(name)
    assert told in caught.value.detail


async def test_a_refused_file_has_a_report_as_well(world: World, drop: Path) -> None:
    agency = await world.open()
    put(drop, "warnings.csv", "tlp,grunds\nRED,x\n")
    put(drop, "x" * 130 + ".csv", table(*rows(1)))
    await take(agency, drop)
    [line] = report(drop, "warnings.csv", "failed")
    assert (line["row"], line["code"]) == (0, "interop/bad-table")
    assert len([name for name in files(drop, "failed") if name.startswith("xxx")]) == 3


def test_no_cell_that_we_write_is_a_formula() -> None:
    cells = ["=1+1", "+33", "-1", "@x", "\tx", "plain", "a,b"]
    read = list(csv.reader(io.StringIO(write_csv(cells, [cells]).decode("utf-8-sig"))))
    assert read == [["'=1+1", "'+33", "'-1", "'@x", "'\tx", "plain", "a,b"]] * 2
