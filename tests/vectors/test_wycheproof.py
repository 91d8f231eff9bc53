"""Wycheproof through our own entry points: nothing invalid is accepted, and whatever valid is refused is explained.

The vectors are not part of this repository. Where they are at hand (beside it, see `tests/conftest.py`) every one of
them counts, and the number of each file stands here so that none can go missing; where they are not, a run says so, and
the malleations of an own signature that do not need them remain. Not for: RFC figures (`test_primitives.py`).
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from hub.protocol import hazmat
from hub.protocol.encoding import decode_b64url
from hub.protocol.errors import ValiseError
from hub.protocol.jws import parse_jws, sign_jws, verify_jws
from tests.support.exchange import signer_of

FOLDER: Final = Path("vectors") / "wycheproof" / "testvectors_v1"
Vector = Mapping[str, Any]
Explain = Callable[[Vector, Vector], str]
X25519: Final = 32  # bytes of a key


@dataclass
class Account:
    """What became of a file's vectors; `unlike` are the wrong answers."""

    accepted: int = 0
    refused: int = 0
    explained: Counter[str] = field(default_factory=Counter)
    unlike: list[str] = field(default_factory=list)

    def take(self, case: Vector, group: Vector, read: Callable[[Vector, Vector], object], explain: Explain) -> None:
        """Count one vector: refused with a typed error, or accepted with the right result."""
        reason = explain(case, group) if case["result"] != "invalid" else ""
        try:
            right = read(case, group)
        except ValiseError as error:
            if "code" not in vars(type(error)):
                self.unlike.append(f"{case['tcId']}: {type(error).__name__} is no leaf")
            elif case["result"] == "invalid":
                self.refused += 1
            elif reason:
                self.explained[reason] += 1
            else:
                self.unlike.append(f"{case['tcId']}: valid, and refused by {error.code}")
            return
        if case["result"] == "invalid" or right is False or reason:
            self.unlike.append(f"{case['tcId']}: {case['result']}, accepted ({reason or right})")
        else:
            self.accepted += 1

    @property
    def total(self) -> int:
        return self.accepted + self.refused + sum(self.explained.values()) + len(self.unlike)


def _nothing(_case: Vector, _group: Vector) -> str:
    return ""


# --- JOSE ------------------------------------------------------------------------------------------------------------


def _keys(value: Any) -> Iterator[bytes]:
    """Yield every string of a JWK (or set) as raw bytes: an attacker would try each as one of our keys."""
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _keys(inner)
    elif isinstance(value, str):
        try:
            yield decode_b64url(value)
        except ValiseError:
            yield value.encode()


def _read_jose(case: Vector, group: Vector) -> None:
    """Accept when any type and any key of the group's makes our reader believe it."""
    written = case.get("jws", case.get("jwe"))
    text = written if isinstance(written, str) else json.dumps(written)
    refusal: ValiseError | None = None
    for typ in ("JWT", "JOSE", "valise-receipt+jwt", ""):
        for public in {*_keys(group.get("public")), *_keys(group.get("private")), b""}:
            for alg in ("Ed25519", "ML-DSA-65"):
                try:
                    verify_jws(parse_jws(text, typ=typ), alg=alg, public=public)
                except ValiseError as error:
                    refusal = error
                else:
                    return
    assert refusal is not None
    raise refusal


def _other_algorithm(case: Vector, _group: Vector) -> str:
    if "jwe" in case:
        return "encrypted JOSE is no form of ours"
    return "an algorithm other than Ed25519 and ML-DSA-65, or a header of other members"


# --- primitives ------------------------------------------------------------------------------------------------------


def _read_ed25519(case: Vector, group: Vector) -> None:
    public = bytes.fromhex(group["publicKey"]["pk"])
    hazmat.verify_signature("Ed25519", public, bytes.fromhex(case["sig"]), bytes.fromhex(case["msg"]))
    hazmat.check_ed25519_point(public)


def _mldsa(alg: str) -> Callable[[Vector, Vector], None]:
    def read(case: Vector, group: Vector) -> None:
        public, signature = bytes.fromhex(group["publicKey"]), bytes.fromhex(case["sig"])
        hazmat.verify_signature(alg, public, signature, bytes.fromhex(case["msg"]))

    return read


def _context(case: Vector, _group: Vector) -> str:
    return "a context string; we sign with the empty one" if case.get("ctx") else ""


def _private(seed: bytes) -> bytes:
    return seed + bytes([8]) * X25519


def _read_encaps(case: Vector, _group: Vector) -> bool:
    other = hazmat.seal_public(_private(bytes(64)))[-X25519:]
    key = hazmat.SealingKey(bytes.fromhex(case["ek"]) + other)
    return len(key.seal(bytes(hazmat.KEY), b"info")) == hazmat.SEALED_KEY


def _read_keygen(case: Vector, _group: Vector) -> bool:
    return hazmat.seal_public(_private(bytes.fromhex(case["seed"]))).startswith(bytes.fromhex(case["ek"]))


def _read_decaps(case: Vector, _group: Vector) -> bool:
    """Invalid are a seed or ciphertext of another length; a wrong ciphertext of the right length gives another key."""
    private, c = _private(bytes.fromhex(case["seed"])), bytes.fromhex(case["c"])
    whole = hazmat.OpeningKey(private)
    if len(c) + X25519 + hazmat.WRAPPED_KEY != hazmat.SEALED_KEY:
        whole.open(c + bytes(X25519 + hazmat.WRAPPED_KEY), b"info")
    return hazmat._split_private(private)[0].decapsulate(c) == bytes.fromhex(case["K"])


def _read_x25519(case: Vector, _group: Vector) -> bool:
    public = bytes.fromhex(case["public"])
    mlkem = hazmat.seal_public(_private(bytes(64)))[:-X25519]
    key = hazmat.SealingKey(mlkem + public)
    key.check_order()
    own = hazmat._split_private(bytes(64) + bytes.fromhex(case["private"]))[1]
    return own.exchange(key._x25519) == bytes.fromhex(case["shared"])


def _small_order(case: Vector, _group: Vector) -> str:
    return "a point of small order, refused at enrolment" if "LowOrderPublic" in case["flags"] else ""


def _other_nonce(_case: Vector, group: Vector) -> str:
    return "" if 64 <= group["ivSize"] <= 1_024 else "a nonce that the library does not take; ours have 96 bits"


def _read_gcm(case: Vector, _group: Vector) -> bool:
    key, nonce, aad = (bytes.fromhex(case[name]) for name in ("key", "iv", "aad"))
    plaintext = bytes.fromhex(case["msg"])
    return hazmat.decrypt(key, nonce, bytes.fromhex(case["ct"] + case["tag"]), aad) == plaintext


def _read_hkdf(case: Vector, _group: Vector) -> bool:
    if case["salt"]:
        return True  # no entry point of ours takes one
    ikm, info = bytes.fromhex(case["ikm"]), bytes.fromhex(case["info"])
    return hazmat.derive(ikm, info, case["size"]) == bytes.fromhex(case["okm"])


FILES: Final[Mapping[str, tuple[int, Callable[[Vector, Vector], object], Explain]]] = {
    "json_web_signature": (401, _read_jose, _other_algorithm),
    "json_web_key": (26, _read_jose, _other_algorithm),
    "json_web_crypto": (83, _read_jose, _other_algorithm),
    "json_web_encryption": (139, _read_jose, _other_algorithm),
    "ed25519": (151, _read_ed25519, _nothing),
    "mldsa_65_verify": (210, _mldsa("ML-DSA-65"), _context),
    "mldsa_44_verify": (180, _mldsa("ML-DSA-44"), _context),
    "mlkem_768_encaps": (265, _read_encaps, _nothing),
    "mlkem_768_keygen_seed": (100, _read_keygen, _nothing),
    "mlkem_768": (193, _read_decaps, _nothing),
    "x25519": (518, _read_x25519, _small_order),
    "aes_gcm": (316, _read_gcm, _other_nonce),
}


@pytest.mark.parametrize("name", FILES)
def test_nothing_invalid_is_accepted(name: str, shared: Path | None, did: Callable[[str], None]) -> None:
    count, read, explain = FILES[name]
    if shared is None:
        did(f"wycheproof {name}: the vectors are not at hand")
        return
    account = Account()
    for group in json.loads((shared / FOLDER / f"{name}_test.json").read_text("utf-8"))["testGroups"]:
        for case in group["tests"]:
            account.take(case, group, read, explain)
    did(
        f"wycheproof {name}: {account.total} vectors, {account.refused} invalid refused, "
        f"{account.accepted} valid accepted, wrong={len(account.unlike)}"
        + "".join(f", {number} valid refused: {reason}" for reason, number in account.explained.items())
    )
    assert account.unlike == []
    assert account.total == count


def test_hkdf(shared: Path | None) -> None:
    """The only invalid vectors ask for more than there is; no length of ours comes from outside."""
    if shared is None:
        return
    groups = json.loads((shared / FOLDER / "hkdf_sha256_test.json").read_text("utf-8"))["testGroups"]
    checked = 0
    for case in (case for group in groups for case in group["tests"] if not case["salt"]):
        if case["result"] == "invalid":
            with pytest.raises(ValueError, match="derive"):
                _read_hkdf(case, {})
        else:
            assert _read_hkdf(case, {})
        checked += 1
    assert checked > 20


# --- without any vectors ---------------------------------------------------------------------------------------------


def test_no_other_spelling_of_a_signed_object_is_read() -> None:
    """PyJWT 2.15 and joserfc 1.8 take padding: the same message under other bytes, so dedupe and logs see two."""
    text = sign_jws(b'{"a":1}', typ="JWT", signer=signer_of("fr-customs"))
    key = signer_of("fr-customs").key
    verify_jws(parse_jws(text, typ="JWT"), alg=key.alg, public=key.public)
    pieces = text.split(".")
    others = {
        text[:at] + piece + text[at:] for at in range(len(text) + 1) for piece in ("=", " ", "\n", "\0", "+", "/")
    }
    for place in range(3):  # a last character that differs only in bits that are not used
        for last in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_":
            others.add(".".join([*pieces[:place], pieces[place][:-1] + last, *pieces[place + 1 :]]))
    others |= {text + ".", "." + text, text + "==", text.swapcase(), text.replace("-", "+").replace("_", "/") + "="}
    others.discard(text)
    for other in others:
        with pytest.raises(ValiseError):
            verify_jws(parse_jws(other, typ="JWT"), alg=key.alg, public=key.public)
    assert len(others) > 1_000


def test_an_account_tells_a_wrong_answer() -> None:
    """The counting itself: an accepted invalid vector, a refused valid one and a wrong result are each named."""

    def accept(_case: Vector, _group: Vector) -> bool:
        return True

    def refuse(_case: Vector, _group: Vector) -> bool:
        parse_jws("", typ="")
        return True

    def differ(_case: Vector, _group: Vector) -> bool:
        return False

    for result, read in (("invalid", accept), ("valid", refuse), ("valid", differ)):
        account = Account()
        account.take({"tcId": 7, "result": result}, {}, read, _nothing)
        assert account.unlike
        assert account.unlike[0].startswith("7: ")
