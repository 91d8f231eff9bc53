"""The primitives behind `hub/protocol/hazmat.py` against public vectors; Wycheproof's are in `test_wycheproof.py`.

Where the shared vectors are absent, the figures that stand here (from the RFCs) and the package `cryptography_vectors`
remain, so no run is without vectors.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cryptography_vectors
import pytest

from hub.protocol import hazmat
from hub.protocol.encoding import decode_b64url
from hub.protocol.errors import BadSignatureError, OpenError, WeakKeyError

_SHARED = Path(__file__).parents[2] / ".." / "shared" / "vectors"
_PACKAGED = Path(cryptography_vectors.__file__).parent


def _shared(name: str) -> Any:
    file = _SHARED / name
    return json.loads(file.read_text("utf-8")) if file.exists() else []


def test_sha256_fips_180_4() -> None:
    assert hazmat.sha256(b"abc").hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_hkdf_rfc_5869_case_3() -> None:
    ikm = bytes.fromhex("0b" * 22)
    expected = "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
    assert hazmat.derive(ikm, b"", 42).hex() == expected


@pytest.mark.parametrize(
    ("seed", "public", "message", "signature"),
    [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            (
                "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24"
                "655141438e7a100b"
            ),
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            (
                "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aee"
                "b00d291612bb0c00"
            ),
        ),
    ],
)
def test_ed25519_rfc_8032(seed: str, public: str, message: str, signature: str) -> None:
    key = hazmat.SigningKey("Ed25519", bytes.fromhex(seed))
    assert key.public.hex() == public
    assert key.sign(bytes.fromhex(message)).hex() == signature
    hazmat.verify_signature("Ed25519", key.public, bytes.fromhex(signature), bytes.fromhex(message))


def _nist_aes_256_gcm() -> Iterator[dict[str, str]]:
    vector: dict[str, str] = {}
    text = (_PACKAGED / "ciphers" / "AES" / "GCM" / "gcmDecrypt256.rsp").read_text("ascii")
    for line in text.splitlines():
        name, equals, value = line.partition(" = ")
        if name == "Count":
            vector = {}
        elif equals or name == "FAIL":
            vector[name] = value
        elif not line and len(vector.get("Tag", "")) == 32 and len(vector["IV"]) == 24:
            yield vector
            vector = {}


def test_aes_256_gcm_nist() -> None:
    opened = refused = 0
    for vector in _nist_aes_256_gcm():
        key, nonce, aad = (bytes.fromhex(vector[name]) for name in ("Key", "IV", "AAD"))
        ciphertext = bytes.fromhex(vector["CT"] + vector["Tag"])
        if "FAIL" in vector:
            with pytest.raises(OpenError):
                hazmat.decrypt(key, nonce, ciphertext, aad)
            refused += 1
            continue
        plaintext = bytes.fromhex(vector["PT"])
        assert hazmat.decrypt(key, nonce, ciphertext, aad) == plaintext
        assert hazmat.EncryptionKey(key).encrypt(nonce, plaintext, aad) == ciphertext
        opened += 1
    assert opened > 100
    assert refused > 100


def test_hybrid_hpke_is_jose_hpke_9_ke() -> None:
    """Our private key format, KEM, KDF and AEAD open what another implementation sealed."""
    for vector in _shared("jose-hpke-pq/examples/jose-vectors.json"):
        if vector["alg"] != "HPKE-9-KE":
            continue
        private = hashlib.shake_256(decode_b64url(vector["jwk"]["priv"])).digest(hazmat.SEAL_PRIVATE)
        assert hazmat.seal_public(private) == decode_b64url(vector["jwk"]["pub"])
        flattened = vector["flattened"]
        encapsulation = decode_b64url(json.loads(decode_b64url(flattened["protected"]))["ek"])
        sealed = encapsulation + decode_b64url(flattened["encrypted_key"])
        info = b"JOSE-HPKE rcpt\xffA256GCM\xff"
        assert len(hazmat.OpeningKey(private).open(sealed, info)) == hazmat.KEY
        with pytest.raises(OpenError):
            hazmat.OpeningKey(private).open(sealed, info + b"x")


def test_sealed_to_one_key_opens_with_that_key_only() -> None:
    mine, other = hazmat.random_bytes(hazmat.SEAL_PRIVATE), hazmat.random_bytes(hazmat.SEAL_PRIVATE)
    sealed = hazmat.SealingKey(hazmat.seal_public(mine)).seal(bytes(32), b"info")
    assert len(sealed) == hazmat.SEALED_KEY
    assert hazmat.OpeningKey(mine).open(sealed, b"info") == bytes(32)
    with pytest.raises(OpenError):
        hazmat.OpeningKey(other).open(sealed, b"info")


@pytest.mark.parametrize("alg", ["ML-DSA-44", "ML-DSA-65"])
def test_mldsa_signs_and_verifies(alg: str) -> None:
    key = hazmat.SigningKey(alg, bytes(range(32)))
    signature = key.sign(b"message")
    hazmat.verify_signature(alg, key.public, signature, b"message")
    with pytest.raises(BadSignatureError):
        hazmat.verify_signature(alg, key.public, signature, b"messagE")


def test_mldsa_in_jose_rfc_9964() -> None:
    for file in sorted((_SHARED / "jose-mldsa" / "examples").rglob("*.json")):
        example = json.loads(file.read_text("utf-8"))
        text = example.get("jws") if isinstance(example, dict) else None
        if not text or example["jwk"]["alg"] != "ML-DSA-65":
            continue
        header, payload, signature = text.split(".")
        public = decode_b64url(example["jwk"]["pub"])
        hazmat.verify_signature("ML-DSA-65", public, decode_b64url(signature), f"{header}.{payload}".encode())


_SMALL_ORDER = [
    "0100000000000000000000000000000000000000000000000000000000000000",  # the identity
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",  # order 2
    "0000000000000000000000000000000000000000000000000000000000000000",  # order 4
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",  # order 8
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",  # order 8
]


@pytest.mark.parametrize("public", _SMALL_ORDER)
def test_small_order_keys_are_refused(public: str) -> None:
    with pytest.raises(WeakKeyError):
        hazmat.check_ed25519_point(bytes.fromhex(public))


def test_the_identity_key_would_verify_one_signature_for_every_message() -> None:
    """Why the check exists: OpenSSL accepts this constant signature under the identity, whatever the message."""
    identity = bytes.fromhex(_SMALL_ORDER[0])
    constant = identity + bytes(32)
    hazmat.verify_signature("Ed25519", identity, constant, b"I pay ten")
    hazmat.verify_signature("Ed25519", identity, constant, b"I pay ten million")


def test_non_canonical_and_off_curve_keys_are_refused() -> None:
    for public in [(2**255 - 18).to_bytes(32, "little"), (2).to_bytes(32, "little"), bytes(31)]:
        with pytest.raises(WeakKeyError):
            hazmat.check_ed25519_point(public)


def test_mixed_order_key_is_refused() -> None:
    """A point of prime order plus one of order 8: on the curve, but not in the prime subgroup."""
    good = hazmat.SigningKey("Ed25519", bytes(32)).public
    hazmat.check_ed25519_point(good)
    for vector in _shared("cctv/ed25519/ed25519vectors.json"):
        if "low_order_component_A" in (vector["flags"] or []):
            with pytest.raises(WeakKeyError):
                hazmat.check_ed25519_point(bytes.fromhex(vector["key"]))


def test_x25519_small_order_is_refused_at_enrolment() -> None:
    weak = hazmat.SealingKey(hazmat.seal_public(bytes(96))[:1184] + bytes(32))
    with pytest.raises(WeakKeyError):
        weak.check_order()


@pytest.mark.parametrize("length", [0, 95, 97])
def test_private_keys_of_another_length_are_refused(length: int) -> None:
    with pytest.raises(WeakKeyError):
        hazmat.OpeningKey(bytes(length))
    with pytest.raises(WeakKeyError):
        hazmat.SigningKey("Ed25519", bytes(length))


def test_argon2id_rfc_9106_parameters_change_the_key() -> None:
    first = hazmat.stretch("passphrase", b"s" * 16, memory_kib=64, passes=1)
    assert len(first) == hazmat.KEY
    assert first != hazmat.stretch("passphrase", b"s" * 16, memory_kib=64, passes=2)
    assert first != hazmat.stretch("passphrasE", b"s" * 16, memory_kib=64, passes=1)
