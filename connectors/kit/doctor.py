"""`valise doctor` for an agency: everything that must be right before a connector can send and receive.

It changes nothing, and is right beside a running connector. Not for: what is in the store (`fsck.py`). User's page:
`docs/how-to/run-a-connector.md`.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from pydantic import SecretStr

from connectors.kit.agency_store import VERSION
from connectors.kit.directory import recall_trusted
from connectors.kit.settings import SETTINGS_FILE, ConnectorSettings, read_passphrase, read_settings
from connectors.kit.tls import client_tls
from hub.host.belief import check_directory, check_policies, check_standing
from hub.host.findings import Finding, ask, fail, fine, warn
from hub.host.keystore import read_keystore
from hub.host.line import ask_hub, check_hub
from hub.host.machine import (
    ask_kernel,
    check_disk,
    check_keys,
    check_private,
    check_python,
    check_steps,
    check_sync,
    check_synchronised,
)
from hub.protocol.errors import SetupError
from hub.protocol.keyring import Keyring


def examine_agency(folder: Path, passphrase: SecretStr | None = None) -> Iterator[Finding]:
    """Yield what is found about the agency in a folder; later checks that need an earlier one are left out with it.

    Raises:
        Nothing: what goes wrong is a finding.
    """
    wall, monotonic = time.time(), time.monotonic()
    yield from check_python()
    try:
        settings = read_settings(folder)
    except SetupError as error:
        yield fail(
            "settings",
            error.detail,
            f"Put it right in {SETTINGS_FILE} of the folder; docs/reference/settings.md has all keys.",
        )
        return
    yield fine("settings", f"{SETTINGS_FILE} is right; mode {settings.mode}")
    yield from ask("disk", lambda: check_disk(settings.store.parent))
    yield from ask("fsync", lambda: check_sync(settings.store.parent))
    yield from ask("ntp", lambda: check_synchronised(ask_kernel()))
    yield from ask("keys", lambda: check_private("keys", settings.keystore))
    if settings.passphrase_file is not None:
        yield from ask("passphrase", lambda: check_private("passphrase", settings.passphrase_file or Path()))
    yield from _examine_trust(settings, passphrase)
    yield from ask("store", lambda: check_store(settings.store))
    yield from ask("hub", lambda: _check_line(settings))
    yield from check_steps(time.time() - wall, time.monotonic() - monotonic)


def _check_line(settings: ConnectorSettings) -> Iterator[Finding]:
    answer = ask_hub(settings.hub_url, client_tls(settings.ca_file, settings.client_certificate, settings.client_key))
    yield from check_hub(answer, hub=settings.hub, federation=settings.federation, now=int(time.time()))


def _examine_trust(settings: ConnectorSettings, passphrase: SecretStr | None) -> Iterator[Finding]:
    now = int(time.time())
    ring: list[Keyring] = []

    def unlock() -> Iterator[Finding]:
        keyring = read_keystore(settings.keystore, passphrase or read_passphrase(settings))
        if keyring.partner != settings.partner:
            raise SetupError(f"{settings.keystore.name} holds the keys of {keyring.partner}, not of {settings.partner}")
        ring.append(keyring)
        yield from check_keys(keyring, now=now)

    def believe() -> Iterator[Finding]:
        trusted = recall_trusted(settings.directory, settings.root.read_bytes(), now=now)
        if trusted is None:
            yield warn("directory", "nothing was believed yet", "Start the connector: it fetches the directory.")
            return
        yield from check_directory(trusted, now=now)
        yield from check_policies(trusted)
        for keyring in ring:
            yield from check_standing(trusted, keyring)

    yield from ask("keystore", unlock)
    yield from ask("directory", believe)


def check_store(store: Path) -> Iterator[Finding]:
    """Check that the agency's store opens and is of our version, without making or changing it."""
    if not store.exists():
        yield fine("store", f"{store.name} is made at the first start")
        return
    yield from check_private("store", store)
    try:
        with closing(sqlite3.connect(f"{store.absolute().as_uri()}?mode=ro", uri=True)) as db:
            (version,) = db.execute("PRAGMA user_version").fetchone()
    except sqlite3.Error as error:
        yield fail("store", f"{store.name}: {error}", "Restore it from its backup.")
        return
    if version == VERSION:
        yield fine("store", f"{store.name} opens, version {version}")
    else:
        remedy = "Use the program that wrote it, or restore the store from its backup."
        yield fail("store", f"{store.name} is of version {version}", remedy)
