"""The trips of operations and subscriptions: signed by a partner, checked, recorded.

Not for: what a message of an operation may do (`hub/policy/`). Implements `docs/protocol/02-envelope.md` sections 8 and
9; user's view in `docs/trips/groups.md`.
"""

from collections.abc import Collection

from hub.broker.exchange import Exchange
from hub.protocol.encoding import decode_b64url, encode_b64url
from hub.protocol.errors import EncodingError, ForbiddenError, NotFoundError, OperationError, WrongOriginatorError
from hub.protocol.interface import SignedOperations
from hub.protocol.operation import VerifiedOperation, verify_operation
from hub.protocol.subscription import VerifiedSubscription, verify_subscription


async def open_operation(exchange: Exchange, partner: str, text: str) -> VerifiedOperation:
    """Record an operation that this partner coordinates.

    Raises:
        SignatureError, EnvelopeError, DirectoryError: it is not to be believed.
        WrongOriginatorError: another partner signed it.
        ForbiddenError: the policy set does not let this partner coordinate operations.
        ReplayError: another operation of this name exists.
    """
    verified = verify_operation(text, exchange.directory(), now=exchange.clock())
    if verified.operation.iss != partner:
        raise WrongOriginatorError(partner)
    rules = exchange.policies().partners.get(partner)
    if rules is None or not rules.coordinates:
        raise ForbiddenError("may not coordinate operations")
    await exchange.store.put_operation(verified)
    return verified


async def operations_for(exchange: Exchange, partner: str) -> list[VerifiedOperation]:
    """Return the operations that a partner is a member or the coordinator of; of others it learns nothing."""
    return [verified for verified in await exchange.store.operations() if verified.operation.is_known_to(partner)]


async def operations_page(exchange: Exchange, partner: str, *, limit: int, cursor: str | None) -> SignedOperations:
    """Return a page of a partner's operations, by name; the cursor is the last name of the page before.

    Raises:
        NotFoundError: the cursor is none.
    """
    try:
        after = decode_b64url(cursor).decode() if cursor else ""
    except (EncodingError, UnicodeDecodeError) as error:
        raise NotFoundError("cursor") from error
    known = sorted(await operations_for(exchange, partner), key=lambda one: one.operation.op)
    rest = [one for one in known if one.operation.op > after]
    last = rest[limit - 1].operation.op if len(rest) > limit else None
    return SignedOperations(
        operations=tuple(one.jws for one in rest[:limit]), next=encode_b64url(last.encode()) if last else None
    )


async def subscribe(exchange: Exchange, partner: str, text: str) -> VerifiedSubscription:
    """Record a partner's subscription, which replaces its earlier one.

    Raises:
        SignatureError, EnvelopeError, DirectoryError: it is not to be believed.
        WrongOriginatorError: another partner signed it.
        OperationError: it names an operation that this partner is not in.
    """
    verified = verify_subscription(text, exchange.directory(), now=exchange.clock())
    if verified.subscription.iss != partner:
        raise WrongOriginatorError(partner)
    await check_own_operations(exchange, partner, verified.subscription.want.operations)
    await exchange.store.put_subscription(verified)
    return verified


async def check_own_operations(exchange: Exchange, partner: str, names: Collection[str]) -> None:
    """Refuse names of operations that a partner is not in.

    Raises:
        OperationError: there are such; those that do not exist look the same.
    """
    own = {other.operation.op for other in await operations_for(exchange, partner)}
    foreign = set(names) - own
    if foreign:
        raise OperationError(", ".join(sorted(foreign)))


async def subscription_of(exchange: Exchange, partner: str) -> VerifiedSubscription | None:
    """Return a partner's own active subscription."""
    found = [verified for verified in await exchange.store.subscriptions() if verified.subscription.iss == partner]
    return found[0] if found else None
