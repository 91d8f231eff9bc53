"""The ports behind which private keys live, so that they can move to a PKCS#11 token or to another process.

Not for: how keys are kept (`keyring.py`, `hub/host/live_keys.py`) or which key may do what (`directory.py`). Implements
`docs/protocol/03-keys.md` section 6.
"""

from collections.abc import Sequence
from typing import Literal, Protocol

from hub.protocol.directory import KeyEntry


class Signer(Protocol):
    """A private signature key. It signs or raises; it never returns a signature of other bytes."""

    @property
    def kid(self) -> str:
        """The key's name in the directory, `partner#name`."""

    @property
    def alg(self) -> str:
        """The JOSE name of the algorithm: Ed25519 or ML-DSA-65."""

    def sign(self, data: bytes) -> bytes:
        """Return the raw signature over `data`."""


class Opener(Protocol):
    """A private key that opens what was sealed to its partner."""

    @property
    def kid(self) -> str:
        """The key's name in the directory, `partner#name`."""

    def open(self, sealed: bytes, info: bytes) -> bytes:
        """Return the plaintext of an HPKE one-shot message.

        Raises:
            OpenError: sealed to another key, with other `info`, or altered.
        """


class KeyHolder(Protocol):
    """All private keys of one partner, asked anew for each use, so that a new key is used without a restart."""

    @property
    def partner(self) -> str:
        """The owner's code."""

    def signer(self, use: Literal["sign", "sign2"] = "sign", *, at: int) -> Signer:
        """Return the key to sign with at a time, in Unix seconds.

        Raises:
            KeystoreError: there is none that may be used.
            StaleDirectoryError: nobody knows which the directory lists.
        """

    def opener(self, kid: str) -> Opener:
        """Return a key to open with.

        Raises:
            NoOpeningKeyError: it is not held, or no longer.
        """

    def entries(self) -> Sequence[KeyEntry]:
        """Return the public keys, enrolled or not."""
