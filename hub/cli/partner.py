"""`valise partner`: the registry office enrols partners, suspends them and revokes keys.

A partner proves each of its keys with three files that lie beside each other: `NAME.request`, which it sends,
`NAME.challenge`, which it gets back, and `NAME.answer`, which it sends again. Not for: the partner's own commands
(`valise connector`, `valise hub`). User's page: `docs/how-to/enrol-a-partner.md`.
"""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import click

from hub.authority.exchange import RegistryOffice
from hub.cli.output import json_option, show
from hub.cli.passphrases import passphrase_for
from hub.cli.times import TIME
from hub.protocol.directory import country_of
from hub.protocol.enrolment import fingerprint
from hub.protocol.errors import NotARenewalError

_OFFICE = click.argument("office", type=click.Path(exists=True, path_type=Path, file_okay=False))
_REQUESTS = click.argument(
    "requests", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path, dir_okay=False)
)


@click.group()
def partner() -> None:
    """Enrol partners, suspend them, revoke keys."""


@partner.command()
@_OFFICE
@_REQUESTS
@json_option
def challenge(office: Path, requests: tuple[Path, ...], *, as_json: bool) -> None:
    """Check enrolment requests and write the challenge beside each.

    Compare the fingerprint with the partner over another way before you enrol it, unless its enrolled keys vouch for
    the request.
    """
    opened, now = RegistryOffice(office, passphrase_for), int(time.time())
    written = [_challenge(opened, request, now) for request in requests]
    lines = "\n".join(
        f"{one['partner']:24} {one['fingerprint']}" + (f"  vouched for by {', '.join(vouching)}" if vouching else "")
        for one in written
        if isinstance(vouching := one["vouching"], list)
    )
    show({"challenges": written}, lines, as_json=as_json)


def _challenge(office: RegistryOffice, request: Path, now: int) -> dict[str, str | list[str]]:
    data, country = request.read_bytes(), country_of(request.stem)
    answer_to = request.with_suffix(".challenge")
    answer_to.write_bytes(office.challenge(data, country=country, now=now))
    try:
        vouching = list(office.vouching(data, country=country, now=now))
    except NotARenewalError:
        vouching = []
    return {
        "partner": request.stem,
        "challenge": str(answer_to),
        "fingerprint": fingerprint(data),
        "vouching": vouching,
    }


@partner.command()
@_OFFICE
@_REQUESTS
@json_option
def renew(office: Path, requests: tuple[Path, ...], *, as_json: bool) -> None:
    """Publish the new signature keys in REQUESTS for which enrolled keys of the same partners vouch.

    New keys to open take the longer way: `challenge`, the partner's answer, `enrol`.
    """
    data = [request.read_bytes() for request in requests]
    records = RegistryOffice(office, passphrase_for).renew_keys(data, now=int(time.time()))
    show(
        {"renewed": [record.partner for record in records]},
        "\n".join(f"Renewed the keys of {record.partner}." for record in records),
        as_json=as_json,
    )


@partner.command()
@_OFFICE
@_REQUESTS
@json_option
def enrol(office: Path, requests: tuple[Path, ...], *, as_json: bool) -> None:
    """Enrol the partners whose answers lie beside their REQUESTS, all in one version of the directory."""
    proofs = [(request.read_bytes(), request.with_suffix(".answer").read_bytes()) for request in requests]
    records = RegistryOffice(office, passphrase_for).enrol(proofs, now=int(time.time()))
    show(
        {"enrolled": [record.partner for record in records]},
        "\n".join(f"Enrolled {record.partner}: {record.name}, {record.kind}" for record in records),
        as_json=as_json,
    )


@partner.command("show")
@_OFFICE
@click.argument("code")
@json_option
def show_partner(office: Path, code: str, *, as_json: bool) -> None:
    """Show what the directory says of a partner."""
    record = RegistryOffice(office, passphrase_for).record(code)
    keys = "\n".join(f"  {key.kid:32} {key.alg:12} until {_date(key.exp)}  {key.status}" for key in record.keys)
    text = (
        f"{record.partner}: {record.name}, {record.kind}, {record.status}\n"
        f"  required: {', '.join(record.require)}\n{keys}"
    )
    show(record.model_dump(mode="json"), text, as_json=as_json)


@partner.command()
@_OFFICE
@click.argument("code")
@json_option
def suspend(office: Path, code: str, *, as_json: bool) -> None:
    """Suspend a partner: nothing of it is accepted and nothing is released to it until `resume`."""
    _set_status(office, code, "suspended", as_json=as_json)


@partner.command()
@_OFFICE
@click.argument("code")
@json_option
def resume(office: Path, code: str, *, as_json: bool) -> None:
    """End a partner's suspension."""
    _set_status(office, code, "active", as_json=as_json)


@partner.command()
@_OFFICE
@click.argument("code")
@click.option("--second", is_flag=True, required=True, help="Require a second signature, ML-DSA-65.")
@json_option
def require(office: Path, code: str, *, second: bool, as_json: bool) -> None:  # noqa: ARG001 - it must be said
    """Accept nothing of a partner any more without a second signature. It cannot be taken back.

    The partner needs an enrolled ML-DSA-65 key (`valise connector rotate --use sign2`), and should have sent with it
    for as long as a message of it may wait somewhere: what was signed without one is refused from now on.
    """
    record = RegistryOffice(office, passphrase_for).require_second(code, now=int(time.time()))
    text = f"{code} must sign with {' and '.join(record.require)}."
    show({"partner": code, "require": list(record.require)}, text, as_json=as_json)


@partner.command()
@_OFFICE
@click.argument("kid")
@click.option(
    "--since", type=TIME, help="From when on it must not be believed (Unix seconds or ISO 8601). Default: now."
)
@json_option
def revoke(office: Path, kid: str, since: int | None, *, as_json: bool) -> None:
    """Revoke the key KID (such as `fr-customs#s1`) from a time on. It takes effect on the hub's next request."""
    now = int(time.time())
    since = now if since is None else since
    if "#" not in kid:
        raise click.BadParameter("a key such as fr-customs#s1; for all of a partner: compromised", param_hint="KID")
    RegistryOffice(office, passphrase_for).revoke(kid, since=since, now=now)
    show({"revoked": kid, "since": since}, f"{kid} is revoked.", as_json=as_json)


@partner.command(epilog="Example: valise partner compromised office fr-customs#s1 --since 2027-01-15T08:00:00+00:00")
@_OFFICE
@click.argument("name")
@click.option(
    "--since", type=TIME, required=True, help="When it may have been stolen: Unix seconds, or ISO 8601 with its offset."
)
@json_option
def compromised(office: Path, name: str, since: int, *, as_json: bool) -> None:
    """Revoke what may be in strange hands: the key NAME, or every key of the partner NAME, from a time on.

    Take the earliest time that is possible: a later finding can only move it back. Then ask hub and partners what was
    signed with it since, as is written in docs/how-to/respond-to-a-stolen-key.md. Let the agency say of each key that
    is left whether it is its own: whoever had the stolen one could have brought others.
    """
    now = int(time.time())
    if since > now:
        raise click.BadParameter("a theft that was noticed is not in the future", param_hint="--since")
    registry = RegistryOffice(office, passphrase_for)
    kids = registry.revoke(name, since=since, now=now)
    asks = [f"valise hub signed-by HUB '{kid}' --since {since}" for kid in kids]
    left = [key.kid for key in registry.record(name.partition("#")[0]).keys if key.revoked_at is None and now < key.exp]
    show(
        {"revoked": list(kids), "since": since, "ask": asks, "left": left},
        f"Revoked from {_date(since)} on: {', '.join(kids)}.\nNext, at the hub:\n"
        + "\n".join(f"  {ask}" for ask in asks)
        + (f"\nNot revoked; are they all the agency's own? {', '.join(left)}" if left else ""),
        as_json=as_json,
    )


def _set_status(office: Path, code: str, status: Literal["active", "suspended"], *, as_json: bool) -> None:
    RegistryOffice(office, passphrase_for).set_status(code, status, now=int(time.time()))
    show({"partner": code, "status": status}, f"{code} is {status}.", as_json=as_json)


def _date(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
