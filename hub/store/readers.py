"""The threads that read: each with a connection of its own, so that reading waits neither for writes nor in the loop.

Not for: what is read (`queries.py`). Implements `docs/protocol/04-statements.md` section 6.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Final, TypeVar

from hub.protocol.errors import StoreError
from hub.store.mailbox import Handed
from hub.store.queries import Queries
from hub.store.schema import connect, sound_values, typed_errors

_T = TypeVar("_T")
_READERS: Final = 2  # threads; reading is short, and Python runs one at a time anyway


class Readers:
    """A small pool of reading connections."""

    def __init__(self, path: Path, sign_batch: Callable[[bytes], str]) -> None:
        """Open the connections.

        Raises:
            StoreError: the file cannot be opened.
        """
        self._idle: Final[SimpleQueue[Queries]] = SimpleQueue()
        handed = Handed()
        for _ in range(_READERS):
            self._idle.put(Queries(connect(path), sign_batch, handed))
        self._closed = False
        self._threads: Final = ThreadPoolExecutor(_READERS, "store-reader")

    async def run(self, query: Callable[[Queries], _T]) -> _T:
        """Return what `query` returns; it sees one moment of the store.

        Raises:
            ValiseError: what `query` raised.
            StoreError: the store cannot be read, or is closed.
        """
        if self._closed:
            raise StoreError("the store is closed")
        with sound_values(), typed_errors():
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._ask, query)

    def _ask(self, query: Callable[[Queries], _T]) -> _T:
        queries = self._idle.get()  # one for each thread, so there is always one
        try:
            queries.db.execute("BEGIN")
            try:
                return query(queries)
            finally:
                queries.db.execute("ROLLBACK")
        finally:
            self._idle.put(queries)

    def close(self) -> None:
        """Wait for what is being read, then close the connections."""
        self._closed = True
        self._threads.shutdown()
        while not self._idle.empty():
            self._idle.get().db.close()
