"""Back a hub up while it runs, and restore it: one file, whose store is checked at both ends.

A restored store is older than what partners may hold, so a hub does not start on one until somebody says that this is
understood. The keystore is left out unless it is asked for. Not for: the file's format (`hub/host/backup.py`). User's
page: `docs/how-to/back-up-and-restore.md`.
"""

import asyncio
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from hub.host.backup import BackedUp, BackupManifest, copy_database, restoring, unpack_backup, write_backup
from hub.host.files import write_private
from hub.host.findings import Level
from hub.protocol.directory import Directory
from hub.protocol.errors import BackupError, RolledBackError, SetupError, ValiseError
from hub.protocol.wire import parse_wire, write_wire
from hub.published import believe_published
from hub.settings import HubSettings
from hub.store.fsck import examine_store, extent_of

_SETTINGS: Final = "hub.toml"


def directory_of(settings: HubSettings, *, now: int) -> Directory | None:
    """Return the directory that the hub would believe, or None where it would believe none."""
    try:
        return asyncio.run(believe_published(settings, now=now)).directory
    except (ValiseError, OSError):
        return None


def back_up(folder: Path, target: Path, *, now: int, with_keys: bool) -> BackupManifest:
    """Write a backup of the hub in a folder, whose copy of the store was found sound. `now`: Unix seconds.

    Raises:
        SetupError: it is not set up, or the file exists or cannot be written.
        StoreError: the store cannot be read.
        BackupError: the copy is not sound.
    """
    settings = HubSettings.read(folder / _SETTINGS)
    with TemporaryDirectory(prefix=".valise-", dir=target.absolute().parent) as scratch:
        copy = Path(scratch) / settings.database.name
        copy_database(settings.database, copy)
        _check_sound(copy, settings, now)
        extent = extent_of(copy)
        parts = [settings.trusted_root, settings.database.with_suffix(".seen")]
        parts += [settings.keystore] if with_keys else []
        files = {_SETTINGS: folder / _SETTINGS, copy.name: copy} | {one.name: one for one in parts if one.exists()}

        def manifest(known: dict[str, BackedUp]) -> BackupManifest:
            return BackupManifest(
                kind="hub",
                partner=settings.hub,
                federation=settings.federation,
                at=now,
                version=version("valise"),
                entries=extent.entries,
                root=extent.root.hex(),
                files=known,
            )

        return write_backup(target, manifest, files)


def restore(backup: Path, folder: Path, *, now: int) -> BackupManifest:
    """Restore a backup into a new folder, and mark it: the hub does not start there before somebody accepts the loss.

    Raises:
        BackupError: it is no backup of a hub, or damaged, or its log is another than it says.
        SetupError: the folder exists, or a file cannot be read or written.
    """
    with restoring(folder) as inside:
        manifest = unpack_backup(backup, inside, kind="hub")
        settings = HubSettings.read(inside / _SETTINGS)
        if settings.database.parent != inside or not settings.database.exists():
            raise SetupError("the store lies outside the hub's folder; put its path right in the settings first")
        _check_sound(settings.database, settings, now)
        extent = extent_of(settings.database)
        if (extent.entries, extent.root.hex()) != (manifest.entries, manifest.root):
            raise BackupError("its log is another than the manifest says")
        write_private(marker_of(settings.database), write_wire(manifest))
        return manifest


def _check_sound(database: Path, settings: HubSettings, now: int) -> None:
    found = examine_store(database, directory_of(settings, now=now), hub=settings.hub)
    wrong = [one for one in found if one.level is Level.FAILURE]
    if wrong:
        raise BackupError(f"{len(wrong)} findings, first: {wrong[0].check}: {wrong[0].text}")


def marker_of(database: Path) -> Path:
    """Return the file that says that a store was restored; it is there until the loss was accepted."""
    return database.with_name(f"{database.name}.restored")


def check_not_rolled_back(database: Path, *, accept: bool) -> int | None:
    """Refuse a store that was restored, unless the loss is accepted; then return how many entries it has.

    Returns:
        None for a store that was not restored.

    Raises:
        RolledBackError: it was restored, and nobody accepts what that means.
    """
    marker = marker_of(database)
    if not marker.exists():
        return None
    manifest = parse_wire(BackupManifest, marker.read_bytes(), error=BackupError)
    if not accept:
        made = datetime.fromtimestamp(manifest.at, UTC)
        raise RolledBackError(f"a backup of {manifest.entries} entries, made {made:%Y-%m-%d %H:%M:%SZ}")
    marker.unlink()
    return manifest.entries
