"""The hub's private keys, opened from its settings: the keystore, and the token on which some of them may lie.

Not for: using them (`hub/host/live_keys.py`). User's page: `docs/how-to/rotate-keys.md`.
"""

from collections.abc import Callable

from hub.host.expiry import Ending, endings_of
from hub.host.keystore import Keystore
from hub.host.live_keys import LiveKeys
from hub.host.token import Token, open_token
from hub.protocol.directory import Directory
from hub.settings import HubSettings


def keystore_of(settings: HubSettings) -> Keystore:
    """Return the hub's keystore, unread.

    Raises:
        SetupError: its passphrase is not there.
    """
    return Keystore(settings.keystore, settings.passphrase(), partner=settings.hub)


def token_of(settings: HubSettings) -> Token | None:
    """Return the token that the settings name, logged in to, or None where they name none.

    Raises:
        SetupError: its PIN is not there.
        TokenError: it is not there, or refuses.
    """
    if settings.pkcs11_module is None or settings.pkcs11_token is None:
        return None
    return open_token(settings.pkcs11_module, settings.pkcs11_token, settings.pin())


def open_keys(settings: HubSettings, directory: Callable[[], Directory]) -> LiveKeys:
    """Return the hub's keys.

    Raises:
        SetupError, KeystoreError: keystore or token cannot be used.
    """
    return LiveKeys(keystore_of(settings), directory, token_of(settings))


def endings_of_hub(keys: LiveKeys, directory: int | None, certificate: int | None = None) -> tuple[Ending, ...]:
    """Return when the hub's keys end, those of the log included, and its directory and TLS certificate where known."""
    keyring = keys.keyring()
    log = {key.use: key.exp for key in keyring.keys if key.use in ("log", "log2")}  # the newest of each stands last
    others = {"directory": directory, "certificate": certificate}
    return (
        *endings_of(keyring.entries()),
        *(Ending(use, until) for use, until in log.items()),
        *(Ending(what, until) for what, until in others.items() if until is not None),
    )
