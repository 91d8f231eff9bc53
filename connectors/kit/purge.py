"""The agency's own clock: what may not be kept any longer is destroyed, and the originator gets a signed word of it.

The content goes - a received copy's frame, a sent message's draft - and is overwritten on disk; what stays says which
message it was, who signed it and what was receipted, which is what evidence needs. Not for: copies that nobody
collected (the hub's, `hub/broker/expire.py`). Implements `docs/protocol/04-statements.md` section 5 and
`docs/protocol/07-marks.md` section 1; user's view in `docs/trips/purge.md`.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from connectors.kit.acts import sign_state
from connectors.kit.connector import Connector
from hub.host.events import PURGED
from hub.policy.duties import DutyKind
from hub.protocol.manifest import Manifest
from hub.protocol.statements import Decision

_LOG: Final = logging.getLogger("valise.connector")
_DAY: Final = 86_400  # seconds
_BATCH: Final = 64  # copies or drafts looked up at once


@dataclass(frozen=True, slots=True)
class Purged:
    """How many received copies and sent drafts were destroyed."""

    copies: int
    drafts: int


def kept_for(manifest: Manifest, decisions: Iterable[Decision]) -> int:
    """Return for how many seconds a copy may be kept: as marked, or by an agreement's duty that is stricter."""
    duties = [duty.partition(":") for decision in decisions for duty in decision.duties]
    days = [int(days) for kind, _, days in duties if kind == DutyKind.RETENTION_DAYS and days.isdigit()]
    return min([manifest.marks.retain, *(_DAY * one for one in days)])


async def purge_due(connector: Connector) -> Purged:
    """Destroy what may not be kept any longer, and keep a receipt for each opened copy, to be sent.

    It may be repeated, and be cut off anywhere: a copy is destroyed and receipted in one step.

    Raises:
        StoreError: the disk failed, or another process holds the file; the next call goes on.
        MissingKeyError: there is no valid key to sign with; nothing more was destroyed.
    """
    now, copies = connector.clock(), 0
    while due := await connector.inbox.due_for_purge(now=now, limit=_BATCH):
        for entry in due:
            signed = None
            if entry.state == "opened" and entry.mh is not None:
                signed = await sign_state(connector, entry.mh, "purged")
            copies += await connector.inbox.purge(entry.digest, signed, at=now)
    drafts = await connector.outbox.purge(now=now)
    await connector.outbox.scrub()  # always: an earlier call may have been cut off just before
    if copies or drafts:
        _LOG.info(PURGED, copies, drafts)
    return Purged(copies, drafts)
