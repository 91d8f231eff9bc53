"""Which operation does a message belong to?

Not for: what an operation allows (`hub/policy/`) or opening one (`groups.py`). Implements
`docs/protocol/02-envelope.md` section 8.
"""

from hub.broker.exchange import Exchange
from hub.protocol.errors import OperationError
from hub.protocol.operation import Operation


async def operation_of(exchange: Exchange, originator: str, name: str | None) -> Operation | None:
    """Return the operation that a message names.

    Raises:
        OperationError: there is none of that name; one that the originator is not in looks the same from outside.
    """
    if name is None:
        return None
    found = await exchange.store.operation(name)
    if found is None or not found.operation.is_known_to(originator):
        raise OperationError(name)
    return found.operation
