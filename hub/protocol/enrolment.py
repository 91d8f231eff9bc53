"""How a partner gets into the directory: three files with which it proves that it holds every key it names.

    partner    request    what the directory shall say of it, signed by each of its signature keys
    authority  challenge  a fresh secret sealed to each of its opening keys
    partner    answer     the secrets, opened; signed again by each signature key, which by that are proven fresh too

A key for opening cannot sign, and whoever copied somebody else's public key can name it: only opening shows possession,
so there is no proof in one file (section 7.1). The three files travel by any way, offline included; over
another way the two people compare the request's fingerprint, because possession does not say *who* possesses. Not for:
writing the directory (`hub/authority`). Implements `docs/protocol/09-directory.md` section 7.
"""

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Literal, TypeVar

from pydantic import Field

from hub.protocol.directory import KeyEntry, PartnerRecord
from hub.protocol.encoding import decode_b64url, encode_b64url, lp
from hub.protocol.errors import (
    BadSignatureError,
    Base64Error,
    EnrolmentError,
    JsonError,
    NoOpeningKeyError,
    NotARenewalError,
    PossessionError,
    WeakKeyError,
)
from hub.protocol.hazmat import KEY, SealingKey, check_ed25519_point, is_same, random_bytes, sha256, verify_signature
from hub.protocol.keyring import DAY, OPENING_LIFETIME, SIGNING_LIFETIME
from hub.protocol.keys import Opener, Signer
from hub.protocol.vocabulary import INTERNATIONAL
from hub.protocol.wire import Digest, Time, Wire, parse_wire, write_wire

MAX_REQUEST: Final = 512 * 1024  # bytes; 64 keys with a signature each, in base64url twice
REQUEST_LIFETIME: Final = 7 * DAY  # seconds in which the three files must have gone back and forth
CLOCK_SKEW: Final = 300  # seconds that the partner's clock may be ahead
_NOTE_ED25519: Final = 1  # C2SP signed-note signature type
_NOTE_MLDSA44: Final = 6
_UNCHANGED: Final = ("partner", "name", "kind", "country", "exercise")  # by a renewal

_Shape = TypeVar("_Shape", bound=Wire)


class _Request(Wire):
    v: Literal[1] = 1
    fed: Annotated[str, Field(min_length=1, max_length=64)]
    authority: str
    iat: Time
    nonce: Digest
    record: PartnerRecord


class _Challenge(Wire):
    v: Literal[1] = 1
    request: Digest
    authority: str
    sealed: dict[str, str]


class _Answer(Wire):
    v: Literal[1] = 1
    request: Digest
    opened: dict[str, str]


class _Signed(Wire):
    """A body as sent, and one signature over it by each key, by the key's name."""

    body: str
    signatures: dict[str, str]


class Pending(Wire):
    """What the authority keeps, to itself, between challenge and answer."""

    request: Digest
    secrets: Annotated[dict[str, str], Field(repr=False)]
    until: Time


@dataclass(frozen=True, slots=True)
class VerifiedEnrolment:
    """A record whose every key is strong and was proven to be held; only `verify_enrolment` makes one."""

    authority: str
    record: PartnerRecord


def authority_of(country: str) -> str:
    """Return the name of the authority, and of its role in the directory, that enrols a country's partners."""
    return "exchange" if country == INTERNATIONAL else f"national-{country.lower()}"


def request_digest(request: bytes) -> str:
    """Return a request's name: base64url SHA-256 of its body as sent.

    Raises:
        EnrolmentError: not a request.
    """
    return encode_b64url(sha256(_body_of(_parse(_Signed, request))))


def record_of(request: bytes) -> PartnerRecord:
    """Return the record that a request asks for, unbelieved.

    Raises:
        EnrolmentError: not a request.
    """
    return _parse_request(request)[1].record


def fingerprint(request: bytes) -> str:
    """Return what two people compare over another way before the authority enrols: 16 bytes in groups of four digits.

    Raises:
        EnrolmentError: not a request.
    """
    digits = decode_b64url(request_digest(request))[:16].hex()
    return " ".join(digits[at : at + 4] for at in range(0, len(digits), 4))


# --- the partner's side ---------------------------------------------------------------------------------------------


def request_enrolment(record: PartnerRecord, signers: Mapping[str, Signer], *, federation: str, now: int) -> bytes:
    """Return the request.

    Args:
        record: what the directory shall say.
        signers: each signature key by its kid, and a hub's log keys by their C2SP verifier key.
        federation: the exchange's name.
        now: Unix seconds.
    """
    request = _Request(
        fed=federation,
        authority=authority_of(record.country),
        iat=now,
        nonce=encode_b64url(random_bytes(KEY)),
        record=record,
    )
    return _sign("request", write_wire(request), signers)


def answer_challenge(
    request: bytes, challenge: bytes, signers: Mapping[str, Signer], openers: Iterable[Opener]
) -> bytes:
    """Return the answer to a challenge of one's own request.

    What is opened here could never open a message: the info binds it to this enrolment.

    Raises:
        EnrolmentError: the challenge is malformed or for another request.
        NoOpeningKeyError: an opening key of the request is not at hand.
        OpenError: the challenge is not sealed to the key that it names.
    """
    digest, asked = request_digest(request), _parse(_Challenge, challenge)
    if asked.request != digest:
        raise EnrolmentError("a challenge for another request")
    by_kid = {opener.kid: opener for opener in openers}
    opened: dict[str, str] = {}
    for kid, sealed in asked.sealed.items():
        if kid not in by_kid:
            raise NoOpeningKeyError(kid[:64])
        opened[kid] = encode_b64url(by_kid[kid].open(_decode(sealed), _info(digest, kid)))
    return _sign("answer", write_wire(_Answer(request=digest, opened=opened)), signers)


# --- the authority's side -------------------------------------------------------------------------------------------


def check_request(request: bytes, *, federation: str, authority: str, now: int) -> PartnerRecord:
    """Return the record that a request asks for, after every check that needs no answer: steps 1 to 6.

    Raises:
        EnrolmentError: malformed, for another exchange or authority, too old, or its keys do not make a partner.
        WeakKeyError: a key is malformed or weak.
        PossessionError: a signature key did not sign the request.
    """
    signed, asked = _parse_request(request)  # step 1
    if asked.fed != federation or asked.authority != authority:  # 2
        raise EnrolmentError(f"for {asked.authority[:64]} of {asked.fed}")
    if not now - REQUEST_LIFETIME < asked.iat <= now + CLOCK_SKEW:  # 3
        raise EnrolmentError("made too long ago, or in the future")
    if authority_of(asked.record.country) != authority:  # 4
        raise EnrolmentError(f"{asked.record.partner} is not enrolled by {authority}")
    _check_keys(asked.record, now)  # 5
    _check_signatures("request", signed, asked.record)  # 6
    return asked.record


def check_renewal(record: PartnerRecord, enrolled: PartnerRecord, *, now: int) -> tuple[str, ...]:
    """Check that a request only brings new keys, and that keys which are valid in the directory vouch for them.

    Args:
        record: what the request asks for; `check_request` made sure that each of its signature keys signed it.
        enrolled: what the directory says.
        now: Unix seconds.

    Returns:
        The kids that vouch: a first signature, and a second one where the directory requires it.

    Raises:
        NotARenewalError: it changes more than keys, the partner is suspended, or no such keys signed it.
    """
    if enrolled.status != "active" or any(getattr(record, one) != getattr(enrolled, one) for one in _UNCHANGED):
        raise NotARenewalError(f"{record.partner}: it changes more than keys, or the partner is suspended")
    if not set(record.require) <= {"Ed25519", *enrolled.require}:  # or a thief could require what only he can make
        raise NotARenewalError(f"{record.partner}: only the office requires more signatures")
    known = {key.kid: key for key in enrolled.keys if key.use != "open" and key.is_valid(at=now)}
    vouching = [known[key.kid] for key in record.keys if key.kid in known and known[key.kid].pub == key.pub]
    if not {"Ed25519", *enrolled.require} <= {key.alg for key in vouching}:
        raise NotARenewalError(f"{record.partner}: not signed by the keys that are valid in the directory")
    return tuple(key.kid for key in vouching)


def challenge_enrolment(request: bytes, *, federation: str, authority: str, now: int) -> tuple[bytes, Pending]:
    """Check a request and return the challenge to send, and what to keep until the answer comes.

    Raises:
        EnrolmentError, WeakKeyError, PossessionError: as `check_request`.
    """
    record = check_request(request, federation=federation, authority=authority, now=now)
    digest = request_digest(request)  # 7
    secrets = {key.kid: random_bytes(KEY) for key in _opening(record)}
    sealed = {
        key.kid: encode_b64url(SealingKey(decode_b64url(key.pub)).seal(secrets[key.kid], _info(digest, key.kid)))
        for key in _opening(record)
    }
    challenge = _Challenge(request=digest, authority=authority, sealed=sealed)
    return write_wire(challenge), Pending(
        request=digest,
        secrets={kid: encode_b64url(secret) for kid, secret in secrets.items()},
        until=now + REQUEST_LIFETIME,
    )


def verify_enrolment(request: bytes, answer: bytes, pending: Pending, *, now: int) -> VerifiedEnrolment:
    """Return the enrolment whose every key was proven.

    Raises:
        EnrolmentError: malformed, or too late.
        PossessionError: the answer does not show that every key is held.
    """
    _, asked = _parse_request(request)
    if request_digest(request) != pending.request or now >= pending.until:  # 8
        raise EnrolmentError("no such request is pending")
    reply = _parse(_Signed, answer)  # 9
    answered = _parse(_Answer, _body_of(reply))
    if answered.request != pending.request or answered.opened.keys() != pending.secrets.keys():
        raise PossessionError("the answer is to another challenge")
    for kid, secret in pending.secrets.items():  # 10
        if not is_same(answered.opened[kid].encode(), secret.encode()):
            raise PossessionError(f"{kid} was not opened")
    _check_signatures("answer", reply, asked.record)  # 11
    return VerifiedEnrolment(asked.authority, asked.record)


def _check_keys(record: PartnerRecord, now: int) -> None:
    """Check that the keys make a partner that can sign and be sealed to, and that each of them is strong."""
    usable = {key.use for key in record.keys if key.nbf <= now + CLOCK_SKEW and now < key.exp}
    algs = {key.alg for key in record.keys}
    if not {"sign", "open"} <= usable or not set(record.require) <= algs or "Ed25519" not in record.require:
        raise EnrolmentError("a key to sign, a key to open, or a required key is missing")
    if record.status != "active" or any(key.status != "active" for key in record.keys):
        raise EnrolmentError("only the authority suspends and revokes")
    for key in record.keys:
        if key.exp - key.nbf > (OPENING_LIFETIME if key.use == "open" else SIGNING_LIFETIME):
            raise EnrolmentError(f"{key.kid} lives too long")
        _check_strength(key)
    for name in record.log_keys:
        alg, public = _log_key(name)
        if alg == "Ed25519":
            check_ed25519_point(public)


def _check_strength(key: KeyEntry) -> None:
    public = decode_b64url(key.pub)
    if key.use == "sign":
        check_ed25519_point(public)
    elif key.use == "open":
        SealingKey(public).check_order()


def _opening(record: PartnerRecord) -> list[KeyEntry]:
    return [key for key in record.keys if key.use == "open"]


def _check_signatures(what: str, signed: _Signed, record: PartnerRecord) -> None:
    """Check that each signature key of the record signed, and nobody else."""
    keys: dict[str, tuple[str, bytes]] = {name: _log_key(name) for name in record.log_keys}
    keys |= {key.kid: (key.alg, decode_b64url(key.pub)) for key in record.keys if key.use != "open"}
    if signed.signatures.keys() != keys.keys():
        raise PossessionError("not one signature of each key")
    for name, (alg, public) in keys.items():
        try:
            verify_signature(alg, public, _decode(signed.signatures[name]), _signed_bytes(what, _body_of(signed)))
        except BadSignatureError as error:
            raise PossessionError(name) from error


def _log_key(name: str) -> tuple[str, bytes]:
    """Return algorithm and raw key of a C2SP verifier key `name+id+base64(type || key)`."""
    try:
        key = base64.b64decode(name.split("+", 2)[2], validate=True)
    except (binascii.Error, ValueError) as error:
        raise WeakKeyError("a log's key is not base64") from error
    alg = {_NOTE_ED25519: "Ed25519", _NOTE_MLDSA44: "ML-DSA-44"}.get(key[0] if key else 0)
    if alg is None:
        raise WeakKeyError("a log's key of another type")
    return alg, key[1:]


# --- both sides -----------------------------------------------------------------------------------------------------


def _sign(what: str, body: bytes, signers: Mapping[str, Signer]) -> bytes:
    signatures = {name: encode_b64url(signer.sign(_signed_bytes(what, body))) for name, signer in signers.items()}
    return write_wire(_Signed(body=encode_b64url(body), signatures=signatures))


def _signed_bytes(what: str, body: bytes) -> bytes:
    """Return what the keys sign: it starts with a zero byte, as nothing else does that such a key signs."""
    return lp(f"valise1 enrolment {what}", body)


def _info(request: str, kid: str) -> bytes:
    return lp("valise1 enrolment challenge", request, kid)


def _parse_request(data: bytes) -> tuple[_Signed, _Request]:
    signed = _parse(_Signed, data)
    return signed, _parse(_Request, _body_of(signed))


def _body_of(signed: _Signed) -> bytes:
    return _decode(signed.body)


def _decode(text: str) -> bytes:
    try:
        return decode_b64url(text)
    except Base64Error as error:
        raise EnrolmentError("not base64url") from error


def _parse(shape: type[_Shape], data: bytes) -> _Shape:
    if len(data) > MAX_REQUEST:
        raise EnrolmentError("too large")
    try:
        return parse_wire(shape, data, error=EnrolmentError)
    except JsonError as error:
        raise EnrolmentError("not strict JSON") from error
