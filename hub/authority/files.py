"""Files of the registry office: whole or not at all, private ones for their owner only, one writer at a time.

Not for: what is in them (`rolekeys.py`, `published.py`). Implements `docs/protocol/09-directory.md` section 2.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from hub.protocol.errors import SetupError

PRIVATE: Final = 0o600
PUBLIC: Final = 0o644


def write_file(path: Path, data: bytes, *, mode: int) -> None:
    """Write a file durably; a crash leaves the old one or the new one.

    Raises:
        SetupError: the folder cannot be written.
    """
    fresh = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh.unlink(missing_ok=True)
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:  # noqa: PTH123 - no Path yet
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise SetupError(f"{path.name} cannot be written: {error.strerror}") from error


def read_file(path: Path) -> bytes:
    """Return a file's bytes.

    Raises:
        SetupError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise SetupError(f"{path.name} cannot be read: {error.strerror}") from error


@contextlib.contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold a folder for oneself, so that two clerks do not publish two directories of one version.

    Raises:
        SetupError: another process holds it.
    """
    with (folder / ".lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise SetupError("another process is changing the directory") from error
        yield
