"""Drafts that answer a message: they keep its purpose, offence, basis, operation and topics, and its marks at least.

Not for: what the answer is; an adapter or an officer knows. Implements `docs/protocol/08-content.md` section 7.
"""

from typing import Any

from hub.protocol.content import FeedbackDraft, SeizureDraft
from hub.protocol.content.drafts import FeedbackCompartments, SeizureCompartments
from hub.protocol.content.feedback import Observation, Outcome
from hub.protocol.content.seizure import Seizure
from hub.protocol.content.subjects import Identity
from hub.protocol.manifest import Manifest
from hub.protocol.marks import Caveat
from hub.protocol.vocabulary import MessageKind, Verb


def may_be_answered(manifest: Manifest) -> bool:
    """Return whether a program may answer: a new warning, unless its caveat keeps the decision for a person."""
    is_new_warning = manifest.mt is MessageKind.WARNING and manifest.verb is Verb.ALERT
    return is_new_warning and Caveat.NO_AUTOMATED_DECISION not in manifest.marks.caveats


def feedback_to(manifest: Manifest, outcome: Outcome, observation: Observation | None = None) -> FeedbackDraft:
    """Return a feedback to the message with this manifest."""
    compartments = FeedbackCompartments(outcome=outcome, observation=observation)
    return FeedbackDraft(kind=MessageKind.FEEDBACK, compartments=compartments, **_kept(manifest))


def seizure_after(manifest: Manifest, seizure: Seizure, identity: Identity | None = None) -> SeizureDraft:
    """Return the report of a seizure to which the message with this manifest led."""
    compartments = SeizureCompartments(seizure=seizure, identity=identity)
    return SeizureDraft(kind=MessageKind.SEIZURE, compartments=compartments, **_kept(manifest))


def _kept(manifest: Manifest) -> dict[str, Any]:
    """Return what an answer has from the message that it answers."""
    return {
        "marks": manifest.marks,
        "purpose": manifest.purpose,
        "offence": manifest.offence,
        "basis": manifest.basis,
        "topics": manifest.topics,
        "priority": manifest.pri,
        "status": manifest.status,
        "operation": manifest.op,
    }
