"""Private keys at rest and behind their ports."""

from typing import Literal

import pytest

from hub.protocol.directory import MAX_KEYS, Directory
from hub.protocol.encoding import decode_b64url
from hub.protocol.errors import (
    CorruptKeystoreError,
    FullKeystoreError,
    KeystoreError,
    MissingKeyError,
    NoOpeningKeyError,
    OpenError,
    PassphraseError,
)
from hub.protocol.hazmat import SealingKey, verify_signature
from hub.protocol.keyring import OPENING_GRACE, OPENING_LIFETIME, Cost, Keyring, open_keyring, seal_keyring
from hub.protocol.keys import Opener, Signer
from hub.protocol.strictjson import parse_json, write_json
from tests.support.office import DAY, FAST, NOW, PASSPHRASE, keys_of, record_for

RING = Keyring.generate("hub-eu", now=NOW, second_signature=True, log=True)
SEALED = seal_keyring(RING, PASSPHRASE, cost=FAST)


def test_a_keyring_survives_its_file() -> None:
    opened = open_keyring(SEALED, PASSPHRASE)
    assert (opened.partner, opened.keys) == (RING.partner, RING.keys)
    assert seal_keyring(RING, PASSPHRASE, cost=FAST) != SEALED  # fresh salt and nonce


def test_the_default_costs_what_rfc_9106_recommends() -> None:
    assert parse_json(seal_keyring(RING, PASSPHRASE))["cost"] == {"memory_kib": 65_536, "passes": 3}


@pytest.mark.parametrize("passphrase", ["", "correct horse battery stapl", "\ud800"])
def test_another_passphrase_opens_nothing(passphrase: str) -> None:
    with pytest.raises(PassphraseError):
        open_keyring(SEALED, passphrase)


def test_a_passphrase_is_text_and_not_key_strokes() -> None:
    sealed = seal_keyring(RING, "caf\N{LATIN SMALL LETTER E WITH ACUTE}", cost=FAST)
    assert open_keyring(sealed, "cafe\N{COMBINING ACUTE ACCENT}").keys == RING.keys


@pytest.mark.parametrize("flip", [0x01, 0x20, 0x80])
def test_no_byte_can_change_unseen(flip: int) -> None:
    for place in range(len(SEALED)):
        damaged = bytearray(SEALED)
        damaged[place] ^= flip
        with pytest.raises(KeystoreError):
            open_keyring(bytes(damaged), PASSPHRASE)


@pytest.mark.parametrize("length", [0, 1, len(SEALED) // 2, len(SEALED) - 1])
def test_a_cut_file_is_corrupt(length: int) -> None:
    with pytest.raises(CorruptKeystoreError):
        open_keyring(SEALED[:length], PASSPHRASE)


@pytest.mark.parametrize("cost", [{"memory_kib": 2**30, "passes": 1}, {"memory_kib": 8, "passes": 2**30}])
def test_a_hostile_file_takes_neither_memory_nor_time(cost: dict[str, int]) -> None:
    hostile = write_json({**parse_json(SEALED), "cost": cost})
    with pytest.raises(CorruptKeystoreError):
        open_keyring(hostile, PASSPHRASE)
    with pytest.raises(CorruptKeystoreError):
        open_keyring(b" " * 100_000, PASSPHRASE)


def test_a_cheaper_guess_is_another_file() -> None:
    cheaper = write_json(
        {**parse_json(seal_keyring(RING, PASSPHRASE, cost=Cost(memory_kib=16, passes=1)))}
        | {"cost": {"memory_kib": 8, "passes": 1}}
    )
    with pytest.raises(PassphraseError):
        open_keyring(cheaper, PASSPHRASE)


def test_nothing_shows_a_secret() -> None:
    shown = " ".join(map(repr, [RING, *RING.keys, RING.signer(at=NOW), RING.openers(), RING.signers()]))
    assert all(str(key.secret) not in shown for key in RING.keys)
    assert "hub-eu#s1" in shown


def test_each_public_key_fits_its_private_key() -> None:
    believed = Directory(
        federation="exercise", version=1, digest="0" * 64, records=[record_for(keys := keys_of("fr-customs"))]
    )
    for use in ("sign", "sign2"):
        signer: Signer = keys.signer(use, at=NOW)
        entry = believed.signing_key(signer.kid, iss="fr-customs", at=NOW, use=use)
        verify_signature(signer.alg, decode_b64url(entry.pub), signer.sign(b"data"), b"data")
    opener: Opener = keys.opener(believed.opening_key("fr-customs", at=NOW).kid)
    public = decode_b64url(believed.opening_key("fr-customs", at=NOW).pub)
    assert opener.open(SealingKey(public).seal(b"key", b"info"), b"info") == b"key"
    with pytest.raises(OpenError):
        opener.open(SealingKey(public).seal(b"key", b"info"), b"other info")


def test_a_logs_keys_are_not_in_the_record() -> None:
    assert {entry.use for entry in RING.entries()} == {"sign", "sign2", "open"}
    assert [RING.signer(use, at=NOW).alg for use in ("log", "log2")] == ["Ed25519", "ML-DSA-44"]


def test_rotation_adds_and_expiry_takes_away() -> None:
    ring = keys_of("fr-customs").rotate("open", now=NOW + 20 * DAY).rotate("sign", now=NOW + DAY)
    assert ring.signer(at=NOW).kid == "fr-customs#s1"
    assert ring.signer(at=NOW + DAY).kid == "fr-customs#s2"
    later = ring.destroy_expired(now=NOW + OPENING_LIFETIME + OPENING_GRACE)
    assert later.opener("fr-customs#e2").kid == "fr-customs#e2"
    with pytest.raises(NoOpeningKeyError):
        later.opener("fr-customs#e1")
    assert later.rotate("open", now=NOW).openers()[-1].kid == "fr-customs#e3"


def test_a_keystore_is_full_before_it_cannot_be_written() -> None:
    ring = Keyring("fr-customs", ())
    for _ in range(MAX_KEYS):
        ring = ring.rotate("open", now=NOW)
    assert open_keyring(seal_keyring(ring, PASSPHRASE, cost=FAST), PASSPHRASE).keys == ring.keys
    with pytest.raises(FullKeystoreError):
        ring.rotate("open", now=NOW)
    with pytest.raises(FullKeystoreError):
        ring.next_kid("sign")  # before a token makes one


@pytest.mark.parametrize(("use", "at"), [("sign2", NOW), ("sign", NOW - 1), ("sign", NOW + 400 * DAY)])
def test_what_is_not_there_cannot_sign(use: Literal["sign", "sign2"], at: int) -> None:
    ring = Keyring.generate("fr-customs", now=NOW, second_signature=False)
    with pytest.raises(MissingKeyError):
        ring.signer(use, at=at)


def test_a_signing_key_opens_nothing() -> None:
    with pytest.raises(NoOpeningKeyError):
        RING.opener("hub-eu#s1")
