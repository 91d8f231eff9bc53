"""What a running program does with its keys once a day: tell of what ends, destroy what is over.

Not for: which key signs (`live_keys.py`) nor making new ones (`rotation.py`). User's page:
`docs/how-to/rotate-keys.md`.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Final

from hub.host.events import KEY_ENDS, KEYS_DESTROYED, KEYSTORE_NOT_READ
from hub.host.expiry import Ending, expiring
from hub.host.live_keys import LiveKeys
from hub.protocol.errors import StaleDirectoryError, ValiseError
from hub.protocol.keyring import DAY

_LOG: Final = logging.getLogger("valise.keys")


async def look_after(keys: LiveKeys, endings: Callable[[], Iterable[Ending]], *, clock: Callable[[], int]) -> None:
    """Look once: tell of each thing that ends soon, and destroy the opening keys whose time is over."""
    now = clock()
    for ending in expiring(endings(), now):
        _LOG.warning(KEY_ENDS, ending.what, ending.days(now))
    try:
        destroyed = await asyncio.to_thread(keys.destroy_expired, now=now)
    except StaleDirectoryError:
        return  # whoever keeps the directory tells of it; the keys are looked at again tomorrow
    except ValiseError as error:
        _LOG.warning(KEYSTORE_NOT_READ, error.code)
        return
    if destroyed:
        _LOG.info(KEYS_DESTROYED, destroyed)


async def keep_looking(keys: LiveKeys, endings: Callable[[], Iterable[Ending]], *, clock: Callable[[], int]) -> None:
    """Look at the start and then once a day, for ever."""
    while True:
        await look_after(keys, endings, clock=clock)
        await asyncio.sleep(DAY)
