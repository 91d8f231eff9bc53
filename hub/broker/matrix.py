"""Who has it, and why has the other not? The delivery matrix of a message, for its originator.

Not for: addressees; they never learn who else was addressed. User's view in `docs/trips/matrix.md`.
"""

from typing import Final

from pydantic import TypeAdapter

from hub.broker.exchange import Exchange
from hub.broker.operations import operation_of
from hub.broker.ports import Delivery, KnownMessage
from hub.protocol.envelope import Proven
from hub.protocol.errors import NotFoundError
from hub.protocol.interface import Matrix, MatrixRow, OperationMatrix, SentMessage, SentMessages, WithheldReason
from hub.protocol.wire import parse_wire

MAX_MATRICES: Final = 50  # messages of one answer about an operation
MAX_ROWS: Final = 1_024  # of one answer, about; a row is up to 4 KiB, and a connector reads 8 MiB
SEEN_STEP: Final = 3_600  # seconds; nobody needs to know another's habits to the minute
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
    return await _matrix(exchange, mh)


async def operation_matrix(exchange: Exchange, partner: str, operation: str) -> OperationMatrix:
    """Return the matrices of the partner's own latest messages of an operation, newest first.

    Raises:
        OperationError: there is none of that name that this partner is in.
    """
    await operation_of(exchange, partner, operation)
    latest = await exchange.store.messages_of(iss=partner, operation=operation, limit=MAX_MATRICES)
    matrices: list[Matrix] = []
    for one in latest:
        matrices.append(await _matrix(exchange, one.mh))
        if sum(len(matrix.rows) for matrix in matrices) > MAX_ROWS:
            break
    return OperationMatrix(operation=operation, matrices=tuple(matrices))


async def _matrix(exchange: Exchange, mh: str) -> Matrix:
    return Matrix(mh=mh, rows=tuple([await _row(exchange, one) for one in await exchange.store.deliveries(mh)]))


async def _row(exchange: Exchange, delivery: Delivery) -> MatrixRow:
    return MatrixRow(
        to=delivery.to,
        released=delivery.released,
        state=delivery.state,
        collected_at=delivery.collected_at,
        receipt=delivery.receipt,
        later=delivery.later,
        expiry=parse_wire(Proven, delivery.expiry) if delivery.expiry else None,
        seen=await _seen(exchange, delivery),
        withheld=_REASONS.validate_json(delivery.explanation),
    )


async def _seen(exchange: Exchange, delivery: Delivery) -> int | None:
    """Return when an addressee was last here, as exactly as its originator needs to know, and no longer than it does.

    See `docs/decisions/0016-delivery-that-people-can-rely-on.md`.
    """
    if delivery.state != "waiting":
        return None
    at = exchange.presence.seen(delivery.to)
    if at is None:
        at = await exchange.store.last_collected(delivery.to)
    return None if at is None else at - at % SEEN_STEP


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
