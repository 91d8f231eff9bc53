"""`valise hub`: make a hub's keys and settings, and run it.

Not for: what it does (`hub/app.py`). User's page: `docs/how-to/run-a-hub.md`.
"""

import asyncio
import logging
import shutil
import time
from pathlib import Path
from typing import Final

import click

from hub.app import serve as serve_hub
from hub.authority.files import PRIVATE, write_file
from hub.backup import check_not_rolled_back
from hub.broker.notary import log_signers
from hub.cli import keep
from hub.cli.output import json_option, show
from hub.cli.passphrases import passphrase_for
from hub.host.events import PROGRAM, ROLLBACK_ACCEPTED, write_events
from hub.protocol.directory import PartnerRecord, country_of
from hub.protocol.enrolment import answer_challenge, fingerprint, request_enrolment
from hub.protocol.errors import SetupError
from hub.protocol.keyring import Cost, Keyring, open_keyring, seal_keyring
from hub.protocol.keys import Signer
from hub.protocol.vocabulary import PartnerKind
from hub.settings import HubSettings

_LOG: Final = logging.getLogger("valise.hub")
_SETTINGS = "hub.toml"
_KEYS = "keys.valise"
_FOLDER = click.argument("folder", type=click.Path(path_type=Path, file_okay=False))


@click.group()
def hub() -> None:
    """Run a hub."""


for _command in (keep.fsck, keep.backup, keep.restore):
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
    as_json: bool,
) -> None:
    """Make a hub in FOLDER: keys, settings and the request to enrol it."""
    if folder.exists() and any(folder.iterdir()):
        raise SetupError(f"{folder} is not empty")
    folder.mkdir(parents=True, exist_ok=True)
    now = int(time.time())
    keyring = Keyring.generate(code, now=now, second_signature=False, log=True)
    cost = Cost(memory_kib=8 * 1024, passes=1) if light_keystores else None
    write_file(folder / _KEYS, seal_keyring(keyring, passphrase_for(code), cost=cost), mode=PRIVATE)
    shutil.copy(root, folder / "root.json")
    (folder / _SETTINGS).write_text(
        f'hub = "{code}"\nfederation = "{federation}"\nport = {port}\nrepository = "{directory.absolute()}"\n',
        "utf-8",
    )
    request = folder / f"{code}.request"
    request.write_bytes(_request(keyring, name, federation, now))
    show(
        {"folder": str(folder), "request": str(request), "fingerprint": fingerprint(request.read_bytes())},
        f"Made {code} in {folder}.\n  send to the registry office: {request}\n"
        f"  fingerprint:                 {fingerprint(request.read_bytes())}",
        as_json=as_json,
    )


def _request(keyring: Keyring, name: str, federation: str, now: int) -> bytes:
    record = PartnerRecord(
        partner=keyring.partner,
        name=name,
        kind=PartnerKind.HUB,
        country=country_of(keyring.partner),
        keys=keyring.entries(),
        log_keys=tuple(_log_keys(keyring, federation, now)),
    )
    return request_enrolment(record, _signers(keyring, federation, now), federation=federation, now=now)


def _log_keys(keyring: Keyring, federation: str, now: int) -> dict[str, Signer]:
    """Return the log's signers by their C2SP verifier keys."""
    return {key.text: signer for key, signer in log_signers(keyring, federation, at=now)}


def _signers(keyring: Keyring, federation: str, now: int) -> dict[str, Signer]:
    """Return everything that signs: the hub's possession of each of these keys is to be proven."""
    return {**keyring.signers(), **_log_keys(keyring, federation, now)}


@hub.command()
@_FOLDER
@click.argument("challenge", type=click.Path(exists=True, path_type=Path, dir_okay=False))
@json_option
def answer(folder: Path, challenge: Path, *, as_json: bool) -> None:
    """Answer the registry office's CHALLENGE with the keys in FOLDER."""
    settings = HubSettings.read(folder / _SETTINGS)
    keyring = open_keyring(settings.keystore.read_bytes(), settings.passphrase().get_secret_value())
    request = (folder / f"{settings.hub}.request").read_bytes()
    signers = _signers(keyring, settings.federation, int(time.time()))
    written = challenge.with_suffix(".answer")
    written.write_bytes(answer_challenge(request, challenge.read_bytes(), signers, keyring.openers()))
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
    settings = HubSettings.read(folder / _SETTINGS)
    write_events(as_json=as_json)
    PROGRAM.set(settings.hub)
    entries = check_not_rolled_back(settings.database, accept=accept_rollback)
    if entries is not None:
        _LOG.warning(ROLLBACK_ACCEPTED, entries)
    asyncio.run(serve_hub(settings, ready_file=ready_file))
