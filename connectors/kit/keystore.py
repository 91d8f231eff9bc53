"""Where an agency's keystore lies: one file that only its owner reads.

Not for: what is in it or how it is encrypted (`hub/protocol/keyring.py`). Implements `docs/protocol/09-directory.md`
section 3.
"""

from pathlib import Path
from typing import Final

from pydantic import SecretStr

from connectors.kit.files import read_private, write_private
from hub.protocol.keyring import Cost, Keyring, open_keyring, seal_keyring

_MAX_FILE: Final = 1024 * 1024  # bytes; `open_keyring` has the exact bound


def read_keystore(path: Path, passphrase: SecretStr) -> Keyring:
    """Return the keyring in a file. Takes about 0.2 s, on purpose (Argon2id).

    Raises:
        SetupError: there is no such file, or others than its owner may read it.
        PassphraseError, CorruptKeystoreError: as `open_keyring` says.
    """
    return open_keyring(read_private(path, limit=_MAX_FILE), passphrase.get_secret_value())


def write_keystore(path: Path, keyring: Keyring, passphrase: SecretStr, *, cost: Cost | None = None) -> None:
    """Write a keyring to a file, durably; a crash leaves the old file or the new one.

    Raises:
        SetupError: the folder cannot be written.
    """
    write_private(path, seal_keyring(keyring, passphrase.get_secret_value(), cost=cost))
