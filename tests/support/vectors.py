"""How the bytes of a wire vector are read: for each `what`, the check that a program makes of such bytes.

Another implementation reads this as the interface that the vectors test. Not for: making them
(`tests/vectors/generate.py`).
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from hub.policy.facts import parse_inputs
from hub.policy.sets import PolicySet, unbundle
from hub.protocol.content import parse_draft
from hub.protocol.copy import open_copy, verify_copy
from hub.protocol.directory import Directory, parse_partner_record
from hub.protocol.encoding import decode_b64url
from hub.protocol.enrolment import challenge_enrolment
from hub.protocol.errors import ValiseError
from hub.protocol.jws import parse_jws, verify_jws
from hub.protocol.keyring import open_keyring
from hub.protocol.receipt import RECEIPT_TYP, verify_receipt
from hub.protocol.strictjson import parse_json
from hub.protocol.submission import verify_submission
from hub.tlog.checkpoint import verify_checkpoint
from hub.tlog.entry import parse_entry
from hub.tlog.proof import parse_proof, verify_proof
from hub.tlog.tiles import parse_tile_path
from hub.verify.evidence import parse_evidence
from tests.support import office
from tests.support.agency import keyring_of
from tests.support.exchange import FEDERATION, HUB, NOW, record_of, signer_of
from tests.support.log import LOG_KEYS, leaves
from tests.support.tree import ROOT

FOLDER: Final = ROOT / "tests" / "vectors" / "wire"
ORIGINATOR: Final = "fr-customs"
ADDRESSEE: Final = "de-customs"
SUSPENDED: Final = "ke-customs"
PROVEN: Final = leaves(1)[0]  # the leaf hash that a vector's log proof is about


@dataclass(frozen=True)
class Vector:
    """One failure: what the bytes are, the bytes (base64url, or as text), and the code that they lead to."""

    name: str
    what: str
    input: str
    expect: str

    @property
    def path(self) -> Path:
        return FOLDER / f"{self.name}.json"

    def write(self) -> None:
        """Keep it."""
        self.path.write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    def outcome(self) -> str | None:
        """Return the wire code that the bytes lead to; None when they are accepted."""
        data = decode_b64url(self.input) if self.what in BINARY else self.input.encode("utf-8", "surrogatepass")
        try:
            READ[self.what](data)
        except ValiseError as error:
            return error.code
        return None


def kept() -> list[Vector]:
    """Return the vectors in the folder, by name."""
    return [Vector(**json.loads(path.read_text("utf-8"))) for path in sorted(FOLDER.glob("*.json"))]


def known_directory() -> Directory:
    """Return the directory that vectors are read by: five partners and the hub, one of them suspended."""
    codes = (ORIGINATOR, ADDRESSEE, "de-police", "int-bureau", HUB)
    suspended = record_of(SUSPENDED).model_copy(update={"status": "suspended"})
    records = [suspended, *(record_of(code) for code in codes)]
    return Directory(federation=FEDERATION, version=1, digest="0" * 64, records=records)


def _submission(data: bytes) -> None:
    verify_submission(data, known_directory(), originator=ORIGINATOR, federation=FEDERATION, now=NOW)


def _copy(data: bytes) -> None:
    directory = known_directory()
    copy = verify_copy(data, directory, addressee=ADDRESSEE, hub=HUB, federation=FEDERATION, now=NOW)
    open_copy(copy, keyring_of(ADDRESSEE).opener(copy.leaf.kid))


def _jws(data: bytes) -> None:
    key = signer_of(ORIGINATOR).key
    verify_jws(parse_jws(data.decode(), typ=RECEIPT_TYP), alg=key.alg, public=key.public)


def _receipt(data: bytes) -> None:
    verify_receipt(data.decode(), known_directory(), now=NOW)


def _note(data: bytes) -> None:
    verify_checkpoint(data.decode(), LOG_KEYS)


def _proof(data: bytes) -> None:
    verify_proof(parse_proof(data.decode()), PROVEN, log_keys=LOG_KEYS)


def _keystore(data: bytes) -> None:
    open_keyring(data, office.PASSPHRASE)


def _policy(data: bytes) -> None:
    PolicySet.load(unbundle(data))


def _enrolment(data: bytes) -> None:
    challenge_enrolment(data, federation=office.FEDERATION, authority="national-fr", now=office.NOW)


READ: Final[Mapping[str, Callable[[bytes], object]]] = MappingProxyType(
    {
        "submission": _submission,
        "copy": _copy,
        "jws": _jws,
        "json": parse_json,
        "receipt": _receipt,
        "note": _note,
        "proof": _proof,
        "entry": parse_entry,
        "tile": lambda data: parse_tile_path(data.decode()),
        "keystore": _keystore,
        "evidence": parse_evidence,
        "draft": parse_draft,
        "policy": _policy,
        "inputs": parse_inputs,
        "record": parse_partner_record,
        "enrolment": _enrolment,
    }
)
BINARY: Final = frozenset({"submission", "copy", "json", "entry"})  # their input is base64url
