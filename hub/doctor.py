"""`valise doctor` for a hub: everything that an operator would look at, each with its remedy.

It changes nothing, and is right beside a running hub as well as before the first start. Not for: what is in the store
(`hub/store/fsck.py`). User's page: `docs/how-to/run-a-hub.md`.
"""

import asyncio
import sqlite3
import ssl
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from hub.backup import marker_of
from hub.host.belief import check_directory, check_policies, check_standing
from hub.host.findings import Finding, ask, fail, fine, warn
from hub.host.line import Answer, ask_hub, check_certificate, check_hub
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
    holder_of,
)
from hub.protocol.errors import SetupError, ValiseError
from hub.protocol.hazmat import end_of_certificate
from hub.protocol.keyring import Keyring, open_keyring
from hub.published import believe_published
from hub.settings import SETTINGS_FILE, HubSettings
from hub.store.lock import lock_of
from hub.store.schema import APPLICATION_ID, VERSION


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
        yield fail(
            "settings",
            error.detail,
            f"Put it right in {SETTINGS_FILE} of the folder; docs/reference/settings.md has all keys.",
        )
        return
    yield fine("settings", f"{SETTINGS_FILE} is right")
    yield from ask("disk", lambda: check_disk(settings.database.parent))
    yield from ask("fsync", lambda: check_sync(settings.database.parent))
    yield from ask("ntp", lambda: check_synchronised(ask_kernel()))
    yield from ask("keys", lambda: check_private("keys", settings.keystore))
    if settings.passphrase_file is not None:
        yield from ask("passphrase", lambda: check_private("passphrase", settings.passphrase_file or Path()))
    if settings.tls_certificate is not None:
        yield from ask("certificate", lambda: _check_tls(settings))
    yield from _examine_trust(settings)
    yield from ask("store", lambda: check_store(settings.database))
    yield from ask("lock", lambda: check_lock(settings.database))
    yield from _examine_line(settings)
    yield from check_steps(time.time() - wall, time.monotonic() - monotonic)


def _check_tls(settings: HubSettings) -> Iterator[Finding]:
    """Yield for how long the hub's own certificate is valid, and whether others may read its key."""
    for file in filter(None, (settings.tls_certificate,)):
        yield from check_certificate(end_of_certificate(file.read_bytes()), now=int(time.time()))
    for file in filter(None, (settings.tls_key,)):
        yield from check_private("certificate", file)


def _examine_trust(settings: HubSettings) -> Iterator[Finding]:
    """Yield what is found about keys, directory and policy set; the keystore takes a moment to open, on purpose."""
    now = int(time.time())
    ring: list[Keyring] = []

    def unlock() -> Iterator[Finding]:
        keyring = _keyring(settings)
        ring.append(keyring)
        yield from check_keys(keyring, now=now)

    def believe() -> Iterator[Finding]:
        trusted = asyncio.run(believe_published(settings, now=now))
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


def check_lock(database: Path) -> Iterator[Finding]:
    """Tell which process holds the store (Linux), and whether it was restored and waits for somebody's word."""
    if marker_of(database).exists():
        remedy = "Read docs/how-to/back-up-and-restore.md, then start it with --accept-rollback."
        yield warn("lock", "the store was restored from a backup", remedy)
    holder = _holder(database)
    yield fine("lock", f"process {holder} holds the store" if holder else "nobody holds the store")


def _holder(database: Path) -> str:
    """Return the number of the process that holds a store, as the kernel's table of locks says; else nothing."""
    table, file = Path("/proc/locks"), lock_of(database)
    if not (table.exists() and file.exists()):
        return ""
    inode = f":{file.stat().st_ino}"
    held = [line.split() for line in table.read_text("utf-8").splitlines()]
    return next((words[4] for words in held if words[1] == "FLOCK" and words[5].endswith(inode)), "")


def _examine_line(settings: HubSettings) -> Iterator[Finding]:
    """Yield what is found about the port, and about the hub that listens there if it is this one."""
    local = f"{'https' if settings.tls_certificate else 'http'}://{settings.host}:{settings.port}"
    answer = _answer_of(settings.public_url or local, settings) or _answer_of(local, settings)
    holder = _holder(settings.database)  # a hub that wants a client certificate does not answer us
    mine = bool(holder and f"(process {holder})" in holder_of(settings.port))
    mine = mine or (answer is not None and answer.facts.hub == settings.hub)
    yield from ask("port", lambda: check_port(settings.host, settings.port, mine=mine))
    if answer is not None and mine:
        given, now = answer, int(time.time())
        yield from check_hub(given, hub=settings.hub, federation=settings.federation, now=now)


def _answer_of(url: str, settings: HubSettings) -> Answer | None:
    """Return what answers at an address, or None: before the first start nothing does."""
    try:
        return ask_hub(url, ssl.create_default_context(cafile=settings.tls_certificate))
    except (ValiseError, OSError):
        return None
