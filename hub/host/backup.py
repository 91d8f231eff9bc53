"""One file that holds a program's state as it was at one moment, taken while the program runs, and the way back.

The file is a tar archive: `manifest.json`, then what it names with sizes and SHA-256. Not for: whether a store is sound
(`hub/store/fsck.py`, `connectors/kit/fsck.py`), which both ends ask. User's page:
`docs/how-to/back-up-and-restore.md`.
"""

import contextlib
import hashlib
import io
import os
import sqlite3
import tarfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Final, Literal

from pydantic import Field

from hub.protocol.errors import BackupError, EncodingError, SetupError, StoreError
from hub.protocol.wire import Wire, parse_wire, write_wire

MANIFEST: Final = "manifest.json"
_MAX_MANIFEST: Final = 64 * 1024  # bytes
_CHUNK: Final = 1024 * 1024  # bytes
_PRIVATE: Final = 0o600
_OURS: Final = 0o700
_PATIENCE: Final = 30.0  # seconds for another program's transaction


class BackedUp(Wire):
    """One file of a backup. `sha256` is hexadecimal, as `sha256sum` prints it."""

    size: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class BackupManifest(Wire):
    """What a backup is of. `at`: Unix seconds. `entries` and `root` are the log's of a hub, 0 and empty otherwise."""

    v: Literal[1] = 1
    kind: Literal["hub", "agency"]
    partner: str
    federation: str
    at: int
    version: str
    entries: int = 0
    root: str = ""
    files: Annotated[dict[str, BackedUp], Field(max_length=32)]


def copy_database(source: Path, target: Path) -> None:
    """Copy an SQLite file as it is at one moment, while others write to it.

    Raises:
        StoreError: it cannot be read, or the copy not written.
    """
    try:
        target.touch(mode=_PRIVATE, exist_ok=False)
        uri = f"{source.absolute().as_uri()}?mode=ro"
        with (
            contextlib.closing(sqlite3.connect(uri, uri=True, timeout=_PATIENCE)) as old,
            contextlib.closing(sqlite3.connect(target)) as new,
        ):
            old.backup(new)
            new.execute("PRAGMA journal_mode = DELETE")  # one file, whole without any beside it
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"{source.name}: {error}") from error


def digest_of(file: Path) -> BackedUp:
    """Return size and digest of a file."""
    found, size = hashlib.sha256(), 0
    with file.open("rb") as data:
        while chunk := data.read(_CHUNK):
            found.update(chunk)
            size += len(chunk)
    return BackedUp(size=size, sha256=found.hexdigest())


def write_backup(
    target: Path, manifest: Callable[[dict[str, BackedUp]], BackupManifest], files: Mapping[str, Path]
) -> BackupManifest:
    """Write a backup, durably and readable to its owner only, and return its manifest.

    Args:
        target: the file to write, which does not exist.
        manifest: makes the manifest when it is told what the files are.
        files: what goes in, by the name that it has in the backup.

    Raises:
        SetupError: the file exists, or cannot be written.
    """
    made = manifest({name: digest_of(path) for name, path in files.items()})
    try:
        with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE), "wb") as file:  # noqa: PTH123 - with its mode
            with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
                text = write_wire(made)
                archive.addfile(_member(MANIFEST, len(text), made.at), io.BytesIO(text))
                for name, path in files.items():
                    with path.open("rb") as data:
                        archive.addfile(_member(name, made.files[name].size, made.at), data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise SetupError(f"{target}: {error.strerror}") from error
    return made


def _member(name: str, size: int, at: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mtime, member.mode = size, at, _PRIVATE
    return member


def read_manifest(backup: Path) -> BackupManifest:
    """Return what a backup says that it is of.

    Raises:
        BackupError: it is no backup of ours.
        SetupError: the file cannot be read.
    """
    with _archive(backup) as archive:
        return _manifest_in(archive)


@contextlib.contextmanager
def _archive(backup: Path) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(backup, "r:") as archive:
            yield archive
    except tarfile.TarError as error:
        raise BackupError(str(error)) from error
    except OSError as error:
        raise SetupError(f"{backup}: {error.strerror or error}") from error


def _manifest_in(archive: tarfile.TarFile) -> BackupManifest:
    member = archive.next()
    data = archive.extractfile(member) if member is not None and member.isreg() else None
    if member is None or data is None or member.name != MANIFEST or member.size > _MAX_MANIFEST:
        raise BackupError("no manifest")
    try:
        return parse_wire(BackupManifest, data.read(), error=BackupError)
    except EncodingError as error:
        raise BackupError("manifest") from error


def unpack_backup(backup: Path, folder: Path, *, kind: Literal["hub", "agency"]) -> BackupManifest:
    """Write the files of a backup into a folder that is there, each checked against the manifest, and return that.

    Raises:
        BackupError: it is no backup of this kind; a file is damaged, missing or not named.
        SetupError: the backup cannot be read, or the folder not written.
    """
    with _archive(backup) as archive:
        manifest = _manifest_in(archive)
        if manifest.kind != kind:
            raise BackupError(f"of a {manifest.kind}, not of a {kind}")
        missing = dict(manifest.files)
        while (member := archive.next()) is not None:
            said = missing.pop(member.name, None)
            data = archive.extractfile(member) if member.isreg() else None
            if said is None or data is None or Path(member.name).name != member.name:
                raise BackupError("a file that the manifest does not name")
            path = folder / member.name
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE), "wb") as file:  # noqa: PTH123 - with its mode
                while chunk := data.read(_CHUNK):
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            if digest_of(path) != said:
                raise BackupError(f"{member.name} is damaged")
    if missing:
        raise BackupError(f"without {', '.join(sorted(missing))}")
    return manifest


@contextlib.contextmanager
def restoring(folder: Path) -> Iterator[Path]:
    """Yield a folder to restore into; it takes its place when the context ends well, and nothing is left otherwise.

    Raises:
        SetupError: the folder exists, or its parent cannot be written.
    """
    if folder.exists():
        raise SetupError(f"{folder} exists; a backup is restored into a new folder, never over what is there")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as scratch:
            inside = Path(scratch) / "restored"
            inside.mkdir(mode=_OURS)
            yield inside
            inside.rename(folder)
    except OSError as error:
        raise SetupError(f"{folder}: {error.strerror}") from error
