"""From what is believed about a message to the facts that policy decides on.

One reading for all who decide - the hub before it releases, the hub when it is asked for an audience, the originator's
connector before it seals - or the three would not agree. Not for: deciding (`decide.py`). Implements
`docs/protocol/06-decisions.md` section 1.
"""

from collections.abc import Sequence

from hub.policy.facts import AddresseeFacts, CompartmentFacts, MessageFacts
from hub.protocol.audience import Via
from hub.protocol.directory import Directory
from hub.protocol.errors import UnknownPartnerError
from hub.protocol.interface import MessageOutline
from hub.protocol.manifest import Manifest
from hub.protocol.operation import Operation
from hub.protocol.vocabulary import Label


def outline_of(manifest: Manifest, labels: Sequence[Label]) -> MessageOutline:
    """Return what policy needs to know of a message that is sealed already."""
    return MessageOutline(
        mt=manifest.mt,
        verb=manifest.verb,
        status=manifest.status,
        marks=manifest.marks,
        purpose=manifest.purpose,
        offence=manifest.offence,
        basis=manifest.basis,
        pri=manifest.pri,
        topics=manifest.topics,
        op=manifest.op,
        labels=tuple(labels),
    )


def message_facts(outline: MessageOutline, originator: str, operation: Operation | None, at: int) -> MessageFacts:
    """Return the facts about a message; `at` is the deciding clock in Unix seconds."""
    return MessageFacts(
        originator=originator,
        mt=outline.mt,
        verb=outline.verb,
        status=outline.status,
        tlp=outline.marks.tlp,
        codes=outline.marks.codes,
        caveats=outline.marks.caveats,
        retain=outline.marks.retain,
        purpose=outline.purpose,
        offence=outline.offence,
        basis=outline.basis,
        priority=outline.pri,
        topics=outline.topics,
        operation=outline.op,
        operation_open=operation is not None and operation.is_open(at),
        originator_member=operation is not None and originator in operation.members,
        operation_exercise=operation is not None and operation.exercise,
        relayed=False,
        at=at,
    )


def compartment_facts(labels: Sequence[Label]) -> list[CompartmentFacts]:
    """Return the facts about the compartments, whose places are their order."""
    return [CompartmentFacts(cid=f"c{place}", label=label) for place, label in enumerate(labels)]


def addressee_facts(partner: str, via: Via, operation: Operation | None, directory: Directory) -> AddresseeFacts:
    """Return the facts about one addressee; one that the directory does not know counts as suspended."""
    try:
        suspended = directory.partner(partner).status != "active"
    except UnknownPartnerError:
        suspended = True
    return AddresseeFacts(
        partner=partner,
        named=via in ("named", "answer"),
        member=operation is not None and partner in operation.members,
        suspended=suspended,
    )
