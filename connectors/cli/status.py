"""`valise status`: on one screen whether an agency's exchange works: what waits, since when, and what is wrong.

It looks beside a running connector and opens no keystore. Not for: everything that must be right (`doctor.py`). User's
page: `docs/how-to/run-a-connector.md`.
"""

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import click

from connectors.cli.output import json_option, local, show
from connectors.cli.unlock import FOLDER
from connectors.kit.agency_store import read_only
from connectors.kit.directory import recall_trusted
from connectors.kit.settings import ConnectorSettings, read_settings
from connectors.kit.tls import client_tls
from hub.host.line import ask_hub
from hub.protocol.errors import ValiseError

_WIDE: Final = 12  # characters of the first column
_DAY: Final = 86_400  # seconds


@click.command(epilog="Example: valise status fr-customs")
@FOLDER
@json_option
def status(*, folder: Path, as_json: bool) -> None:
    """Show what waits, what was refused, what came last, and whether hub and directory are there, for FOLDER.

    It needs no passphrase. `valise doctor` looks deeper.
    """
    value = look(folder, now=int(time.time()))
    show(value, _text(value), as_json=as_json)


def look(folder: Path, *, now: int) -> dict[str, Any]:
    """Return what there is to show. `now`: Unix seconds.

    Raises:
        SetupError: the agency is not set up.
        StoreError: its store cannot be read.
    """
    settings = read_settings(folder)
    return {
        "partner": settings.partner,
        "mode": settings.mode,
        "hub": _hub(settings, now),
        "directory": _directory(settings, now),
        **(_store(settings.store, now) if settings.store.exists() else {}),
    }


def _hub(settings: ConnectorSettings, now: int) -> dict[str, Any]:
    try:
        answer = ask_hub(
            settings.hub_url, client_tls(settings.ca_file, settings.client_certificate, settings.client_key)
        )
    except ValiseError as error:
        return {"url": settings.hub_url, "reachable": False, "code": error.code}
    return {"url": settings.hub_url, "reachable": True, "clock_apart": now - answer.facts.time}


def _directory(settings: ConnectorSettings, now: int) -> dict[str, Any]:
    try:
        trusted = recall_trusted(settings.directory, settings.root.read_bytes(), now=now)
    except (ValiseError, OSError) as error:
        return {"in_force": False, "code": error.code if isinstance(error, ValiseError) else "setup/invalid"}
    if trusted is None:
        return {"in_force": False, "code": "directory/stale"}
    keys = [key for key in trusted.directory.partner(settings.partner).keys if key.revoked_at is None]
    newest = {key.use: max(one.exp for one in keys if one.use == key.use) for key in keys}
    days = {use: (end - now) // _DAY for use, end in newest.items()}
    return {"in_force": True, "expires": trusted.expires, "key_days_left": days}


def _store(store: Path, now: int) -> dict[str, Any]:
    with closing(read_only(store)) as db:
        return {
            "outbox": _states(db, "SELECT state, count(*) FROM outbox GROUP BY state"),
            "inbox": _states(db, "SELECT state, count(*) FROM inbox GROUP BY state"),
            "oldest_unsent_seconds": _age(
                db, "SELECT min(handed_at) FROM outbox WHERE state IN ('waiting', 'sealed')", now
            ),
            "last_received_at": _one(db, "SELECT max(received_at) FROM inbox"),
            "last_receipt_at": _one(db, "SELECT max(signed_at) FROM receipts"),
            "alarms": _one(db, "SELECT count(*) FROM alarms WHERE cleared_at IS NULL"),
        }


def _states(db: sqlite3.Connection, sql: str) -> dict[str, int]:
    return dict(db.execute(sql).fetchall())


def _one(db: sqlite3.Connection, sql: str) -> int | None:
    (value,) = db.execute(sql).fetchone()
    return int(value) if value is not None else None


def _age(db: sqlite3.Connection, sql: str, now: int) -> int | None:
    since = _one(db, sql)
    return None if since is None else max(0, now - since)


def _text(value: dict[str, Any]) -> str:
    hub, directory = value["hub"], value["directory"]
    lines = [
        ("agency", f"{value['partner']}, mode {value['mode']}"),
        ("hub", f"{hub['url']} answers" if hub["reachable"] else f"{hub['url']} cannot be reached ({hub['code']})"),
        ("directory", _directory_text(directory)),
    ]
    if "outbox" in value:
        age = value["oldest_unsent_seconds"]
        lines += [
            ("outbox", _counted(value["outbox"]) + (f"; the oldest waits for {age} s" if age is not None else "")),
            ("inbox", _counted(value["inbox"])),
            ("received", local(value["last_received_at"]) if value["last_received_at"] else "nothing yet"),
            ("receipt", local(value["last_receipt_at"]) if value["last_receipt_at"] else "none yet"),
        ]
        if value["alarms"]:
            lines.append(("ALARM", f"{value['alarms']} raised; `valise alarms` shows them"))
    return "\n".join(f"{name:{_WIDE}}{text}" for name, text in lines)


def _directory_text(directory: dict[str, Any]) -> str:
    if not directory["in_force"]:
        return f"none in force ({directory['code']})"
    days = ", ".join(f"{use} {left} days" for use, left in directory["key_days_left"].items())
    return f"in force until {local(directory['expires'])}; keys: {days}"


def _counted(states: dict[str, int]) -> str:
    return ", ".join(f"{count} {state}" for state, count in states.items()) or "empty"
