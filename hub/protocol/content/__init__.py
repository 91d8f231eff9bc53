"""Content: what an officer or a program writes, and what an addressee reads after opening.

Not for: anything that a hub can see. Implements `docs/protocol/08-content.md`.
"""

from hub.protocol.content.compartments import Attachment, parse_compartment, write_compartment
from hub.protocol.content.drafts import Draft, FeedbackDraft, SeizureDraft, WarningDraft, parse_draft

__all__ = [
    "Attachment",
    "Draft",
    "FeedbackDraft",
    "SeizureDraft",
    "WarningDraft",
    "parse_compartment",
    "parse_draft",
    "write_compartment",
]
