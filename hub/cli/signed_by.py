"""`valise hub signed-by`: what a key signed since a time, and who opened it.

Not for: revoking it (`partner.py`). User's page: `docs/how-to/respond-to-a-stolen-key.md`.
"""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

from hub.cli.output import json_option, show
from hub.cli.times import TIME
from hub.settings import SETTINGS_FILE, HubSettings
from hub.store.signed_by import SignedMessage, SignedThings
from hub.store.signed_by import signed_by as find


@click.command("signed-by", epilog="Example: valise hub signed-by hub fr-customs#s1 --since 2027-01-15T08:00:00+00:00")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.argument("kid")
@click.option("--since", type=TIME, required=True, help="Unix seconds, or ISO 8601 with its offset.")
@json_option
def signed_by(folder: Path, kid: str, since: int, *, as_json: bool) -> None:
    """Tell what the key KID (such as fr-customs#s1) signed since a time, and who opened it; the hub may run.

    Messages by number with the state of each copy, receipts, operations, and whether the present subscription is its.
    No content: the hub has none.
    """
    found = find(HubSettings.read(folder / SETTINGS_FILE).database, kid, since=since)
    show({"kid": kid, "since": since, **asdict(found)}, _text(kid, found), as_json=as_json)


def _text(kid: str, found: SignedThings) -> str:
    lines = [f"{kid}: {len(found.messages)} messages, {len(found.receipts)} receipts"]
    for message in found.messages:
        lines += _message(message)
    lines += [f"receipt {one.mh} {one.state}, dated {_time(one.iat)}" for one in found.receipts]
    lines += [f"operation {name}" for name in found.operations]
    return "\n".join([*lines, *(["the subscription in force"] if found.subscription else [])])


def _message(message: SignedMessage) -> list[str]:
    copies = [
        f"  {copy.to:24} {copy.state}" + (f", receipt dated {_time(copy.receipt_at)}" if copy.receipt_at else "")
        for copy in message.copies
    ]
    return [f"message {message.mh} accepted {_time(message.accepted_at)}", *copies]


def _time(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
