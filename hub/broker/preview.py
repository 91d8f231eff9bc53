"""What would this subscription have brought me? Counts over the last month, before anything is signed.

Only messages count that were offered to a group and that policy would have let this partner have, so that the count
tells nothing of what two others said to each other. Not for: subscribing (`groups.py`). Implements
`docs/protocol/02-envelope.md` section 9; user's view in `docs/trips/preview.md`.
"""

from functools import partial
from typing import Final

from hub.broker.exchange import Exchange
from hub.broker.groups import check_own_operations, subscription_of
from hub.broker.ports import OfferedMessage
from hub.policy.decide import decide
from hub.policy.facts import AddresseeFacts, Inputs, parse_inputs
from hub.protocol.errors import RecomputationError
from hub.protocol.interface import Preview
from hub.protocol.subscription import Criteria

WINDOW: Final = 30 * 86_400  # seconds
MAX_LOOKED_AT: Final = 1_000  # messages of one question: bounded work, about a second of policy


async def preview(exchange: Exchange, partner: str, wanted: Criteria) -> Preview:
    """Return how many of last month's messages the partner's subscription matched, and how many this one would have.

    Raises:
        OperationError: it names an operation that this partner is not in.
    """
    await check_own_operations(exchange, partner, wanted.operations)
    current = await subscription_of(exchange, partner)
    since = exchange.clock() - WINDOW
    offered = await exchange.store.offered(since=since, limit=MAX_LOOKED_AT + 1)
    old = new = 0
    for message in offered[:MAX_LOOKED_AT]:
        inputs = _inputs(message)
        if message.iss == partner or inputs is None:
            continue
        said = inputs.msg
        facets = (said.mt, said.operation, said.topics, said.priority)
        before, after = current is not None and current.subscription.matches(*facets), wanted.match(*facets)
        if (before or after) and await _may_have(exchange, partner, inputs):
            old, new = old + before, new + after
    return Preview(days=WINDOW // 86_400, old=old, new=new, whole=len(offered) <= MAX_LOOKED_AT)


def _inputs(message: OfferedMessage) -> Inputs | None:
    try:
        return parse_inputs(message.inputs)
    except RecomputationError:  # of another release
        return None


async def _may_have(exchange: Exchange, partner: str, inputs: Inputs) -> bool:
    """Ask policy as if the partner had been a subscriber when the message came."""
    operation = await exchange.store.operation(inputs.msg.operation) if inputs.msg.operation is not None else None
    member = operation is not None and partner in operation.operation.members
    facts = AddresseeFacts(partner=partner, named=False, member=member, suspended=False)
    (verdict,) = await exchange.apart(partial(decide, exchange.policies(), inputs.msg, inputs.cmp, [facts]))
    return bool(verdict.released)
