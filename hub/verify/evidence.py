"""Evidence: one self-contained file that proves one delivery, checked offline against one trusted root.

It holds no content: the originator's signed manifest, the hub's accept and decision, the addressee's receipt, their way
into the log, and the directory and policy set that they are to be read by. Not for: putting a file together
(`connectors/kit/evidence.py`) or telling a person what it means (`findings.py`). Implements
`docs/protocol/11-evidence.md`, whose step numbers stand beside the code.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import Field

from hub.policy.decide import Verdict, recompute
from hub.policy.facts import parse_inputs
from hub.policy.from_message import compartment_facts, message_facts, outline_of
from hub.protocol.audience import Leaf, Place, check_leaf, parse_leaf
from hub.protocol.chain import verify_chain
from hub.protocol.directory import Directory
from hub.protocol.encoding import decode_b64url, encode_b64url
from hub.protocol.errors import (
    EncodingError,
    EvidenceAnchorError,
    EvidenceFormatError,
    EvidenceMismatchError,
    RecomputationError,
    UntrustedDirectoryError,
)
from hub.protocol.hazmat import sha256
from hub.protocol.interface import DeliveryProof, LoggedEntry
from hub.protocol.manifest import (
    Disclosure,
    Manifest,
    check_descriptor,
    check_suite,
    parse_disclosure,
    parse_manifest,
)
from hub.protocol.merkle import leaf_hash, verify_inclusion
from hub.protocol.receipt import Receipt, verify_receipt
from hub.protocol.statements import ACCEPT_TYP, NOT_WRAPPED, Accept, Decision, read_statement, verify_statement
from hub.protocol.submission import verify_signatures
from hub.protocol.wire import Count, Digest, Time, Wire, parse_wire
from hub.tlog.checkpoint import Checkpoint, verify_checkpoint
from hub.tlog.entry import commit, write_entry
from hub.tlog.note import parse_key
from hub.verify.published import load_published
from hub.verify.repository import Scope
from hub.verify.trust import TrustedDirectory, verify_directory

MAX_EVIDENCE: Final = 16 * 1024 * 1024  # bytes; a policy set and a directory excerpt are most of it


class EvidenceFile(Wire):
    """The file's shape, unbelieved. `leaf` and `files` are base64url; `made_at` is when the directory was in force."""

    v: Literal[1]
    typ: Literal["valise-evidence"]
    fed: Annotated[str, Field(max_length=64)]
    made_at: Time
    manifest: Annotated[str, Field(max_length=512 * 1024)]
    second: Annotated[str, Field(max_length=8_192)] | None
    disclosures: Annotated[tuple[Annotated[str, Field(max_length=2_048)], ...], Field(max_length=32)]
    leaf: Annotated[str, Field(max_length=8_192)]
    index: Count
    size: Count
    path: Annotated[tuple[Digest, ...], Field(max_length=10)]
    proof: DeliveryProof
    files: dict[str, str]


@dataclass(frozen=True, slots=True)
class VerifiedEvidence:
    """One delivery in which everything was checked. Only `verify_evidence` makes one.

    `verdict` is the decision recomputed from its inputs; None when the file holds no policy set.
    """

    mh: str
    manifest: Manifest
    leaf: Leaf
    disclosures: tuple[Disclosure, ...]
    accept: Accept
    decision: Decision
    receipt: Receipt | None
    checkpoint: Checkpoint
    directory: Directory
    made_at: int
    verdict: Verdict | None


def parse_evidence(data: bytes) -> EvidenceFile:
    """Return an unbelieved evidence file.

    Raises:
        EvidenceFormatError: not one.
    """
    if len(data) > MAX_EVIDENCE:
        raise EvidenceFormatError("too large")
    try:
        return parse_wire(EvidenceFile, data, error=EvidenceFormatError)
    except EncodingError as error:
        raise EvidenceFormatError(error.code) from error


def verify_evidence(data: bytes, anchor: bytes) -> VerifiedEvidence:
    """Check an evidence file.

    Args:
        data: the file.
        anchor: the exchange's first root, got from its authority on a safe way.

    Raises:
        ValiseError: a leaf that says which part proves nothing.
    """
    file = parse_evidence(data)  # step 1
    manifest, jws = parse_manifest(file.manifest)
    leaf = _check_audience(file, manifest)  # step 3
    trusted = _trust(file, anchor, manifest, leaf)  # step 2
    directory = trusted.directory
    accept = _check_accept(file, directory)  # step 4
    check_suite(manifest)  # step 5
    verify_signatures(manifest, jws, file.second, directory, times=(manifest.iat, accept.iat))
    named = (accept.mh, accept.iss, accept.jti, accept.seq, file.proof.mh, file.proof.to)
    if named != (jws.digest, manifest.iss, manifest.jti, manifest.seq, jws.digest, leaf.to):
        raise EvidenceMismatchError("the accept or the proof is about another delivery")
    decision, digest = _check_decision(file, accept, directory)  # step 6
    if file.made_at < max(accept.iat, decision.iat):
        raise EvidenceMismatchError("made before what it is about")
    disclosures = _check_disclosures(file, manifest, decision, leaf)  # step 7
    receipt = _check_receipt(file, directory, decision, digest)  # step 8
    checkpoint = _check_log(file, directory, accept.hub)  # step 9
    inputs = decode_b64url(file.proof.inputs)  # step 10
    _check_inputs(inputs, manifest, leaf, disclosures, decision)
    return VerifiedEvidence(
        mh=jws.digest,
        manifest=manifest,
        leaf=leaf,
        disclosures=disclosures,
        accept=accept,
        decision=decision,
        receipt=receipt,
        checkpoint=checkpoint,
        directory=directory,
        made_at=file.made_at,
        verdict=_recompute(inputs, trusted, manifest, decision, leaf),
    )


def scope_of(manifest: Manifest, to: str, hub: str, policies: str) -> Scope:
    """Return which entries of the directory an evidence file must hold."""
    return Scope(partners=frozenset({manifest.iss, to, hub}), policies=frozenset({policies}))


def _trust(file: EvidenceFile, anchor: bytes, manifest: Manifest, leaf: Leaf) -> TrustedDirectory:
    statement = parse_wire(Decision, decode_b64url(file.proof.decision.payload))  # unbelieved: what to look up
    files = {path: decode_b64url(text) for path, text in file.files.items()}
    scope = scope_of(manifest, leaf.to, statement.hub, statement.pol)
    try:
        trusted = verify_directory(files, anchor, now=file.made_at, scope=scope)
    except UntrustedDirectoryError as error:
        raise EvidenceAnchorError(error.detail) from error
    if {file.fed, manifest.fed} != {trusted.directory.federation}:
        raise EvidenceMismatchError("another exchange")
    return trusted


def _check_audience(file: EvidenceFile, manifest: Manifest) -> Leaf:
    entry = decode_b64url(file.leaf)
    check_leaf(entry, Place(file.index, file.size, tuple(map(decode_b64url, file.path))), manifest.rr)
    return parse_leaf(entry)


def _check_accept(file: EvidenceFile, directory: Directory) -> Accept:
    proven = file.proof.accept.proven
    if proven is None:
        raise EvidenceMismatchError("no accept")
    return read_statement(Accept, verify_statement(proven, directory, typ=ACCEPT_TYP, now=None), directory)


def _check_decision(file: EvidenceFile, accept: Accept, directory: Directory) -> tuple[Decision, str]:
    proven = file.proof.decision.proven
    if proven is None:
        raise EvidenceMismatchError("no decision")
    decisions, digests = verify_chain((proven,), directory, mh=file.proof.mh, addressee=file.proof.to, now=None)
    if decisions[0].hub != accept.hub:
        raise EvidenceMismatchError("another hub decided")
    return decisions[0], digests[0]


def _check_disclosures(
    file: EvidenceFile, manifest: Manifest, decision: Decision, leaf: Leaf
) -> tuple[Disclosure, ...]:
    disclosures = tuple(parse_disclosure(text) for text in file.disclosures)
    for disclosure in disclosures:
        check_descriptor(manifest, disclosure)
    by_id = {disclosure.descriptor.id: disclosure for disclosure in disclosures}
    if len(by_id) != len(disclosures) or not set(decision.rel) <= by_id.keys() & leaf.w.keys():
        raise EvidenceMismatchError("a released compartment is not disclosed, or was not wrapped")
    accounted = [by_id[cid].digest for cid in decision.rel] + [one.d for one in decision.wh]
    if sorted(accounted) != sorted(one.digest for one in manifest.cmp):
        raise EvidenceMismatchError("the decision does not account for every compartment")
    return disclosures


def _check_receipt(file: EvidenceFile, directory: Directory, decision: Decision, digest: str) -> Receipt | None:
    if file.proof.receipt is None:
        return None
    text = decode_b64url(file.proof.receipt.payload).decode("ascii", "replace")
    receipt = verify_receipt(text, directory, now=None).receipt
    if (receipt.iss, receipt.mh) != (decision.to, decision.mh):
        raise EvidenceMismatchError("the receipt is about another delivery")
    if receipt.state == "opened" and (digest not in receipt.dec or not set(receipt.rel) <= set(decision.rel)):
        raise EvidenceMismatchError("the receipt is for another decision")
    return receipt


def _check_log(file: EvidenceFile, directory: Directory, hub: str) -> Checkpoint:
    keys = [parse_key(text) for text in directory.partner(hub).log_keys]
    checkpoint = verify_checkpoint(file.proof.checkpoint, keys)
    expected: Mapping[str, LoggedEntry | None] = {
        "accept": file.proof.accept,
        "decision": file.proof.decision,
        "receipt": file.proof.receipt,
    }
    for kind, logged in expected.items():
        if logged is not None:
            check_entry(kind, logged, checkpoint)
    return checkpoint


def check_entry(kind: str, logged: LoggedEntry, checkpoint: Checkpoint) -> None:
    """Check that an opened entry of the record is in the log that a checkpoint signs.

    Raises:
        EvidenceMismatchError: it is of another kind, or its statement is another.
        EncodingError, LogError: it is not in that log.
    """
    payload = decode_b64url(logged.payload)
    if logged.kind != kind or (logged.proven is not None and decode_b64url(logged.proven.p) != payload):
        raise EvidenceMismatchError(f"the logged {kind} is another")
    entry = write_entry(kind, commit(decode_b64url(logged.salt), payload))
    path = [decode_b64url(node) for node in logged.path]
    verify_inclusion(leaf_hash(entry), logged.index, checkpoint.size, path, checkpoint.root)


def _check_inputs(
    inputs: bytes, manifest: Manifest, leaf: Leaf, disclosures: Iterable[Disclosure], decision: Decision
) -> None:
    """Check that it was decided on this message and addressee. What operation and directory add stays the hub's word.

    Raises:
        EvidenceMismatchError: it was not.
        RecomputationError: they are no inputs.
    """
    if encode_b64url(sha256(inputs)) != decision.inp:
        raise EvidenceMismatchError("the decision had other inputs")
    facts = parse_inputs(inputs)
    labels = [one.label for one in facts.cmp]
    said = message_facts(outline_of(manifest, labels), manifest.iss, None, decision.iat)
    if manifest.op is not None:
        added = ("operation_open", "originator_member", "operation_exercise")
        said = said.model_copy(update={name: getattr(facts.msg, name) for name in added})
    told = {one.descriptor.id: one.descriptor.label for one in disclosures}
    if (
        facts.msg != said
        or list(facts.cmp) != compartment_facts(labels)
        or len(labels) != len(manifest.cmp)
        or any(told.get(one.cid, one.label) != one.label for one in facts.cmp)
        or (facts.to.partner, facts.to.named) != (leaf.to, leaf.via in ("named", "answer"))
    ):
        raise EvidenceMismatchError("the decision was made on facts of another message or addressee")


def _recompute(
    inputs: bytes, trusted: TrustedDirectory, manifest: Manifest, decision: Decision, leaf: Leaf
) -> Verdict | None:
    found = next((bundle for bundle in trusted.policies if bundle.digest == decision.pol), None)
    if found is None:
        return None
    verdict = recompute(load_published(found), inputs)
    reasons = {one.cid: one.reason for one in verdict.withheld}
    withheld = {
        one.digest: reasons.get(f"c{place}", NOT_WRAPPED)
        for place, one in enumerate(manifest.cmp)
        if f"c{place}" not in decision.rel
    }
    same = (
        verdict.to == decision.to
        and decision.rel == tuple(cid for cid in verdict.released if cid in leaf.w)
        and verdict.rules == decision.rules
        and verdict.duties == decision.duties
        and verdict.agreement == decision.agr
        and {one.d: one.rc for one in decision.wh} == withheld
    )
    if not same:
        raise RecomputationError(f"decision about {decision.to}")
    return verdict
