"""What a connector believes: from the trusted root only, never older than it was, and remembered over a restart."""

from pathlib import Path

import pytest

from connectors.kit.directory import HubMirror
from hub.authority.exchange import RegistryOffice
from hub.protocol.errors import (
    NotFoundError,
    SetupError,
    StaleDirectoryError,
    UnknownPolicySetError,
    UnreachableError,
    UntrustedDirectoryError,
)
from tests.support.office import DAY, FEDERATION, NOW, enrol, found_office, published


class _Set:
    """A policy set that is only its bytes."""

    def __init__(self, files: bytes) -> None:
        self.digest = files.decode()

    @classmethod
    def load(cls, files: bytes) -> "_Set":
        return cls(files)


class Line:
    """What a hub publishes, and how much was fetched."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files, self.fetched = files, 0
        self.is_away = False

    async def __call__(self, path: str, limit: int) -> bytes:
        if self.is_away:
            raise UnreachableError("away")
        self.fetched += 1
        if path not in self.files:
            raise NotFoundError(path)
        assert len(self.files[path]) <= limit
        return self.files[path]


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RegistryOffice:
    monkeypatch.setattr("connectors.kit.directory.load_published", lambda found: _Set.load(found.data))
    founded = found_office(tmp_path / "office")
    enrol(founded, "fr-customs", "de-customs")
    founded.publish_policies("a" * 64, 1, b"a" * 64, now=NOW)
    return founded


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


def _mirror(
    office: RegistryOffice, line: Line, memory: Path, clock: Clock, *, federation: str = FEDERATION
) -> HubMirror:
    return HubMirror(line, anchor=office.anchor, memory=memory, federation=federation, clock=clock)


async def test_it_believes_what_the_root_leads_to_and_remembers_it(office: RegistryOffice, tmp_path: Path) -> None:
    line, clock, memory = Line(published(office)), Clock(), tmp_path / "directory.seen"
    mirror = _mirror(office, line, memory, clock)
    with pytest.raises(StaleDirectoryError):
        mirror.beliefs()
    await mirror.recall()
    await mirror.refresh()
    assert mirror.beliefs().directory.partner("de-customs").country == "DE"
    assert mirror.beliefs().policies.digest == "a" * 64
    assert "metadata/timestamp.json" in mirror.files()
    line.is_away = True
    later = _mirror(office, line, memory, clock)
    await later.recall()
    assert later.beliefs().directory.digest == mirror.beliefs().directory.digest
    with pytest.raises(UnreachableError):
        await later.refresh()
    assert later.beliefs().directory.partner("fr-customs").country == "FR", "what was believed before stays"


async def test_a_second_look_fetches_only_what_changed(office: RegistryOffice, tmp_path: Path) -> None:
    line = Line(published(office))
    mirror = _mirror(office, line, tmp_path / "directory.seen", Clock())
    await mirror.refresh()
    first, line.fetched = line.fetched, 0
    await mirror.refresh()
    assert line.fetched == 2 < first, "the timestamp, and the root that is not there"


async def test_a_newer_policy_set_comes_into_force(office: RegistryOffice, tmp_path: Path) -> None:
    line = Line(published(office))
    mirror = _mirror(office, line, tmp_path / "directory.seen", Clock())
    await mirror.refresh()
    office.publish_policies("b" * 64, 2, b"b" * 64, now=NOW)
    line.files = published(office)
    await mirror.refresh()
    assert mirror.beliefs().policies.digest == "b" * 64


async def test_an_older_directory_is_refused_even_after_a_restart(office: RegistryOffice, tmp_path: Path) -> None:
    old, memory, clock = published(office), tmp_path / "directory.seen", Clock()
    enrol(office, "de-police")
    line = Line(published(office))
    await _mirror(office, line, memory, clock).refresh()
    line.files = old
    restarted = _mirror(office, line, memory, clock)
    await restarted.recall()
    with pytest.raises(StaleDirectoryError):
        await restarted.refresh()
    assert restarted.beliefs().directory.partner("de-police").country == "DE"


async def test_a_directory_that_was_not_refreshed_in_time_is_not_used(office: RegistryOffice, tmp_path: Path) -> None:
    memory, clock = tmp_path / "directory.seen", Clock()
    line = Line(published(office))
    mirror = _mirror(office, line, memory, clock)
    await mirror.refresh()
    clock.now += 3_650 * DAY
    with pytest.raises(StaleDirectoryError):
        mirror.beliefs()
    restarted = _mirror(office, line, memory, clock)
    await restarted.recall()
    with pytest.raises(StaleDirectoryError):
        restarted.beliefs()


async def test_altered_files_and_other_exchanges_are_not_believed(office: RegistryOffice, tmp_path: Path) -> None:
    files = published(office)
    files["metadata/timestamp.json"] = files["metadata/timestamp.json"].replace(b'"version":', b'"version": 1')
    with pytest.raises((UntrustedDirectoryError, StaleDirectoryError)):
        await _mirror(office, Line(files), tmp_path / "a", Clock()).refresh()
    with pytest.raises(UntrustedDirectoryError):
        await _mirror(office, Line(published(office)), tmp_path / "b", Clock(), federation="another").refresh()
    assert not (tmp_path / "b").exists()


async def test_a_directory_without_policies_is_no_ground_to_send_on(tmp_path: Path) -> None:
    office = found_office(tmp_path / "office")
    enrol(office, "fr-customs")
    with pytest.raises(UnknownPolicySetError):
        await _mirror(office, Line(published(office)), tmp_path / "seen", Clock()).refresh()


@pytest.mark.parametrize("damaged", [b"", b"x", b"\0\0\0\2{}"])
async def test_a_damaged_memory_is_named(office: RegistryOffice, tmp_path: Path, damaged: bytes) -> None:
    memory = tmp_path / "directory.seen"
    memory.touch(mode=0o600)
    memory.write_bytes(damaged)
    with pytest.raises(SetupError, match="delete it"):
        await _mirror(office, Line({}), memory, Clock()).recall()
