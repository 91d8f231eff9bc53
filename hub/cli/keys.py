"""`valise keys` and `valise hub rotate`: which keys there are, when they end, and new ones in time.

Not for: bringing them into the directory (`partner.py`) nor using them (`hub/host/live_keys.py`). User's page:
`docs/how-to/rotate-keys.md`.
"""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

import click

from hub.broker.notary import log_signers
from hub.cli.agencies import agency_command, is_agency
from hub.cli.output import json_option, show
from hub.host.expiry import report, standings
from hub.host.live_keys import LiveKeys
from hub.host.rotation import renewal_of, write_request
from hub.host.rotation import rotate as rotated
from hub.keys import endings_of_hub, keystore_of, open_keys, token_of
from hub.protocol.directory import Directory
from hub.protocol.errors import DirectoryError, StaleDirectoryError
from hub.protocol.hazmat import end_of_certificate
from hub.protocol.keyring import Keyring, KeyUse
from hub.protocol.keys import Signer
from hub.published import believe_published
from hub.settings import SETTINGS_FILE, HubSettings

_FOLDER = click.argument("folder", type=click.Path(path_type=Path, file_okay=False))


def no_directory() -> Directory:
    """Stand in for the directory where keys are made or proven, and none is chosen.

    Raises:
        StaleDirectoryError: always.
    """
    raise StaleDirectoryError("no directory is asked here")


def log_keys(keyring: Keyring, federation: str, now: int) -> dict[str, Signer]:
    """Return the log's signers by the C2SP verifier keys under which they are published."""
    return {key.text: signer for key, signer in log_signers(keyring, federation, at=now)}


@click.command(epilog="Example: valise hub rotate hub --use sign")
@_FOLDER
@click.option(
    "--use",
    type=click.Choice(["sign", "open", "log", "all"]),
    default="all",
    show_default=True,
    help="Which keys: to sign, to open (only enrolment asks for it), of the log.",
)
@json_option
def rotate(folder: Path, use: str, *, as_json: bool) -> None:
    """Make new keys for the hub in FOLDER, and the request to have them enrolled; the hub need not stop.

    The request is signed by the current keys, so that the office can take it with `valise partner renew`; with a new
    key to open, by `challenge`, `valise hub answer` and `enrol`.
    """
    settings, now = HubSettings.read(folder / SETTINGS_FILE), int(time.time())
    enrolled = asyncio.run(believe_published(settings, now=now)).directory.partner(settings.hub)
    uses: dict[str, Sequence[KeyUse]] = {"log": ("log", "log2"), "all": ("sign", "open", "log", "log2")}
    chosen = uses.get(use) or (("open",) if use == "open" else ("sign",))
    token = token_of(settings)
    before = {key.kid for key in keystore_of(settings).read().keys}
    keyring = keystore_of(settings).change(
        lambda ring: rotated(ring.destroy_expired(now=now), chosen, start=now, token=token)
    )
    keys = open_keys(settings, no_directory)
    log = log_keys(keyring, settings.federation, now)
    record = renewal_of(enrolled, keyring, now=now, log_keys=tuple(log))
    request = folder / f"{settings.hub}.request"
    request.write_bytes(write_request(record, keys, federation=settings.federation, now=now, log=log))
    made = [key.kid for key in keyring.keys if key.kid not in before]
    how = "challenge" if "open" in chosen else "renew"
    show(
        {"made": made, "request": str(request), "next": f"valise partner {how}"},
        f"Made {', '.join(made)}.\n  at the registry office: valise partner {how} OFFICE {request}",
        as_json=as_json,
    )


@click.command(epilog="Example: valise keys hub")
@_FOLDER
@json_option
@click.pass_context
def keys(ctx: click.Context, folder: Path, *, as_json: bool) -> None:
    """Show each key of the hub or agency in FOLDER: its use, when it ends, and what the directory says of it.

    Also when the directory itself must have been signed anew. Exit code 1 when something ends soon and must be renewed.
    """
    if is_agency(folder):
        ctx.invoke(agency_command(ctx, "keys"), folder=folder, as_json=as_json)
        return
    settings, now = HubSettings.read(folder / SETTINGS_FILE), int(time.time())
    live = LiveKeys(keystore_of(settings), no_directory)
    directory, expires = None, None
    certificate = end_of_certificate(settings.tls_certificate.read_bytes()) if settings.tls_certificate else None
    try:
        trusted = asyncio.run(believe_published(settings, now=now))
        directory, expires = trusted.directory, trusted.expires
    except DirectoryError as error:
        click.echo(f"The directory was not believed: {error.code}", err=True)
    value, text = report(standings(live.keyring(), directory), endings_of_hub(live, expires, certificate), now)
    show(value, text, as_json=as_json)
    ctx.exit(1 if value["expiring"] else 0)
