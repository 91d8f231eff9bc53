"""Where a partner's keystore lies: one file that only its owner reads, changed by one program at a time.

Not for: what is in it or how it is encrypted (`hub/protocol/keyring.py`). Implements `docs/protocol/09-directory.md`
section 3.
"""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from hub.host.files import read_private, write_private
from hub.protocol.errors import SetupError
from hub.protocol.keyring import Cost, Keyring, cost_of, open_keyring, seal_keyring

_MAX_FILE: Final = 1024 * 1024  # bytes; `open_keyring` has the exact bound


def read_keystore(path: Path, passphrase: SecretStr) -> Keyring:
    """Return the keyring in a file. Takes about 0.2 s, on purpose (Argon2id).

    Raises:
        ExposedFileError: others than its owner may read it.
        SetupError: there is no such file.
        PassphraseError, CorruptKeystoreError: as `open_keyring` says.
    """
    return open_keyring(read_private(path, limit=_MAX_FILE), passphrase.get_secret_value())


def write_keystore(path: Path, keyring: Keyring, passphrase: SecretStr, *, cost: Cost | None = None) -> None:
    """Write a keyring to a file, durably; a crash leaves the old file or the new one.

    Raises:
        SetupError: the folder cannot be written.
    """
    write_private(path, seal_keyring(keyring, passphrase.get_secret_value(), cost=cost))


class Keystore:
    """One partner's keystore, which a command may change while a program uses it."""

    def __init__(self, path: Path, passphrase: SecretStr, *, partner: str) -> None:
        """Take the file, its passphrase, and whose keys it must hold."""
        self.path: Final = path
        self._passphrase: Final = passphrase
        self._partner: Final = partner

    def stamp(self) -> tuple[int, ...] | None:
        """Return what differs after every change of the file; None when there is none. It costs a microsecond."""
        try:
            found = self.path.stat()
        except OSError:
            return None
        return (found.st_ino, found.st_mtime_ns, found.st_size)

    def read(self) -> Keyring:
        """Return the keyring.

        Raises:
            SetupError: it holds another partner's keys.
            SetupError, PassphraseError, CorruptKeystoreError: as `read_keystore`.
        """
        keyring = read_keystore(self.path, self._passphrase)
        if keyring.partner != self._partner:
            raise SetupError(f"{self.path.name}: the keys of {keyring.partner}, not of {self._partner}")
        return keyring

    def change(self, change: Callable[[Keyring], Keyring]) -> Keyring:
        """Change the keyring in the file and return it; two programs that do so wait for each other.

        Raises:
            SetupError, PassphraseError, CorruptKeystoreError: as `read`, or it cannot be written; nothing was changed.
        """
        try:
            lock = os.open(self.path.with_name(f".{self.path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise SetupError(f"{self.path.parent}: {error.strerror}") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            before = self.read()
            after = change(before)
            if after.keys != before.keys:
                cost = cost_of(read_private(self.path, limit=_MAX_FILE))
                write_keystore(self.path, after, self._passphrase, cost=cost)
            return after
        finally:
            os.close(lock)
