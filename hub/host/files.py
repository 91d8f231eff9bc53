"""Files of a program, replaced as a whole or not at all; private ones are readable by their owner only.

Not for: the stores, which are SQLite's. Implements `docs/protocol/09-directory.md` section 3.
"""

import os
import stat
from functools import partial
from pathlib import Path
from typing import Final

from hub.protocol.errors import ExposedFileError, SetupError

PRIVATE: Final = 0o600
PUBLIC: Final = 0o644
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def read_private(path: Path, *, limit: int) -> bytes:
    """Return the bytes of a secret file.

    Raises:
        ExposedFileError: others than its owner may read it.
        SetupError: there is no such file, or it has more than `limit` bytes.
    """
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & _OTHERS:
                raise ExposedFileError(f"{path}: chmod 600")
            data = file.read(limit + 1)
    except OSError as error:
        raise SetupError(f"{path}: {error.strerror}") from error
    if len(data) > limit:
        raise SetupError(f"{path}: more than {limit} bytes")
    return data


def write_private(path: Path, data: bytes) -> None:
    """Write a secret file as `write_file` does.

    Raises:
        SetupError: the folder cannot be written.
    """
    write_file(path, data, mode=PRIVATE)


def write_file(path: Path, data: bytes, *, mode: int) -> None:
    """Write a file durably; a crash leaves the old one or the new one.

    Raises:
        SetupError: the folder cannot be written.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fresh.unlink(missing_ok=True)
        with open(fresh, "xb", opener=partial(os.open, mode=mode)) as file:
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
        raise SetupError(f"{path}: {error.strerror}") from error
