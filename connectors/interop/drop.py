"""The drop folder: complete files are taken from `in`, and end in `done` or `failed` with a report beside them.

A file is claimed by a rename into `work`, so nobody writes to its name any longer; after a crash what lies there is
taken again, which repeats nothing (`taking.py`). Not for: what is written to `out` (`writing.py`). User's page:
`docs/how-to/connect-a-system.md`.
"""

import asyncio
import errno
import fcntl
import logging
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from connectors.interop.items import MAX_UPLOAD
from connectors.interop.reports import GOOD, Line, write_report
from connectors.interop.taking import take_file
from connectors.kit.agency import Agency
from connectors.kit.link_settings import DropSettings
from hub.host.events import FILE_TAKEN
from hub.protocol.errors import SetupError, TableError

_LOG: Final = logging.getLogger("valise.connector")
FOLDERS: Final = ("in", "work", "done", "failed", "out")
_UNFINISHED: Final = (".tmp", ".part", ".partial", ".crdownload", ".filepart", "~")
_LONGEST: Final = 120  # characters of a file's name; a report adds to it


@dataclass(frozen=True, slots=True)
class _Look:
    """What a file looked like: a file is complete when two looks in a row saw the same and nobody has it open."""

    inode: int
    size: int
    changed: int  # nanoseconds


class DropFolder:
    """The drop folder of one running connector."""

    def __init__(self, agency: Agency, settings: DropSettings) -> None:
        """Make its folders, readable to their owner only.

        Raises:
            SetupError: they cannot be made.
        """
        self._agency: Final = agency
        self._settings: Final = settings
        self._seen: dict[str, _Look] = {}
        make_folders(settings.folder)

    def _at(self, folder: str, name: str = "") -> Path:
        return self._settings.folder / folder / name

    async def take(self) -> None:
        """Take what was left in `work`, then each complete file in `in`, by name.

        Raises:
            SetupError: a folder cannot be read or written.
            StoreError, StaleDirectoryError, KeystoreError: our own side failed; the file stays and is taken again.
        """
        for name in await asyncio.to_thread(_names, self._at("work")):
            await self._process(name)
        for name in await asyncio.to_thread(self._complete):
            if await asyncio.to_thread(_claim, self._at("in", name), self._at("work", name)):
                await self._process(name)

    def _complete(self) -> list[str]:
        """Return the files that look as they did at the last look and that nobody writes to, by name."""
        before, self._seen = self._seen, {}
        for name in _names(self._at("in")):
            look = _look(self._at("in", name))
            if look is not None:
                self._seen[name] = look
        same = [name for name, look in self._seen.items() if before.get(name) == look]
        return [name for name in same if not _is_written_to(self._at("in", name))]

    async def _process(self, name: str) -> None:
        work = self._at("work", name)
        try:
            data = await asyncio.to_thread(_read, work)
        except TableError as error:
            lines = [Line(0, "wrong", code=error.code, wrong=error.detail, says=error.detail)]
        else:
            lines = await take_file(self._agency, self._settings, name, data)
        ended = "done" if all(line.state in GOOD for line in lines) else "failed"
        await asyncio.to_thread(_finish, work, self._at(ended), lines)
        _LOG.info(FILE_TAKEN, ended, len(lines))


def make_folders(folder: Path) -> None:
    """Make the drop folder's folders, each for its owner only; those that are there stay as they are.

    Raises:
        SetupError: they cannot be made.
    """
    try:
        for name in FOLDERS:
            (folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SetupError(f"{folder}: {error.strerror}") from error


def _names(folder: Path) -> list[str]:
    """Return the files of a folder that are meant to be taken: no hidden ones, none that says it is unfinished."""
    try:
        names = sorted(file.name for file in folder.iterdir())
    except OSError as error:
        raise SetupError(f"{folder}: {error.strerror}") from error
    return [name for name in names if not (name.startswith(".") or name.lower().endswith(_UNFINISHED))]


def _look(file: Path) -> _Look | None:
    """Return what a file looks like; nothing for what is no plain file, such as a link to another folder."""
    try:
        seen = file.lstat()
    except OSError:
        return None  # it went meanwhile
    return _Look(seen.st_ino, seen.st_size, seen.st_mtime_ns) if stat.S_ISREG(seen.st_mode) else None


def _is_written_to(file: Path) -> bool:
    """Whether a process has the file open for writing, as far as the system tells (a lease for reading says so)."""
    try:
        opened = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return True  # not to be read now; look again
    try:
        fcntl.fcntl(opened, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(opened, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN  # others: another owner's file, or a file system without leases
    finally:
        os.close(opened)
    return False


def _claim(file: Path, work: Path) -> bool:
    try:
        file.rename(work)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise SetupError(f"{file}: {error.strerror}") from error
    return True


def _read(file: Path) -> bytes:
    """Return a file's bytes.

    Raises:
        TableError: it is too large, its name is too long, or it is no plain file.
        SetupError: it cannot be read.
    """
    if len(file.name) > _LONGEST:
        raise TableError(f"its name has more than {_LONGEST} characters")
    try:
        opened = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(opened, "rb") as stream:
            data = stream.read(MAX_UPLOAD + 1)
    except OSError as error:
        raise SetupError(f"{file}: {error.strerror}") from error
    if len(data) > MAX_UPLOAD:
        raise TableError(f"{file.name}: more than {MAX_UPLOAD // 2**20} MiB; split it into several files")
    return data


def _finish(work: Path, folder: Path, lines: Sequence[Line]) -> None:
    """Write the report, then move the file; a crash in between takes the file again and writes the same report."""
    name = _free_name(folder, work.name[:_LONGEST])
    write_report(folder, name, lines)
    try:
        work.rename(folder / name)
    except OSError as error:
        raise SetupError(f"{work}: {error.strerror}") from error


def _free_name(folder: Path, name: str) -> str:
    """Return the name, or with a number before its ending when an earlier file of that name is there."""
    stem, dot, ending = name.rpartition(".")
    number = 1
    tried = name
    while (folder / tried).exists():
        number += 1
        tried = f"{stem}.{number}{dot}{ending}"
    return tried
