"""Nobody gets a key into the directory that is weak or that it does not hold."""

import base64
import json
from pathlib import Path
from typing import Any, Final

import pytest

from hub.protocol.directory import PartnerRecord
from hub.protocol.encoding import decode_b64url, encode_b64url
from hub.protocol.enrolment import (
    REQUEST_LIFETIME,
    Pending,
    answer_challenge,
    authority_of,
    challenge_enrolment,
    fingerprint,
    request_enrolment,
    verify_enrolment,
)
from hub.protocol.errors import EnrolmentError, NoOpeningKeyError, OpenError, PossessionError, WeakKeyError
from hub.protocol.hazmat import check_ed25519_point, verify_signature
from hub.protocol.keyring import SIGNING_LIFETIME, Keyring
from hub.protocol.keys import Signer
from hub.protocol.strictjson import parse_json, write_json
from hub.protocol.vocabulary import PartnerKind
from tests.support.office import DAY, FEDERATION, NOW, keys_of, record_for

RING: Final = keys_of("fr-customs")
THIEF: Final = keys_of("fr-customs")  # has the same names, but other keys

# The eight points of small order, and their two other spellings that fit into 255 bits: the public keys under which one
# signature fits many messages (Chalkias, Garillot, Nikolaenko, "Taming the many EdDSAs", table 6).
SMALL_ORDER: Final = (
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
)


def request_of(record: PartnerRecord, signers: dict[str, Signer] | None = None) -> bytes:
    return request_enrolment(record, signers or RING.signers(), federation=FEDERATION, now=NOW)


def challenged(
    request: bytes, *, federation: str = FEDERATION, authority: str = "national-fr", now: int = NOW
) -> tuple[bytes, Pending]:
    return challenge_enrolment(request, federation=federation, authority=authority, now=now)


def with_key(place: int, **members: Any) -> PartnerRecord:
    keys = [key.model_copy(update=members) if at == place else key for at, key in enumerate(RING.entries())]
    return record_for(RING, keys=tuple(keys))


REQUEST: Final = request_of(record_for(RING))
CHALLENGE, PENDING = challenged(REQUEST)
ANSWER: Final = answer_challenge(REQUEST, CHALLENGE, RING.signers(), RING.openers())


def test_three_files_make_a_partner() -> None:
    verified = verify_enrolment(REQUEST, ANSWER, PENDING, now=NOW)
    assert (verified.authority, verified.record) == ("national-fr", record_for(RING))


def test_what_the_authority_keeps_does_not_show() -> None:
    assert all(secret not in repr(PENDING) for secret in PENDING.secrets.values())


def test_two_people_compare_a_fingerprint() -> None:
    assert fingerprint(REQUEST) == fingerprint(REQUEST) != fingerprint(request_of(record_for(RING)))
    assert [len(group) for group in fingerprint(REQUEST).split(" ")] == [4] * 8


@pytest.mark.parametrize(("country", "authority"), [("FR", "national-fr"), ("ZZ", "exchange")])
def test_each_country_has_its_authority(country: str, authority: str) -> None:
    assert authority_of(country) == authority


# --- the request --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("federation", "authority"),
    [("other", "national-fr"), (FEDERATION, "national-de"), (FEDERATION, "exchange"), (FEDERATION, "")],
)
def test_a_request_is_for_one_authority_of_one_exchange(federation: str, authority: str) -> None:
    with pytest.raises(EnrolmentError):
        challenged(REQUEST, federation=federation, authority=authority)


def test_an_authority_enrols_its_own_country_only() -> None:
    """The partner may name any authority in its request; the record's country decides."""
    body = parse_json(decode_b64url(parse_json(REQUEST)["body"])) | {"authority": "national-de"}
    forged = write_json(parse_json(REQUEST) | {"body": encode_b64url(write_json(body))})
    with pytest.raises(EnrolmentError, match="is not enrolled by"):
        challenged(forged, authority="national-de")


@pytest.mark.parametrize("age", [REQUEST_LIFETIME, -301])
def test_a_request_has_its_time(age: int) -> None:
    with pytest.raises(EnrolmentError):
        challenged(REQUEST, now=NOW + age)


@pytest.mark.parametrize("data", [b"", b"{}", b"[" * 1000, REQUEST[:-1], REQUEST[:-1] + b',"body":""}', b"x" * 600_000])
def test_what_is_not_a_request_is_refused(data: bytes) -> None:
    with pytest.raises(EnrolmentError):
        challenged(data)


@pytest.mark.parametrize(
    "record",
    [
        record_for(RING, keys=RING.entries()[1:]),  # no key to sign
        record_for(RING, keys=(RING.entries()[0], RING.entries()[2])),  # no key to open
        record_for(RING, keys=RING.entries()[:2]),  # no key of a required algorithm
        record_for(RING, require=("ML-DSA-65",)),  # the first signature is always required
        record_for(RING, status="suspended"),
        with_key(0, status="revoked", revoked_at=NOW),
        with_key(0, exp=NOW + SIGNING_LIFETIME + 1),
        with_key(1, exp=NOW + SIGNING_LIFETIME),  # an opening key lives a month
        with_key(0, nbf=NOW + DAY),  # nothing to sign with today
    ],
)
def test_keys_must_make_a_partner(record: PartnerRecord) -> None:
    with pytest.raises(EnrolmentError):
        challenged(request_of(record))


# --- weak keys ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("point", SMALL_ORDER)
def test_a_key_to_deny_everything_with_is_refused(point: str) -> None:
    with pytest.raises(WeakKeyError):
        challenged(request_of(with_key(0, pub=encode_b64url(bytes.fromhex(point)))))


def test_why_the_identity_is_refused() -> None:
    """One signature that fits any message: the library accepts it, so only the check at enrolment stands between."""
    identity, signature = bytes([1]) + bytes(31), bytes([1]) + bytes(63)
    for message in (b"I sent this", b"I never sent that"):
        verify_signature("Ed25519", identity, signature, message)


def test_points_with_a_small_part_are_refused(shared: Path | None) -> None:
    """C2SP's CCTV vectors flag keys with a low-order component; without them, the typed-in points stand alone."""
    flagged = {bytes.fromhex(point) for point in SMALL_ORDER}
    if shared is not None:
        vectors = json.loads((shared / "vectors/cctv/ed25519/ed25519vectors.json").read_text("utf-8"))
        flagged |= {
            bytes.fromhex(vector["key"])
            for vector in vectors
            if {"low_order_A", "low_order_component_A", "non_canonical_A"} & set(vector["flags"] or ())
        }
    for point in flagged:
        with pytest.raises(WeakKeyError):
            check_ed25519_point(point)


def test_weak_opening_keys_are_refused() -> None:
    public = decode_b64url(RING.entries()[1].pub)
    small = public[:1184] + bytes(32)  # X25519 point of small order: the shared secret is known to everybody
    unreduced = b"\xff" * 1184 + public[1184:]  # FIPS 203 section 7.2: coefficients above q
    for pub in (small, unreduced):
        with pytest.raises(WeakKeyError):
            challenged(request_of(with_key(1, pub=encode_b64url(pub))))


# --- possession ---------------------------------------------------------------------------------------------------


def test_every_signature_key_signs_the_request() -> None:
    record = record_for(RING)
    mixed = {**RING.signers(), "fr-customs#m1": THIEF.signers()["fr-customs#m1"]}
    missing = {"fr-customs#s1": RING.signers()["fr-customs#s1"]}
    more = {**RING.signers(), "fr-customs#s9": RING.signers()["fr-customs#s1"]}
    for signers in ({**THIEF.signers()}, mixed, missing, more):
        with pytest.raises(PossessionError):
            challenged(request_of(record, dict(signers)))


def test_a_request_cannot_be_altered() -> None:
    body = parse_json(decode_b64url(parse_json(REQUEST)["body"]))
    body["record"]["name"] = "Somebody else"
    with pytest.raises(PossessionError):
        challenged(write_json(parse_json(REQUEST) | {"body": encode_b64url(write_json(body))}))


def test_another_partners_opening_key_cannot_be_named() -> None:
    """A thief enrols its own signature keys with a public opening key that it copied; the challenge stops it."""
    copied = record_for(THIEF, keys=(THIEF.entries()[0], RING.entries()[1], THIEF.entries()[2]))
    request = request_of(copied, {**THIEF.signers()})
    challenge, pending = challenged(request)
    with pytest.raises(OpenError):
        answer_challenge(request, challenge, THIEF.signers(), THIEF.openers())
    guess = parse_json(ANSWER)
    guessed = {"v": 1, "request": pending.request, "opened": {"fr-customs#e1": encode_b64url(bytes(32))}}
    guess["body"] = encode_b64url(write_json(guessed))
    with pytest.raises(PossessionError, match="was not opened"):
        verify_enrolment(request, write_json(guess), pending, now=NOW)


def test_the_answer_is_signed_by_every_key() -> None:
    for signers in ({**THIEF.signers()}, {"fr-customs#s1": RING.signers()["fr-customs#s1"]}):
        answer = answer_challenge(REQUEST, CHALLENGE, signers, RING.openers())
        with pytest.raises(PossessionError):
            verify_enrolment(REQUEST, answer, PENDING, now=NOW)


def test_an_answer_serves_one_challenge() -> None:
    _, another = challenged(REQUEST)
    with pytest.raises(PossessionError):
        verify_enrolment(REQUEST, ANSWER, another, now=NOW)
    other = request_of(record_for(RING))
    with pytest.raises(EnrolmentError):
        verify_enrolment(other, ANSWER, PENDING, now=NOW)
    with pytest.raises(EnrolmentError):
        verify_enrolment(REQUEST, ANSWER, PENDING, now=NOW + REQUEST_LIFETIME)


def test_a_partner_answers_only_for_its_own_request() -> None:
    with pytest.raises(EnrolmentError):
        answer_challenge(request_of(record_for(RING)), CHALLENGE, RING.signers(), RING.openers())
    with pytest.raises(NoOpeningKeyError):
        answer_challenge(REQUEST, CHALLENGE, RING.signers(), [])


def test_a_challenge_is_no_way_to_have_a_message_opened() -> None:
    """Whoever can send challenges cannot use the partner as an oracle: the info is another one than a message's."""
    kek_sealed_elsewhere = parse_json(CHALLENGE)["sealed"]["fr-customs#e1"]
    other = request_of(record_for(RING))
    foreign, _ = challenged(other)
    moved = write_json(parse_json(foreign) | {"sealed": {"fr-customs#e1": kek_sealed_elsewhere}})
    with pytest.raises(OpenError):
        answer_challenge(other, moved, RING.signers(), RING.openers())


# --- a hub --------------------------------------------------------------------------------------------------------


def test_a_hub_proves_its_log_keys_too() -> None:
    ring = Keyring.generate("hub-eu", now=NOW, second_signature=True, log=True)
    log, witness = ring.signer("log", at=NOW), ring.signer("log2", at=NOW)
    vkeys = {
        _verifier_key(b"\x01" + log.public): log,
        _verifier_key(b"\x06" + witness.public): witness,
    }
    record = record_for(ring, kind=PartnerKind.HUB, log_keys=tuple(vkeys))
    signers: dict[str, Signer] = {**ring.signers(), **vkeys}
    request = request_of(record, signers)
    challenge, pending = challenged(request, authority="exchange")
    answer = answer_challenge(request, challenge, signers, ring.openers())
    assert verify_enrolment(request, answer, pending, now=NOW).record == record
    with pytest.raises(PossessionError):
        challenged(request_of(record, {**ring.signers()}), authority="exchange")


@pytest.mark.parametrize("key", [b"\x02" + bytes(32), b"\x01\x01" + bytes(31), b"\x01" + bytes(5), b""])
def test_a_weak_log_key_is_refused(key: bytes) -> None:
    ring = keys_of("hub-eu")
    record = record_for(ring, kind=PartnerKind.HUB, log_keys=(_verifier_key(key),))
    with pytest.raises(WeakKeyError):
        challenged(request_of(record, {**ring.signers()}), authority="exchange")


def _verifier_key(key: bytes) -> str:
    return f"example.org/log+01234567+{base64.b64encode(key).decode() or 'A'}"
