"""From the beginning of a message's number to the whole of it, so that nobody types 43 characters.

Not for: finding what the message says (`reading.py`, `threads.py`). User's view in `docs/reference/commands.md`.
"""

from typing import Final

from connectors.kit.connector import Connector
from hub.protocol.errors import AmbiguousNumberError, NotFoundError

WHOLE: Final = 43  # characters of a message's number
_SHORTEST: Final = 4  # characters; fewer would be a guess


async def whole_number(connector: Connector, given: str) -> str:
    """Return the number of the one message, received or sent here, that begins as given; a whole number as it is.

    Raises:
        NotFoundError: none does, or fewer than four characters are given.
        AmbiguousNumberError: several do.
    """
    if len(given) >= WHOLE:
        return given
    if len(given) < _SHORTEST:
        raise NotFoundError("four characters of a number at least")
    found = {*await connector.inbox.beginning(given), *await connector.outbox.beginning(given)}
    if len(found) > 1:
        raise AmbiguousNumberError(", ".join(sorted(found)))
    if not found:
        raise NotFoundError(given)
    return found.pop()
