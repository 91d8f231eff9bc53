"""`valise exchange`: found an exchange, publish policy sets, keep the directory's signatures in force.

Not for: partners (`partner.py`). User's page: `docs/how-to/found-an-exchange.md`.
"""

import time
from pathlib import Path

import click

from hub.authority.exchange import RegistryOffice
from hub.authority.standing import role_standings
from hub.cli.output import json_option, show
from hub.cli.passphrases import passphrase_for
from hub.policy.sets import PolicySet, bundle
from hub.protocol.errors import PolicySetError
from hub.protocol.keyring import DAY, Cost

_OFFICE = click.argument("office", type=click.Path(path_type=Path, file_okay=False))


@click.group()
def exchange() -> None:
    """Create an exchange and keep its directory and policies."""


@exchange.command()
@_OFFICE
@click.option("--name", required=True, help="The exchange's name; it is part of its trusted root for ever.")
@click.option("--country", "countries", multiple=True, help="A country whose authority enrols partners; repeat it.")
@click.option("--policies", type=click.Path(exists=True, path_type=Path, file_okay=False), help="A policy set.")
@click.option("--light-keystores", is_flag=True, help="For exercises: keystores that open fast and guess fast.")
@json_option
def init(
    office: Path, name: str, countries: tuple[str, ...], policies: Path | None, *, light_keystores: bool, as_json: bool
) -> None:
    """Found an exchange in the folder OFFICE: roles, keys, an empty directory.

    The file OFFICE/root.json is the anchor that partners and auditors must get on a safe way.
    """
    now = int(time.time())
    cost = Cost(memory_kib=8 * 1024, passes=1) if light_keystores else None
    found = RegistryOffice.found(office, passphrase_for, federation=name, countries=countries, now=now, cost=cost)
    (office / "root.json").write_bytes(found.anchor)
    digest = _publish(found, policies, now) if policies else None
    show(
        {"office": str(office), "federation": name, "anchor": str(office / "root.json"), "policies": digest},
        f"Founded {name}.\n  the anchor for partners and auditors: {office / 'root.json'}\n"
        f"  the folder that the hub serves:        {found.public}\n"
        f"  policy set in force:                   {digest or 'none yet'}",
        as_json=as_json,
    )


@exchange.command("policies")
@_OFFICE
@click.argument("folder", type=click.Path(exists=True, path_type=Path, file_okay=False))
@json_option
def publish_policies(office: Path, folder: Path, *, as_json: bool) -> None:
    """Put the policy set in FOLDER in force; the hub takes it between two messages."""
    digest = _publish(RegistryOffice(office, passphrase_for), folder, int(time.time()))
    show({"policies": digest}, f"In force: policy set {digest}", as_json=as_json)


@exchange.command()
@_OFFICE
@json_option
def renew(office: Path, *, as_json: bool) -> None:
    """Sign the directory again before its signatures expire; run it daily."""
    now = int(time.time())
    RegistryOffice(office, passphrase_for).renew(now=now)
    show({"renewed": now}, "The directory is signed anew.", as_json=as_json)


@exchange.command("add-country")
@_OFFICE
@click.argument("country")
@json_option
def add_country(office: Path, country: str, *, as_json: bool) -> None:
    """Let one more country's authority enrol partners: it gets a role and a key."""
    RegistryOffice(office, passphrase_for).add_country(country, now=int(time.time()))
    show({"country": country}, f"{country} enrols its own partners from now on.", as_json=as_json)


@exchange.command("rotate-role")
@_OFFICE
@click.argument("role")
@json_option
def rotate_role(office: Path, role: str, *, as_json: bool) -> None:
    """Give ROLE (such as `root`, `timestamp` or `national-fr`) new keys: yearly, after a theft, when a person leaves.

    Everybody follows with the next refresh; what the old keys sign from now on counts for nothing.
    """
    opened = RegistryOffice(office, passphrase_for)
    opened.replace_keys(role, now=int(time.time()))
    shown = next(one for one in role_standings(office) if one.role == role)
    text = f"{role} has {shown.keys} new {'key' if shown.keys == 1 else 'keys'}; destroy the keystores of the old ones."
    show({"role": role, "keys": shown.keys, "threshold": shown.threshold}, text, as_json=as_json)


@exchange.command()
@_OFFICE
@json_option
def status(office: Path, *, as_json: bool) -> None:
    """Show each role: keys, how many must sign, how many keystores are here, and when its signature ends."""
    now, found = int(time.time()), role_standings(office)
    rows = [
        {
            "role": one.role,
            "keys": one.keys,
            "threshold": one.threshold,
            "here": one.here,
            "expires": one.expires,
            "days": (one.expires - now) // DAY,
        }
        for one in found
    ]
    lines = [f"{'role':16} {'keys':>4} {'sign':>4} {'here':>4}  days"]
    lines += [f"{one['role']:16} {one['keys']:4} {one['threshold']:4} {one['here']:4} {one['days']:5}" for one in rows]
    show({"roles": rows}, "\n".join(lines), as_json=as_json)


def _publish(office: RegistryOffice, folder: Path, now: int) -> str:
    files = {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and not any(part.startswith((".", "_")) for part in file.relative_to(folder).parts)
    }
    if not files:
        raise PolicySetError(f"{folder}: no files")
    digest = PolicySet.load(files).digest
    office.publish_policies(digest, now, bundle(files), now=now)
    return digest
