"""A partner's private keys at work: the newest that the directory lists, of a keystore that may change meanwhile.

A new key is used from the moment on at which its keystore holds it *and* the directory in force lists it, and never
before: what it signed earlier nobody could verify. So a key is rotated without a restart and without a lost message.
Not for: making keys (`hub/protocol/keyring.py`) or tokens (`token.py`). Implements `docs/protocol/09-directory.md`
section 3.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Final

from hub.host.events import KEYSTORE_NOT_READ
from hub.host.keystore import Keystore
from hub.host.token import Token
from hub.protocol.directory import Directory, KeyEntry
from hub.protocol.encoding import encode_b64url
from hub.protocol.errors import MissingKeyError, NotEnrolledError, ValiseError
from hub.protocol.keyring import Keyring, KeyringSigner, PrivateKey, SignUse
from hub.protocol.keys import KeyHolder, Opener, Signer

_LOG: Final = logging.getLogger("valise.keys")


class LiveKeys:
    """A `KeyHolder` over a keystore file. Safe for threads."""

    def __init__(self, keystore: Keystore, directory: Callable[[], Directory], token: Token | None = None) -> None:
        """Take the keystore, the directory in force, and the token on which some of the keys may lie.

        Raises:
            SetupError, PassphraseError, CorruptKeystoreError: the keystore cannot be read.
        """
        self._keystore: Final = keystore
        self._directory: Final = directory
        self._token: Final = token
        self._lock: Final = threading.Lock()
        self._stamp = keystore.stamp()
        self._keyring = keystore.read()
        self._signers: dict[str, Signer] = {}

    @property
    def partner(self) -> str:
        """The owner's code."""
        return self._keyring.partner

    def keyring(self) -> Keyring:
        """Return what the keystore holds now; one that cannot be read again changes nothing, and is told of once."""
        stamp = self._keystore.stamp()
        with self._lock:
            if stamp is not None and stamp != self._stamp:
                self._stamp = stamp
                try:
                    self._keyring = self._keystore.read()
                    self._signers = {}
                except ValiseError as error:
                    _LOG.warning(KEYSTORE_NOT_READ, error.code)
            return self._keyring

    def signer(self, use: SignUse = "sign", *, at: int) -> Signer:
        """Return the newest key of a use that is valid at a time in keystore and directory alike.

        A hub's log keys are no entries of the directory with times, and are not asked for here.

        Raises:
            MissingKeyError: the keystore has no valid key of this use, or it lies on a token that is not set up.
            NotEnrolledError: the directory lists none of them as valid at that time.
            StaleDirectoryError: there is no directory in force.
            TokenError: the token fails.
        """
        valid, directory = self.keyring().valid(use, at=at), self._directory()
        for key in valid:
            if directory.has_valid(key.kid, pub=encode_b64url(key.public), at=at):
                return self._signer(key)
        raise NotEnrolledError(", ".join(key.kid for key in valid))

    def signers(self) -> dict[str, Signer]:
        """Return every signature key by its kid, a log's keys apart, for enrolment.

        Raises:
            MissingKeyError, TokenError: as `signer`.
        """
        return {key.kid: self._signer(key) for key in self.keyring().keys if key.use in ("sign", "sign2")}

    def opener(self, kid: str) -> Opener:
        """Return a key to open with.

        Raises:
            NoOpeningKeyError: the keystore does not hold it (any longer).
        """
        return self.keyring().opener(kid)

    def entries(self) -> Sequence[KeyEntry]:
        """Return the public keys, enrolled or not."""
        return self.keyring().entries()

    def destroy_expired(self, *, now: int) -> int:
        """Destroy the opening keys that nothing that waits can be sealed to any longer; return how many.

        Only while a directory is in force: a clock that is months ahead finds none, and must not cost the keys.

        Raises:
            StaleDirectoryError: there is none.
            SetupError, PassphraseError, CorruptKeystoreError: the keystore cannot be read or written.
        """
        before = self.keyring()
        if before.destroy_expired(now=now).keys == before.keys:
            return 0
        self._directory()
        after = self._keystore.change(lambda ring: ring.destroy_expired(now=now))
        return len(before.keys) - len(after.keys)

    def _signer(self, key: PrivateKey) -> Signer:
        signer = self._signers.get(key.kid)
        if signer is None:
            signer = self._signers[key.kid] = KeyringSigner(key) if key.pub is None else self._on_token(key)
        return signer

    def _on_token(self, key: PrivateKey) -> Signer:
        if self._token is None:
            raise MissingKeyError(f"{key.kid} lies on a token; set pkcs11_module and pkcs11_token")
        return self._token.signer(key.kid, key.public)


def second_signer(keys: KeyHolder, directory: Directory, *, at: int) -> Signer | None:
    """Return the key of the second signature: once the directory lists one, everything is signed with it.

    Were it used only when the directory requires it, what was sealed just before would be refused just after.

    Raises:
        KeystoreError: the directory requires it, and there is none that may be used.
    """
    try:
        return keys.signer("sign2", at=at)
    except (MissingKeyError, NotEnrolledError):
        if "ML-DSA-65" in directory.partner(keys.partner).require:
            raise
        return None
