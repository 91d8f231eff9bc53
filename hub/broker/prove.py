"""What the hub adds to the evidence of one delivery: entries opened, and their way into a signed checkpoint.

Not for: the evidence file itself, which the connector puts together (`connectors/kit/`) and `hub/verify/` checks.
Implements `docs/protocol/11-evidence.md` section 2; user's view in `docs/trips/prove.md`.
"""

from collections.abc import Sequence

from hub.broker.exchange import Exchange
from hub.broker.notary import Notary
from hub.broker.ports import Delivery, RecordedEntry
from hub.protocol.encoding import encode_b64url
from hub.protocol.envelope import Proven
from hub.protocol.errors import NotFoundError
from hub.protocol.interface import DeliveryProof, LoggedEntry
from hub.protocol.wire import parse_wire


async def prove_delivery(exchange: Exchange, notary: Notary, partner: str, *, mh: str, to: str) -> DeliveryProof:
    """Return the proof of one delivery, to the originator or to the addressee itself.

    Raises:
        NotFoundError: there is no such delivery of this partner's; another's, and to an addressee its own of which
            everything was withheld, look the same from outside.
    """
    known = await exchange.store.find(mh=mh)
    delivery = next((one for one in await exchange.store.deliveries(mh) if one.to == to), None)
    if known is None or delivery is None or not (partner == known.iss or (partner == to and delivery.released)):
        raise NotFoundError("delivery")
    entries = await exchange.store.entries_of(mh)
    accept = _latest(entries, "accept", None)
    decision = _latest(entries, "decision", to)
    receipt = next((entry for _, entry in entries if _is_receipt(entry, delivery)), None)
    inputs = await exchange.store.inputs_of(mh, to)
    if accept is None or decision is None or inputs is None:
        raise NotFoundError("delivery")
    checkpoint, note = await notary.checkpoint()
    size = checkpoint.size
    return DeliveryProof(
        mh=mh,
        to=to,
        accept=await _logged(exchange, accept, size),
        decision=await _logged(exchange, decision, size),
        receipt=await _logged(exchange, receipt, size) if receipt else None,
        inputs=encode_b64url(inputs),
        checkpoint=note,
    )


def _latest(entries: Sequence[tuple[str | None, RecordedEntry]], kind: str, to: str | None) -> RecordedEntry | None:
    found = [entry for concerned, entry in entries if entry.kind == kind and to in (None, concerned)]
    return found[-1] if found else None


def _is_receipt(entry: RecordedEntry, delivery: Delivery) -> bool:
    """Whether this is the receipt that counts for a delivery."""
    return entry.kind == "receipt" and delivery.receipt is not None and entry.payload == delivery.receipt.encode()


async def _logged(exchange: Exchange, entry: RecordedEntry, size: int) -> LoggedEntry:
    path = await exchange.store.inclusion(entry.index, size)
    return LoggedEntry(
        index=entry.index,
        kind=entry.kind,
        salt=encode_b64url(entry.salt),
        payload=encode_b64url(entry.payload),
        proven=parse_wire(Proven, entry.proven) if entry.proven else None,
        path=tuple(encode_b64url(node) for node in path),
    )
