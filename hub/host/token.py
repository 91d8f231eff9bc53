"""The port to a token (PKCS#11, such as a smart card or a hardware security module), and the way to open one.

The library for tokens is an optional part, so the module that needs it is loaded when a token is set up and not
before. Not for: PKCS#11 itself (`pkcs11.py`). User's page: `docs/how-to/use-a-token.md`.
"""

from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from pydantic import SecretStr

from hub.protocol.errors import SetupError
from hub.protocol.keys import Signer


class Token(Protocol):
    """A token that is logged in to. Its private keys never leave it."""

    def make(self, kid: str) -> bytes:
        """Make an Ed25519 key pair of this name on the token and return the raw public key.

        Raises:
            AmbiguousKeyError: it holds a key of this name already.
            TokenError: it refuses, or cannot make such keys.
        """

    def signer(self, kid: str, public: bytes) -> Signer:
        """Return the key of this name.

        Raises:
            MissingKeyError: the token has none of this name with this public key.
            AmbiguousKeyError: it has several.
            TokenError: it fails.
        """


class _Opening(Protocol):
    def __call__(self, module: Path, label: str, pin: SecretStr) -> Token:
        """Log in."""


def open_token(module: Path, label: str, pin: SecretStr) -> Token:
    """Log in to the token of a label.

    Args:
        module: the maker's PKCS#11 library.
        label: the token's label.
        pin: of the token's user.

    Raises:
        TokenAbsentError: there is no such library or token.
        TokenPinError: the PIN is wrong.
        TokenError: it fails otherwise.
        SetupError: python-pkcs11 is not installed.
    """
    try:
        loaded = import_module("hub.host.pkcs11")
    except ModuleNotFoundError as error:
        raise SetupError(f"tokens need their part: pip install 'valise[pkcs11]' ({error})") from error
    return cast("_Opening", loaded.log_in)(module, label, pin)
