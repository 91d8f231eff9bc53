"""Let one copy go: the only place that turns a verified envelope and a decision into something a mailbox takes.

Not for: making the decision (`hub/policy/`). Implements `docs/protocol/04-statements.md` section 4.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hub.protocol.envelope import write_part
from hub.protocol.errors import DecisionChainError
from hub.protocol.statements import NOT_WRAPPED, Decision, WithheldDigest
from hub.protocol.submission import AddressedPart, VerifiedEnvelope


@dataclass(frozen=True, slots=True)
class ReleasedCopy:
    """What one addressee gets of one message. Only `release` makes one, and a mailbox takes nothing else.

    `part` is the JSON of the addressee's own part of the copy; the manifest, the disclosures and the ciphertexts of
    `released` are kept once for all addressees and joined at delivery.
    """

    mh: str
    to: str
    urgent: bool
    released: tuple[str, ...]
    part: bytes


def openable(part: AddressedPart, permitted: Sequence[str]) -> tuple[str, ...]:
    """Return the compartments that policy permits and the originator made openable to this addressee, in order."""
    return tuple([cid for cid in permitted if cid in part.wraps])


def withheld(
    envelope: VerifiedEnvelope, released: Sequence[str], reasons: Mapping[str, str]
) -> tuple[WithheldDigest, ...]:
    """Return the declaration of all compartments that are not released, with a reason for each.

    Args:
        envelope: the message.
        released: the compartments that are.
        reasons: policy's reason code of each compartment that it withholds; the rest was not wrapped.
    """
    return tuple(
        WithheldDigest(d=disclosure.digest, rc=reasons.get(disclosure.descriptor.id, NOT_WRAPPED))
        for disclosure in envelope.disclosures
        if disclosure.descriptor.id not in released
    )


def release(envelope: VerifiedEnvelope, part: AddressedPart, decision: Decision) -> ReleasedCopy:
    """Return the copy that a decision lets go.

    Raises:
        DecisionChainError: the decision is about another message or addressee, releases nothing, releases what was not
            wrapped, or does not account for every compartment.
    """
    if decision.mh != envelope.mh or decision.to != part.leaf.to or not decision.rel:
        raise DecisionChainError("not this copy's decision")
    if envelope.part_of.get(decision.to) is not part or not set(decision.rel) <= part.wraps.keys():
        raise DecisionChainError("releases what was not wrapped")
    digest_of = envelope.digest_of
    accounted = [digest_of[cid] for cid in decision.rel] + [one.d for one in decision.wh]
    if sorted(accounted) != sorted(digest_of.values()):
        raise DecisionChainError("a compartment is unaccounted for, or twice")
    wraps = {cid: part.wraps[cid] for cid in decision.rel}
    return ReleasedCopy(
        mh=envelope.mh,
        to=part.leaf.to,
        urgent=envelope.manifest.pri == "urgent",
        released=decision.rel,
        part=write_part(
            leaf=part.entry, index=part.index, size=part.size, path=part.path, sealed=part.sealed_key, wraps=wraps
        ),
    )
