"""The two ports behind which private keys live, so that they can move to a PKCS#11 token or to another process.

Not for: how keys are kept (`keyring.py`) or which key may do what (`directory.py`). Implements
`docs/protocol/03-keys.md` section 6.
"""

from typing import Protocol


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
