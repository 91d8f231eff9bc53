"""The embedded store: every port of the broker on one SQLite file, durable before anything is confirmed.

Not for: a hub of more than one process. Implements `docs/protocol/04-statements.md` section 6.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Final

from hub.broker.ports import (
    START,
    Acceptance,
    Delivery,
    KnownMessage,
    MailItem,
    MailMark,
    OfferedMessage,
    OwnMessage,
    RecordedEntry,
)
from hub.protocol.errors import ValiseError
from hub.protocol.operation import VerifiedOperation
from hub.protocol.receipt import VerifiedReceipt
from hub.protocol.subscription import VerifiedSubscription
from hub.store import expiry, standing, writes
from hub.store.ledger import Ledger
from hub.store.lock import only_owner
from hub.store.log import entry_bundle, size_of, view_of
from hub.store.queries import Queries
from hub.store.readers import Readers
from hub.store.schema import connect, prepare, sound_values, typed_errors
from hub.store.writer import Work, Writer


class SqliteStore:
    """A `Store` in one file; `open` makes one. For one event loop."""

    def __init__(self, ledger: Ledger, readers: Readers) -> None:
        self._ledger: Final = ledger
        self._readers: Final = readers
        self._bells: Final[dict[str, asyncio.Event]] = {}
        self._writer: Final = Writer(ledger, ring=self._ring)

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        path: Path,
        *,
        federation: str,
        hub: str,
        sign_batch: Callable[[bytes], str],
        clock: Callable[[], int],
    ) -> AsyncIterator["SqliteStore"]:
        """Open a store, or make one where there is no file; what a crash left unsigned is signed.

        Args:
            path: the file; its folder exists.
            federation: the exchange's name.
            hub: this hub's partner code.
            sign_batch: signs a batch's payload, the same payload always with the same signature.
            clock: the time in Unix seconds.

        Raises:
            StoreInUseError: another hub runs on this file.
            StoreVersionError: another program or another version wrote the file.
            StoreError: it cannot be read or written.
        """
        with only_owner(path), closing(connect(path)) as db:
            with sound_values(), typed_errors():
                prepare(db)
                ledger = Ledger(db, federation=federation, hub=hub, sign_batch=sign_batch, clock=clock)
                ledger.sign_batches()
            with closing(Readers(path, sign_batch)) as readers:
                store = cls(ledger, readers)
                try:
                    yield store
                finally:
                    await store.close()

    async def close(self) -> None:
        """Finish what was asked for before; nobody waits at a mailbox any longer."""
        self._ring(set(self._bells))
        await self._writer.close()

    @property
    def transactions(self) -> int:
        """How many transactions were committed since the store was opened."""
        return self._writer.work.transactions

    @property
    def work(self) -> Work:
        """What was written since the store was opened, in numbers."""
        return self._writer.work

    def check_writing(self) -> None:
        """See `Record.check_writing`."""
        self._writer.check()

    # --- the record ---

    async def find(self, *, mh: str) -> KnownMessage | None:
        """See `Record.find`."""
        return await self._readers.run(lambda queries: queries.find(mh))

    async def find_submissions(self, *, iss: str, jtis: Sequence[str]) -> Mapping[str, KnownMessage]:
        """See `Record.find_submissions`."""
        return await self._readers.run(lambda queries: queries.find_submissions(iss, jtis))

    async def commit(self, acceptance: Acceptance) -> bytes:
        """See `Record.commit`."""
        rows = 1 + len(acceptance.decisions)
        prove = await self._writer.run(lambda ledger: writes.accept(ledger, acceptance), rows=rows)
        return prove()

    async def commit_many(self, acceptances: Sequence[Acceptance]) -> list[bytes | ValiseError]:
        """See `Record.commit_many`."""
        outcomes = await asyncio.gather(*(self.commit(one) for one in acceptances), return_exceptions=True)
        return [_expected(outcome) for outcome in outcomes]

    async def add_receipt(self, verified: VerifiedReceipt) -> None:
        """See `Record.add_receipt`."""
        await self._writer.run(lambda ledger: writes.add_receipt(ledger, verified))

    async def expire(self, *, now: int, limit: int, write: Callable[[str, str, int], bytes]) -> int:
        """See `Record.expire`."""
        return await self._writer.run(lambda ledger: expiry.expire(ledger, now, limit, write), rows=limit)

    async def own_messages(self, kid: str, *, after: int, limit: int) -> Sequence[OwnMessage]:
        """See `Record.own_messages`."""
        return await self._readers.run(lambda queries: standing.own_messages(queries, kid, after, limit))

    async def highest(self, kid: str) -> int | None:
        """See `Record.highest`."""
        return await self._readers.run(lambda queries: standing.highest(queries, kid))

    async def offered(self, *, since: int, limit: int) -> Sequence[OfferedMessage]:
        """See `Record.offered`."""
        return await self._readers.run(lambda queries: standing.offered(queries, since, limit))

    async def entries_of(self, mh: str) -> Sequence[tuple[str | None, RecordedEntry]]:
        """See `Record.entries_of`."""
        return await self._readers.run(lambda queries: queries.entries_of(mh))

    async def inputs_of(self, mh: str, to: str) -> bytes | None:
        """See `Record.inputs_of`."""
        return await self._readers.run(lambda queries: queries.inputs_of(mh, to))

    async def deliveries(self, mh: str) -> Sequence[Delivery]:
        """See `Record.deliveries`."""
        return await self._readers.run(lambda queries: queries.deliveries(mh))

    async def messages_of(
        self, *, iss: str, operation: str | None, limit: int, before: str | None = None
    ) -> Sequence[KnownMessage]:
        """See `Record.messages_of`."""
        return await self._readers.run(lambda queries: queries.messages_of(iss, operation, limit, before))

    # --- mailboxes ---

    async def waiting(self, partner: str, *, limit: int, after: MailMark = START) -> Sequence[MailItem]:
        """See `Mailboxes.waiting`."""
        return await self._readers.run(lambda queries: queries.mail.waiting(partner, limit, after))

    async def confirm(self, partner: str, seqs: Sequence[int], *, at: int) -> None:
        """See `Mailboxes.confirm`."""
        await self._writer.run(lambda ledger: writes.confirm(ledger, partner, seqs, at), rows=len(seqs))

    async def collected(self, partner: str) -> int:
        """See `Mailboxes.collected`."""
        return await self._readers.run(lambda queries: standing.collected(queries, partner))

    async def last_collected(self, partner: str) -> int | None:
        """See `Mailboxes.last_collected`."""
        return await self._readers.run(lambda queries: standing.last_collected(queries, partner))

    async def wait(self, partner: str, *, seconds: float, after: MailMark = START) -> None:
        """See `Mailboxes.wait`."""
        bell = self._bells.setdefault(partner, asyncio.Event())  # hung up before looking: nothing is missed between
        if not await self._readers.run(lambda queries: queries.mail.has_mail(partner, after)):
            with suppress(TimeoutError):
                await asyncio.wait_for(bell.wait(), seconds)

    def _ring(self, partners: set[str]) -> None:
        for bell in [self._bells.pop(partner) for partner in partners & self._bells.keys()]:
            bell.set()

    # --- groups ---

    async def put_operation(self, verified: VerifiedOperation) -> None:
        """See `Groups.put_operation`."""
        await self._writer.run(lambda ledger: writes.put_operation(ledger, verified))

    async def operation(self, name: str) -> VerifiedOperation | None:
        """See `Groups.operation`."""
        return await self._readers.run(lambda queries: queries.operation(name))

    async def operations(self) -> Sequence[VerifiedOperation]:
        """See `Groups.operations`."""
        return await self._readers.run(Queries.operations)

    async def put_subscription(self, verified: VerifiedSubscription) -> None:
        """See `Groups.put_subscription`."""
        await self._writer.run(lambda ledger: writes.put_subscription(ledger, verified))

    async def subscriptions(self) -> Sequence[VerifiedSubscription]:
        """See `Groups.subscriptions`."""
        return await self._readers.run(Queries.subscriptions)

    # --- the log ---

    async def log_size(self) -> int:
        """See `LogReader.log_size`."""
        return await self._readers.run(lambda queries: size_of(queries.db))

    async def log_root(self, size: int) -> bytes:
        """See `LogReader.log_root`."""
        return await self._readers.run(lambda queries: view_of(queries.db).root(size))

    async def inclusion(self, index: int, size: int) -> Sequence[bytes]:
        """See `LogReader.inclusion`."""
        return await self._readers.run(lambda queries: view_of(queries.db).inclusion(index, size))

    async def consistency(self, old: int, new: int) -> Sequence[bytes]:
        """See `LogReader.consistency`."""
        return await self._readers.run(lambda queries: view_of(queries.db).consistency(old, new))

    async def tile(self, level: int, number: int, width: int) -> bytes:
        """See `LogReader.tile`."""
        return await self._readers.run(lambda queries: view_of(queries.db).tile(level, number, width))

    async def entry_bundle(self, number: int, width: int) -> bytes:
        """See `LogReader.entry_bundle`."""
        return await self._readers.run(lambda queries: entry_bundle(queries.db, number, width))

    async def put_checkpoint(self, size: int, note: str) -> None:
        """See `LogReader.put_checkpoint`."""
        await self._writer.run(lambda ledger: writes.put_checkpoint(ledger, size, note))

    async def checkpoint(self) -> str | None:
        """See `LogReader.checkpoint`."""
        return await self._readers.run(Queries.checkpoint)


def _expected(outcome: bytes | BaseException) -> bytes | ValiseError:
    if isinstance(outcome, bytes | ValiseError):
        return outcome
    raise outcome
