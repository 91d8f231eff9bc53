"""Signature keys on a PKCS#11 token: made there, used there, never taken out.

Ed25519 only. No token that we know of makes ML-DSA keys or opens HPKE messages yet, so second signatures, opening keys
and a hub's log keys stay in the keystore. Not for: which key to use (`live_keys.py`). User's page:
`docs/how-to/use-a-token.md`; OASIS PKCS #11 3.0 sections 2.3.13 (EdDSA) and 2.3.5 (Edwards keys).
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import pkcs11
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass
from pkcs11.exceptions import (
    DeviceRemoved,
    KeyHandleInvalid,
    MultipleTokensReturned,
    NoSuchToken,
    ObjectHandleInvalid,
    PinExpired,
    PinIncorrect,
    PinInvalid,
    PinLenRange,
    PinLocked,
    PKCS11Error,
    SessionClosed,
    SessionHandleInvalid,
    TokenNotPresent,
    TokenNotRecognised,
    UserAlreadyLoggedIn,
    UserNotLoggedIn,
)
from pydantic import SecretStr

from hub.protocol.errors import AmbiguousKeyError, MissingKeyError, TokenAbsentError, TokenError, TokenPinError
from hub.protocol.hazmat import ED25519_PUBLIC

_ED25519: Final = bytes.fromhex("06032b6570")  # OBJECT IDENTIFIER 1.3.101.112, RFC 8410 section 3
_OCTETS: Final = bytes([0x04, ED25519_PUBLIC])  # DER: OCTET STRING of 32 bytes, as CKA_EC_POINT is wrapped
_SIGNATURE: Final = 64  # bytes

_ABSENT: Final = (NoSuchToken, TokenNotPresent, TokenNotRecognised, DeviceRemoved, MultipleTokensReturned)
_PIN: Final = (PinIncorrect, PinInvalid, PinLenRange, PinLocked, PinExpired)
_ENDED: Final = (
    DeviceRemoved,
    KeyHandleInvalid,
    ObjectHandleInvalid,
    SessionClosed,
    SessionHandleInvalid,
    TokenNotPresent,
    UserNotLoggedIn,
)
"""What a token answers after it was pulled out and put back, or another part of this process logged out."""

_Result = TypeVar("_Result")


class Pkcs11Token:
    """A token that is logged in to. It is used by one thread at a time, and logs in again when its session has ended.

    The login is the whole process's: several agencies of one process share it.
    """

    def __init__(self, module: Path, label: str, pin: SecretStr) -> None:
        """Take the library, the token's label and the user's PIN, and log in."""
        self._module: Final = module
        self._label: Final = label
        self._pin: Final = pin
        self._lock: Final = threading.Lock()
        with _typed_errors():
            self._session = self._open(rw=False)

    def __repr__(self) -> str:
        return f"Pkcs11Token({self._label!r})"

    def make(self, kid: str) -> bytes:
        """Make a key pair of this name and return the raw public key; see `Token.make` for errors."""
        with self._lock, _typed_errors():
            session = self._open(rw=True)
            try:
                if any(True for _ in _found(session, ObjectClass.PRIVATE_KEY, kid)):
                    raise AmbiguousKeyError(f"{kid} is on the token {self._label} already")
                curve = session.create_domain_parameters(
                    KeyType.EC_EDWARDS, {Attribute.EC_PARAMS: _ED25519}, local=True
                )
                public, _ = curve.generate_keypair(
                    mechanism=Mechanism.EC_EDWARDS_KEY_PAIR_GEN,
                    store=True,
                    id=kid.encode(),
                    label=kid,
                    private_template={Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False},
                )
                return _raw(public)
            finally:
                session.close()

    def signer(self, kid: str, public: bytes) -> "Pkcs11Signer":
        """Return the key of this name; see `Token.signer` for errors."""
        signer = Pkcs11Signer(self, kid, public)
        self.use(signer.find)
        return signer

    def use(self, what: Callable[[Any], _Result]) -> _Result:
        """Do something with the session, once more with a fresh one when it has ended.

        Raises:
            TokenError, MissingKeyError: as `signer`.
        """
        with self._lock, _typed_errors():
            try:
                return what(self._session)
            except _ENDED:
                self._session = self._open(rw=False)
                return what(self._session)

    def _open(self, *, rw: bool) -> Any:  # noqa: ANN401 - the library's sessions are not typed
        token = pkcs11.lib(str(self._module)).get_token(token_label=self._label)
        try:
            return token.open(user_pin=self._pin.get_secret_value(), rw=rw)
        except UserAlreadyLoggedIn:
            return token.open(rw=rw)


class Pkcs11Signer:
    """A `Signer` over a private key on a token."""

    alg: Final = "Ed25519"

    def __init__(self, token: Pkcs11Token, kid: str, public: bytes) -> None:
        self.kid: Final = kid
        self.public: Final = public
        self._token: Final = token
        self._found: tuple[Any, Any] | None = None  # session, and the key's handle in it

    def __repr__(self) -> str:
        return f"Pkcs11Signer({self.kid!r})"

    def sign(self, data: bytes) -> bytes:
        """Return the raw signature over `data`.

        Raises:
            TokenError: the token fails, or the signature is none.
        """
        signature = self._token.use(lambda session: self.find(session).sign(data, mechanism=Mechanism.EDDSA))
        if len(signature) != _SIGNATURE:
            raise TokenError("not an Ed25519 signature")
        return bytes(signature)

    def find(self, session: Any) -> Any:  # noqa: ANN401 - the library's sessions and keys are not typed
        """Return the key's handle in a session.

        Raises:
            MissingKeyError: there is none of this name and this public key.
            AmbiguousKeyError: there are several of this name.
        """
        if self._found is not None and self._found[0] is session:
            return self._found[1]
        private = list(_found(session, ObjectClass.PRIVATE_KEY, self.kid))
        if len(private) > 1:
            raise AmbiguousKeyError(self.kid)
        if not private or self.public not in [_raw(one) for one in _found(session, ObjectClass.PUBLIC_KEY, self.kid)]:
            raise MissingKeyError(f"the token has no {self.kid} with the public key of the keystore")
        self._found = (session, private[0])
        return private[0]


def log_in(module: Path, label: str, pin: SecretStr) -> Pkcs11Token:
    """Log in to a token; see `open_token` for errors."""
    return Pkcs11Token(module, label, pin)


def _found(session: Any, kind: ObjectClass, label: str) -> Iterator[Any]:  # noqa: ANN401 - see above
    yield from session.get_objects(
        {Attribute.CLASS: kind, Attribute.KEY_TYPE: KeyType.EC_EDWARDS, Attribute.LABEL: label}
    )


def _raw(public: Any) -> bytes:  # noqa: ANN401 - see above
    """Return the raw public key; some libraries wrap the point in an OCTET STRING, some do not."""
    point = bytes(public[Attribute.EC_POINT])
    return point.removeprefix(_OCTETS) if len(point) > ED25519_PUBLIC else point


@contextmanager
def _typed_errors() -> Iterator[None]:
    """Turn what the library raises into our errors."""
    try:
        yield
    except _PIN as error:
        raise TokenPinError(type(error).__name__) from error
    except _ABSENT as error:
        raise TokenAbsentError(type(error).__name__) from error
    except PKCS11Error as error:
        if "loading" in str(error):  # the library has no class of its own for a module that is not there
            raise TokenAbsentError(str(error)) from error
        raise TokenError(f"{type(error).__name__} {error}") from error
