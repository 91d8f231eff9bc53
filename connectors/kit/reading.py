"""Read a message again: its copy as kept is verified and opened anew each time, so content never lies about in clear.

Not for: the first examination, which makes the receipt (`receive.py`). User's view in `docs/trips/receive.md`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from connectors.kit.connector import Connector
from connectors.kit.outbox import OutboxEntry
from connectors.kit.receive import open_frame
from connectors.kit.send import open_draft
from hub.protocol.audience import Via
from hub.protocol.content import parse_compartment
from hub.protocol.content.shape import Content
from hub.protocol.errors import PurgedError
from hub.protocol.manifest import Manifest
from hub.protocol.sealing import Compartment
from hub.protocol.statements import Decision
from hub.protocol.vocabulary import Label, MessageKind


@dataclass(frozen=True, slots=True)
class ReadCompartment:
    """One compartment that came: what it is, its media type, its bytes, and its content in the label's shape."""

    label: Label
    fmt: str
    data: bytes
    content: Content


@dataclass(frozen=True, slots=True)
class OpenedMessage:
    """A message as this agency may read it.

    `compartments` are those that came, by their place; `withheld` are the places of the others, with the reason code
    that the last hub declared. `decisions` are the hubs' words, first hub first. `via` says how this agency came to be
    addressed. `received_at` is Unix seconds.
    """

    mh: str
    manifest: Manifest
    compartments: Mapping[str, ReadCompartment]
    withheld: Mapping[str, str]
    decisions: tuple[Decision, ...]
    via: Via
    received_at: int

    def content(self, label: Label) -> Content | None:
        """Return the content of the first compartment with this label, if one came."""
        found = (one.content for one in self.compartments.values() if one.label is label)
        return next(found, None)


async def read_message(connector: Connector, mh: str) -> OpenedMessage:
    """Return a received message.

    Raises:
        NotFoundError: nothing of that name was opened here.
        PurgedError: its retention ended, and the content was destroyed.
        NoOpeningKeyError: the key was destroyed, and the content with it.
        StaleDirectoryError: the directory must be refreshed first.
        ValiseError: the copy as kept is not to be believed any longer.
    """
    entry = await connector.inbox.opened(mh)
    frame = await connector.inbox.frame(entry.digest)
    examined_at = entry.received_at if entry.examined_at is None else entry.examined_at
    copy, opened = await open_frame(connector, frame, at=examined_at)
    kind = copy.manifest.mt
    reasons = {one.d: one.rc for one in copy.decisions[-1].wh}
    return OpenedMessage(
        mh=mh,
        manifest=copy.manifest,
        compartments={
            cid: _read(kind, one.disclosure.descriptor.label, one.disclosure.descriptor.fmt, one.data)
            for cid, one in opened.items()
        },
        withheld={
            f"c{place}": reasons[one.digest] for place, one in enumerate(copy.manifest.cmp) if one.digest in reasons
        },
        decisions=copy.decisions,
        via=copy.leaf.via,
        received_at=entry.received_at,
    )


def read_draft(connector: Connector, entry: OutboxEntry) -> Mapping[str, ReadCompartment]:
    """Return the compartments of an own message, from the draft as it was handed over.

    Raises:
        PurgedError: the draft was destroyed.
        SealError: the key that it was put away under was destroyed, or the draft was altered.
    """
    if entry.purged_at is not None:
        raise PurgedError(entry.id)
    outgoing, compartments = open_draft(entry, connector)
    kind = outgoing.question.outline.mt
    return {f"c{place}": _of(kind, one) for place, one in enumerate(compartments)}


def _of(kind: MessageKind, compartment: Compartment) -> ReadCompartment:
    return _read(kind, compartment.label, compartment.fmt, compartment.data)


def _read(kind: MessageKind, label: Label, fmt: str, data: bytes) -> ReadCompartment:
    return ReadCompartment(label, fmt, data, parse_compartment(label, kind, data, fmt=fmt))
