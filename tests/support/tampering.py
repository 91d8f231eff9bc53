"""A copy in its pieces, for an attacker to take apart and put together otherwise.

The attacker is a hub or a partner with real keys: it may sign whatever it likes with its own. Not for: what is then
refused (`tests/trips/test_attacks.py`, `tests/vectors/`).
"""

from collections.abc import Sequence
from typing import Any, Final

from hub.protocol.copy import VerifiedCopy, verify_copy
from hub.protocol.directory import Directory
from hub.protocol.envelope import write_copy
from hub.protocol.statements import DECISION_TYP, Batch, Decision, sign_batch
from hub.protocol.strictjson import parse_json, write_json
from hub.protocol.submission import VerifiedEnvelope
from hub.protocol.wire import parse_wire, write_wire
from tests.support.content import BODY
from tests.support.exchange import FEDERATION, HUB, NOW, FileSigner, decide, seal_warning, sign_as_hub

TO: Final = "de-customs"
OTHER: Final = "de-police"


def full_frame(directory: Directory, **message: Any) -> bytes:
    places = range(len(BODY))
    message = {"to": {TO: places, OTHER: places}, "seq": 1, "compartments": BODY, **message}
    return seal_warning(directory, **message)


def prove(decision: Decision, *, signer: FileSigner | None = None, typ: str = DECISION_TYP, at: int = NOW) -> bytes:
    batch = Batch([(typ, write_wire(decision))], federation=FEDERATION, hub=decision.hub, at=at)
    jws = sign_as_hub(batch.payload) if signer is None else _sign_batch(batch.payload, signer)
    return batch.prove(0, jws)


def _sign_batch(payload: bytes, signer: FileSigner) -> str:
    return sign_batch(payload, signer)


class Copy:
    """One addressee's copy in its pieces, for an attacker to take apart and put together otherwise."""

    def __init__(self, envelope: VerifiedEnvelope, *, to: str = TO, released: Sequence[str] | None = None) -> None:
        entries, copies = decide(envelope, None if released is None else {to: released})
        self.manifest = envelope.jws
        self.second = envelope.second
        self.decision = next(parse_wire(Decision, entry.payload) for entry in entries if entry.to == to)
        self.proven = [prove(self.decision)]
        self.part: dict[str, Any] = parse_json(next(copy.part for copy in copies if copy.to == to))
        kept = [n for n, one in enumerate(envelope.disclosures) if one.descriptor.id in self.decision.rel]
        self.disclosures = [envelope.disclosures[n].text for n in kept]
        self.blobs = [envelope.blobs[n] for n in kept]

    def frame(self) -> bytes:
        return write_copy(
            manifest=self.manifest,
            second=self.second,
            disclosures=self.disclosures,
            part=write_json(self.part),
            decisions=self.proven,
            blobs=self.blobs,
        )

    def verify(self, directory: Directory, *, addressee: str = TO, hub: str = HUB, now: int = NOW) -> VerifiedCopy:
        return verify_copy(self.frame(), directory, addressee=addressee, hub=hub, federation=FEDERATION, now=now)
