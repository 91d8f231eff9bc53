"""Kill hub and connectors again and again while messages are handed over; in the end account for every one of them.

Three ways to die, drawn by a seed: SIGKILL at any moment, SIGKILL by the process itself in the middle of a write or
sync of its store, and SIGKILL while it starts. Not for: how long (`test_kill.py`, `soak.py`).
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from aiohttp.test_utils import unused_port

from connectors.kit.agency import Agency
from connectors.kit.send import Addressing, compose, hand_over
from hub.protocol.keyring import open_keyring
from hub.protocol.statements import sign_batch
from hub.store.sqlite import SqliteStore
from tests.faults.accounting import Account, HubBook, account
from tests.faults.books import hub_book, read_agencies
from tests.faults.programs import Program, programs, until
from tests.support.agency import warning_draft
from tests.support.exercise import HUB, OPERATION, PARTNERS, WORD, Exercise, found_exercise
from tests.support.office import FEDERATION, PASSPHRASE

SENDER: Final = "fr-customs"
RECEIVER: Final = "de-customs"
ABSENT: Final = "de-police"  # nothing of it runs: its copies must wait
MESSAGES: Final = 8  # of each round
LAST_WRITE: Final = 40  # a process that kills itself does so at the latest in so many writes and syncs
PATIENCE: Final = 4.0  # seconds until something must have happened, or it is made to


@dataclass
class Siege:
    """What was done so far, and to what."""

    exercise: Exercise
    agency: Agency
    running: dict[str, Program]
    events: asyncio.Queue[str]
    chance: random.Random
    identifiers: list[str] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    seen: set[str] = field(default_factory=set)
    _plan: list[tuple[str, str]] = field(default_factory=list)

    async def round(self) -> None:
        """Hand messages over, wait until work is under way, and let one program die; then start it again."""
        await self._hand_over()
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                for _ in range(self.chance.randrange(1, 2 * MESSAGES)):
                    await self.events.get()
        how, name = self._next()
        victim = self.running[name]
        await {"kill": self._kill, "write": self._die_writing, "start": self._kill_starting}[how](victim)
        await victim.must_start()
        note = await self.agency.connector.log.latest()
        self.seen |= {note} if note is not None else set()

    def _next(self) -> tuple[str, str]:
        """Draw without putting back, so that every way and every program has its turn."""
        if not self._plan:
            self._plan = [(how, name) for how in ("kill", "write", "start") for name in (HUB, SENDER, RECEIVER)]
            self._plan.append(("write", HUB))
            self.chance.shuffle(self._plan)
        return self._plan.pop()

    async def _kill(self, victim: Program) -> None:
        await victim.kill()
        self.done["killed"] += 1

    async def _die_writing(self, victim: Program) -> None:
        """Let it kill itself in a transaction of its store; there is load, so it comes to one."""
        await victim.kill()
        await victim.start(die_at=self.chance.randrange(1, LAST_WRITE))
        await self._hand_over()
        try:
            async with asyncio.timeout(PATIENCE):
                await victim.ended()
            self.done["died writing"] += 1
        except TimeoutError:
            await victim.kill()
            self.done["killed"] += 1

    async def _kill_starting(self, victim: Program) -> None:
        await victim.kill()
        self.done["killed"] += 1
        start = asyncio.create_task(victim.start())
        with suppress(TimeoutError):
            async with asyncio.timeout(self.chance.uniform(0.1, 1.5)):
                await asyncio.shield(start)
        if not victim.is_running:
            await start
        else:
            victim.strike()
            await start
            await victim.ended()
        self.done["killed starting"] += 1

    async def _hand_over(self) -> None:
        """Hand messages over to the sender's store, as `valise warn` does while the connector runs."""
        draft, to = warning_draft(operation=OPERATION), Addressing(to=[RECEIVER, ABSENT])
        messages = [compose(self.agency.connector, draft, to) for _ in range(MESSAGES)]
        self.identifiers += await hand_over(self.agency.connector, messages)

    async def settle(self, *, seconds: float = 60) -> None:
        """Return when the running addressee has signed for every message."""
        outbox, waiting = self.agency.connector.outbox, set(self.identifiers)

        async def all_are_receipted() -> bool:
            for entry in [await outbox.entry(identifier) for identifier in waiting]:
                if entry.mh is not None and any(one.iss == RECEIVER for one in await outbox.receipts(entry.mh)):
                    waiting.discard(entry.id)
            return not waiting

        await until(self.events, all_are_receipted, seconds=seconds)

    @property
    def kills(self) -> int:
        """How many processes died."""
        return sum(self.done.values())

    @property
    def redelivered(self) -> int:
        """How many copies came to the addressee again; each is the same bytes, and is kept once."""
        return len(self.running[RECEIVER].kept) - len(set(self.running[RECEIVER].kept))


@asynccontextmanager
async def besieged(folder: Path, seed: int) -> AsyncIterator[Siege]:
    """Run an exchange to be besieged; every program is dead when the context ends."""
    port = unused_port()
    exercise = found_exercise(folder, port=port)
    exercise.place_agencies(f"http://127.0.0.1:{port}", poll_seconds=1)
    events: asyncio.Queue[str] = asyncio.Queue()
    async with (
        programs(exercise, (SENDER, RECEIVER), events) as running,
        Agency.open(exercise.agency(SENDER), passphrase=WORD) as agency,
    ):
        now = int(time.time())
        members, opens, closes = sorted(PARTNERS), now - 60, now + 40_000
        await agency.open_operation(
            OPERATION, title="Exercise", members=members, opens=opens, closes=closes, exercise=True
        )
        yield Siege(exercise, agency, running, events, random.Random(seed))


async def read_hub(exercise: Exercise, *, sizes: Sequence[int], partners: Sequence[str]) -> HubBook:
    """Return the book of a hub whose program has ended."""
    keyring = open_keyring((exercise.hub / "keys.valise").read_bytes(), PASSPHRASE)

    def clock() -> int:
        return int(time.time())

    def sign(payload: bytes) -> str:
        return sign_batch(payload, keyring.signer(at=clock()))

    async with SqliteStore.open(
        exercise.database, federation=FEDERATION, hub=HUB, sign_batch=sign, clock=clock
    ) as store:
        return await hub_book(store, originators=(SENDER,), partners=partners, sizes=sizes)


async def settle_accounts(siege: Siege) -> Account:
    """Account for everything, after the programs have ended."""
    folders = {partner: siege.exercise.agency(partner) for partner in (SENDER, RECEIVER)}
    agencies = await read_agencies(folders, hub=HUB, seen={SENDER: siege.seen})
    sizes = sorted({size for book in agencies for size, _ in book.checkpoints})
    hub = await read_hub(siege.exercise, sizes=sizes, partners=(RECEIVER, ABSENT))
    return account({SENDER: siege.identifiers}, agencies, hub)
