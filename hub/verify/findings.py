"""What verified evidence proves and what it does not, in plain sentences for a court, an auditor or a colleague.

Not for: checking anything (`evidence.py`). Implements `docs/protocol/11-evidence.md` section 4.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from hub.protocol.statements import NOT_WRAPPED
from hub.verify.evidence import VerifiedEvidence


@dataclass(frozen=True, slots=True)
class Findings:
    """Sentences, each true by itself."""

    proves: tuple[str, ...]
    does_not_prove: tuple[str, ...]


def describe(evidence: VerifiedEvidence) -> Findings:
    """Return what a person may conclude."""
    proves = [_signed(evidence), _accepted(evidence), _decided(evidence)]
    proves += [_recomputed(evidence)] if evidence.verdict else []
    proves += [_received(evidence)] if evidence.receipt else []
    proves.append(
        f"All of this stands in the log {evidence.checkpoint.origin}, which had {evidence.checkpoint.size} entries "
        "when it was signed; nobody can take it out or change it without a second, contradicting history."
    )
    missing = [
        "What the message says: this file holds no content, only its digests.",
        "That a person read it: the receipt is the connector's.",
        "That the log shows everybody the same history: compare its checkpoint with other partners' or witnesses'.",
        "Who else was addressed: the audience is confidential.",
        "That the clocks were right: originator and addressee date what they sign, and the hub the rest.",
        "That this policy set was the one in force: only that it was published, and that the decision follows from it.",
        f"What the directory says after {moment(evidence.made_at)}, such as a key that was reported stolen later.",
    ]
    if evidence.receipt is None:
        missing.insert(0, f"That {evidence.leaf.to} received it: there is no receipt in this file.")
    if evidence.verdict is None:
        missing.append("That policy leads to this decision: the policy set is not in this file.")
    return Findings(tuple(proves), tuple(missing))


def moment(at: int) -> str:
    """Return Unix seconds as people write them, in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _name(evidence: VerifiedEvidence, partner: str) -> str:
    return f"{evidence.directory.partner(partner).name} ({partner})"


def _signed(evidence: VerifiedEvidence) -> str:
    manifest = evidence.manifest
    exercise = "" if manifest.status == "actual" else f" (status: {manifest.status})"
    return (
        f"{_name(evidence, manifest.iss)} signed this {manifest.mt}{exercise}, dated {moment(manifest.iat)}, and "
        f"addressed it to {_name(evidence, evidence.leaf.to)}; its number is {evidence.mh}."
    )


def _accepted(evidence: VerifiedEvidence) -> str:
    return f"{_name(evidence, evidence.accept.hub)} took it on {moment(evidence.accept.iat)}."


def _decided(evidence: VerifiedEvidence) -> str:
    labels = {one.descriptor.id: one.descriptor.label.value for one in evidence.disclosures}
    digests = {one.digest: one.descriptor.label.value for one in evidence.disclosures}
    released = ", ".join(labels[cid] for cid in evidence.decision.rel) or "nothing"
    withheld = ", ".join(
        f"{digests.get(one.d, 'a compartment')} ({'not sealed to it' if one.rc == NOT_WRAPPED else one.rc})"
        for one in evidence.decision.wh
    )
    under = f" under {evidence.decision.agr}" if evidence.decision.agr else ""
    return f"It released {released} to {evidence.leaf.to}{under}" + (f" and withheld {withheld}." if withheld else ".")


def _recomputed(evidence: VerifiedEvidence) -> str:
    return (
        f"The decision follows, bit for bit, from its recorded inputs and policy set {evidence.decision.pol[:16]}, by "
        f"{', '.join(evidence.decision.rules) or 'default deny'}."
    )


def _received(evidence: VerifiedEvidence) -> str:
    receipt = evidence.receipt
    if receipt is None or receipt.state == "opened":
        at = moment(receipt.iat) if receipt else ""
        return f"{_name(evidence, evidence.leaf.to)} received it, opened it and signed for it, dated {at}."
    return f"{_name(evidence, evidence.leaf.to)} received it on {moment(receipt.iat)} and refused it: {receipt.error}."
