"""From a label to the shape that it promises, and back: the check that an addressee makes of what it opened.

Not for: which labels a message may have (`hub/protocol/vocabulary.py`). Implements `docs/protocol/08-content.md`
section 1 and step 12 of `docs/protocol/02-envelope.md` section 7.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from hub.protocol.content.feedback import Observation, Outcome
from hub.protocol.content.seizure import Seizure, Statistics
from hub.protocol.content.shape import Content, parse_content, write_content
from hub.protocol.content.subjects import Conveyance, Identity, Narrative
from hub.protocol.content.warning import Action, Biometrics, CompanyList, Consignment, Financial, Travel
from hub.protocol.errors import CodeListError, ContentError
from hub.protocol.vocabulary import LABELS_OF, Label, MessageKind, nearest

JSON_FORMAT: Final = "application/json"
MAX_ATTACHMENT: Final = 16 * 1024 * 1024  # bytes; half of what one message may carry
ATTACHMENT_FORMATS: Final = frozenset(
    {
        "application/dicom",  # DICOS: images of baggage scanners
        "application/pdf",
        "image/jpeg",
        "image/png",
        "text/csv",
        "text/plain",
        "video/mp4",
    }
)
"""Media types of attachments: nothing that a desk would have to run in order to show it."""

SHAPES: Final[Mapping[Label, type[Content]]] = MappingProxyType(
    {
        Label.ACTION: Action,
        Label.CONSIGNMENT: Consignment,
        Label.CONVEYANCE: Conveyance,
        Label.IDENTITY: Identity,
        Label.COMPANY: CompanyList,
        Label.TRAVEL: Travel,
        Label.FINANCIAL: Financial,
        Label.BIOMETRICS: Biometrics,
        Label.NARRATIVE: Narrative,
        Label.OUTCOME: Outcome,
        Label.OBSERVATION: Observation,
        Label.SEIZURE: Seizure,
        Label.STATISTICS: Statistics,
    }
)
"""The shape of each label; an attachment has none."""


class Attachment(Content):
    """An opaque part: its media type is on the allow-list, and nobody here looks inside."""

    fmt: str
    data: bytes


def check_attachment(fmt: str, size: int) -> None:
    """Check an attachment's media type and its size in bytes.

    Raises:
        CodeListError: the media type is not on the allow-list.
        ContentError: it is empty or too large.
    """
    if fmt not in ATTACHMENT_FORMATS:
        raise CodeListError(
            f"attachment.fmt: not a media type for attachments{nearest(fmt[:64], ATTACHMENT_FORMATS)}",
            field="attachment.fmt",
        )
    if not 0 < size <= MAX_ATTACHMENT:
        raise ContentError(f"attachment: must have 1 to {MAX_ATTACHMENT} bytes", field="attachment")


def parse_compartment(label: Label, kind: MessageKind, data: bytes, *, fmt: str = JSON_FORMAT) -> Content:
    """Return the plaintext of a compartment as the shape that its label promises.

    Args:
        label: the compartment's label.
        kind: the kind of message that it is in.
        data: the plaintext.
        fmt: its media type.

    Raises:
        JsonError: not strict JSON.
        ContentError: not of that shape, or a leaf of it: CodeListError, CheckDigitError. `field` says where.
    """
    if label not in LABELS_OF[kind]:
        raise CodeListError(f"{label}: a {kind} has no such compartment", field=label)
    if label is Label.ATTACHMENT:
        check_attachment(fmt, len(data))
        return Attachment(fmt=fmt, data=data)
    if fmt != JSON_FORMAT:
        raise CodeListError(f"{label}: its media type must be {JSON_FORMAT}", field=label)
    return parse_content(SHAPES[label], data, at=label)


def write_compartment(content: Content) -> bytes:
    """Return the plaintext to seal; `parse_compartment` gives the content back."""
    return content.data if isinstance(content, Attachment) else write_content(content)
