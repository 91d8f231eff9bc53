"""Which operation does a message belong to?

Not for: what an operation allows (`hub/policy/`) or opening one (`groups.py`). Implements
`docs/protocol/02-envelope.md` section 8.
"""

from hub.broker.exchange import Exchange
from hub.protocol.errors import OperationError
from hub.protocol.operation import Operation


async def operation_of(exchange: Exchange, name: str | None) -> Operation | None:
    """Return the operation that a message names.

    Raises:
        OperationError: there is none of that name.
    """
    if name is None:
        return None
    found = await exchange.store.operation(name)
    if found is None:
        raise OperationError(name)
    return found.operation
