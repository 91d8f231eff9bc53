"""Uploads as files beside the database: one folder for each partner, names made of digests and numbers only.

A chunk is on the disk before it counts, so an upload goes on after a restart where its file ends. Files are private to
the hub's account. Not for: messages that were accepted (`sqlite.py`). User's view in `docs/trips/upload.md`.
"""

import asyncio
import contextlib
import errno
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from io import FileIO
from pathlib import Path
from typing import Final, TypeVar

from hub.broker.uploads import Upload
from hub.protocol.encoding import decode_b64url, encode_b64url
from hub.protocol.errors import StoreError, StoreFullError, UploadOffsetError

_T = TypeVar("_T")
_NAME: Final = re.compile(r"([0-9a-f]{64})-([0-9]+)-([0-9]+)\.(part|done)\Z")
_PRIVATE_FILE: Final = 0o600
_PRIVATE_FOLDER: Final = 0o700


class FileSpool:
    """A `Spool` in a folder. For one event loop; its files are touched in a thread, one step at a time."""

    def __init__(self, folder: Path) -> None:
        """Take the folder; it is made when the first upload begins."""
        self._folder: Final = folder
        self._lock: Final = asyncio.Lock()
        self._turn: Final = asyncio.Lock()

    def turn(self) -> contextlib.AbstractAsyncContextManager[None]:
        """See `Spool.turn`."""
        return self._turn

    async def uploads(self, partner: str) -> Sequence[Upload]:
        """See `Spool.uploads`."""
        return await self._run(lambda: list(self._in(partner)))

    async def begin(self, partner: str, digest: str, *, size: int, expires: int) -> Upload:
        """See `Spool.begin`."""
        upload = Upload(partner, digest, size, 0, expires)

        def make() -> Upload:
            for folder in (self._folder, self._folder / partner):
                folder.mkdir(mode=_PRIVATE_FOLDER, exist_ok=True)
            os.close(os.open(self._file(upload), os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE_FILE))
            return upload

        return await self._run(make)

    async def append(self, upload: Upload, data: bytes) -> Upload:
        """See `Spool.append`."""

        def append() -> Upload:
            with self._file(upload).open("r+b", buffering=0) as file:  # or what failed would be written again below
                at = file.seek(0, os.SEEK_END)
                if at != upload.received:
                    raise UploadOffsetError(offset=at)
                try:
                    _write(file, data)
                except OSError:
                    file.truncate(at)  # half a chunk does not count
                    raise
            return Upload(upload.partner, upload.digest, upload.size, at + len(data), upload.expires)

        return await self._run(append)

    async def read(self, upload: Upload) -> bytes:
        """See `Spool.read`."""
        return await self._run(self._file(upload).read_bytes)

    async def finish(self, upload: Upload, accept: bytes) -> None:
        """See `Spool.finish`."""

        def finish() -> None:
            fresh = self._file(upload).with_suffix(".new")
            handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _PRIVATE_FILE)
            with os.fdopen(handle, "wb") as file:
                file.write(accept)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self._file(upload).with_suffix(".done"))
            self._file(upload).unlink(missing_ok=True)

        await self._run(finish)

    async def remove(self, upload: Upload) -> None:
        """See `Spool.remove`."""
        await self._run(lambda: self._remove(upload))

    async def sweep(self, *, now: int) -> None:
        """See `Spool.sweep`."""

        def sweep() -> None:
            folders = list(self._folder.iterdir()) if self._folder.is_dir() else []
            for folder in folders:
                kept = 0
                for upload in self._in(folder.name):
                    if upload.expires <= now:
                        self._remove(upload)
                    else:
                        kept += 1
                if not kept:
                    shutil.rmtree(folder)

        await self._run(sweep)

    def _in(self, partner: str) -> Iterator[Upload]:
        folder = self._folder / partner
        for file in sorted(folder.iterdir()) if folder.is_dir() else ():
            match = _NAME.match(file.name)
            if match is None:
                continue
            digest, size = encode_b64url(bytes.fromhex(match[1])), int(match[2])
            done = match[4] == "done"
            received = size if done else file.stat().st_size
            yield Upload(partner, digest, size, received, int(match[3]), file.read_bytes() if done else None)

    def _file(self, upload: Upload) -> Path:
        name = f"{decode_b64url(upload.digest).hex()}-{upload.size}-{upload.expires}.part"
        return self._folder / upload.partner / name

    def _remove(self, upload: Upload) -> None:
        for suffix in (".part", ".done", ".new"):
            self._file(upload).with_suffix(suffix).unlink(missing_ok=True)

    async def _run(self, step: Callable[[], _T]) -> _T:
        async with self._lock:
            with _typed_errors():
                return await asyncio.to_thread(step)


def _write(file: FileIO, data: bytes) -> None:
    """Write a chunk durably, or raise: of what does not fit, a disk takes what fits."""
    if file.write(data) != len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    os.fsync(file.fileno())


@contextlib.contextmanager
def _typed_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise StoreFullError("spool") from error
        raise StoreError(f"spool: {error.strerror}") from error
