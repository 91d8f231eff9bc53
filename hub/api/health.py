"""Whether a hub may be sent work: each reason against it is a code and a sentence.

Ready means that the next message can be accepted, decided, made durable and signed. Not for: whether the process lives
(`/livez` says only that the loop turns), nor for measuring (`metrics.py`). User's page: `docs/how-to/watch-a-hub.md`.
"""

import asyncio
import logging
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hub.broker.exchange import Exchange
from hub.host.events import NOT_READY, READY_AGAIN
from hub.host.line import CERTIFICATE_WARN
from hub.host.machine import CLOCK_LIMIT
from hub.protocol.errors import ValiseError
from hub.protocol.keyring import DAY, Keyring

_LOG: Final = logging.getLogger("valise.hub")
_CALM: Final = 60.0  # seconds after a step of the clock before the hub is ready again
_PATIENCE: Final = 5.0  # seconds for the store to answer


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a hub is not ready, or what will soon be one. `code` is an error's wire code, or `hub/...`."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What `/readyz` says. A warning keeps nobody away."""

    reasons: tuple[Reason, ...]
    warnings: tuple[Reason, ...] = ()

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of the reasons."""
        return tuple(one.code for one in self.reasons)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What of the hub's surroundings is looked at; by default nothing.

    Attributes:
        keyring: returns the keys of which each use must have a valid one.
        folder: where the store is, and how many bytes must be free there.
        floor: in bytes.
        certificate_ends: when the hub's own TLS certificate ends (Unix seconds), if it has one.
    """

    keyring: Callable[[], Keyring] | None = None
    folder: Path | None = None
    floor: int = 0
    certificate_ends: int | None = None


class Clocks:
    """Notices steps of the wall clock by comparing it with the monotonic one. Seconds."""

    def __init__(self, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._wall: Final = wall
        self._monotonic: Final = monotonic
        self._apart = wall() - monotonic()
        self._stepped_at: float | None = None
        self.last_step = 0.0
        self.steps = 0

    def look(self) -> None:
        """Compare the clocks; a difference beyond the limit counts as one step, and the new time is taken as right."""
        now = self._monotonic()
        step = self._wall() - now - self._apart
        if abs(step) > CLOCK_LIMIT:
            self._apart += step
            self._stepped_at, self.last_step = now, step
            self.steps += 1

    def is_calm(self) -> bool:
        """Whether the last step is long enough ago."""
        return self._stepped_at is None or self._monotonic() - self._stepped_at > _CALM

    def behind(self, steady: int) -> float:
        """Return by how much the wall clock is behind a clock that never goes back."""
        return steady - self._wall()


class Health:
    """Looks at everything that must be right for the next message. One for each running hub.

    Attributes:
        last: what was found when somebody last asked.
    """

    def __init__(
        self, exchange: Exchange, surroundings: Surroundings | None = None, clocks: Clocks | None = None
    ) -> None:
        """Take the hub, of its surroundings what is to be looked at, and the machine's clocks if they are."""
        self._exchange: Final = exchange
        self._around: Final = surroundings or Surroundings()
        self._clocks: Final = clocks
        self._stopping = False
        self.last = Standing(())

    def stop(self) -> None:
        """Say from now on that the hub is shutting down, so that nobody sends it new work."""
        self._stopping = True

    async def look(self) -> Standing:
        """Return whether the hub is ready, and tell the log when that changed."""
        found = Standing((*self._look(), *(await self._look_at_store())), tuple(self._warnings()))
        before, self.last = self.last, found
        if found.codes and found.codes != before.codes:
            _LOG.warning(NOT_READY, " ".join(found.codes))
        elif before.codes and not found.codes:
            _LOG.info(READY_AGAIN)
        return found

    def _look(self) -> Iterator[Reason]:
        if self._stopping:
            yield Reason("hub/stopping", "The hub is shutting down.")
        yield from self._look_at_clock()
        yield from _errors_of(lambda: self._exchange.directory().check_active(self._exchange.hub))
        yield from _errors_of(self._exchange.policies)
        yield from self._look_at_keys()
        yield from self._look_at_disk()
        ends = self._around.certificate_ends
        if ends is not None and ends <= self._exchange.clock():
            yield Reason("hub/certificate", "The hub's TLS certificate has ended.")

    def _look_at_clock(self) -> Iterator[Reason]:
        clocks = self._clocks
        if clocks is None:
            return
        clocks.look()
        if not clocks.is_calm() or clocks.behind(self._exchange.clock()) > CLOCK_LIMIT:
            yield Reason("hub/clock-stepped", "The clock was set by more than 30 seconds; find out what sets it.")

    def _look_at_keys(self) -> Iterator[Reason]:
        if self._around.keyring is None:
            return
        keyring = self._around.keyring()
        for use in ("sign", "log", "log2"):
            yield from _errors_of(lambda use=use: keyring.valid(use, at=self._exchange.clock()))  # type: ignore[misc]

    def _look_at_disk(self) -> Iterator[Reason]:
        if self._around.folder is None:
            return
        disk = os.statvfs(self._around.folder)
        if disk.f_flag & os.ST_RDONLY:
            yield Reason("hub/disk-read-only", "The disk of the store is read-only.")
        elif disk.f_bavail * disk.f_frsize < self._around.floor:
            yield Reason("hub/disk-low", "The disk of the store is nearly full.")

    async def _look_at_store(self) -> list[Reason]:
        try:
            self._exchange.store.check_writing()
            async with asyncio.timeout(_PATIENCE):
                await self._exchange.store.log_size()
        except ValiseError as error:
            return [Reason(error.code, error.sentence)]
        except TimeoutError:
            return [Reason("store/failed", "The store does not answer.")]
        return []

    def _warnings(self) -> Iterator[Reason]:
        ends = self._around.certificate_ends
        if ends is not None and 0 < ends - self._exchange.clock() < CERTIFICATE_WARN * DAY:
            yield Reason("hub/certificate", f"The hub's TLS certificate ends in less than {CERTIFICATE_WARN} days.")


def _errors_of(question: Callable[[], object]) -> Iterator[Reason]:
    """Yield the error that a question ends in, if it does, with its own code and sentence."""
    try:
        question()
    except ValiseError as error:
        yield Reason(error.code, error.sentence)
