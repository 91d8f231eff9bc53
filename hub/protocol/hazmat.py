"""The only module that touches a cryptographic primitive, so that a change of primitive is a change of one file.

Not for: what is signed or sealed and why (`jws.py`, `sealing.py`). Implements `docs/protocol/03-keys.md` section 1.
"""

import hashlib
import hmac
import secrets
from typing import Final, TypeVar

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import (
    MLDSA44PrivateKey,
    MLDSA44PublicKey,
    MLDSA65PrivateKey,
    MLDSA65PublicKey,
)
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.x509 import load_pem_x509_certificate

from hub.protocol.errors import BadSignatureError, OpenError, SetupError, WeakKeyError

DIGEST: Final = 32  # bytes of SHA-256
KEY: Final = 32  # bytes of an AES-256 key
ED25519_PUBLIC: Final = 32
MLDSA65_PUBLIC: Final = 1952  # bytes; FIPS 204 table 2
MLDSA44_PUBLIC: Final = 1312
SEAL_PUBLIC: Final = 1216  # bytes: ML-KEM-768 encapsulation key (1184), then X25519 (32)
SEAL_PRIVATE: Final = 96  # bytes: ML-KEM-768 seed (64), then X25519 (32)
SEALED_KEY: Final = 1168  # bytes: encapsulation (1120), ciphertext of 32 bytes (32), tag (16)
WRAPPED_KEY: Final = 48  # bytes: 32 of key, 16 of tag

_T = TypeVar("_T")
_SUITE: Final = Suite(KEM.MLKEM768_X25519, KDF.SHAKE256, AEAD.AES_256_GCM)  # JOSE HPKE-9
_MLKEM_PUBLIC: Final = 1184
_MLKEM_SEED: Final = 64
_P: Final = 2**255 - 19
_L: Final = 2**252 + 27742317777372353535851937790883648493  # order of the prime subgroup, RFC 8032 section 5.1
_D: Final = -121665 * pow(121666, -1, _P) % _P


def sha256(data: bytes) -> bytes:
    """Return the SHA-256 digest."""
    return hashlib.sha256(data).digest()


def end_of_certificate(pem: bytes) -> int:
    """Return when the first X.509 certificate in a PEM file ends, in Unix seconds; nothing else of it is looked at.

    Raises:
        SetupError: there is none.
    """
    try:
        return int(load_pem_x509_certificate(pem).not_valid_after_utc.timestamp())
    except ValueError as error:
        raise SetupError("no certificate in the PEM file") from error


def random_bytes(length: int) -> bytes:
    """Return `length` bytes from the operating system's generator."""
    return secrets.token_bytes(length)


def shuffle(items: list[_T]) -> None:
    """Put the items in an order that nobody can guess."""
    secrets.SystemRandom().shuffle(items)


def is_same(left: bytes, right: bytes) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(left, right)


def derive(ikm: bytes, info: bytes, length: int) -> bytes:
    """HKDF-SHA256 without salt (RFC 5869); the input is already uniformly random."""
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=info).derive(ikm)


def stretch(passphrase: str, salt: bytes, *, memory_kib: int, passes: int) -> bytes:
    """Argon2id (RFC 9106) with one lane: the key that protects a keystore."""
    return Argon2id(salt=salt, length=KEY, iterations=passes, lanes=1, memory_cost=memory_kib).derive(
        passphrase.encode()
    )


class EncryptionKey:
    """An AES-256-GCM key for several ciphertexts; the caller never uses one nonce twice."""

    def __init__(self, key: bytes) -> None:
        self._key = AESGCM(key)

    def encrypt(self, nonce: bytes, plaintext: bytes, aad: bytes) -> bytes:
        """Return the ciphertext with its tag."""
        return self._key.encrypt(nonce, plaintext, aad)


def decrypt(key: bytes, nonce: bytes, ciphertext: bytes, aad: bytes) -> bytes:
    """Undo `EncryptionKey.encrypt`.

    Raises:
        OpenError: another key, nonce, associated data, or an altered ciphertext.
    """
    try:
        return AESGCM(key).decrypt(nonce, ciphertext, aad)
    except (InvalidTag, ValueError) as error:
        raise OpenError from error


class SigningKey:
    """A private signature key in memory; `alg` is its JOSE name (RFC 9864, RFC 9964)."""

    def __init__(self, alg: str, seed: bytes) -> None:
        """Load the key from its 32-byte seed.

        Raises:
            WeakKeyError: unknown algorithm or a seed of another length.
        """
        try:
            if alg == "Ed25519":
                self._key: Ed25519PrivateKey | MLDSA65PrivateKey | MLDSA44PrivateKey
                self._key = Ed25519PrivateKey.from_private_bytes(seed)
            elif alg == "ML-DSA-65":
                self._key = MLDSA65PrivateKey.from_seed_bytes(seed)
            elif alg == "ML-DSA-44":
                self._key = MLDSA44PrivateKey.from_seed_bytes(seed)
            else:
                raise WeakKeyError(alg)
        except ValueError as error:
            raise WeakKeyError(alg) from error
        self.alg: Final = alg

    @property
    def public(self) -> bytes:
        """The raw public key."""
        return self._key.public_key().public_bytes_raw()

    def sign(self, data: bytes) -> bytes:
        """Return the raw signature over `data`."""
        return self._key.sign(data)


def verify_signature(alg: str, public: bytes, signature: bytes, data: bytes) -> None:
    """Check a raw signature.

    Raises:
        BadSignatureError: it is not this key's over these bytes, or key or algorithm are unusable.
    """
    try:
        if alg == "Ed25519":
            Ed25519PublicKey.from_public_bytes(public).verify(signature, data)
        elif alg == "ML-DSA-65":
            MLDSA65PublicKey.from_public_bytes(public).verify(signature, data)
        elif alg == "ML-DSA-44":
            MLDSA44PublicKey.from_public_bytes(public).verify(signature, data)
        else:
            raise BadSignatureError(alg)
    except (InvalidSignature, ValueError) as error:
        raise BadSignatureError from error


def seal_public(private: bytes) -> bytes:
    """Return the public key (1,216 bytes) of a private key for opening (96 bytes)."""
    mlkem, x25519 = _split_private(private)
    return mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()


def _split_private(private: bytes) -> tuple[MLKEM768PrivateKey, X25519PrivateKey]:
    try:
        return (
            MLKEM768PrivateKey.from_seed_bytes(private[:_MLKEM_SEED]),
            X25519PrivateKey.from_private_bytes(private[_MLKEM_SEED:]),
        )
    except ValueError as error:
        raise WeakKeyError("private sealing key") from error


class SealingKey:
    """An addressee's public key, ready to seal to: ML-KEM-768 with X25519 (draft-ietf-hpke-pq)."""

    def __init__(self, public: bytes) -> None:
        """Load the key.

        Raises:
            WeakKeyError: not 1,216 bytes of an ML-KEM-768 key and an X25519 key.
        """
        try:
            self._x25519 = X25519PublicKey.from_public_bytes(public[_MLKEM_PUBLIC:])
            mlkem = MLKEM768PublicKey.from_public_bytes(public[:_MLKEM_PUBLIC])  # FIPS 203 section 7.2
            self._key = MLKEM768X25519PublicKey(mlkem, self._x25519)
        except ValueError as error:
            raise WeakKeyError("public sealing key") from error

    def check_order(self) -> None:
        """Refuse an X25519 point of small order (RFC 7748 section 6.1); enrolment only.

        Raises:
            WeakKeyError: it is one.
        """
        try:
            X25519PrivateKey.from_private_bytes(bytes([8]) * KEY).exchange(self._x25519)
        except ValueError as error:
            raise WeakKeyError("small order") from error

    def seal(self, plaintext: bytes, info: bytes) -> bytes:
        """HPKE base mode, one shot; returns the encapsulation and the ciphertext."""
        return _SUITE.encrypt(plaintext, self._key, info)


class OpeningKey:
    """An addressee's private key in memory."""

    def __init__(self, private: bytes) -> None:
        """Load the key from its 96 bytes.

        Raises:
            WeakKeyError: another length.
        """
        self._key = MLKEM768X25519PrivateKey(*_split_private(private))

    def open(self, sealed: bytes, info: bytes) -> bytes:
        """Undo `SealingKey.seal`.

        Raises:
            OpenError: sealed to another key, with other `info`, or altered.
        """
        try:
            return _SUITE.decrypt(sealed, self._key, info)
        except (InvalidTag, ValueError) as error:
            raise OpenError from error


def check_ed25519_point(public: bytes) -> None:
    """Refuse an Ed25519 public key under which one signature fits every message.

    OpenSSL verifies with any decodable point, the identity included; a partner enrolled with such a key could later
    deny whatever it signed (Chalkias, Garillot, Nikolaenko, "Taming the many EdDSAs", section 3). Checked here:
    canonical encoding, on the curve, of prime order. About 3 ms; enrolment only.

    Raises:
        WeakKeyError: any of that does not hold.
    """
    if len(public) != ED25519_PUBLIC:
        raise WeakKeyError("length")
    encoded = int.from_bytes(public, "little")
    y, sign = encoded & ((1 << 255) - 1), encoded >> 255
    if y >= _P:
        raise WeakKeyError("not canonical")
    x2 = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    x = pow(x2, (_P + 3) // 8, _P)
    if (x * x - x2) % _P:
        x = x * pow(2, (_P - 1) // 4, _P) % _P
    if (x * x - x2) % _P or (x == 0 and sign):
        raise WeakKeyError("not on the curve")
    if x % 2 != sign:
        x = _P - x
    if (x, y) == (0, 1) or _multiply((x, y), _L) != (0, 1):
        raise WeakKeyError("small or mixed order")


def _multiply(point: tuple[int, int], scalar: int) -> tuple[int, int]:
    """Return scalar times an edwards25519 point, in extended coordinates (RFC 8032 section 5.1.4)."""
    x, y = point
    base = (x, y, 1, x * y % _P)
    total = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            total = _add(total, base)
        base = _add(base, base)
        scalar >>= 1
    inverse = pow(total[2], -1, _P)
    return total[0] * inverse % _P, total[1] * inverse % _P


def _add(p: tuple[int, int, int, int], q: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    a = (p[1] - p[0]) * (q[1] - q[0]) % _P
    b = (p[1] + p[0]) * (q[1] + q[0]) % _P
    c = 2 * p[3] * q[3] * _D % _P
    d = 2 * p[2] * q[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P
