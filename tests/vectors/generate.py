"""Make the wire vectors: one failure in one file, with the code that it must lead to.

    python -m tests.vectors.generate [--check]

Keys follow from names; sealing draws its own randomness, so a vector that still leads to its code is left as it is.
`--check` writes nothing and says what is missing, stale or uncovered. Not for: reading them
(`tests/support/vectors.py`).
"""

import argparse
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final
from unittest.mock import patch

from hub.protocol import errors, sealing
from hub.protocol.directory import Directory
from hub.protocol.encoding import decode_b64url, encode_b64url, lp, parse_frame
from hub.protocol.enrolment import request_enrolment
from hub.protocol.errors import ValiseError
from hub.protocol.hazmat import random_bytes
from hub.protocol.jws import sign_jws
from hub.protocol.keyring import seal_keyring
from hub.protocol.manifest import CLOCK_SKEW, MANIFEST_TYP, parse_manifest, sign_manifest
from hub.protocol.merkle import MAX_PATH
from hub.protocol.receipt import RECEIPT_TYP
from hub.protocol.strictjson import parse_json, write_json
from hub.protocol.vocabulary import Label
from hub.tlog.proof import LogProof, write_proof
from tests.support import office
from tests.support.agency import keyring_of
from tests.support.content import ACTION, NARRATIVE
from tests.support.exchange import (
    HUB,
    NOW,
    FileSigner,
    make_directory,
    receipt,
    record_of,
    seal_warning,
    signer_of,
    verified,
)
from tests.support.log import checkpoint_over, leaves, signed, signer
from tests.support.tampering import Copy, prove
from tests.support.tree import ROOT
from tests.support.vectors import ADDRESSEE, BINARY, ORIGINATOR, SUSPENDED, Vector, kept, known_directory

FAMILIES: Final = frozenset(
    {"encoding", "envelope", "signature", "seal", "content", "directory", "policy", "log", "evidence", "keystore"}
)
"""The families that bytes can lead to; the others are about a hub, a store or a program."""

Make = Callable[[], bytes | str]
PARTS: Final = ((Label.ACTION, write_json(ACTION)), (Label.NARRATIVE, write_json(NARRATIVE)))
YEAR: Final = 366 * 86_400  # seconds


# --- submissions -----------------------------------------------------------------------------------------------------


def _sealed(directory: Directory | None = None, **change: Any) -> bytes:
    given = {"to": {ADDRESSEE: [0, 1]}, "seq": 1, "compartments": PARTS, **change}
    return seal_warning(directory or known_directory(), **given)


def _head(change: Callable[[dict[str, Any]], object], frame: bytes | None = None) -> bytes:
    """Return a submission whose head was changed."""
    head, *blobs = parse_frame(frame or _sealed(), max_parts=33)
    members = parse_json(head)
    change(members)
    return lp(write_json(members), *blobs)


def _manifest(by: FileSigner | None = None, **change: Any) -> bytes:
    """Return a submission whose manifest was changed and signed again."""

    def sign_again(head: dict[str, Any]) -> None:
        manifest = parse_manifest(head["m"])[0].model_copy(update=change)
        head["m"] = sign_manifest(manifest, by or signer_of(ORIGINATOR))

    return _head(sign_again)


def _jws_header(jws: str, **change: str) -> str:
    header, payload, signature = jws.split(".")
    changed = parse_json(decode_b64url(header)) | change
    return f"{encode_b64url(write_json(changed))}.{payload}.{signature}"


def _reheaded(**change: str) -> bytes:
    return _head(lambda head: head.update(m=_jws_header(head["m"], **change)))


def _flip(jws: str) -> str:
    first, payload, signature = jws.split(".")
    raw = bytearray(decode_b64url(signature))
    raw[8] ^= 1
    return f"{first}.{payload}.{encode_b64url(bytes(raw))}"


def _to_unknown() -> bytes:
    return _sealed(make_directory((ORIGINATOR, "zz-nobody")), to={"zz-nobody": [0]})


def _to_expired_key() -> bytes:
    record = record_of(ADDRESSEE)
    keys = tuple(key.model_copy(update={"kid": key.kid.replace("#e1", "#e9")}) for key in record.keys)
    other = Directory(federation="x", version=1, digest="0" * 64, records=[record.model_copy(update={"keys": keys})])
    return _sealed(other)


def _pad(head: dict[str, Any]) -> None:
    head["d"][0] += "="


def _swap_blobs() -> bytes:
    head, first, second = parse_frame(_sealed(), max_parts=33)
    return lp(head, second, first)


def _submissions() -> Iterator[tuple[str, str, Make]]:
    yield "cut", "encoding/frame", lambda: _sealed()[:-1]
    yield "head-not-json", "encoding/json", lambda: lp(b"{'v':1}")
    yield (
        "disclosure-padded",
        "encoding/base64",
        lambda: _head(_pad),
    )
    yield "unknown-member", "envelope/malformed", lambda: _head(lambda head: head.update(x=1))
    yield "unknown-suite", "envelope/unknown-suite", lambda: _manifest(suite="RSA-OAEP")
    yield "lives-for-ever", "envelope/malformed", lambda: _manifest(exp=NOW + 2 * YEAR)
    yield "expired", "envelope/expired", lambda: _sealed(iat=NOW - 60, exp=NOW)
    yield "dated-ahead", "envelope/not-yet-valid", lambda: _sealed(iat=NOW + CLOCK_SKEW + 1)
    yield "other-federation", "envelope/wrong-federation", lambda: _sealed(fed="another-exchange")
    yield "blobs-swapped", "envelope/digest-mismatch", _swap_blobs
    yield "audience-shortened", "envelope/wrong-audience", lambda: _head(lambda head: head["a"].pop())
    yield "audience-reordered", "envelope/wrong-audience", lambda: _head(lambda head: head["a"].reverse())
    yield "two-actions", "envelope/malformed", lambda: _sealed(compartments=(PARTS[0], PARTS[0]))
    yield "no-action", "envelope/malformed", lambda: _sealed(compartments=(PARTS[1],), to={ADDRESSEE: [0]})
    yield "alg-none", "signature/malformed", lambda: _reheaded(alg="none")
    yield "other-type", "signature/wrong-type", lambda: _reheaded(typ=RECEIPT_TYP)
    yield "other-algorithm", "signature/wrong-algorithm", lambda: _reheaded(alg="ML-DSA-65")
    yield "unknown-key", "signature/unknown-key", lambda: _reheaded(kid=f"{ORIGINATOR}#s9")
    yield "anothers-key", "signature/wrong-originator", lambda: _manifest(signer_of(ADDRESSEE))
    yield "flipped-signature", "signature/invalid", lambda: _head(lambda head: head.update(m=_flip(head["m"])))
    yield "key-too-young", "signature/key-not-valid", lambda: _sealed(iat=NOW - YEAR - 1, exp=NOW + 60)
    yield "second-stripped", "signature/missing", lambda: _manifest(need=("Ed25519", "ML-DSA-65"))
    yield "unknown-addressee", "directory/unknown-partner", _to_unknown
    yield "addressee-without-key", "seal/no-addressee-key", _to_expired_key


# --- copies ----------------------------------------------------------------------------------------------------------


def _pieces(frame: bytes | None = None, **given: Any) -> Copy:
    return Copy(verified(known_directory(), frame or _sealed(to={ADDRESSEE: [0, 1], "de-police": [0]})), **given)


def _copied(change: Callable[[Copy], object]) -> bytes:
    copy = _pieces()
    change(copy)
    return copy.frame()


def _strip(copy: Copy) -> None:
    copy.disclosures.pop()
    copy.blobs.pop()
    del copy.part["w"]["c1"]


def _redirect(copy: Copy) -> None:
    copy.proven = [prove(copy.decision.model_copy(update={"to": ADDRESSEE}))]


def _resign(copy: Copy) -> None:
    stolen = parse_manifest(copy.manifest)[0].model_copy(update={"iss": "int-bureau"})
    copy.manifest = sign_manifest(stolen, signer_of("int-bureau"))
    mh = parse_manifest(copy.manifest)[1].digest
    copy.proven = [prove(copy.decision.model_copy(update={"mh": mh}))]


def _salamander() -> bytes:
    """Commit to one key and wrap another: what makes one ciphertext read differently to two addressees."""
    honest = sealing._seal_compartment

    def lie(*given: Any) -> Any:
        one = honest(*given)
        return sealing._SealedCompartment(random_bytes(32), one.blob, one.disclosure)

    with patch.object(sealing, "_seal_compartment", lie):
        frame = _sealed()
    return _pieces(frame).frame()


def _unpadded() -> bytes:
    with patch.object(sealing, "pad", lambda data: data):
        frame = _sealed()
    return _pieces(frame).frame()


def _to_destroyed_key() -> bytes:
    record = record_of(ADDRESSEE)
    keys = tuple(key.model_copy(update={"kid": key.kid.replace("#e1", "#e9")}) for key in record.keys)
    records = [record.model_copy(update={"keys": keys}), record_of(ORIGINATOR), record_of(HUB)]
    then = Directory(federation="test-exchange", version=1, digest="0" * 64, records=records)
    return Copy(verified(then, _sealed(then))).frame()


def _not_for_us() -> bytes:
    copy = _pieces(to="de-police", released=["c0"])
    _redirect(copy)
    return copy.frame()


def _shapeless() -> bytes:
    return _pieces(_sealed(compartments=((Label.ACTION, b"{}"), PARTS[1]))).frame()


def _copies() -> Iterator[tuple[str, str, Make]]:
    yield "stripped", "envelope/undeclared-withholding", lambda: _copied(_strip)
    yield "wrap-stripped", "envelope/digest-mismatch", lambda: _copied(lambda copy: copy.part["w"].pop("c1"))
    yield "for-another", "envelope/broken-decision-chain", lambda: _pieces(to="de-police", released=["c0"]).frame()
    yield "for-another-with-hub", "envelope/not-addressed", _not_for_us
    yield "decision-altered", "signature/invalid", lambda: _copied(_alter)
    yield "signed-by-another", "seal/not-openable", lambda: _copied(_resign)
    yield "salamander", "seal/commitment-mismatch", _salamander
    yield "unpadded", "seal/bad-padding", _unpadded
    yield "destroyed-key", "seal/no-opening-key", _to_destroyed_key
    yield (
        "another-shape",
        "content/invalid",
        _shapeless,
    )


def _alter(copy: Copy) -> None:
    proven = parse_json(copy.proven[0])
    proven["i"] ^= 1
    copy.proven = [write_json(proven)]


# --- signed objects, JSON --------------------------------------------------------------------------------------------


def _jws(**change: str) -> str:
    return _jws_header(sign_jws(b"{}", typ=RECEIPT_TYP, signer=signer_of(ORIGINATOR)), **change)


def _receipt(iss: str = ADDRESSEE) -> str:
    return receipt(make_directory((ADDRESSEE, SUSPENDED)), "A" * 43, iss=iss).jws


def _signed_objects() -> Iterator[tuple[str, str, str, Make]]:
    yield "jws", "padded", "signature/malformed", lambda: _jws() + "="
    yield "jws", "crit", "signature/malformed", lambda: _jws(crit="exp")
    yield "jws", "detached", "signature/malformed", lambda: re.sub(r"\..*\.", "..", _jws())
    yield "jws", "other-type", "signature/wrong-type", lambda: _jws(typ=MANIFEST_TYP)
    yield "jws", "other-algorithm", "signature/wrong-algorithm", lambda: _jws(alg="ML-DSA-65")
    yield "jws", "flipped", "signature/invalid", lambda: _flip(_jws())
    yield "receipt", "suspended", "directory/partner-suspended", lambda: _receipt(SUSPENDED)
    yield "receipt", "flipped", "signature/invalid", lambda: _flip(_receipt())
    yield "receipt", "unknown-key", "signature/unknown-key", lambda: _jws_header(_receipt(), kid="de-customs#s7")
    yield "json", "duplicate-member", "encoding/json", lambda: b'{"a":1,"a":2}'
    yield "json", "fraction", "encoding/json", lambda: b'{"a":1.0}'
    yield "json", "not-a-number", "encoding/json", lambda: b'{"a":NaN}'
    yield "json", "too-deep", "encoding/json", lambda: b"[" * 17 + b"]" * 17
    yield "json", "too-long-integer", "encoding/json", lambda: b"9007199254740992"
    yield "json", "lone-surrogate", "encoding/json", lambda: b'"\\ud800"'
    yield "json", "byte-order-mark", "encoding/json", lambda: b"\xef\xbb\xbf{}"
    yield "json", "not-utf-8", "encoding/json", lambda: b'"\xff"'
    yield "json", "two-values", "encoding/json", lambda: b"{}{}"


# --- log, keystore, evidence, drafts, policy, directory --------------------------------------------------------------


def _keystore(**change: Any) -> str:
    return write_json(
        parse_json(seal_keyring(keyring_of(ORIGINATOR), office.PASSPHRASE, cost=office.FAST)) | change
    ).decode()


def _draft(label: str = "action", **change: Any) -> str:
    body: dict[str, Any] = {"action": ACTION}
    body[label] = body.get(label, {}) | change
    head = {"kind": "warning", "marks": {"tlp": "AMBER"}, "purpose": "customs-control", "offence": "drugs"}
    return write_json({**head, "basis": "cmaa", "status": "exercise", "compartments": body}).decode()


def _untrusted() -> str:
    return signed(checkpoint_over(leaves(3))).replace(signer("x", 1)[0].name, "x").replace("\n3\n", "\n4\n")


def _proof(**change: Any) -> str:
    given = {"index": 0, "path": (leaves(2)[1],), "checkpoint": signed(checkpoint_over(leaves(2))), **change}
    return write_proof(LogProof(**given))


def _enrolment(**change: Any) -> str:
    ring = office.keys_of(ORIGINATOR)
    first, *others = ring.entries()
    record = office.record_for(ring, keys=(first.model_copy(update=change), *others))
    return request_enrolment(record, ring.signers(), federation=office.FEDERATION, now=office.NOW).decode()


def _record(**change: Any) -> str:
    return write_json(record_of(ORIGINATOR).model_dump(mode="json") | change).decode()


def _others() -> Iterator[tuple[str, str, str, Make]]:
    yield "note", "not-a-note", "log/bad-note", lambda: "valise.example/int-hub\n3\nAAAA\n"
    yield "note", "another-size", "log/untrusted-note", _untrusted
    yield "note", "one-signature", "log/untrusted-note", lambda: signed(checkpoint_over(leaves(3))).rpartition("— ")[0]
    yield "proof", "another-path", "log/not-included", lambda: _proof(path=(leaves(3)[2],))
    yield "proof", "too-long", "log/bad-note", lambda: _proof(path=tuple(leaves(MAX_PATH + 1)))
    yield "entry", "unknown-kind", "log/bad-entry", lambda: b"valise1 unknown" + bytes(32)
    yield "tile", "no-number", "log/out-of-range", lambda: "tile/0/x"
    yield "keystore", "another-passphrase", "keystore/wrong-passphrase", lambda: _keystore(nonce="A" * 16)
    yield "keystore", "greedy", "keystore/corrupt", lambda: _keystore(cost={"memory_kib": 2**30, "passes": 1})
    yield "keystore", "not-one", "keystore/corrupt", lambda: "{}"
    yield "evidence", "not-one", "evidence/malformed", lambda: '{"v":1,"typ":"valise-receipt"}'
    yield "evidence", "not-json", "evidence/malformed", lambda: "%PDF-1.7"
    yield "draft", "nothing-requested", "content/invalid", lambda: _draft(requested=[])
    yield "draft", "unknown-request", "content/unknown-code", lambda: _draft(requested=["shoot"])
    yield "draft", "container", "content/check-digit", lambda: _draft("consignment", containers=["CSQU3054384"])
    yield "policy", "no-version", "policy/bad-set", lambda: "{}"
    yield "policy", "not-a-bundle", "policy/bad-set", lambda: "[]"
    yield "inputs", "not-inputs", "policy/not-reproducible", lambda: "{}"
    yield "record", "another-country", "directory/bad-record", lambda: _record(country="DE")
    yield "record", "log-of-no-hub", "directory/bad-record", lambda: _record(log_keys=["x+00000000+AAAA"])
    yield "enrolment", "not-one", "directory/bad-enrolment", lambda: "{}"
    yield "enrolment", "identity-key", "directory/weak-key", lambda: _enrolment(pub=encode_b64url(b"\1" + bytes(31)))


def cases() -> Mapping[str, tuple[str, str, Make]]:
    """Return what to make: name -> (what, code, how)."""
    found = {f"submission-{name}": ("submission", code, make) for name, code, make in _submissions()}
    found |= {f"copy-{name}": ("copy", code, make) for name, code, make in _copies()}
    found |= {f"{what}-{name}": (what, code, make) for what, name, code, make in _signed_objects()}
    return found | {f"{what}-{name}": (what, code, make) for what, name, code, make in _others()}


def _make(name: str) -> Vector:
    what, code, make = cases()[name]
    return Vector(name, what, spell(what, make()), code)


def spell(what: str, made: bytes | str) -> str:
    """Return bytes as a vector has them."""
    if isinstance(made, bytes) != (what in BINARY):
        raise TypeError(f"{what}: text and bytes are mixed up")
    return encode_b64url(made) if isinstance(made, bytes) else made


def honest() -> Iterator[tuple[str, bytes | str]]:
    """Yield (what, bytes) of what the failures are made from: nothing is wrong with it."""
    yield "submission", _sealed()
    yield "copy", _pieces().frame()
    yield "jws", _jws()
    yield "receipt", _receipt()
    yield "note", signed(checkpoint_over(leaves(3)))
    yield "proof", _proof()
    yield "keystore", _keystore()
    yield "draft", _draft()
    yield "record", _record()
    yield "enrolment", _enrolment()


# --- the check -------------------------------------------------------------------------------------------------------


def _codes(top: type[ValiseError] = ValiseError) -> Iterator[type[ValiseError]]:
    for one in top.__subclasses__():
        if one.__module__ == errors.__name__:
            if "code" in vars(one):
                yield one
            yield from _codes(one)


def problems() -> list[str]:
    """Return what is wrong with the vectors in the folder."""
    stored, wanted = {vector.name: vector for vector in kept()}, cases()
    found = [f"{name}: missing" for name in wanted.keys() - stored.keys()]
    found += [f"{name}: nobody makes it any longer" for name in stored.keys() - wanted.keys()]
    for name, vector in stored.items():
        if (vector.what, vector.expect) != wanted.get(name, ("", ""))[:2] or vector.outcome() != vector.expect:
            found.append(f"{name}: leads to {vector.outcome()}, not to {wanted.get(name, ('', 'nothing'))[1]}")
    covered = {vector.expect for vector in stored.values()}
    tests = "\n".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    named = set(re.findall(r"\w+|[a-z]+/[a-z-]+", tests)) | set(re.findall(r"[a-z]+/[a-z0-9-]+", tests))
    for one in _codes():
        if one.code.partition("/")[0] in FAMILIES and one.code not in covered and not {one.code, one.__name__} & named:
            found.append(f"{one.code}: neither a vector nor a test")
    return sorted(found)


def main() -> None:
    parser = argparse.ArgumentParser(description="Make or check the wire vectors.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail when something is wrong")
    if not parser.parse_args().check:
        stored = {vector.name: vector for vector in kept()}
        for name, (what, code, _) in cases().items():
            old = stored.pop(name, None)
            if old is None or (old.what, old.expect, old.outcome()) != (what, code, code):
                _make(name).write()
        for vector in stored.values():
            vector.path.unlink()
    found = problems()
    if found:
        sys.exit("\n".join(found))


if __name__ == "__main__":
    main()
