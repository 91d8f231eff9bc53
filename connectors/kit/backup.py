"""Back an agency's store up while its connector runs, and restore it: one file, checked at both ends.

The keystore is left out unless it is asked for. Not for: what a restored connector does about what it forgot, nor the
file's format (`hub/host/backup.py`). User's page: `docs/how-to/back-up-and-restore.md`.
"""

from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from connectors.kit.directory import recall_trusted
from connectors.kit.fsck import examine_store
from connectors.kit.settings import SETTINGS_FILE, ConnectorSettings, read_settings
from hub.host.backup import BackedUp, BackupManifest, copy_database, restoring, unpack_backup, write_backup
from hub.host.findings import Finding, Level
from hub.protocol.directory import Directory
from hub.protocol.errors import BackupError, SetupError, ValiseError

_PARTS: Final = ("directory", "root")  # settings whose files go along, beside settings and store


def directory_of(settings: ConnectorSettings, *, now: int) -> Directory | None:
    """Return what an earlier run believed, or None where that is not in force any longer."""
    try:
        trusted = recall_trusted(settings.directory, settings.root.read_bytes(), now=now)
    except (ValiseError, OSError):
        return None
    return trusted.directory if trusted else None


def back_up(folder: Path, target: Path, *, now: int, with_keys: bool) -> BackupManifest:
    """Write a backup of the agency in a folder, whose copy of the store was found sound. `now`: Unix seconds.

    Raises:
        SetupError: it is not set up, or the file exists or cannot be written.
        StoreError: the store cannot be read.
        BackupError: the copy is not sound.
    """
    settings = read_settings(folder)
    with TemporaryDirectory(prefix=".valise-", dir=target.absolute().parent) as scratch:
        copy = Path(scratch) / settings.store.name
        copy_database(settings.store, copy)
        _check_sound(copy, directory_of(settings, now=now))
        files = {SETTINGS_FILE: folder / SETTINGS_FILE, settings.store.name: copy}
        parts = [getattr(settings, name) for name in _PARTS] + ([settings.keystore] if with_keys else [])
        files |= {path.name: path for path in parts if path.exists()}

        def manifest(known: dict[str, BackedUp]) -> BackupManifest:
            return BackupManifest(
                kind="agency",
                partner=settings.partner,
                federation=settings.federation,
                at=now,
                version=version("valise"),
                files=known,
            )

        return write_backup(target, manifest, files)


def restore(backup: Path, folder: Path, *, now: int) -> BackupManifest:
    """Restore a backup into a new folder; its store is found sound before. `now`: Unix seconds.

    Raises:
        BackupError: it is no backup of an agency, or damaged.
        SetupError: the folder exists, or a file cannot be read or written.
    """
    with restoring(folder) as inside:
        manifest = unpack_backup(backup, inside, kind="agency")
        settings = read_settings(inside)
        if not settings.store.exists() or settings.store.parent != inside.absolute():
            raise SetupError("the store lies outside the agency's folder; put its path right in the settings first")
        _check_sound(settings.store, directory_of(settings, now=now))
        return manifest


def _check_sound(store: Path, directory: Directory | None) -> None:
    wrong = [one for one in examine_store(store, directory) if one.level is Level.FAILURE]
    if wrong:
        raise BackupError(_sentence(wrong))


def _sentence(wrong: list[Finding]) -> str:
    return f"{len(wrong)} findings, first: {wrong[0].check}: {wrong[0].text}"
