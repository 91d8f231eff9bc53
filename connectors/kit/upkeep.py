"""The agency's daily look at its keys, beside a running connector.

Not for: the look itself (`hub/host/upkeep.py`). User's page: `docs/how-to/rotate-keys.md`.
"""

import contextlib

from connectors.kit.connector import Connector
from hub.host.expiry import Ending, endings_of
from hub.host.live_keys import LiveKeys
from hub.host.upkeep import keep_looking
from hub.protocol.errors import StaleDirectoryError


async def keep_keys(connector: Connector) -> None:
    """Tell of keys and of a directory that end soon, and destroy opening keys whose time is over; for ever."""
    keys = connector.keyring
    if isinstance(keys, LiveKeys):  # a test's keys lie nowhere
        await keep_looking(keys, lambda: endings_at(connector), clock=connector.clock)


def endings_at(connector: Connector) -> tuple[Ending, ...]:
    """Return when this agency's keys end, and when its directory must have been signed anew."""
    endings = endings_of(connector.keyring.entries())
    with contextlib.suppress(StaleDirectoryError):
        expires = connector.mirror.beliefs().expires
        return endings if expires is None else (*endings, Ending("directory", expires))
    return endings
