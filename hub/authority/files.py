"""Files of the registry office: read and written with errors of its own, one writer at a time.

Not for: what is in them (`rolekeys.py`, `published.py`). Implements `docs/protocol/09-directory.md` section 2.
"""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from hub.host import files
from hub.protocol.errors import SetupError


def write_file(path: Path, data: bytes, *, mode: int) -> None:
    """Write a file durably, in a folder that is made where there is none.

    Raises:
        SetupError: the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SetupError(f"{path.parent.name} cannot be made: {error.strerror}") from error
    files.write_file(path, data, mode=mode)


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
