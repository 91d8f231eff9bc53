"""The programs of an exercise as an operator starts them, to be killed and started again by a test.

Not for: faults inside of them (`program.py`) or what must hold afterwards (`accounting.py`).
"""

import asyncio
import json
import os
import resource
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from tests.faults.program import FAULTS, KEPT
from tests.support.exercise import HUB, Exercise
from tests.support.office import PASSPHRASE
from tests.support.tree import ROOT

READY: Final = ("listens on", "runs with")


class Program:
    """One program. `events` counts the lines of all programs' logs, which is how a test knows that work goes on."""

    def __init__(self, name: str, exercise: Exercise, events: asyncio.Queue[str]) -> None:
        self.name, self.events = name, events
        folder = exercise.folder / name
        self._command = ["hub", "serve", str(folder)] if name == HUB else ["connector", "run", str(folder)]
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self.kept: list[str] = []
        self.said: list[str] = []

    async def start(self, **faults: Any) -> bool:
        """Start it, with faults of `program.py`; return whether it became ready, or ended before that."""
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.faults.program", *self._command),
            cwd=ROOT,
            env={**os.environ, "VALISE_PASSPHRASE": PASSPHRASE, FAULTS: json.dumps(faults)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        log = self._process.stderr
        assert log is not None
        self.said.clear()
        while line := (await log.readline()).decode():
            self.said.append(line)
            if any(word in line for word in READY):
                self._reader = asyncio.create_task(self._read(log))
                return True
        await self._process.wait()
        return False

    async def must_start(self, **faults: Any) -> None:
        """Start it, and fail when it does not become ready."""
        if not await self.start(**faults):
            pytest.fail(f"{self.name} did not start: {''.join(self.said)}")

    async def _read(self, log: asyncio.StreamReader) -> None:
        while line := (await log.readline()).decode():
            assert "Traceback" not in line, self.name
            if line.startswith(KEPT):
                self.kept.append(line.split()[-1])
            self.said.append(line)
            self.events.put_nowait(line)

    @property
    def pid(self) -> int:
        """The id of the process."""
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process is not None and self._process.returncode is None

    async def ended(self) -> int:
        """Wait until it ends by itself; return its code."""
        assert self._process is not None
        code = await self._process.wait()
        if self._reader is not None:
            await self._reader
        return code

    def strike(self) -> None:
        """Kill it by its own id (SIGKILL), and do not wait."""
        if self._process is not None and self.is_running:
            self._process.kill()

    async def kill(self) -> None:
        """Kill it, and return when it has ended."""
        self.strike()
        if self._process is not None:
            await self.ended()

    async def stop(self) -> int:
        """Ask it to end (SIGTERM); return its code."""
        assert self._process is not None
        self._process.terminate()
        return await self.ended()


@asynccontextmanager
async def programs(
    exercise: Exercise, names: Sequence[str], events: asyncio.Queue[str]
) -> AsyncIterator[dict[str, Program]]:
    """Run the hub, then the agencies named; kill whatever runs in the end."""
    running = {name: Program(name, exercise, events) for name in (HUB, *names)}
    async with AsyncExitStack() as stack:
        for program in running.values():
            stack.push_async_callback(program.kill)
        await running[HUB].must_start()
        await asyncio.gather(*(running[name].must_start() for name in names))
        yield running


async def until(events: asyncio.Queue[str], condition: Any, *, seconds: float) -> None:
    """Return when a condition (a coroutine function) holds; it is asked again whenever a program says something.

    Raises:
        TimeoutError: it did not hold in time.
    """
    async with asyncio.timeout(seconds):
        while not await condition():
            try:
                async with asyncio.timeout(0.5):
                    await events.get()
            except TimeoutError:
                continue


def restrict(pid: int, size: int) -> None:
    """Let a process write no file beyond `size` bytes (-1: any): a full disk that needs no privilege."""
    hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)[1]
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size if size >= 0 else hard, hard))


def database_of(exercise: Exercise, name: str) -> Path:
    """Return the SQLite file of the hub or of an agency."""
    return exercise.database if name == HUB else exercise.agency(name) / "agency.sqlite"
