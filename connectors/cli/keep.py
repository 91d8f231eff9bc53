"""`valise connector fsck`, `backup` and `restore`: is the store sound, a copy of it, and the way back.

Not for: how (`connectors/kit/fsck.py`, `backup.py`). User's page: `docs/how-to/back-up-and-restore.md`.
"""

import time
from pathlib import Path

import click

from connectors.cli.output import json_option, show
from connectors.cli.unlock import FOLDER
from connectors.kit.backup import back_up, directory_of
from connectors.kit.backup import restore as restore_agency
from connectors.kit.fsck import examine_store
from connectors.kit.settings import read_settings
from hub.host.findings import as_text, failed, fine

_BACKUP = click.argument("file", type=click.Path(path_type=Path, dir_okay=False))


@click.command(epilog="Example: valise connector fsck fr-customs")
@FOLDER
@json_option
@click.pass_context
def fsck(ctx: click.Context, folder: Path, *, as_json: bool) -> None:
    """Check the store of the agency in FOLDER: the file, the chain of its messages, copies, accepts and receipts.

    Nothing is changed, and the connector may run. Exit code 1: something is wrong.
    """
    settings = read_settings(folder)
    findings = [fine("file", "nothing was stored yet")]
    if settings.store.exists():
        findings = list(examine_store(settings.store, directory_of(settings, now=int(time.time()))))
    show({"findings": [one.value() for one in findings]}, as_text(findings), as_json=as_json)
    ctx.exit(1 if failed(findings) else 0)


@click.command(epilog="Example: valise connector backup fr-customs fr-customs.backup")
@FOLDER
@_BACKUP
@click.option("--with-keys", is_flag=True, help="Put the keystore in, which is encrypted under its passphrase.")
@json_option
def backup(folder: Path, file: Path, *, with_keys: bool, as_json: bool) -> None:
    """Write a backup of the agency in FOLDER to FILE, which must not exist; the connector may run."""
    made = back_up(folder, file, now=int(time.time()), with_keys=with_keys)
    text = f"Wrote {file}: {', '.join(made.files)}."
    show(made.model_dump(mode="json") | {"file": str(file)}, text, as_json=as_json)


@click.command(epilog="Example: valise connector restore fr-customs.backup fr-customs")
@_BACKUP
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@json_option
def restore(file: Path, folder: Path, *, as_json: bool) -> None:
    """Restore the backup FILE into FOLDER, which must not exist, after checking it."""
    made = restore_agency(file, folder, now=int(time.time()))
    text = f"Restored {made.partner} into {folder}, as it was at {time.strftime('%F %TZ', time.gmtime(made.at))}."
    show(made.model_dump(mode="json") | {"folder": str(folder)}, text, as_json=as_json)
