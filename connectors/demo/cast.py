"""The processes of the demo: commands that end, and programs that run until they are told to stop by their own id.

Not for: the story (`play.py`). User's page: `docs/tutorial.md`.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hub.protocol.errors import SetupError

_READY: Final = 60.0  # seconds until a program must answer
_STOP: Final = 5.0  # seconds that a program gets to end by itself
_LOOK: Final = 0.05  # seconds between looks at a ready file


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass(slots=True)
class Program:
    """A running program: its name, its process and its log."""

    name: str
    process: asyncio.subprocess.Process
    log: Path


@dataclass(slots=True)
class Cast:
    """Starts commands and programs, with one passphrase for all."""

    folder: Path
    passphrase: str
    programs: list[Program] = field(default_factory=list)

    async def command(self, *arguments: str | Path, check: bool = True) -> Outcome:
        """Run `valise` with arguments and return how it ended.

        Raises:
            SetupError: it failed and was not expected to.
        """
        process = await asyncio.create_subprocess_exec(
            *_valise(arguments),
            env=self._environment(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        outcome = Outcome(process.returncode or 0, out.decode(), err.decode())
        if check and outcome.code:
            raise SetupError(f"valise {' '.join(map(str, arguments[:2]))}: {outcome.err.strip()}")
        return outcome

    async def start(self, name: str, *arguments: str | Path) -> str:
        """Start a program and return what it wrote into its ready file, once it did.

        Raises:
            SetupError: it ended or was not ready in time; its log says why.
        """
        ready, log = self.folder / f"{name}.ready", self.folder / f"{name}.log"
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *_valise((*arguments, "--ready-file", ready)),
                env=self._environment(),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self.programs.append(Program(name, process, log))
        (self.folder / f"{name}.pid").write_text(str(process.pid), "ascii")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_READY):
                while not ready.exists() and process.returncode is None:  # noqa: ASYNC110 - a file rings no bell
                    await asyncio.sleep(_LOOK)
        if not ready.exists():
            raise SetupError(f"{name} did not start; see {log}")
        return ready.read_text("utf-8")

    async def stop(self, name: str) -> None:
        """Stop a program: by its process id, gently first."""
        for program in [one for one in self.programs if one.name == name]:
            self.programs.remove(program)
            await _end(program.process)

    async def stop_all(self) -> None:
        """Stop all programs, the youngest first."""
        for program in reversed(self.programs):
            with contextlib.suppress(ProcessLookupError):
                program.process.send_signal(signal.SIGTERM)
        while self.programs:
            await _end(self.programs.pop().process)

    def _environment(self) -> Mapping[str, str]:
        return {**os.environ, "VALISE_PASSPHRASE": self.passphrase}


@contextlib.asynccontextmanager
async def cast(folder: Path, passphrase: str, *, keep: bool) -> AsyncIterator[Cast]:
    """Have a cast for as long as the context lasts; with `keep`, its programs outlive a good end."""
    members = Cast(folder, passphrase)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(members.stop_all)
        yield members
        if keep:
            stack.pop_all()


def still_running(folder: Path) -> list[str]:
    """Return the process ids of an earlier demo in a folder that still run."""
    found = []
    for ready in folder.glob("*.pid"):
        pid = ready.read_text("ascii").strip()
        try:
            command = Path("/proc", pid, "cmdline").read_bytes()
        except OSError:
            continue  # it has ended
        found += [pid] if str(folder).encode() in command else []
    return sorted(found, key=int)


async def _end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(_STOP):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def _valise(arguments: tuple[str | Path, ...]) -> list[str]:
    return [sys.executable, "-m", "hub.cli", *map(str, arguments)]
