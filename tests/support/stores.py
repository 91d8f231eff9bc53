"""How the tests open each kind of store, and what they compare its log with.

Not for: the contract itself (`tests/contract/`).
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol

from hub.broker.ports import RecordedEntry, Store
from hub.protocol.merkle import leaf_hash
from hub.store.sqlite import SqliteStore
from hub.tlog.entry import commit, write_entry
from tests.support.exchange import FEDERATION, HUB, NOW, sign_as_hub
from tests.support.memory_store import MemoryStore


class CountingStore(Store, Protocol):
    """A store that tells how many transactions it committed."""

    @property
    def transactions(self) -> int:
        """Their number since it was opened."""


@asynccontextmanager
async def open_memory(_folder: Path) -> AsyncIterator[CountingStore]:
    """Open the policing fake; it keeps nothing in the folder."""
    yield MemoryStore(federation=FEDERATION, hub=HUB, sign_batch=sign_as_hub, clock=lambda: NOW)


def open_sqlite(folder: Path) -> AbstractAsyncContextManager[SqliteStore]:
    """Open the SQLite store of a folder."""
    path = folder / "hub.sqlite"
    return SqliteStore.open(path, federation=FEDERATION, hub=HUB, sign_batch=sign_as_hub, clock=lambda: NOW)


def leaf_of(entry: RecordedEntry) -> bytes:
    """Return the leaf hash of an entry of the record."""
    return leaf_hash(write_entry(entry.kind, commit(entry.salt, entry.payload)))
