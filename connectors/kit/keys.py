"""The agency's private keys, opened from its settings: the keystore, and the token on which some of them may lie.

Not for: using them (`hub/host/live_keys.py`). User's page: `docs/how-to/rotate-keys.md`.
"""

from collections.abc import Callable

from pydantic import SecretStr

from connectors.kit.settings import ConnectorSettings, read_passphrase, read_pin
from hub.host.keystore import Keystore
from hub.host.live_keys import LiveKeys
from hub.host.token import Token, open_token
from hub.protocol.directory import Directory


def keystore_of(settings: ConnectorSettings, passphrase: SecretStr | None) -> Keystore:
    """Return the agency's keystore, unread.

    Raises:
        SetupError: its passphrase is not there.
    """
    return Keystore(settings.keystore, passphrase or read_passphrase(settings), partner=settings.partner)


def token_of(settings: ConnectorSettings) -> Token | None:
    """Return the token that the settings name, logged in to, or None where they name none.

    Raises:
        SetupError: its PIN is not there.
        TokenError: it is not there, or refuses.
    """
    if settings.pkcs11_module is None or settings.pkcs11_token is None:
        return None
    return open_token(settings.pkcs11_module, settings.pkcs11_token, read_pin(settings))


def open_keys(
    settings: ConnectorSettings, passphrase: SecretStr | None, directory: Callable[[], Directory]
) -> LiveKeys:
    """Return the agency's keys.

    Raises:
        SetupError, KeystoreError: keystore or token cannot be used.
    """
    return LiveKeys(keystore_of(settings, passphrase), directory, token_of(settings))
