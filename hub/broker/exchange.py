"""What every trip finds at this hub: its name, its ports and what it believes right now.

Not for: making any of it (`hub/app.py`). Implements `docs/protocol/00-overview.md` section 3.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from hub.broker.ports import Store
from hub.policy.sets import PolicySet
from hub.protocol.directory import Directory


@dataclass(frozen=True, slots=True)
class Exchange:
    """One hub of a federation.

    `directory`, `policies` and `clock` (Unix seconds) are asked anew by every trip, so that a change takes effect
    between two messages. `catch_up` is awaited before a request is believed: afterwards they are as new as what is
    published. It never raises; None where beliefs only change when the program says so.
    """

    hub: str
    federation: str
    store: Store
    directory: Callable[[], Directory]
    policies: Callable[[], PolicySet]
    clock: Callable[[], int]
    catch_up: Callable[[], Awaitable[None]] | None = None
