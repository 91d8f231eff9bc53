"""Private keys of one owner: in memory behind the ports of `keys.py`, at rest in one file under a passphrase.

Not for: where the file lies (`hub/host/keystore.py`, `hub/authority`) nor for what the public keys mean
(`directory.py`). Implements `docs/protocol/09-directory.md` section 3.
"""

import unicodedata
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from hub.protocol.directory import ALG_OF, MAX_KEYS, KeyEntry, KeyId, Use
from hub.protocol.encoding import decode_b64url, encode_b64url, lp
from hub.protocol.errors import (
    Base64Error,
    CorruptKeystoreError,
    FullKeystoreError,
    JsonError,
    MissingKeyError,
    NoOpeningKeyError,
    OpenError,
    PassphraseError,
    WeakKeyError,
)
from hub.protocol.hazmat import (
    KEY,
    SEAL_PRIVATE,
    EncryptionKey,
    OpeningKey,
    SigningKey,
    decrypt,
    random_bytes,
    seal_public,
    stretch,
)
from hub.protocol.wire import Time, Wire, parse_wire, write_wire

DAY: Final = 86_400  # seconds
SIGNING_LIFETIME: Final = 366 * DAY  # a signature key is renewed every year
OPENING_LIFETIME: Final = 30 * DAY  # what is sealed to a stolen key is bounded by it (`protocol/03-keys.md` section 6)
OPENING_GRACE: Final = 120 * DAY  # a copy may wait this long after it was sealed; then the key is destroyed
_SALT: Final = 16  # bytes; RFC 9106 section 3.1
_NONCE: Final = 12  # bytes; AES-GCM
_MAX_KEYSTORE: Final = 64 * 1024  # bytes; 64 keys take 20 KiB

KeyUse = Literal["sign", "sign2", "open", "log", "log2"]
SignUse = Literal["sign", "sign2", "log", "log2"]

_PUBLISHED: Final[Mapping[KeyUse, Use]] = MappingProxyType({"sign": "sign", "sign2": "sign2", "open": "open"})
_LOG_ALG_OF: Final[Mapping[KeyUse, str]] = MappingProxyType({"log": "Ed25519", "log2": "ML-DSA-44"})
_LETTER_OF: Final[Mapping[KeyUse, str]] = MappingProxyType(
    {"sign": "s", "sign2": "m", "open": "e", "log": "l", "log2": "n"}
)


class Cost(Wire):
    """What one guess at the passphrase costs (Argon2id, one lane).

    The default is the second choice of RFC 9106 section 4 (64 MiB, three passes). The upper bounds stop a hostile file
    from taking the machine's memory or an hour: at most 256 MiB and ten passes.
    """

    memory_kib: Annotated[int, Field(ge=8, le=256 * 1024)] = 64 * 1024
    passes: Annotated[int, Field(ge=1, le=10)] = 3


class PrivateKey(Wire):
    """One private key: base64url of a 32-byte seed, or of 96 bytes for opening. Times are Unix seconds.

    A key that lies on a token has no `secret` here but its public key, `pub`; on the token its name is its kid.
    """

    kid: KeyId
    use: KeyUse
    secret: Annotated[str | None, Field(repr=False)] = None
    pub: str | None = None
    nbf: Time
    exp: Time

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.secret is None) == (self.pub is None):
            raise ValueError(f"{self.kid}: a key is either here or on a token")
        return self

    def is_valid(self, *, at: int) -> bool:
        """Whether the key may be used at a time."""
        return self.nbf <= at < self.exp

    @property
    def alg(self) -> str:
        """The JOSE name of the algorithm; a use has one."""
        return ALG_OF[_PUBLISHED[self.use]] if self.use in _PUBLISHED else _LOG_ALG_OF[self.use]

    @property
    def public(self) -> bytes:
        """The raw public key."""
        if self.pub is not None:
            return decode_b64url(self.pub)
        return seal_public(self.seed) if self.use == "open" else SigningKey(self.alg, self.seed).public

    @property
    def seed(self) -> bytes:
        """The raw private key.

        Raises:
            MissingKeyError: it lies on a token.
        """
        if self.secret is None:
            raise MissingKeyError(f"{self.kid} lies on a token")
        return decode_b64url(self.secret)


class _Contents(Wire):
    partner: str
    keys: Annotated[tuple[PrivateKey, ...], Field(max_length=MAX_KEYS)]


class _Keystore(Wire):
    v: Literal[1] = 1
    partner: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,32}$")]
    kdf: Literal["argon2id"] = "argon2id"
    cost: Cost
    salt: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{22}$")]
    nonce: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{16}$")]
    box: str

    @property
    def aad(self) -> bytes:
        """Everything outside the box, so that no byte of the file can change unseen."""
        cost = (self.cost.memory_kib, self.cost.passes)
        return lp("valise1 keystore", self.v, self.partner, self.kdf, *cost, self.salt, self.nonce)


class KeyringSigner:
    """A `Signer` over a key in memory."""

    def __init__(self, key: PrivateKey) -> None:
        self.kid: Final = key.kid
        self.alg: Final = key.alg
        self._key: Final = SigningKey(key.alg, key.seed)

    def __repr__(self) -> str:
        return f"KeyringSigner({self.kid!r})"

    @property
    def public(self) -> bytes:
        """The raw public key."""
        return self._key.public

    def sign(self, data: bytes) -> bytes:
        """Return the raw signature over `data`."""
        return self._key.sign(data)


class KeyringOpener:
    """An `Opener` over a key in memory."""

    def __init__(self, key: PrivateKey) -> None:
        self.kid: Final = key.kid
        self._key: Final = OpeningKey(key.seed)

    def __repr__(self) -> str:
        return f"KeyringOpener({self.kid!r})"

    def open(self, sealed: bytes, info: bytes) -> bytes:
        """Return the plaintext of an HPKE one-shot message.

        Raises:
            OpenError: sealed to another key, with other `info`, or altered.
        """
        return self._key.open(sealed, info)


class Keyring:
    """All private keys of one owner. It never changes: adding or destroying a key makes another keyring.

    The owner is a partner, or a role of the registry office.

    Attributes:
        partner: the owner's code.
        keys: the private keys, oldest first; their `repr` does not show the secrets.
    """

    def __init__(self, partner: str, keys: tuple[PrivateKey, ...]) -> None:
        self.partner: Final = partner
        self.keys: Final = keys

    def __repr__(self) -> str:
        return f"Keyring({self.partner!r}, {[key.kid for key in self.keys]})"

    @classmethod
    def generate(cls, partner: str, *, now: int, second_signature: bool, log: bool = False) -> Self:
        """Return fresh keys for a partner: signing and opening, a post-quantum signature, a log's keys for a hub."""
        ring = cls(partner, ())
        uses: list[KeyUse] = ["sign", "open"]
        uses += ["sign2"] if second_signature else []
        uses += ["log", "log2"] if log else []
        for use in uses:
            ring = ring.rotate(use, now=now)
        return ring

    def rotate(self, use: KeyUse, *, now: int) -> Self:
        """Return a keyring with one more key of a use, valid from `now`; the older ones stay until they expire.

        Raises:
            FullKeystoreError: there is no room for it.
        """
        secret = encode_b64url(random_bytes(SEAL_PRIVATE if use == "open" else KEY))
        return self._with(PrivateKey(kid=self.next_kid(use), use=use, secret=secret, nbf=now, exp=now + lifetime(use)))

    def rotate_on_token(self, public: bytes, *, now: int) -> Self:
        """Return a keyring with one more key to sign, which was made on a token under the name `next_kid("sign")`."""
        pub = encode_b64url(public)
        exp = now + lifetime("sign")
        return self._with(PrivateKey(kid=self.next_kid("sign"), use="sign", pub=pub, nbf=now, exp=exp))

    def next_kid(self, use: KeyUse) -> str:
        """Return the name of the next key of a use.

        Raises:
            FullKeystoreError: there is no room for one.
        """
        if len(self.keys) >= MAX_KEYS:
            raise FullKeystoreError(self.partner)
        taken = [int(key.kid.partition("#")[2][1:]) for key in self.keys if key.use == use]
        return f"{self.partner}#{_LETTER_OF[use]}{max(taken, default=0) + 1}"

    def _with(self, key: PrivateKey) -> Self:
        return type(self)(self.partner, (*self.keys, key))

    def destroy_expired(self, *, now: int) -> Self:
        """Return a keyring without the opening keys that no waiting copy can be sealed to any longer."""
        kept = tuple(key for key in self.keys if key.use != "open" or now < key.exp + OPENING_GRACE)
        return type(self)(self.partner, kept)

    def valid(self, use: KeyUse, *, at: int) -> tuple[PrivateKey, ...]:
        """Return the keys of a use that are valid at a time, newest first.

        Raises:
            MissingKeyError: there is none.
        """
        found = [key for key in self.keys if key.use == use and key.is_valid(at=at)]
        if not found:
            raise MissingKeyError(f"{self.partner}: no valid key to {use}")
        return tuple(sorted(found, key=lambda key: (key.nbf, key.exp, key.kid), reverse=True))

    def signer(self, use: SignUse = "sign", *, at: int) -> KeyringSigner:
        """Return the newest valid signature key of a use.

        Raises:
            MissingKeyError: there is none, or it lies on a token.
        """
        return KeyringSigner(self.valid(use, at=at)[0])

    def opener(self, kid: str) -> KeyringOpener:
        """Return a key to open with; an expired one still opens what was sealed to it in time.

        Raises:
            NoOpeningKeyError: this keyring does not hold it (any longer).
        """
        for key in self.keys:
            if key.kid == kid and key.use == "open":
                return KeyringOpener(key)
        raise NoOpeningKeyError(kid[:64])

    def signers(self) -> dict[str, KeyringSigner]:
        """Return every signature key by its kid, a log's keys apart: enrolment proves that all of them are held."""
        return {key.kid: KeyringSigner(key) for key in self.keys if key.use in ("sign", "sign2")}

    def openers(self) -> tuple[KeyringOpener, ...]:
        """Return every opening key."""
        return tuple(KeyringOpener(key) for key in self.keys if key.use == "open")

    def entries(self) -> tuple[KeyEntry, ...]:
        """Return the public keys for the directory; a log's keys are published as C2SP verifier keys instead."""
        return tuple(
            KeyEntry(
                kid=key.kid,
                use=_PUBLISHED[key.use],
                alg=ALG_OF[_PUBLISHED[key.use]],
                pub=encode_b64url(key.public),
                nbf=key.nbf,
                exp=key.exp,
            )
            for key in self.keys
            if key.use in _PUBLISHED
        )


def lifetime(use: KeyUse) -> int:
    """Return for how many seconds a new key of a use is valid."""
    return OPENING_LIFETIME if use == "open" else SIGNING_LIFETIME


def cost_of(data: bytes) -> Cost:
    """Return what a guess at a keystore's passphrase costs, so that it costs the same when it is written again.

    Raises:
        CorruptKeystoreError: not a keystore of this version.
    """
    try:
        return parse_wire(_Keystore, data, error=CorruptKeystoreError).cost
    except JsonError as error:
        raise CorruptKeystoreError(error.code) from error


def seal_keyring(keyring: Keyring, passphrase: str, *, cost: Cost | None = None) -> bytes:
    """Return the keystore of a keyring: encrypted under the passphrase, with a fresh salt and nonce.

    Raises:
        PassphraseError: the passphrase is not text.
    """
    cost = cost or Cost()
    salt, nonce = random_bytes(_SALT), random_bytes(_NONCE)
    store = _Keystore(partner=keyring.partner, cost=cost, salt=encode_b64url(salt), nonce=encode_b64url(nonce), box="")
    contents = write_wire(_Contents(partner=keyring.partner, keys=keyring.keys))
    box = EncryptionKey(_stretch(passphrase, salt, cost)).encrypt(nonce, contents, store.aad)
    return write_wire(store.model_copy(update={"box": encode_b64url(box)}))


def open_keyring(data: bytes, passphrase: str) -> Keyring:
    """Return the keyring of a keystore.

    Raises:
        PassphraseError: another passphrase, or an altered file; nobody can tell which.
        CorruptKeystoreError: not a keystore of this version, or one that asks for too much memory.
    """
    if len(data) > _MAX_KEYSTORE:
        raise CorruptKeystoreError("too large")
    try:
        store = parse_wire(_Keystore, data, error=CorruptKeystoreError)
        salt, nonce, box = (decode_b64url(text) for text in (store.salt, store.nonce, store.box))
        plaintext = decrypt(_stretch(passphrase, salt, store.cost), nonce, box, store.aad)
        contents = parse_wire(_Contents, plaintext, error=CorruptKeystoreError)
        for key in contents.keys:
            _ = key.public  # every secret loads, so that a damaged one is found now and not at three in the morning
    except OpenError as error:
        raise PassphraseError from error
    except (JsonError, Base64Error, WeakKeyError) as error:
        raise CorruptKeystoreError(error.code) from error
    return Keyring(contents.partner, contents.keys)


def _stretch(passphrase: str, salt: bytes, cost: Cost) -> bytes:
    """Stretch the passphrase, whichever way its accents were typed (NFC, as RFC 8265 section 4.2)."""
    try:
        passphrase.encode()
    except UnicodeEncodeError:
        raise PassphraseError("not text") from None
    text = unicodedata.normalize("NFC", passphrase)
    return stretch(text, salt, memory_kib=cost.memory_kib, passes=cost.passes)
