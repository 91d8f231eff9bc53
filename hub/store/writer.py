"""The one thread that writes: it takes whatever has gathered, writes it in one transaction and wakes all who wait.

So one sync of the disk makes many messages durable (group commit), and the event loop never waits for the disk. Not
for: what is written (`writes.py`). Implements `docs/protocol/04-statements.md` section 6.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Any, Final, TypeVar, cast

from hub.protocol.errors import StoreError, StoreStoppedError, ValiseError
from hub.store.ledger import Ledger
from hub.store.schema import typed_errors

_T = TypeVar("_T")
_IDLE: Final = 5.0  # seconds without a write after which the write-ahead log is emptied
MAX_JOBS: Final = 512  # of one transaction; more gain nothing and make the first wait
MAX_ROWS: Final = 4_096  # of one transaction, about; bounds memory and delay when messages have many addressees


@dataclass(frozen=True, slots=True)
class _Job:
    """One write, about how many rows it makes, and who waits for it."""

    write: Callable[[Ledger], Any]
    rows: int
    future: asyncio.Future[Any]


@dataclass(frozen=True, slots=True)
class _Outcome:
    """How one job ended: with a value, or with an error."""

    job: _Job
    value: Any = None
    error: ValiseError | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """What a writer did since it was started, in numbers.

    `jobs` are all writes in `transactions` that were committed; `seconds` is how long the latest transaction took, with
    its sync, and `waiting` how many writes it had not begun when it was done.
    """

    transactions: int = 0
    jobs: int = 0
    seconds: float = 0.0
    waiting: int = 0


class Writer:
    """Runs jobs in the order of their arrival, many in one transaction; a failed transaction fails all its jobs.

    Attributes:
        work: what was done since the start, in numbers.
    """

    def __init__(self, ledger: Ledger, *, ring: Callable[[set[str]], None]) -> None:
        """Start the thread. `ring` is called in the event loop with the partners that something new waits for."""
        self._ledger: Final = ledger
        self._ring: Final = ring
        self._loop: Final = asyncio.get_running_loop()
        self._jobs: Final[SimpleQueue[_Job | None]] = SimpleQueue()
        self._stopped = False
        self._is_tidy = False
        self._open: Final = Lock()  # no job is put after the thread has looked for the last one
        self._thread: Final = Thread(target=self._run, name="store-writer", daemon=True)
        self.work = Work()
        self._thread.start()

    async def run(self, write: Callable[[Ledger], _T], *, rows: int = 1) -> _T:
        """Return what `write` returns, once it is durable.

        Raises:
            ValiseError: what `write` raised; what it wrote before stays.
            StoreError: the transaction failed; a leaf when the writer has stopped.
        """
        job = _Job(write, rows, self._loop.create_future())
        with self._open:
            self.check()
            self._jobs.put(job)
        return cast("_T", await job.future)

    def check(self) -> None:
        """Check that the thread is at work.

        Raises:
            StoreStoppedError: it has ended, by a program error or because the store was closed.
        """
        if self._stopped:
            raise StoreStoppedError

    async def close(self) -> None:
        """Finish what was asked for before, then end the thread."""
        with self._open:
            self._stopped = True
            self._jobs.put(None)
        await self._loop.run_in_executor(None, self._thread.join)

    def _run(self) -> None:
        try:
            while group := self._gather():
                self._commit(group)
        finally:  # also when a program error ends the thread: nobody waits for ever
            with self._open:
                self._stopped = True
            self._refuse_rest()

    def _gather(self) -> list[_Job]:
        """Wait for a job, then take all that wait with it; nothing when the writer is closed."""
        group: list[_Job] = []
        rows = 0
        job = self._next()
        while job is not None:
            group.append(job)
            rows += job.rows
            if len(group) >= MAX_JOBS or rows >= MAX_ROWS:
                return group
            try:
                job = self._jobs.get_nowait()
            except Empty:
                return group
        if group:
            self._jobs.put(None)
        return group

    def _next(self) -> _Job | None:
        """Wait for a job; when none comes for a while after others, empty the write-ahead log meanwhile."""
        while not self._is_tidy:
            try:
                return self._jobs.get(timeout=_IDLE)
            except Empty:
                self._is_tidy = self._ledger.empty_log()
        return self._jobs.get()

    def _commit(self, group: list[_Job]) -> None:
        self._is_tidy = False
        outcomes, rung = _all_failed(group, StoreStoppedError()), set[str]()
        start = time.perf_counter()
        try:
            with typed_errors():
                self._ledger.begin()
                values = [self._attempt(job) for job in group]
                rung = self._ledger.commit()
            outcomes = values
            work = self.work
            took = time.perf_counter() - start
            self.work = Work(work.transactions + 1, work.jobs + len(group), took, self._jobs.qsize())
        except StoreError as error:
            outcomes = _all_failed(group, error)
            with suppress(sqlite3.Error):  # as broken as before; the next `begin` tells
                self._ledger.roll_back()
        finally:
            self._report(outcomes, rung)

    def _attempt(self, job: _Job) -> _Outcome:
        try:
            return _Outcome(job, value=job.write(self._ledger))
        except StoreError:
            raise
        except ValiseError as error:
            return _Outcome(job, error=error)

    def _report(self, outcomes: list[_Outcome], rung: set[str]) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits
            self._loop.call_soon_threadsafe(self._resolve, outcomes, rung)

    def _resolve(self, outcomes: list[_Outcome], rung: set[str]) -> None:
        for outcome in outcomes:
            future = outcome.job.future
            if future.done():
                continue
            if outcome.error is not None:
                future.set_exception(outcome.error)
            else:
                future.set_result(outcome.value)
        self._ring(rung)

    def _refuse_rest(self) -> None:
        left: list[_Job] = []
        while not self._jobs.empty():
            job = self._jobs.get()
            if job is not None:
                left.append(job)
        self._report(_all_failed(left, StoreStoppedError()), set())


def _all_failed(jobs: list[_Job], error: StoreError) -> list[_Outcome]:
    """Return an error of its own for each job: they are raised in different tasks."""
    return [_Outcome(job, error=type(error)(error.detail)) for job in jobs]
