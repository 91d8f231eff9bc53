"""One hub at a time: a file beside the store that is locked for as long as the store is open.

The kernel lets go of it when the process ends, however it ends, so nothing is left behind after a crash. Not for:
transactions, which SQLite locks itself. Implements `docs/protocol/04-statements.md` section 6.
"""

import errno
import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from hub.protocol.errors import StoreError, StoreInUseError

_HELD: Final = frozenset({errno.EWOULDBLOCK, errno.EACCES})  # EACCES: NFS (flock(2))


def lock_of(database: Path) -> Path:
    """Return the file that is locked while a store is open: one for a store, whatever links lead to it."""
    real = database.resolve()
    return real.with_name(f"{real.name}-lock")


@contextmanager
def only_owner(database: Path) -> Iterator[None]:
    """Hold a store for this process for as long as the context lasts.

    Raises:
        StoreInUseError: another process holds it, or this one already.
        StoreError: the file to lock cannot be made, or its file system locks nothing.
    """
    path = lock_of(database)
    try:
        path.touch(mode=0o600)
        file = path.open("r+b")  # NFS locks only what is open for writing
    except OSError as error:
        raise StoreError(f"{path.name}: {error.strerror}") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _HELD:
                raise StoreInUseError(path.name) from error
            raise StoreError(f"{path.name}: {error.strerror}") from error
        yield
