"""An agency's store is checked, copied while it is in use, and restored: each kind of damage is planted and found."""

import io
import json
import sqlite3
import tarfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import pytest

from connectors.cli.keep import backup as backup_command
from connectors.cli.keep import fsck as fsck_command
from connectors.cli.keep import restore as restore_command
from connectors.kit.agency_store import AgencyStore, read_only
from connectors.kit.backup import back_up, restore
from connectors.kit.fsck import examine_store
from connectors.kit.outbox import HandedOver, Outbox
from hub.host.backup import MANIFEST, read_manifest
from hub.host.findings import Finding, Level
from hub.protocol.errors import BackupError, SetupError, StoreError
from tests.support.agency import directory_with_log, feedback_draft, running_world, warning_draft
from tests.support.exchange import NOW
from tests.unit.test_cli_agency import invoke, value_of

SETTINGS: Final = (
    'partner = "fr-customs"\nfederation = "test-exchange"\nhub = "int-hub"\nhub_url = "http://127.0.0.1:9"\n'
)


@pytest.fixture
async def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An agency that sent two warnings, got receipts for them and an answer."""
    async with running_world(tmp_path, monkeypatch) as world:
        customs, other = await world.open("fr-customs"), await world.open("de-customs")
        first = await customs.send(warning_draft(), to=["de-customs"])
        await customs.send(warning_draft(), to=["de-customs"])
        await other.receive_once()
        await other.answer(first.mh, feedback_draft())
        await customs.receive_once()
    made = tmp_path / "fr-customs"
    (made / "agency.toml").write_text(SETTINGS)
    (made / "root.json").write_text("{}")
    (made / "keystore.json").write_text("secret")
    (made / "keystore.json").chmod(0o600)
    return made


def leftovers(folder: Path) -> list[Path]:
    """Return what a command left beside its work."""
    return list(folder.glob(".*"))


def store_of(folder: Path) -> Path:
    return folder / "agency.sqlite"


def wrong(folder: Path) -> list[Finding]:
    directory = directory_with_log()
    return [one for one in examine_store(store_of(folder), directory) if one.level is not Level.OK]


@contextmanager
def damaging(folder: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(store_of(folder), isolation_level=None)) as db:
        db.execute("PRAGMA ignore_check_constraints = ON")
        yield db


def test_a_sound_store(folder: Path) -> None:
    assert wrong(folder) == []
    with closing(read_only(store_of(folder))) as db:
        assert db.execute("SELECT count(*) FROM receipts").fetchone() == (2,)


@pytest.mark.parametrize(
    ("check", "damage"),
    [
        ("file", "PRAGMA user_version = 77"),
        ("numbers", "UPDATE outbox SET seq = 9 WHERE seq = 2"),
        ("numbers", "UPDATE chain SET mh = 'x'"),
        ("messages", "UPDATE outbox SET mh = 'B' || substr(mh, 2) WHERE seq = 1"),
        ("messages", "UPDATE outbox SET accept = NULL WHERE seq = 1"),
        ("copies", "UPDATE inbox SET frame = zeroblob(10)"),
        ("accepts", "UPDATE outbox SET accept = (SELECT accept FROM outbox WHERE seq = 2) WHERE seq = 1"),
        ("accepts", "UPDATE outbox SET accept = CAST(replace(CAST(accept AS TEXT), 'A', 'B') AS BLOB) WHERE seq = 1"),
        ("receipts", "UPDATE receipts SET mh = 'x'"),
        ("receipts", "UPDATE receipts SET jws = replace(jws, 'A', 'B')"),
    ],
)
def test_damage_is_found(folder: Path, check: str, damage: str) -> None:
    with damaging(folder) as db:
        db.execute(damage)
    found = wrong(folder)
    assert check in {one.check for one in found}, found
    assert all(one.remedy for one in found)


def test_a_damaged_page_is_found(folder: Path) -> None:
    data = bytearray(store_of(folder).read_bytes())
    for start in range(4_096, len(data), 4_096):
        data[start : start + 64] = bytes(64)
    store_of(folder).write_bytes(data)
    assert {one.check for one in wrong(folder)} == {"file"}


def test_without_a_directory_signatures_are_not_checked_and_that_is_said(folder: Path) -> None:
    found = [one for one in examine_store(store_of(folder), None) if one.level is not Level.OK]
    assert [(one.check, one.level) for one in found] == [("signatures", Level.WARNING)]


def test_the_commands(folder: Path, tmp_path: Path) -> None:
    assert len(value_of(invoke(fsck_command, folder, "--json"))["findings"]) == 5
    file = tmp_path / "x.backup"
    told = value_of(invoke(backup_command, folder, file, "--json"))
    assert told["kind"] == "agency"
    again = value_of(invoke(restore_command, file, tmp_path / "again", "--json"))
    assert again["partner"] == "fr-customs"
    with damaging(folder) as db:
        db.execute("UPDATE chain SET mh = 'x'")
    assert invoke(fsck_command, folder).return_value == 1


async def test_a_backup_is_taken_while_the_store_is_in_use(folder: Path, tmp_path: Path) -> None:
    file, again = tmp_path / "x.backup", tmp_path / "again"
    async with await AgencyStore.open(store_of(folder)) as store:
        await Outbox(store).hand_over([HandedOver("before", b"draft")], at=NOW)
        made = back_up(folder, file, now=NOW, with_keys=False)
        await Outbox(store).hand_over([HandedOver("after", b"draft")], at=NOW)
    assert file.stat().st_mode & 0o777 == 0o600
    assert set(made.files) == {"agency.toml", "agency.sqlite", "root.json"}, "the keystore only when it is asked for"
    assert read_manifest(file) == made == restore(file, again, now=NOW)
    assert (again.stat().st_mode & 0o777, store_of(again).stat().st_mode & 0o777) == (0o700, 0o600)
    with closing(read_only(store_of(again))) as db:
        kept = {row[0] for row in db.execute("SELECT id FROM outbox")}
    assert ("before" in kept, "after" in kept) == (True, False)
    assert not leftovers(tmp_path)


def test_keys_go_along_when_they_are_asked_for(folder: Path, tmp_path: Path) -> None:
    made = back_up(folder, tmp_path / "x.backup", now=NOW, with_keys=True)
    assert "keystore.json" in made.files


def test_nothing_is_overwritten(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "x.backup"
    back_up(folder, file, now=NOW, with_keys=False)
    with pytest.raises(SetupError, match="exists"):
        back_up(folder, file, now=NOW, with_keys=False)
    with pytest.raises(SetupError, match="never over what is there"):
        restore(file, folder, now=NOW)


def test_a_damaged_store_is_not_backed_up_nor_restored(folder: Path, tmp_path: Path) -> None:
    with damaging(folder) as db:
        db.execute("UPDATE chain SET mh = 'x'")
    with pytest.raises(BackupError):
        back_up(folder, tmp_path / "x.backup", now=NOW, with_keys=False)
    assert not (tmp_path / "x.backup").exists()
    store_of(folder).unlink()
    with pytest.raises(StoreError):
        back_up(folder, tmp_path / "x.backup", now=NOW, with_keys=False)


def _members(file: Path) -> dict[str, bytes]:
    with tarfile.open(file) as archive:
        return {one.name: (archive.extractfile(one) or io.BytesIO()).read() for one in archive}


def _write(file: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(file, "w") as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


def _altered(members: dict[str, bytes]) -> dict[str, bytes]:
    data = members["agency.sqlite"]
    return members | {"agency.sqlite": data[:5_000] + bytes([data[5_000] ^ 1]) + data[5_001:]}


def _without(members: dict[str, bytes]) -> dict[str, bytes]:
    return {name: data for name, data in members.items() if name != "agency.sqlite"}


def _outside(members: dict[str, bytes]) -> dict[str, bytes]:
    manifest = json.loads(members[MANIFEST])
    manifest["files"]["../x"] = manifest["files"].pop("root.json")
    renamed = {("../x" if name == "root.json" else name): data for name, data in members.items()}
    return renamed | {MANIFEST: json.dumps(manifest).encode()}


def _of_a_hub(members: dict[str, bytes]) -> dict[str, bytes]:
    return members | {MANIFEST: members[MANIFEST].replace(b'"agency"', b'"hub"')}


@pytest.mark.parametrize(
    "change",
    [
        _altered,
        _without,
        _outside,
        _of_a_hub,
        lambda members: members | {"extra": b""},
        lambda members: {name: data for name, data in members.items() if name != MANIFEST},
        lambda members: members | {MANIFEST: b"{}"},
        lambda members: members | {MANIFEST: b"not json"},
    ],
)
def test_a_backup_that_is_not_whole_is_not_restored(
    folder: Path, tmp_path: Path, change: Callable[[dict[str, bytes]], dict[str, bytes]]
) -> None:
    file = tmp_path / "x.backup"
    back_up(folder, file, now=NOW, with_keys=False)
    _write(file, change(_members(file)))
    with pytest.raises(BackupError):
        restore(file, tmp_path / "again", now=NOW)
    assert [one.name for one in tmp_path.iterdir() if "again" in one.name] == [], "nothing is left"


@pytest.mark.parametrize("data", [b"", b"not an archive" * 100])
def test_what_is_no_backup_at_all(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(BackupError):
        restore(tmp_path / "x", tmp_path / "again", now=NOW)
    with pytest.raises(SetupError):
        restore(tmp_path / "missing", tmp_path / "again", now=NOW)
