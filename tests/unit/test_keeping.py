"""What a hub believes is kept fresh: revocations arrive, a frozen directory stops it, a broken folder does not."""

import asyncio
from pathlib import Path

import pytest

from hub.authority.exchange import RegistryOffice
from hub.keeping import Keeper
from hub.protocol.errors import PolicySetError, SetupError, StaleDirectoryError
from tests.support.exchange import NOW
from tests.support.office import enrol, found_office

WEEK = 7 * 86_400  # seconds; the timestamp's life


class Clock:
    """A clock that a test moves."""

    now = NOW

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def office(tmp_path: Path) -> RegistryOffice:
    founded = found_office(tmp_path / "office")
    enrol(founded, "fr-customs")
    return founded


def keeper_of(office: RegistryOffice, tmp_path: Path, clock: Clock) -> Keeper:
    return Keeper(repository=office.public, anchor=office.anchor, memory=tmp_path / "hub.seen", clock=clock)


async def test_a_directory_that_nobody_signs_anew_stops_the_hub(office: RegistryOffice, tmp_path: Path) -> None:
    clock = Clock()
    keeper = keeper_of(office, tmp_path, clock)
    with pytest.raises(StaleDirectoryError):
        keeper.directory()
    await keeper.refresh()
    assert keeper.directory().partner("fr-customs").status == "active"
    clock.now += WEEK
    with pytest.raises(StaleDirectoryError):
        await keeper.refresh()
    with pytest.raises(StaleDirectoryError):
        keeper.directory()
    office.renew(now=clock.now)
    await keeper.refresh()
    assert keeper.directory().partner("fr-customs").status == "active"


async def test_a_policy_set_that_cannot_be_loaded_hides_no_revocation(office: RegistryOffice, tmp_path: Path) -> None:
    keeper = keeper_of(office, tmp_path, Clock())
    await keeper.refresh()
    office.publish_policies("a" * 64, 1, b"{}", now=NOW)
    office.set_status("fr-customs", "suspended", now=NOW)
    with pytest.raises(PolicySetError):
        await keeper.refresh()
    assert keeper.directory().partner("fr-customs").status == "suspended"


async def test_a_folder_that_comes_file_by_file_is_soon_believed(office: RegistryOffice, tmp_path: Path) -> None:
    """As `cp` brings it: the timestamp is there, what it points to not yet."""
    clock = Clock()
    keeper = keeper_of(office, tmp_path, clock)
    await keeper.refresh()
    office.set_status("fr-customs", "suspended", now=NOW)
    (newest,) = sorted((office.public / "metadata").glob("*.snapshot.json"), key=lambda one: one.stat().st_mtime)[-1:]
    aside = newest.rename(tmp_path / "aside")
    await keeper.catch_up()
    assert keeper.directory().partner("fr-customs").status == "active"
    aside.rename(newest)
    clock.now += 2
    await keeper.catch_up()
    assert keeper.directory().partner("fr-customs").status == "suspended"


async def test_a_folder_that_cannot_be_read_is_tried_again(
    office: RegistryOffice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    keeper = keeper_of(office, tmp_path, Clock())
    await keeper.refresh()
    timestamp, aside = office.public / "metadata" / "timestamp.json", tmp_path / "aside"
    timestamp.rename(aside)
    timestamp.mkdir()  # reading it fails, as on a disk that fails
    with pytest.raises(SetupError):
        await keeper.refresh()
    rounds = 0

    async def next_round(_seconds: float) -> None:
        nonlocal rounds
        rounds += 1
        if rounds == 2:
            timestamp.rmdir()
            aside.rename(timestamp)
            office.set_status("fr-customs", "suspended", now=NOW)
        if rounds == 3:
            raise asyncio.CancelledError

    monkeypatch.setattr("hub.keeping.asyncio.sleep", next_round)
    with pytest.raises(asyncio.CancelledError):
        await keeper.keep_fresh(seconds=1)
    assert "setup/invalid" in caplog.text
    assert keeper.directory().partner("fr-customs").status == "suspended"
