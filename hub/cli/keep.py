"""`valise hub fsck`, `backup` and `restore`: is the store sound, a copy of it, and the way back.

Not for: how (`hub/store/fsck.py`, `hub/backup.py`). User's page: `docs/how-to/back-up-and-restore.md`.
"""

import time
from pathlib import Path

import click

from hub.backup import back_up, directory_of
from hub.backup import restore as restore_hub
from hub.cli.output import json_option, show
from hub.host.findings import as_text, failed, fine
from hub.settings import HubSettings
from hub.store.fsck import examine_store

_FOLDER = click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
_BACKUP = click.argument("file", type=click.Path(path_type=Path, dir_okay=False))


@click.command(epilog="Example: valise hub fsck hub")
@_FOLDER
@json_option
@click.pass_context
def fsck(ctx: click.Context, folder: Path, *, as_json: bool) -> None:
    """Make everything in the store of the hub in FOLDER again from its record, and tell every difference.

    Entries, tree, tiles, checkpoints and their signatures, batches, decisions, mailboxes, ciphertexts and receipts.
    Nothing is changed, and the hub may run. Exit code 1: something is wrong.
    """
    settings = HubSettings.read(folder / "hub.toml")
    findings = [fine("file", "nothing was stored yet")]
    if settings.database.exists():
        directory = directory_of(settings, now=int(time.time()))
        findings = list(examine_store(settings.database, directory, hub=settings.hub))
    show({"findings": [one.value() for one in findings]}, as_text(findings), as_json=as_json)
    ctx.exit(1 if failed(findings) else 0)


@click.command(epilog="Example: valise hub backup hub hub-monday.backup")
@_FOLDER
@_BACKUP
@click.option("--with-keys", is_flag=True, help="Put the keystore in, which is encrypted under its passphrase.")
@json_option
def backup(folder: Path, file: Path, *, with_keys: bool, as_json: bool) -> None:
    """Write a checked backup of the hub in FOLDER to FILE, which must not exist; the hub may run."""
    made = back_up(folder, file, now=int(time.time()), with_keys=with_keys)
    text = f"Wrote {file}: {made.entries} entries, root {made.root[:16]}; {', '.join(made.files)}."
    show(made.model_dump(mode="json") | {"file": str(file)}, text, as_json=as_json)


@click.command(epilog="Example: valise hub restore hub-monday.backup hub")
@_BACKUP
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@json_option
def restore(file: Path, folder: Path, *, as_json: bool) -> None:
    """Restore the backup FILE into FOLDER, which must not exist, after checking it.

    The hub then starts only with --accept-rollback: partners may hold promises that the backup does not know.
    """
    made = restore_hub(file, folder, now=int(time.time()))
    text = (
        f"Restored {made.partner} into {folder}: {made.entries} entries, as it was at "
        f"{time.strftime('%F %TZ', time.gmtime(made.at))}.\n"
        "It starts with `valise hub serve --accept-rollback` only; read docs/how-to/back-up-and-restore.md first."
    )
    show(made.model_dump(mode="json") | {"folder": str(folder)}, text, as_json=as_json)
