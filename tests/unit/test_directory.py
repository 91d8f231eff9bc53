"""Which key speaks for whom, and when: the directory and its records."""

from typing import Any

import pytest

from hub.protocol.directory import Directory, PartnerRecord, country_of, parse_partner_record
from hub.protocol.errors import (
    JsonError,
    KeyNotValidError,
    NoAddresseeKeyError,
    PartnerRecordError,
    PartnerSuspendedError,
    UnknownKeyError,
    UnknownPartnerError,
    ValiseError,
    WrongOriginatorError,
)
from hub.protocol.strictjson import parse_json, write_json
from hub.protocol.vocabulary import PartnerKind
from hub.protocol.wire import write_wire
from tests.support.office import DAY, NOW, keys_of, record_for

FR, DE = (record_for(keys_of(partner)) for partner in ("fr-customs", "de-police"))


def directory(*records: PartnerRecord) -> Directory:
    return Directory(federation="exercise", version=1, digest="0" * 64, records=records or (FR, DE))


def altered(record: PartnerRecord, **members: Any) -> bytes:
    return write_json({**parse_json(write_wire(record)), **members})


def with_key(record: PartnerRecord, place: int, **members: Any) -> bytes:
    keys = parse_json(write_wire(record))["keys"]
    keys[place].update(members)
    return altered(record, keys=keys)


def test_a_record_survives_its_way() -> None:
    assert parse_partner_record(write_wire(FR)) == FR


def test_a_partner_is_found_by_code() -> None:
    assert directory().partner("fr-customs") is FR
    assert [record.partner for record in directory().partners()] == ["de-police", "fr-customs"]
    with pytest.raises(UnknownPartnerError):
        directory().partner("es-customs")


def test_a_signing_key_is_its_partners() -> None:
    assert directory().signing_key("fr-customs#s1", iss="fr-customs", at=NOW).alg == "Ed25519"
    assert directory().signing_key("fr-customs#m1", iss="fr-customs", at=NOW, use="sign2").alg == "ML-DSA-65"


@pytest.mark.parametrize(
    ("kid", "iss", "at", "error"),
    [
        ("de-police#s1", "fr-customs", NOW, WrongOriginatorError),
        ("fr-customs#s2", "fr-customs", NOW, UnknownKeyError),
        ("fr-customs#e1", "fr-customs", NOW, UnknownKeyError),
        ("fr-customs#m1", "fr-customs", NOW, UnknownKeyError),
        ("fr-customs#s1", "es-customs", NOW, UnknownPartnerError),
        ("fr-customs#s1", "fr-customs", NOW - 1, KeyNotValidError),
        ("fr-customs#s1", "fr-customs", NOW + 366 * DAY, KeyNotValidError),
    ],
)
def test_another_key_does_not_sign(kid: str, iss: str, at: int, error: type[ValiseError]) -> None:
    with pytest.raises(error):
        directory().signing_key(kid, iss=iss, at=at)


def test_a_revoked_key_signs_until_then() -> None:
    revoked = parse_partner_record(with_key(FR, 0, status="revoked", revoked_at=NOW + 10))
    believed = directory(revoked)
    assert believed.signing_key("fr-customs#s1", iss="fr-customs", at=NOW + 9).revoked_at == NOW + 10
    with pytest.raises(KeyNotValidError):
        believed.signing_key("fr-customs#s1", iss="fr-customs", at=NOW + 10)


def test_a_suspension_stops_what_comes_and_repudiates_nothing() -> None:
    believed = directory(parse_partner_record(altered(FR, status="suspended")))
    with pytest.raises(PartnerSuspendedError):
        believed.check_active("fr-customs")
    assert believed.signing_key("fr-customs#s1", iss="fr-customs", at=NOW).use == "sign"
    assert believed.opening_key("fr-customs", at=NOW).use == "open"  # policy says what a suspended partner gets


def test_one_seals_to_the_newest_key() -> None:
    ring = keys_of("fr-customs").rotate("open", now=NOW + DAY)
    believed = directory(record_for(ring))
    assert believed.opening_key("fr-customs", at=NOW).kid == "fr-customs#e1"
    assert believed.opening_key("fr-customs", at=NOW + DAY).kid == "fr-customs#e2"
    assert believed.opening_key("fr-customs", at=NOW + DAY, kid="fr-customs#e1").kid == "fr-customs#e1"
    for kid in (None, "fr-customs#e1"):
        with pytest.raises(NoAddresseeKeyError):
            believed.opening_key("fr-customs", at=NOW + 40 * DAY, kid=kid)
    with pytest.raises(NoAddresseeKeyError):
        believed.opening_key("fr-customs", at=NOW, kid="de-police#e1")


@pytest.mark.parametrize(
    ("code", "country"),
    [("fr-customs", "FR"), ("rilo-we", "ZZ"), ("hub-eu", "ZZ"), ("zz-top", "ZZ"), ("xk-police", "XK")],
)
def test_a_code_tells_its_country(code: str, country: str) -> None:
    assert country_of(code) == country


@pytest.mark.parametrize(
    "data",
    [
        altered(FR, country="DE"),
        altered(FR, partner="de-customs", country="DE"),  # its keys are named for another
        altered(FR, v=2),
        altered(FR, extra=1),
        altered(FR, require=[]),
        altered(FR, require=["Ed25519", "Ed25519"]),
        altered(FR, kind="hub"),  # no national authority makes a hub
        altered(FR, log_keys=["example.org/log+01234567+AQ=="]),
        altered(FR, name=""),
        with_key(FR, 0, kid="fr-customs#e1"),
        with_key(FR, 0, kid="de-police#s1"),
        with_key(FR, 0, use="open"),
        with_key(FR, 0, alg="ML-DSA-65"),
        with_key(FR, 0, pub="AAAA"),
        with_key(FR, 0, pub="not base64url!"),
        with_key(FR, 0, exp=NOW),
        with_key(FR, 0, nbf="soon"),
        with_key(FR, 0, status="revoked"),
        with_key(FR, 0, revoked_at=NOW),
    ],
)
def test_a_record_that_contradicts_itself_is_refused(data: bytes) -> None:
    with pytest.raises(PartnerRecordError):
        parse_partner_record(data)


def test_a_record_is_strict_json() -> None:
    with pytest.raises(JsonError):
        parse_partner_record(write_wire(FR)[:-1] + b',"v":1}')


def test_only_a_hub_keeps_a_log() -> None:
    ring = keys_of("hub-eu")
    record = record_for(ring, kind=PartnerKind.HUB, log_keys=("example.org/log+01234567+AQ==",))
    assert parse_partner_record(write_wire(record)) == record
