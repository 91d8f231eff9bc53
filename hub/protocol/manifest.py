"""The manifest: the one object that the originator signs, and that every redaction leaves verifiable.

It is shaped like an SD-JWT with array-element disclosures (RFC 9901), so a generic SD-JWT verifier reads it too. What
it says is all that hubs can read and logs keep: never a name, a case number or free text. Not for: keys (`sealing.py`)
or carriage (`envelope.py`). Implements `docs/protocol/02-envelope.md` sections 1 and 2.
"""

import uuid
from dataclasses import dataclass
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, RootModel, model_validator

from hub.protocol.encoding import decode_b64url, encode_b64url, lp
from hub.protocol.errors import (
    DigestError,
    ExpiredError,
    JwsError,
    MalformedError,
    NotYetValidError,
    TooLargeError,
    UnknownSuiteError,
    WrongFederationError,
)
from hub.protocol.hazmat import random_bytes, sha256
from hub.protocol.jws import Jws, parse_jws, sign_jws
from hub.protocol.keys import Signer
from hub.protocol.marks import Marks
from hub.protocol.strictjson import write_json
from hub.protocol.vocabulary import (
    Basis,
    Label,
    MessageKind,
    Offence,
    PartnerCode,
    Priority,
    Purpose,
    Status,
    Topic,
    Verb,
)
from hub.protocol.wire import CompartmentId, Count, Digest, Salt, Time, Wire, parse_wire, write_wire

SUITE: Final = "HPKE9KE-A256GCM"  # the only suite of valise/1; nothing is negotiated
MANIFEST_TYP: Final = "valise-manifest+sd-jwt"
MAX_MANIFEST: Final = 256 * 1024  # bytes of payload
MAX_COMPARTMENTS: Final = 32
MAX_TOPICS: Final = 16
MAX_REFERENCES: Final = 16
MAX_LIFETIME: Final = 120 * 86_400  # seconds between iat and exp; for so long an addressee keeps its opening keys
CLOCK_SKEW: Final = 120  # seconds that an originator's clock may be ahead of ours
SALT: Final = 16  # bytes; 128 bits, RFC 9901 section 9.3


def _uuid7(text: str) -> str:
    if str(uuid.UUID(text)) != text or text[14] != "7" or text[19] not in "89ab":
        raise ValueError("not a UUIDv7 in canonical form")
    return text


MessageId = Annotated[str, Field(max_length=36), AfterValidator(_uuid7)]


class CompartmentDigest(Wire):
    """One element of `cmp`: the digest of a disclosure (RFC 9901 section 4.2.4.2)."""

    digest: Digest = Field(alias="...")


class Manifest(Wire):
    """The payload of a manifest, unbelieved; `docs/protocol/02-envelope.md` section 1 has every member's meaning."""

    v: Literal[1]
    suite: str
    fed: Annotated[str, Field(min_length=1, max_length=64)]
    iss: PartnerCode
    jti: MessageId
    seq: Annotated[Count, Field(ge=1)]
    prev: Digest | None
    iat: Time
    exp: Time
    mt: MessageKind
    verb: Verb
    thread: MessageId
    irt: Digest | None
    refs: Annotated[tuple[Digest, ...], Field(max_length=MAX_REFERENCES)]
    op: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=48)] | None
    purpose: Purpose
    offence: Offence
    basis: Basis
    pri: Priority
    status: Status
    topics: Annotated[tuple[Topic, ...], Field(max_length=MAX_TOPICS)]
    marks: Marks
    need: Annotated[tuple[Literal["Ed25519", "ML-DSA-65"], ...], Field(min_length=1, max_length=2)]
    rk: None  # the one-time key for an answer to a query; no message of today has one
    sd_alg: Literal["sha-256"] = Field(alias="_sd_alg")
    cmp: Annotated[tuple[CompartmentDigest, ...], Field(min_length=1, max_length=MAX_COMPARTMENTS)]
    rr: Digest

    @model_validator(mode="after")
    def _repeats_nothing(self) -> Self:
        for name in ("topics", "need"):
            words = getattr(self, name)
            if len(set(words)) != len(words):
                raise ValueError(f"{name} repeats a word")
        return self


class Descriptor(Wire):
    """What a disclosure says about its compartment."""

    id: CompartmentId
    label: Label
    nominal: bool
    fmt: Annotated[str, Field(pattern=r"^[a-z]+/[a-z0-9.+-]+$", max_length=64)]
    ct: Digest
    n: Annotated[Count, Field(ge=1)]
    kc: Digest


class _Disclosure(RootModel[tuple[Salt, Descriptor]]):
    model_config = ConfigDict(frozen=True, strict=True)


@dataclass(frozen=True, slots=True)
class Disclosure:
    """A disclosure as sent, and what it says. The bytes as sent are what the digest is over."""

    text: str
    descriptor: Descriptor

    @property
    def digest(self) -> str:
        """The digest that stands in `cmp` (RFC 9901 section 4.2.3)."""
        return encode_b64url(sha256(self.text.encode("ascii")))


def write_disclosure(descriptor: Descriptor) -> Disclosure:
    """Return a freshly salted disclosure of a compartment."""
    salt = encode_b64url(random_bytes(SALT))
    body = write_json([salt, descriptor.model_dump(mode="json")])
    return Disclosure(encode_b64url(body), descriptor)


def parse_disclosure(text: str) -> Disclosure:
    """Return an unbelieved disclosure.

    Raises:
        EncodingError: not base64url of strict JSON.
        MalformedError: not `[salt, descriptor]`.
    """
    _, descriptor = parse_wire(_Disclosure, decode_b64url(text)).root
    return Disclosure(text, descriptor)


def header_hash(manifest: Manifest) -> bytes:
    """Return `hh`, which binds every key and ciphertext to its message (`docs/protocol/03-keys.md` section 2)."""
    return header_hash_of(
        suite=manifest.suite,
        fed=manifest.fed,
        iss=manifest.iss,
        jti=manifest.jti,
        seq=manifest.seq,
        iat=manifest.iat,
        exp=manifest.exp,
        mt=manifest.mt,
    )


def header_hash_of(*, suite: str, fed: str, iss: str, jti: str, seq: int, iat: int, exp: int, mt: MessageKind) -> bytes:
    """Return `hh` from its members, before the manifest exists."""
    return sha256(lp("valise1 hdr", 1, suite, fed, iss, jti, seq, iat, exp, mt.value))


def parse_manifest(text: str) -> tuple[Manifest, Jws]:
    """Return an unbelieved manifest and the JWS that carries it.

    Raises:
        SignatureError, EncodingError: not a strict compact JWS of this type.
        TooLargeError: a limit is exceeded.
        MalformedError: not of the shape.
    """
    jws = parse_jws(text, typ=MANIFEST_TYP)
    if len(jws.payload) > MAX_MANIFEST:
        raise TooLargeError("manifest")
    return parse_wire(Manifest, jws.payload), jws


def sign_manifest(manifest: Manifest, signer: Signer) -> str:
    """Return the manifest as a compact JWS.

    Raises:
        TooLargeError: the payload exceeds `MAX_MANIFEST`.
        JwsError: the signer's algorithm is not Ed25519, which always signs first.
    """
    payload = write_wire(manifest)
    if len(payload) > MAX_MANIFEST:
        raise TooLargeError("manifest")
    if signer.alg != "Ed25519":
        raise JwsError(signer.alg)
    return sign_jws(payload, typ=MANIFEST_TYP, signer=signer)


def check_suite(manifest: Manifest) -> None:
    """Refuse any suite but ours: nothing is negotiated.

    Raises:
        UnknownSuiteError: it is another.
    """
    if manifest.suite != SUITE:
        raise UnknownSuiteError(manifest.suite[:64])


def check_time(manifest: Manifest, *, federation: str, now: int) -> None:
    """Check federation and lifetime.

    Args:
        manifest: unbelieved.
        federation: the exchange that this program belongs to.
        now: Unix seconds.

    Raises:
        WrongFederationError, NotYetValidError, ExpiredError: as they say.
        MalformedError: it would live longer than `MAX_LIFETIME`, or not at all.
    """
    if manifest.fed != federation:
        raise WrongFederationError(manifest.fed)
    if not 0 < manifest.exp - manifest.iat <= MAX_LIFETIME:
        raise MalformedError("lifetime")
    if manifest.iat > now + CLOCK_SKEW:
        raise NotYetValidError(str(manifest.iat))
    if manifest.exp <= now:
        raise ExpiredError(str(manifest.exp))


def check_descriptor(manifest: Manifest, disclosure: Disclosure) -> int:
    """Check that a disclosure is the one that the originator signed for its place; return the place in `cmp`.

    Raises:
        DigestError: there is no such place, or another digest stands there.
    """
    place = int(disclosure.descriptor.id[1:])
    if place >= len(manifest.cmp) or manifest.cmp[place].digest != disclosure.digest:
        raise DigestError(disclosure.descriptor.id)
    return place
