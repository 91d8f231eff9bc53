"""Who has it, and why has the other not? The delivery matrix of a message, for its originator.

Not for: addressees; they never learn who else was addressed. User's view in `docs/trips/matrix.md`.
"""

from pydantic import TypeAdapter

from hub.broker.exchange import Exchange
from hub.broker.ports import KnownMessage
from hub.protocol.errors import NotFoundError
from hub.protocol.interface import Matrix, MatrixRow, SentMessage, SentMessages, WithheldReason

_REASONS = TypeAdapter(tuple[WithheldReason, ...])


async def own_message(exchange: Exchange, partner: str, mh: str) -> KnownMessage:
    """Return a message that this partner originated.

    Raises:
        NotFoundError: there is none; another's message looks the same from outside.
    """
    known = await exchange.store.find(mh=mh)
    if known is None or known.iss != partner:
        raise NotFoundError("message")
    return known


async def matrix_of(exchange: Exchange, partner: str, mh: str) -> Matrix:
    """Return the delivery matrix of one of the partner's own messages.

    Raises:
        NotFoundError: there is no such message of this partner.
    """
    await own_message(exchange, partner, mh)
    rows = tuple(
        MatrixRow(
            to=delivery.to,
            released=delivery.released,
            state=delivery.state,
            collected_at=delivery.collected_at,
            receipt=delivery.receipt,
            withheld=_REASONS.validate_json(delivery.explanation),
        )
        for delivery in await exchange.store.deliveries(mh)
    )
    return Matrix(mh=mh, rows=rows)


async def sent_messages(
    exchange: Exchange, partner: str, *, operation: str | None, limit: int, cursor: str | None
) -> SentMessages:
    """Return a page of the partner's own messages, newest first; the cursor is the last digest of the page before.

    Raises:
        NotFoundError: the cursor is none.
    """
    if cursor is not None:
        last = await exchange.store.find(mh=cursor)
        if last is None or last.iss != partner:
            raise NotFoundError("cursor")
    known = await exchange.store.messages_of(iss=partner, operation=operation, limit=limit + 1, before=cursor)
    page = tuple(
        SentMessage(mh=one.mh, seq=one.seq, thread=one.thread, op=one.operation, accepted_at=one.accepted_at)
        for one in known[:limit]
    )
    return SentMessages(messages=page, next=page[-1].mh if len(known) > limit else None)
