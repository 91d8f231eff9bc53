"""`valise hub`: make a hub's keys and settings, and run it.

Not for: what it does (`hub/app.py`). User's page: `docs/how-to/run-a-hub.md`.
"""

import asyncio
import json
import logging
import shutil
import time
from pathlib import Path
from typing import Final

import click
from pydantic import SecretStr

from hub.app import serve as serve_hub
from hub.backup import check_not_rolled_back
from hub.cli import keep
from hub.cli.keys import log_keys, no_directory, rotate
from hub.cli.output import json_option, show
from hub.cli.passphrases import passphrase_for
from hub.cli.signed_by import signed_by
from hub.host.events import PROGRAM, ROLLBACK_ACCEPTED, write_events
from hub.host.keystore import Keystore, write_keystore
from hub.host.live_keys import LiveKeys
from hub.host.rotation import make_keys, write_answer, write_request
from hub.keys import open_keys, token_of
from hub.protocol.directory import PartnerRecord, country_of
from hub.protocol.enrolment import fingerprint
from hub.protocol.errors import SetupError
from hub.protocol.keyring import Cost
from hub.protocol.vocabulary import PartnerKind
from hub.settings import SETTINGS_FILE, HubSettings

_LOG: Final = logging.getLogger("valise.hub")
_FOLDER = click.argument("folder", type=click.Path(path_type=Path, file_okay=False))


@click.group()
def hub() -> None:
    """Run a hub."""


for _command in (keep.fsck, keep.backup, keep.restore, rotate, signed_by):
    hub.add_command(_command)


@hub.command()
@_FOLDER
@click.option("--code", required=True, help="The hub's partner code, such as `int-hub`.")
@click.option("--name", required=True, help="Its name in the directory.")
@click.option("--exchange", "federation", required=True, help="The exchange's name.")
@click.option("--root", type=click.Path(exists=True, path_type=Path), required=True, help="The exchange's anchor.")
@click.option("--directory", type=click.Path(path_type=Path), required=True, help="The folder that it serves.")
@click.option("--port", type=int, default=8420, show_default=True, help="The port to listen on; 0: a free one.")
@click.option("--light-keystores", is_flag=True, help="For exercises: a keystore that opens fast and guesses fast.")
@click.option(
    "--pkcs11",
    "pkcs11_module",
    type=click.Path(exists=True, path_type=Path, dir_okay=False),
    help="The PKCS#11 library of a token, on which the signing key is then made.",
)
@click.option("--token", "pkcs11_token", help="The label of that token.")
@json_option
def init(
    *,
    folder: Path,
    code: str,
    name: str,
    federation: str,
    root: Path,
    directory: Path,
    port: int,
    light_keystores: bool,
    pkcs11_module: Path | None,
    pkcs11_token: str | None,
    as_json: bool,
) -> None:
    """Make a hub in FOLDER: keys, settings and the request to enrol it."""
    if folder.exists() and any(folder.iterdir()):
        raise SetupError(f"{folder} is not empty")
    folder.mkdir(parents=True, exist_ok=True)
    now = int(time.time())
    shutil.copy(root, folder / "root.json")
    (folder / SETTINGS_FILE).write_text(
        f'hub = "{code}"\nfederation = "{federation}"\nport = {port}\nrepository = "{directory.absolute()}"\n'
        + _on_token(pkcs11_module, pkcs11_token),
        "utf-8",
    )
    settings = HubSettings.read(folder / SETTINGS_FILE)
    token, passphrase = token_of(settings), SecretStr(passphrase_for(code))
    keyring = make_keys(code, ("sign", "open", "log", "log2"), now=now, token=token)
    cost = Cost(memory_kib=8 * 1024, passes=1) if light_keystores else None
    write_keystore(settings.keystore, keyring, passphrase, cost=cost)
    keys = LiveKeys(Keystore(settings.keystore, passphrase, partner=code), no_directory, token)
    request = folder / f"{code}.request"
    request.write_bytes(_request(keys, name, federation, now))
    show(
        {"folder": str(folder), "request": str(request), "fingerprint": fingerprint(request.read_bytes())},
        f"Made {code} in {folder}.\n  send to the registry office: {request}\n"
        f"  fingerprint:                 {fingerprint(request.read_bytes())}",
        as_json=as_json,
    )


def _on_token(module: Path | None, label: str | None) -> str:
    """Return the settings of a token; a TOML string is a JSON one."""
    if (module is None) != (label is None):
        raise click.UsageError("--pkcs11 and --token go together")
    if module is None:
        return ""
    return f"pkcs11_module = {json.dumps(str(module.absolute()))}\npkcs11_token = {json.dumps(label)}\n"


def _request(keys: LiveKeys, name: str, federation: str, now: int) -> bytes:
    log = log_keys(keys.keyring(), federation, now)
    record = PartnerRecord(
        partner=keys.partner,
        name=name,
        kind=PartnerKind.HUB,
        country=country_of(keys.partner),
        keys=tuple(keys.entries()),
        log_keys=tuple(log),
    )
    return write_request(record, keys, federation=federation, now=now, log=log)


@hub.command()
@_FOLDER
@click.argument("challenge", type=click.Path(exists=True, path_type=Path, dir_okay=False))
@json_option
def answer(folder: Path, challenge: Path, *, as_json: bool) -> None:
    """Answer the registry office's CHALLENGE with the keys in FOLDER."""
    settings = HubSettings.read(folder / SETTINGS_FILE)
    keys = open_keys(settings, no_directory)
    request = (folder / f"{settings.hub}.request").read_bytes()
    log = log_keys(keys.keyring(), settings.federation, int(time.time()))
    written = challenge.with_suffix(".answer")
    written.write_bytes(write_answer(request, challenge.read_bytes(), keys, log=log))
    show({"answer": str(written)}, f"Send back: {written}", as_json=as_json)


@hub.command()
@_FOLDER
@click.option("--ready-file", type=click.Path(path_type=Path), help="Write the hub's address here once it answers.")
@click.option(
    "--accept-rollback",
    is_flag=True,
    help="Start on a restored backup, knowing that partners may hold promises that it does not know.",
)
@click.option("--json", "as_json", is_flag=True, help="Write each line of the log as JSON.")
def serve(folder: Path, ready_file: Path | None, *, accept_rollback: bool, as_json: bool) -> None:
    """Run the hub in FOLDER until it is asked to stop (Ctrl-C or SIGTERM)."""
    settings = HubSettings.read(folder / SETTINGS_FILE)
    write_events(as_json=as_json)
    PROGRAM.set(settings.hub)
    entries = check_not_rolled_back(settings.database, accept=accept_rollback)
    if entries is not None:
        _LOG.warning(ROLLBACK_ACCEPTED, entries)
    asyncio.run(serve_hub(settings, ready_file=ready_file))
