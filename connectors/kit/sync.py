"""The agency's facade for programs that have no event loop: the same names, and each call waits until it is done.

    with SyncAgency.open("fr-customs") as agency:
        sent = agency.send(draft, to=["de-customs"])
        print(sent.mh)

Every call runs in one event loop of its own, in one thread; calls from several threads are taken side by side. Not for:
programs with an event loop, which use `Agency`. User's page: `docs/how-to/connect-a-system.md`.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from pydantic import SecretStr

from connectors.kit.agency import Agency, unix_now
from connectors.kit.audience import Audience
from connectors.kit.connector import Connector
from connectors.kit.inbox import InboxEntry
from connectors.kit.outbox import KeptReceipt, OutboxEntry
from connectors.kit.reading import OpenedMessage
from connectors.kit.receive import Received
from connectors.kit.report import Report
from connectors.kit.send import Sent
from connectors.kit.settings import ConnectorSettings
from hub.protocol.content import Draft
from hub.protocol.interface import DeliveryProof, MatrixRow
from hub.protocol.operation import CountingRules, Operation
from hub.protocol.subscription import Criteria, Subscription
from hub.protocol.vocabulary import Verb

_T = TypeVar("_T")


class Background:
    """An event loop in a thread of its own, for as long as the context lasts."""

    def __init__(self) -> None:
        self._loop: Final = asyncio.new_event_loop()
        self._thread: Final = threading.Thread(target=self._loop.run_forever, name="sync-agency", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.wait(_end_others())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def wait(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Return what a coroutine returns, or raise what it raises; an interrupt, or the context's end, cancels it."""
        future: Future[_T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        finally:
            future.cancel()  # nothing when it is done


async def _end_others() -> None:
    """End what other threads still wait for, so that none of them waits for ever."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


class SyncAgency:
    """One agency, with its keys unlocked and its store open. Use `open`; errors are those of `Agency`."""

    def __init__(self, agency: Agency, background: Background) -> None:
        """Take what `open` put together."""
        self._agency: Final = agency
        self._background: Final = background

    @classmethod
    @contextlib.contextmanager
    def open(
        cls, folder: str | Path, *, passphrase: SecretStr | None = None, clock: Callable[[], int] = unix_now
    ) -> Iterator[Self]:
        """Open the agency in a folder, for as long as the context lasts; see `Agency.open`."""
        with cls.around(Agency.open(folder, passphrase=passphrase, clock=clock)) as agency:
            yield agency

    @classmethod
    @contextlib.contextmanager
    def around(cls, opening: contextlib.AbstractAsyncContextManager[Agency]) -> Iterator[Self]:
        """Enter an asynchronous context that gives an agency, and leave it at the end."""
        with Background() as background, contextlib.ExitStack() as stack:
            agency = background.wait(_enter(opening))
            stack.callback(lambda: background.wait(_leave(opening)))
            yield cls(agency, background)

    def _wait(self, work: Coroutine[Any, Any, _T]) -> _T:
        return self._background.wait(work)

    @property
    def settings(self) -> ConnectorSettings:
        """The settings, as of `Agency`."""
        return self._agency.settings

    @property
    def connector(self) -> Connector:
        """What every trip finds; its coroutines belong to this agency's own loop."""
        return self._agency.connector

    def audience(
        self,
        draft: Draft,
        *,
        to: Sequence[str] = (),
        operation: bool = False,
        subscribers: bool = False,
        answers: str | None = None,
    ) -> Audience:
        """Do as `Agency.audience` does."""
        return self._wait(
            self._agency.audience(draft, to=to, operation=operation, subscribers=subscribers, answers=answers)
        )

    def send(
        self,
        draft: Draft,
        *,
        to: Sequence[str] = (),
        operation: bool = False,
        subscribers: bool = False,
        leave_out: Sequence[str] = (),
    ) -> Sent:
        """Do as `Agency.send` does."""
        return self._wait(
            self._agency.send(draft, to=to, operation=operation, subscribers=subscribers, leave_out=leave_out)
        )

    def answer(
        self,
        mh: str,
        draft: Draft,
        *,
        to: Sequence[str] = (),
        operation: bool = False,
        subscribers: bool = False,
        leave_out: Sequence[str] = (),
    ) -> Sent:
        """Do as `Agency.answer` does."""
        return self._wait(
            self._agency.answer(mh, draft, to=to, operation=operation, subscribers=subscribers, leave_out=leave_out)
        )

    def replace(
        self,
        mh: str,
        draft: Draft,
        *,
        verb: Verb,
        to: Sequence[str] = (),
        operation: bool = False,
        subscribers: bool = False,
        leave_out: Sequence[str] = (),
    ) -> Sent:
        """Do as `Agency.replace` does."""
        return self._wait(
            self._agency.replace(
                mh, draft, verb=verb, to=to, operation=operation, subscribers=subscribers, leave_out=leave_out
            )
        )

    def outbox(self, *, limit: int = 50) -> Sequence[OutboxEntry]:
        """Do as `Agency.outbox` does."""
        return self._wait(self._agency.outbox(limit=limit))

    def matrix(self, mh: str) -> tuple[MatrixRow, ...]:
        """Do as `Agency.matrix` does."""
        return self._wait(self._agency.matrix(mh))

    def receipts(self, mh: str) -> Sequence[KeptReceipt]:
        """Do as `Agency.receipts` does."""
        return self._wait(self._agency.receipts(mh))

    def proof(self, mh: str, to: str) -> DeliveryProof:
        """Do as `Agency.proof` does."""
        return self._wait(self._agency.proof(mh, to))

    def receive_once(self, *, wait: int = 0) -> Received:
        """Do as `Agency.receive_once` does."""
        return self._wait(self._agency.receive_once(wait=wait))

    def inbox(self, *, limit: int = 50) -> Sequence[InboxEntry]:
        """Do as `Agency.inbox` does."""
        return self._wait(self._agency.inbox(limit=limit))

    def read(self, mh: str) -> OpenedMessage:
        """Do as `Agency.read` does."""
        return self._wait(self._agency.read(mh))

    def gaps(self) -> Mapping[str, Sequence[range]]:
        """Do as `Agency.gaps` does."""
        return self._wait(self._agency.gaps())

    def subscribe(self, *, want: Criteria, active: bool = True) -> Subscription:
        """Do as `Agency.subscribe` does."""
        return self._wait(self._agency.subscribe(want=want, active=active))

    def subscription(self) -> Subscription | None:
        """Do as `Agency.subscription` does."""
        return self._wait(self._agency.subscription())

    def open_operation(
        self,
        name: str,
        *,
        title: str,
        members: Sequence[str],
        opens: int,
        closes: int,
        exercise: bool,
        counting: CountingRules | None = None,
    ) -> Operation:
        """Do as `Agency.open_operation` does."""
        return self._wait(
            self._agency.open_operation(
                name, title=title, members=members, opens=opens, closes=closes, exercise=exercise, counting=counting
            )
        )

    def operations(self) -> tuple[Operation, ...]:
        """Do as `Agency.operations` does."""
        return self._wait(self._agency.operations())

    def report(self, operation: str) -> Report:
        """Do as `Agency.report` does."""
        return self._wait(self._agency.report(operation))


async def _enter(opening: contextlib.AbstractAsyncContextManager[Agency]) -> Agency:
    return await opening.__aenter__()


async def _leave(opening: contextlib.AbstractAsyncContextManager[Agency]) -> None:
    await opening.__aexit__(None, None, None)
