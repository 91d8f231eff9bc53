"""A hub is backed up while messages come in, restored, and does not start again before somebody accepts the loss."""

import asyncio
import json
import os
import shutil
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from connectors.kit.agency import Agency
from hub.app import RunningHub, running_hub
from hub.backup import back_up, check_not_rolled_back, restore
from hub.cli import valise
from hub.host.backup import read_manifest
from hub.host.findings import failed
from hub.protocol.errors import BackupError, RolledBackError, SetupError
from hub.settings import HubSettings
from hub.store.fsck import examine_store, extent_of
from tests.support.agency import warning_draft
from tests.support.exercise import HUB, OPERATION, PARTNERS, WORD, Exercise, found_exercise
from tests.support.office import PASSPHRASE

SENDERS = 3
MESSAGES = 6  # of each, while the backup is made


@pytest.fixture(autouse=True)
def _word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VALISE_PASSPHRASE", PASSPHRASE)


@pytest.fixture
def exercise(tmp_path: Path) -> Exercise:
    return found_exercise(tmp_path)


@pytest.fixture
async def hub(exercise: Exercise) -> AsyncIterator[RunningHub]:
    async with running_hub(HubSettings.read(exercise.hub / "hub.toml")) as running:
        exercise.place_agencies(running.url)
        yield running


async def _send(agency: Agency, count: int) -> list[str]:
    draft = warning_draft(operation=OPERATION)
    return [(await agency.send(draft, to=["de-customs", "de-police"])).mh for _ in range(count)]


async def _open_operation(agency: Agency) -> None:
    now = int(time.time())
    await agency.open_operation(
        OPERATION, title="Exercise", members=sorted(PARTNERS), opens=now - 60, closes=now + 3_600, exercise=True
    )


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(valise, [str(word) for word in words])


def messages_in(database: Path) -> set[str]:
    with closing(sqlite3.connect(database)) as db:
        return {mh for (mh,) in db.execute("SELECT mh FROM messages")}


@pytest.mark.usefixtures("hub")
async def test_a_backup_is_made_under_load_and_restored(exercise: Exercise, tmp_path: Path) -> None:
    file, again, now = tmp_path / "hub.backup", tmp_path / "again", int(time.time())
    async with Agency.open(exercise.agency("fr-customs"), passphrase=WORD) as agency:
        await _open_operation(agency)
        before = await _send(agency, 2)
        load = asyncio.gather(*(_send(agency, MESSAGES) for _ in range(SENDERS)))
        made = await asyncio.to_thread(back_up, exercise.hub, file, now=now, with_keys=False)
        after = {mh for sent in await load for mh in sent}
    assert (made.partner, made.kind, len(made.root)) == (HUB, "hub", 64)
    assert set(made.files) == {"hub.toml", "hub.db", "hub.seen", "root.json"}
    assert await asyncio.to_thread(restore, file, again, now=now) == made
    kept = messages_in(again / "hub.db")
    assert set(before) <= kept <= {*before, *after}
    assert messages_in(exercise.database) == {*before, *after}, "nothing was lost by it"
    extent = extent_of(again / "hub.db")
    assert (extent.entries, extent.root.hex()) == (made.entries, made.root)
    assert read_manifest(file) == made


async def test_a_restored_hub_starts_only_when_the_loss_is_accepted(exercise: Exercise, tmp_path: Path) -> None:
    settings = HubSettings.read(exercise.hub / "hub.toml")
    async with running_hub(settings) as running:
        exercise.place_agencies(running.url)
        async with Agency.open(exercise.agency("fr-customs"), passphrase=WORD) as agency:
            await _open_operation(agency)
            await _send(agency, 1)
    file, again = tmp_path / "hub.backup", tmp_path / "again"
    told = json.loads(
        (await asyncio.to_thread(run, "hub", "backup", exercise.hub, file, "--with-keys", "--json")).stdout
    )
    assert "keys.valise" in told["files"]
    restored = await asyncio.to_thread(run, "hub", "restore", file, again)
    assert restored.exit_code == 0, restored.output
    assert "--accept-rollback" in restored.stdout
    shutil.copy(exercise.hub / "word", again / "word")
    refused = await asyncio.to_thread(run, "hub", "serve", again)
    assert isinstance(refused.exception, RolledBackError)
    assert {file.name: file.stat().st_mode & 0o077 for file in again.iterdir() if file.name.startswith("hub.")} == (
        dict.fromkeys(("hub.toml", "hub.db", "hub.seen", "hub.db.restored"), 0)
    )
    doctor = await asyncio.to_thread(run, "doctor", again)
    assert "restored from a backup" in doctor.stdout
    again_settings = HubSettings.read(again / "hub.toml")
    assert check_not_rolled_back(again_settings.database, accept=True) == told["entries"]
    assert check_not_rolled_back(again_settings.database, accept=False) is None
    async with running_hub(again_settings) as running:
        assert await running.exchange.store.log_size() == told["entries"]


async def test_a_backup_is_not_of_something_damaged_nor_over_something(exercise: Exercise, tmp_path: Path) -> None:
    async with running_hub(HubSettings.read(exercise.hub / "hub.toml")) as running:
        exercise.place_agencies(running.url)
        async with Agency.open(exercise.agency("fr-customs"), passphrase=WORD) as agency:
            await _open_operation(agency)
            await _send(agency, 1)
    now, file = int(time.time()), tmp_path / "hub.backup"
    await asyncio.to_thread(back_up, exercise.hub, file, now=now, with_keys=False)
    with pytest.raises(SetupError, match="exists"):
        await asyncio.to_thread(back_up, exercise.hub, file, now=now, with_keys=False)
    with pytest.raises(SetupError, match="never over"):
        await asyncio.to_thread(restore, file, exercise.hub, now=now)
    with closing(sqlite3.connect(exercise.database, isolation_level=None)) as db:
        db.execute("UPDATE messages SET seq = seq + 7")
    with pytest.raises(BackupError, match="messages"):
        await asyncio.to_thread(back_up, exercise.hub, tmp_path / "other.backup", now=now, with_keys=False)
    checked = await asyncio.to_thread(run, "hub", "fsck", exercise.hub, "--json")
    assert checked.exit_code == 1
    assert {one["check"] for one in json.loads(checked.stdout)["findings"] if one["remedy"]} == {"messages"}


@pytest.mark.usefixtures("hub")
async def test_fsck_finds_a_running_hub_sound(exercise: Exercise) -> None:
    async with Agency.open(exercise.agency("fr-customs"), passphrase=WORD) as agency:
        await _open_operation(agency)
        await _send(agency, 1)
        async with Agency.open(exercise.agency("de-customs"), passphrase=WORD) as other:
            await other.receive_once()
        await agency.receive_once()
        result = await asyncio.to_thread(run, "hub", "fsck", exercise.hub)
        held = await asyncio.to_thread(run, "doctor", exercise.hub)
    assert f"process {os.getpid()} holds the store" in held.stdout
    assert result.exit_code == 0, result.output
    assert "0 failed, 0 to look at" in result.stdout
    assert not failed(examine_store(exercise.database, None, hub=HUB))
