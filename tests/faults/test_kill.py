"""Kill the hub and two connectors without warning, in turns and under load: nothing is lost and nothing comes twice.

All three are the programs that an operator starts, on files that outlive them. Not for: the store alone, at every point
of its transactions (`test_store_kill.py`).
"""

import asyncio
import os
import random
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import pytest
from aiohttp.test_utils import unused_port

from connectors.kit.agency import Agency
from connectors.kit.agency_store import AgencyStore
from connectors.kit.inbox import Inbox
from connectors.kit.outbox import Outbox
from connectors.kit.send import Addressing, compose, hand_over
from hub.protocol.keyring import Keyring, open_keyring
from hub.protocol.merkle import verify_inclusion
from hub.protocol.statements import sign_batch
from hub.store.sqlite import SqliteStore
from tests.support.agency import warning_draft
from tests.support.exercise import HUB, OPERATION, PARTNERS, WORD, Exercise, found_exercise
from tests.support.office import FEDERATION, PASSPHRASE
from tests.support.stores import leaf_of
from tests.support.tree import ROOT

SENDER: Final = "fr-customs"
RECEIVER: Final = "de-customs"
ROUNDS: Final = 6
MESSAGES: Final = 8  # of each round
READY: Final = {HUB: "listens on", SENDER: "runs with", RECEIVER: "runs with"}
MANY: Final = 1_000


class Program:
    """One program; `events` counts the lines of all programs' logs, which is how the test knows that work goes on."""

    def __init__(self, name: str, exercise: Exercise, events: asyncio.Queue[str]) -> None:
        self.name, self._events = name, events
        folder = exercise.folder / name
        self._command = ["hub", "serve", str(folder)] if name == HUB else ["connector", "run", str(folder)]
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start it, and return when it says that it is ready."""
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "hub.cli", *self._command),
            cwd=ROOT,
            env={**os.environ, "VALISE_PASSPHRASE": PASSPHRASE},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        log = self._process.stderr
        assert log is not None
        said = []
        while line := (await log.readline()).decode():
            said.append(line)
            if READY[self.name] in line:
                break
        else:
            pytest.fail(f"{self.name} did not start: {''.join(said)}")
        self._reader = asyncio.create_task(self._read(log))

    async def _read(self, log: asyncio.StreamReader) -> None:
        while line := (await log.readline()).decode():
            assert "Traceback" not in line, self.name
            self._events.put_nowait(line)

    async def kill(self) -> None:
        """Kill it by its own id, as a power cut would."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        if self._reader is not None:
            await self._reader


@asynccontextmanager
async def programs(exercise: Exercise, events: asyncio.Queue[str]) -> AsyncIterator[dict[str, Program]]:
    running = {name: Program(name, exercise, events) for name in (HUB, SENDER, RECEIVER)}
    async with AsyncExitStack() as stack:
        for program in running.values():
            stack.push_async_callback(program.kill)
        await running[HUB].start()
        await asyncio.gather(running[SENDER].start(), running[RECEIVER].start())
        yield running


async def _open_operation(agency: Agency) -> None:
    now = int(time.time())
    await agency.open_operation(
        OPERATION, title="Exercise", members=sorted(PARTNERS), opens=now - 60, closes=now + 3_600, exercise=True
    )


async def _hand_over(agency: Agency) -> list[str]:
    """Hand messages over to the sender's store, as `valise warn` does while the connector runs."""
    draft = warning_draft(operation=OPERATION)
    messages = [compose(agency.connector, draft, Addressing(to=[RECEIVER])) for _ in range(MESSAGES)]
    return await hand_over(agency.connector, messages)


async def _until_receipted(agency: Agency, identifiers: list[str], events: asyncio.Queue[str]) -> None:
    """Return when every message has its receipt; look again whenever a program says something."""
    waiting = set(identifiers)
    async with asyncio.timeout(60):
        while True:
            entries = [await agency.connector.outbox.entry(identifier) for identifier in waiting]
            assert not [entry.code for entry in entries if entry.state == "refused"]
            waiting -= {one.id for one in entries if one.mh is not None and await agency.receipts(one.mh)}
            if not waiting:
                return
            try:
                async with asyncio.timeout(0.5):
                    await events.get()
            except TimeoutError:
                continue


async def test_nothing_is_lost_and_nothing_comes_twice(tmp_path: Path) -> None:
    chance = random.Random(20_270_306)
    port = unused_port()
    exercise = found_exercise(tmp_path, port=port)
    exercise.place_agencies(f"http://127.0.0.1:{port}", poll_seconds=1)
    events: asyncio.Queue[str] = asyncio.Queue()
    victims = [name for _ in range(ROUNDS // 3) for name in chance.sample([HUB, SENDER, RECEIVER], 3)]
    identifiers: list[str] = []
    async with programs(exercise, events) as running:
        async with Agency.open(exercise.agency(SENDER), passphrase=WORD) as agency:
            await _open_operation(agency)
            for victim in victims:
                identifiers += await _hand_over(agency)
                async with asyncio.timeout(20):
                    for _ in range(chance.randrange(1, 2 * MESSAGES)):
                        await events.get()
                await running[victim].kill()
                await running[victim].start()
            await _until_receipted(agency, identifiers, events)
        for program in running.values():
            await program.kill()
    sent = await _check_sender(exercise, identifiers)
    await _check_receiver(exercise, sent)
    await _check_hub(exercise, sent)


async def _check_sender(exercise: Exercise, identifiers: list[str]) -> set[str]:
    """Check that every message handed over was accepted once and has one receipt; return their digests."""
    async with await AgencyStore.open(exercise.agency(SENDER) / "agency.sqlite") as store:
        outbox = Outbox(store)
        entries = await outbox.entries(limit=MANY)
        assert sorted(entry.id for entry in entries) == sorted(identifiers)
        assert {(entry.state, entry.code) for entry in entries} == {("accepted", None)}
        sent = {entry.mh for entry in entries if entry.mh is not None}
        assert len(sent) == len(identifiers) == ROUNDS * MESSAGES
        for mh in sent:
            assert [(one.iss, one.state) for one in await outbox.receipts(mh)] == [(RECEIVER, "opened")]
    return sent


async def _check_receiver(exercise: Exercise, sent: set[str]) -> None:
    async with await AgencyStore.open(exercise.agency(RECEIVER) / "agency.sqlite") as store:
        inbox = Inbox(store)
        entries = await inbox.entries(limit=MANY)
        assert Counter(entry.mh for entry in entries) == Counter(sent), "each once"
        assert {entry.state for entry in entries} == {"opened"}
        assert await inbox.gaps() == {}
        assert await inbox.waiting_receipts() == []


async def _check_hub(exercise: Exercise, sent: set[str]) -> None:
    """Check that the record tells of each message once, that the log holds the record, and that nothing waits."""
    keyring: Keyring = open_keyring((exercise.hub / "keys.valise").read_bytes(), PASSPHRASE)

    def sign(payload: bytes) -> str:
        return sign_batch(payload, keyring.signer(at=int(time.time())))

    def clock() -> int:
        return int(time.time())

    async with SqliteStore.open(
        exercise.database, federation=FEDERATION, hub=HUB, sign_batch=sign, clock=clock
    ) as store:
        known = {one.mh for one in await store.messages_of(iss=SENDER, operation=None, limit=MANY)}
        assert known == sent
        leaves: dict[int, bytes] = {}
        for mh in known:
            entries = await store.entries_of(mh)
            assert [(entry.kind, to) for to, entry in entries] == [
                ("accept", None),
                ("decision", RECEIVER),
                ("receipt", RECEIVER),
            ]
            leaves |= {entry.index: leaf_of(entry) for _, entry in entries}
        size = await store.log_size()
        root = await store.log_root(size)
        for index, leaf in leaves.items():
            verify_inclusion(leaf, index, size, await store.inclusion(index, size), root)
        assert sorted(leaves) == list(range(3 * len(sent))) == list(range(size))
        assert await store.waiting(RECEIVER, limit=MANY) == []
