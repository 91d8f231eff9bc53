"""May this message refer to the one that it answers, updates or cancels?

Not for: marks themselves (`hub/protocol/marks.py`). Implements `docs/protocol/02-envelope.md` section 6, step 10.
"""

from hub.broker.exchange import Exchange
from hub.broker.ports import KnownMessage
from hub.protocol.errors import ThreadError
from hub.protocol.manifest import Manifest
from hub.protocol.marks import Marks, check_not_loosened
from hub.protocol.vocabulary import Verb
from hub.protocol.wire import parse_wire

_REPLACING = frozenset({Verb.UPDATE, Verb.CANCEL})


async def check_references(exchange: Exchange, manifest: Manifest) -> None:
    """Check `irt`, `refs` and `thread` of a message, and that its marks are no looser than what it derives from.

    Raises:
        ThreadError: a referenced message is unknown here, was not released to this originator, or is in another thread;
            an update or cancellation names another originator's message, or none.
        MarksLoosenedError: as it says.
    """
    if (manifest.verb in _REPLACING) != bool(manifest.refs):
        raise ThreadError("an update or cancellation has references, and only they")
    if manifest.irt is None and not manifest.refs and manifest.thread != manifest.jti:
        raise ThreadError("a message that refers to none begins its own thread")
    sources = [await _find(exchange, manifest, mh) for mh in manifest.refs]
    if any(known.iss != manifest.iss for known in sources):
        raise ThreadError("another originator's message")
    if manifest.irt is not None:
        answered = await _find(exchange, manifest, manifest.irt)
        if answered.iss != manifest.iss:
            await check_received(exchange, manifest.iss, answered.mh)
        sources.append(answered)
    if any(known.thread != manifest.thread for known in sources):
        raise ThreadError("another thread")
    check_not_loosened(manifest.marks, *(parse_wire(Marks, known.marks) for known in sources))


async def _find(exchange: Exchange, manifest: Manifest, mh: str) -> KnownMessage:
    known = await exchange.store.find(mh=mh)
    if known is None or known.operation != manifest.op:
        raise ThreadError("unknown here, or of another operation")
    return known


async def check_received(exchange: Exchange, partner: str, mh: str) -> None:
    """Unknown and not received look the same from outside."""
    deliveries = await exchange.store.deliveries(mh)
    if not any(delivery.to == partner and delivery.released for delivery in deliveries):
        raise ThreadError("unknown here")
