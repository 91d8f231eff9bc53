"""`valise partner`: the registry office enrols partners, suspends them and revokes keys.

A partner proves each of its keys with three files that lie beside each other: `NAME.request`, which it sends,
`NAME.challenge`, which it gets back, and `NAME.answer`, which it sends again. Not for: the partner's own commands
(`valise connector`, `valise hub`). User's page: `docs/how-to/enrol-a-partner.md`.
"""

import time
from pathlib import Path
from typing import Literal

import click

from hub.authority.exchange import RegistryOffice
from hub.cli.output import json_option, show
from hub.cli.passphrases import passphrase_for
from hub.protocol.directory import country_of
from hub.protocol.enrolment import fingerprint

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

    Compare the fingerprint with the partner over another way before you enrol it.
    """
    opened, now = RegistryOffice(office, passphrase_for), int(time.time())
    written = []
    for request in requests:
        data = request.read_bytes()
        answer_to = request.with_suffix(".challenge")
        answer_to.write_bytes(opened.challenge(data, country=country_of(request.stem), now=now))
        written.append({"partner": request.stem, "challenge": str(answer_to), "fingerprint": fingerprint(data)})
    lines = "\n".join(f"{one['partner']:24} {one['fingerprint']}" for one in written)
    show({"challenges": written}, lines, as_json=as_json)


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
    keys = "\n".join(f"  {key.kid:32} {key.alg:12} {key.status}" for key in record.keys)
    text = f"{record.partner}: {record.name}, {record.kind}, {record.status}\n{keys}"
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
@click.argument("kid")
@click.option("--since", type=int, help="Unix time from which it must not be believed; default: now.")
@json_option
def revoke(office: Path, kid: str, since: int | None, *, as_json: bool) -> None:
    """Revoke the key KID (such as `fr-customs#s1`) from a time on."""
    now = int(time.time())
    since = now if since is None else since
    RegistryOffice(office, passphrase_for).revoke_key(kid, since=since, now=now)
    show({"revoked": kid, "since": since}, f"{kid} is revoked.", as_json=as_json)


def _set_status(office: Path, code: str, status: Literal["active", "suspended"], *, as_json: bool) -> None:
    RegistryOffice(office, passphrase_for).set_status(code, status, now=int(time.time()))
    show({"partner": code, "status": status}, f"{code} is {status}.", as_json=as_json)
