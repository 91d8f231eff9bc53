"""What can happen to a host: a full or read-only disk, a lock that another holds, a clock that jumps, a port in use.

In each case: one typed error, nothing lost and nothing delivered that was not accepted, and work goes on once the cause
is gone. The programs are those of an operator. Not for: damaged files (`test_corruption.py`) or sudden death.
"""

import asyncio
import contextlib
import os
import sqlite3
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from aiohttp.test_utils import unused_port

from connectors.kit.agency import Agency
from connectors.kit.send import Addressing, advance, compose, hand_over
from hub.protocol.errors import StoreError, StoreFullError, StoreLockedError, ValiseError
from tests.faults.accounting import Account, account
from tests.faults.books import read_agencies
from tests.faults.programs import Program, restrict
from tests.faults.siege import ABSENT, RECEIVER, SENDER, read_hub
from tests.support.agency import warning_draft
from tests.support.exercise import HUB, OPERATION, PARTNERS, WORD, Exercise, found_exercise

DAY: Final = 86_400  # seconds
HOUR: Final = 3_600


class Host:
    """A hub's program and the exercise round it; agencies run in this process."""

    def __init__(self, folder: Path) -> None:
        port = unused_port()
        self.exercise: Exercise = found_exercise(folder, port=port)
        self.exercise.place_agencies(f"http://127.0.0.1:{port}")
        self.program = Program(HUB, self.exercise, asyncio.Queue())
        self.flag = folder / "flag"
        self.identifiers: list[str] = []

    @contextlib.asynccontextmanager
    async def running(self, **faults: Any) -> AsyncIterator[Agency]:
        """Run the hub with these faults, and the sender."""
        await self.program.must_start(**faults)
        try:
            async with Agency.open(self.exercise.agency(SENDER), passphrase=WORD) as agency:
                now = int(time.time())
                members, opens, closes = sorted(PARTNERS), now - 60, now + 40_000
                await agency.open_operation(
                    OPERATION, title="Exercise", members=members, opens=opens, closes=closes, exercise=True
                )
                yield agency
        finally:
            await self.program.kill()

    async def send(self, agency: Agency) -> None:
        """Hand one message over, and send it."""
        draft, to = warning_draft(operation=OPERATION), Addressing(to=[RECEIVER, ABSENT])
        (identifier,) = await hand_over(agency.connector, [compose(agency.connector, draft, to)])
        self.identifiers.append(identifier)
        await advance(agency.connector, identifier)

    async def refused(self, agency: Agency) -> ValiseError:
        """Hand one message over; return the error that sending it led to, having checked that it waits."""
        with pytest.raises(ValiseError) as refusal:
            await self.send(agency)
        entry = await agency.connector.outbox.entry(self.identifiers[-1])
        assert entry.state in ("waiting", "sealed"), "it waits for a better time"
        return refusal.value

    async def catch_up(self, agency: Agency) -> None:
        """Send what waits."""
        for identifier in await agency.connector.outbox.unfinished():
            await advance(agency.connector, identifier)

    async def receive(self) -> int:
        """Let the addressee fetch; return how many messages it has."""
        async with Agency.open(self.exercise.agency(RECEIVER), passphrase=WORD) as agency:
            await agency.receive_once()
            return len(await agency.connector.inbox.entries(limit=100))

    async def settle_accounts(self) -> Account:
        """Account for everything after the hub has ended."""
        folders = {partner: self.exercise.agency(partner) for partner in (SENDER, RECEIVER)}
        agencies = await read_agencies(folders, hub=HUB, seen={})
        sizes = sorted({size for book in agencies for size, _ in book.checkpoints})
        hub = await read_hub(self.exercise, sizes=sizes, partners=(RECEIVER, ABSENT))
        return account({SENDER: self.identifiers}, agencies, hub)

    async def check(self, count: int) -> None:
        """Check that all messages were accepted, delivered once, and are in the log."""
        result = await self.settle_accounts()
        assert result.problems == []
        assert result.counts["accepted"] == result.counts["inbox opened"] == count == len(self.identifiers)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A founded exchange; nothing of it runs."""
    return Host(tmp_path)


# --- the hub's disk --------------------------------------------------------------------------------------------------

Cause = Callable[[Host], contextlib.AbstractContextManager[None]]


@contextlib.contextmanager
def _flagged(host: Host) -> Iterator[None]:
    host.flag.touch()
    yield
    host.flag.unlink()


@contextlib.contextmanager
def _no_larger_files(host: Host) -> Iterator[None]:
    """The kernel lets no file of the hub's grow."""
    restrict(host.program.pid, 4_096)
    yield
    restrict(host.program.pid, -1)


@contextlib.contextmanager
def _locked(host: Host) -> Iterator[None]:
    """Another program holds the write lock; what the hub holds for itself is what it had before."""
    other = sqlite3.connect(host.exercise.database, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")
    finally:
        other.close()


@pytest.mark.parametrize(
    ("faults", "cause", "error"),
    [
        ("full", _flagged, StoreFullError),
        ("read_only", _flagged, StoreError),
        ("", _no_larger_files, StoreError),
        ("", _locked, StoreLockedError),
    ],
    ids=["full", "read-only", "no larger files", "locked"],
)
async def test_a_hub_that_cannot_write_refuses_and_goes_on_later(
    faults: str, cause: Cause, error: type[ValiseError], host: Host
) -> None:
    async with host.running(**({faults: str(host.flag)} if faults else {})) as agency:
        await host.send(agency)
        with cause(host):
            assert type(await host.refused(agency)) is error
        await host.catch_up(agency)
        await host.send(agency)
        assert await host.receive() == 3
    await host.check(3)


@pytest.fixture
def small(tmp_path: Path, did: Callable[[str], None]) -> Iterator[Path | None]:
    """A file system of a few MB of its own, where this process may mount one (as root, as in CI)."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        did("full file system: not mounted here (needs root); the other two ways to fill a disk were tried")
        yield None
        return
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


async def test_a_hub_on_a_file_system_that_is_full(host: Host, small: Path | None) -> None:
    if small is None:
        return
    settings = host.exercise.hub / "hub.toml"
    settings.write_text(settings.read_text("utf-8") + f'database = "{small}/hub.db"\n', "utf-8")
    async with host.running() as agency:
        await host.send(agency)
        filler = small / "filler"
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4_096))
        codes = {(await host.refused(agency)).code for _ in range(3)}
        assert codes == {"store/full"}
        filler.unlink()
        await host.catch_up(agency)
        assert await host.receive() == 4


# --- an agency's disk ------------------------------------------------------------------------------------------------


async def test_an_addressee_that_cannot_write_confirms_nothing(host: Host) -> None:
    receiver = Program(RECEIVER, host.exercise, asyncio.Queue())
    async with host.running() as agency:
        await host.send(agency)
        host.flag.touch()
        host.exercise.place_agencies(agency.settings.hub_url, poll_seconds=1)
        assert await receiver.start(full=str(host.flag)) is False, "it does not start on a disk that is full"
        assert "store/" in "".join(receiver.said)
        host.flag.unlink()
        await receiver.must_start(full=str(host.flag))
        try:
            host.flag.touch()
            await host.send(agency)
            await _until(receiver, "store/")
            host.flag.unlink()
            await _until(receiver, "opened")
        finally:
            await receiver.kill()
        assert await host.receive() == 2
    await host.check(2)


async def _until(program: Program, word: str) -> None:
    """Return when a program has said a word."""
    async with asyncio.timeout(30):
        while not any(word in line for line in program.said):
            await program.events.get()


async def test_an_originator_whose_store_is_locked_hands_nothing_over(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.kit.agency_store._PATIENCE", 0.2)  # seconds
    async with host.running() as agency:
        await host.send(agency)
        other = sqlite3.connect(host.exercise.agency(SENDER) / "agency.sqlite", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        draft, to = warning_draft(operation=OPERATION), Addressing(to=[RECEIVER])
        with pytest.raises(StoreError):
            await hand_over(agency.connector, [compose(agency.connector, draft, to)])
        other.execute("ROLLBACK")
        other.close()
        await host.send(agency)
        assert await host.receive() == 2
    await host.check(2)


# --- clocks ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("jump", [DAY, -HOUR], ids=["forward a day", "back an hour"])
async def test_a_hub_whose_clock_is_wrong_refuses_and_goes_on_later(jump: int, host: Host) -> None:
    """It starts with a wrong clock, or its clock jumps; once it is right the hub goes on, at the latest restarted."""
    clock = host.exercise.folder / "clock"
    clock.write_text("0", "ascii")
    async with host.running(clock=str(clock)) as agency:
        await host.send(agency)
        clock.write_text(str(jump), "ascii")
        if jump < 0:  # a running hub's clock stands still rather than go back, so it is the start that sees it
            await host.program.kill()
            await host.program.must_start(clock=str(clock))
        assert (await host.refused(agency)).code in {"exchange/wrong-clock", "exchange/key-not-valid"}
        clock.write_text("0", "ascii")
        await host.program.kill()
        await host.program.must_start(clock=str(clock))
        await host.catch_up(agency)
        assert await host.receive() == 2
    await host.check(2)


async def test_an_agency_whose_clock_is_wrong_loses_nothing(host: Host) -> None:
    """The hub keeps what an addressee cannot fetch; the error names the clock."""
    async with host.running() as agency:
        await host.send(agency)
        folder = host.exercise.agency(RECEIVER)
        with pytest.raises(ValiseError) as refusal:
            async with Agency.open(folder, passphrase=WORD, clock=lambda: int(time.time()) + HOUR) as other:
                await other.receive_once()
        assert refusal.value.code == "exchange/wrong-clock"
        assert await host.receive() == 1
    await host.check(1)


# --- ports -----------------------------------------------------------------------------------------------------------


async def test_a_port_in_use_stops_the_second_hub_only(host: Host) -> None:
    async with host.running() as agency:
        copied = host.exercise.folder / "second.db"
        settings = host.exercise.hub / "hub.toml"
        settings.write_text(settings.read_text("utf-8") + f'database = "{copied}"\n', "utf-8")
        second = Program(HUB, host.exercise, asyncio.Queue())
        assert await second.start() is False
        assert await second.ended() != 0
        said = "".join(second.said)
        assert "Traceback" not in said
        assert "setup/invalid" in said or "port" in said
        await host.send(agency)
        assert await host.receive() == 1
