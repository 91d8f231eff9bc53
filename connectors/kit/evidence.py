"""Put the evidence of one delivery into one file: what we, the hub and the addressee signed, and whom to ask.

The file is verified before it is handed out, so nobody carries a file to court that does not hold. Not for: checking it
(`hub/verify/evidence.py`). Implements `docs/protocol/11-evidence.md` section 2.
"""

from connectors.kit.connector import Connector
from hub.protocol.audience import AudienceTree, parse_leaf
from hub.protocol.encoding import decode_b64url, encode_b64url
from hub.protocol.envelope import SubmissionHead
from hub.protocol.errors import NotFoundError
from hub.protocol.interface import DeliveryProof
from hub.protocol.manifest import parse_manifest
from hub.protocol.statements import Decision
from hub.protocol.wire import parse_wire, write_wire
from hub.verify.evidence import EvidenceFile, VerifiedEvidence, scope_of, verify_evidence
from hub.verify.trust import excerpt


async def make_evidence(connector: Connector, mh: str, to: str, *, anchor: bytes) -> tuple[bytes, VerifiedEvidence]:
    """Return the evidence file of one delivery of an own message, and what it says.

    Args:
        connector: the originator's.
        mh: the message.
        to: the addressee.
        anchor: the exchange's trusted root.

    Raises:
        NotFoundError: no such message or addressee of this agency's.
        ExchangeError: the hub cannot be asked.
        ValiseError: what the hub answered does not hold.
    """
    entry = await connector.outbox.message(mh)
    if entry.head is None:
        raise NotFoundError("not sealed yet")
    proof = await connector.client.proof(mh, to)
    await connector.mirror.refresh()
    head = parse_wire(SubmissionHead, entry.head)
    data = _write(connector, head, proof, anchor)
    return data, verify_evidence(data, anchor)


def _write(connector: Connector, head: SubmissionHead, proof: DeliveryProof, anchor: bytes) -> bytes:
    manifest, _ = parse_manifest(head.m)
    entries = [decode_b64url(slot.l) for slot in head.a]
    index = _index_of(head, entries, proof.to)
    place = AudienceTree(entries).place(index)
    decision = parse_wire(Decision, decode_b64url(proof.decision.payload))
    now = connector.clock()
    scope = scope_of(manifest, proof.to, decision.hub, decision.pol)
    files = excerpt(connector.mirror.files(), scope, anchor, now=now)
    return write_wire(
        EvidenceFile(
            v=1,
            typ="valise-evidence",
            fed=connector.federation,
            made_at=now,
            manifest=head.m,
            second=head.s2,
            disclosures=head.d,
            leaf=encode_b64url(entries[index]),
            index=place.index,
            size=place.size,
            path=tuple(encode_b64url(node) for node in place.path),
            proof=proof,
            files={path: encode_b64url(data) for path, data in files.items()},
        )
    )


def _index_of(head: SubmissionHead, entries: list[bytes], to: str) -> int:
    for index, (slot, entry) in enumerate(zip(head.a, entries, strict=True)):
        if slot.k is not None and parse_leaf(entry).to == to:
            return index
    raise NotFoundError(f"{to} was not addressed")
