"""`valise connector rotate` and `keys`: new keys in time, and when the present ones end.

Not for: using them (`hub/host/live_keys.py`) nor the registry office's side (`valise partner`). User's page:
`docs/how-to/rotate-keys.md`.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from connectors.cli.output import json_option, say, show
from connectors.cli.unlock import FOLDER, typed_passphrase
from connectors.kit.directory import recall_trusted
from connectors.kit.keys import keystore_of, open_keys, token_of
from connectors.kit.settings import ConnectorSettings, read_settings
from hub.host.expiry import Ending, ending_of, endings_of, report, standings
from hub.host.rotation import renewal_of, write_request
from hub.host.rotation import rotate as rotated
from hub.protocol.directory import Directory
from hub.protocol.errors import DirectoryError, SetupError, StaleDirectoryError
from hub.protocol.keyring import DAY, KeyUse
from hub.verify.trust import TrustedDirectory

_USES: Final[tuple[KeyUse, ...]] = ("sign", "sign2", "open")


def no_directory() -> Directory:
    """Stand in for the directory where keys are made or proven, and none is chosen.

    Raises:
        StaleDirectoryError: always.
    """
    raise StaleDirectoryError("no directory is asked here")


def _believed(settings: ConnectorSettings, now: int) -> TrustedDirectory:
    """Return the directory that the connector believed last.

    Raises:
        StaleDirectoryError: it never ran, or not for too long.
        UntrustedDirectoryError, SetupError: it cannot be used.
    """
    try:
        anchor = settings.root.read_bytes()
    except OSError as error:
        raise SetupError(f"{settings.root}: {error.strerror}") from error
    trusted = recall_trusted(settings.directory, anchor, now=now)
    if trusted is None:
        raise StaleDirectoryError("the connector has not fetched it yet: start it once")
    return trusted


@click.command(epilog="Example: valise connector rotate fr-customs --use open --count 12")
@FOLDER
@click.option(
    "--use",
    type=click.Choice(["sign", "sign2", "open", "all"]),
    default="all",
    show_default=True,
    help="Which keys: to sign, for the second signature (also the first one of that kind), to open.",
)
@click.option(
    "--count",
    type=click.IntRange(1, 24),
    default=1,
    show_default=True,
    help="Opening keys to make ahead: each is valid for 30 days, from 5 days before the one before it ends.",
)
@click.option(
    "--starts-in", type=click.IntRange(0, 365), default=0, show_default=True, help="Days until the new keys are valid."
)
@json_option
def rotate(*, folder: Path, use: str, count: int, starts_in: int, as_json: bool) -> None:
    """Make new keys for the agency in FOLDER, and the request to have them enrolled; the connector need not stop.

    The request is signed by the current keys, so no fingerprint is compared again. New keys are used as soon as the
    directory lists them, and old ones open what was sealed to them for 120 days more.
    """
    settings, now = read_settings(folder), int(time.time())
    enrolled = _believed(settings, now).directory.partner(settings.partner)
    passphrase = typed_passphrase(folder)
    keystore, token = keystore_of(settings, passphrase), token_of(settings)
    before = keystore.read()
    held = {key.use for key in before.keys}
    chosen: Sequence[KeyUse] = [one for one in _USES if one == use or (use == "all" and one in held)]
    start = now + starts_in * DAY
    after = keystore.change(
        lambda ring: rotated(ring.destroy_expired(now=now), chosen, start=start, count=count, token=token)
    )
    keys = open_keys(settings, passphrase, no_directory)
    request = folder / f"{settings.partner}.request"
    record = renewal_of(enrolled, after, now=now)
    request.write_bytes(write_request(record, keys, federation=settings.federation, now=now))
    made = [key.kid for key in after.keys if key.kid not in {one.kid for one in before.keys}]
    how = "challenge" if "open" in chosen else "renew"
    show(
        {"made": made, "request": str(request), "next": f"valise partner {how}"},
        f"Made {', '.join(made)}.",
        f"  send to the registry office:  {request}",
        f"  which uses:                   valise partner {how}",
        as_json=as_json,
    )


@click.command(epilog="Example: valise connector keys fr-customs")
@FOLDER
@json_option
@click.pass_context
def keys(ctx: click.Context, folder: Path, *, as_json: bool) -> None:
    """Show each key of the agency in FOLDER: its use, when it ends, and what the directory says of it.

    `valise keys` does the same. Exit code 1 when something ends soon and must be renewed.
    """
    settings, now = read_settings(folder), int(time.time())
    keyring = keystore_of(settings, typed_passphrase(folder)).read()
    directory, endings = None, list[Ending]()
    try:
        trusted = _believed(settings, now)
        directory = trusted.directory
        endings.append(ending_of(trusted))
    except DirectoryError as error:
        say(f"The directory is not known: {error.code}")
    value, text = report(standings(keyring, directory), [*endings, *endings_of(keyring.entries())], now)
    show(value, text, as_json=as_json)
    ctx.exit(1 if value["expiring"] else 0)
