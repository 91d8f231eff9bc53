"""`valise doctor` for a hub: everything that an operator would look at, each with its remedy.

It changes nothing, and is right beside a running hub as well as before the first start. Not for: what is in the store
(`hub/store/fsck.py`). User's page: `docs/how-to/run-a-hub.md`.
"""

import asyncio
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from hub.host.belief import check_directory, check_policies, check_standing
from hub.host.findings import Finding, ask, fail, fine
from hub.host.line import Answer, ask_hub, check_hub
from hub.host.machine import (
    ask_kernel,
    check_disk,
    check_keys,
    check_port,
    check_private,
    check_python,
    check_steps,
    check_sync,
    check_synchronised,
)
from hub.protocol.errors import SetupError, ValiseError
from hub.protocol.keyring import Keyring, open_keyring
from hub.protocol.wire import parse_wire
from hub.settings import HubSettings
from hub.store.schema import APPLICATION_ID, VERSION
from hub.verify.trust import Seen, TrustedDirectory, refresh_directory

SETTINGS_FILE = "hub.toml"


def examine_hub(folder: Path) -> Iterator[Finding]:
    """Yield what is found about the hub in a folder; later checks that need an earlier one are left out when it fails.

    Raises:
        Nothing: what goes wrong is a finding.
    """
    wall, monotonic = time.time(), time.monotonic()
    yield from check_python()
    try:
        settings = HubSettings.read(folder / SETTINGS_FILE)
    except SetupError as error:
        yield fail("settings", error.detail, error.sentence)
        return
    yield fine("settings", f"{SETTINGS_FILE} is right")
    yield from ask("disk", lambda: check_disk(settings.database.parent))
    yield from ask("fsync", lambda: check_sync(settings.database.parent))
    yield from ask("ntp", lambda: check_synchronised(ask_kernel()))
    yield from ask("keys", lambda: check_private("keys", settings.keystore))
    if settings.passphrase_file is not None:
        yield from ask("passphrase", lambda: check_private("passphrase", settings.passphrase_file or Path()))
    yield from _examine_trust(settings)
    yield from ask("store", lambda: check_store(settings.database))
    yield from _examine_line(settings)
    yield from check_steps(time.time() - wall, time.monotonic() - monotonic)


def _examine_trust(settings: HubSettings) -> Iterator[Finding]:
    """Yield what is found about keys, directory and policy set; the keystore takes a moment to open, on purpose."""
    now = int(time.time())
    ring: list[Keyring] = []

    def unlock() -> Iterator[Finding]:
        keyring = _keyring(settings)
        ring.append(keyring)
        yield from check_keys(keyring, now=now)

    def believe() -> Iterator[Finding]:
        trusted = asyncio.run(_believe(settings, now))
        yield from check_directory(trusted, now=now)
        yield from check_policies(trusted)
        for keyring in ring:
            yield from check_standing(trusted, keyring)

    yield from ask("keystore", unlock)
    yield from ask("directory", believe)


def _keyring(settings: HubSettings) -> Keyring:
    keyring = open_keyring(settings.keystore.read_bytes(), settings.passphrase().get_secret_value())
    if keyring.partner != settings.hub:
        raise SetupError(f"{settings.keystore.name} holds the keys of {keyring.partner}, not of {settings.hub}")
    return keyring


async def _believe(settings: HubSettings, now: int) -> TrustedDirectory:
    """Return the directory as this hub would believe it now; nothing is remembered."""

    async def fetch(path: str, limit: int) -> bytes | None:
        try:
            with (settings.repository / path).open("rb") as file:
                return file.read(limit + 1)
        except FileNotFoundError:
            return None

    memory = settings.database.with_suffix(".seen")
    seen = parse_wire(Seen, memory.read_bytes(), error=SetupError) if memory.exists() else None
    anchor = settings.trusted_root.read_bytes()
    trusted, _ = await refresh_directory(fetch, anchor, now=now, seen=seen, known={})
    return trusted


def check_store(database: Path) -> Iterator[Finding]:
    """Check that the store opens and is of our version, without making or changing it."""
    if not database.exists():
        yield fine("store", f"{database.name} is made at the first start")
        return
    yield from check_private("store", database)
    restore = "Restore it from its backup (docs/how-to/back-up-and-restore.md)."
    try:
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as db:
            (application,) = db.execute("PRAGMA application_id").fetchone()
            (version,) = db.execute("PRAGMA user_version").fetchone()
    except sqlite3.Error as error:
        yield fail("store", f"{database.name}: {error}", restore)
        return
    if (application, version) == (APPLICATION_ID, VERSION):
        yield fine("store", f"{database.name} opens, version {version}")
    else:
        text = f"{database.name} is of application {application:#x}, version {version}"
        yield fail("store", text, "Use the program that wrote it, or restore the store from its backup.")


def _examine_line(settings: HubSettings) -> Iterator[Finding]:
    """Yield what is found about the port, and about the hub that listens there if it is this one."""
    local = f"http://{settings.host}:{settings.port}"
    answer = _answer_of(settings.public_url or local) or _answer_of(local)
    mine = answer is not None and answer.facts.hub == settings.hub
    yield from ask("port", lambda: check_port(settings.host, settings.port, mine=mine))
    if answer is not None and mine:
        given, now = answer, int(time.time())
        yield from check_hub(given, hub=settings.hub, federation=settings.federation, now=now)


def _answer_of(url: str) -> Answer | None:
    """Return what answers at an address, or None: before the first start nothing does."""
    try:
        return ask_hub(url)
    except ValiseError:
        return None
