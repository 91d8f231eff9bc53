"""What every trip finds at this hub: its name, its ports and what it believes right now.

Not for: making any of it (`hub/app.py`). Implements `docs/protocol/00-overview.md` section 3.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeVar

from hub.broker.ports import Store
from hub.policy.sets import PolicySet
from hub.protocol.directory import Directory

_T = TypeVar("_T")


class Apart(Protocol):
    """Does work that takes the processor, one piece at a time and in order, while other requests go on."""

    async def __call__(self, work: Callable[[], _T], /) -> _T:
        """Return what `work` returns; raise what it raises."""


async def at_once(work: Callable[[], _T], /) -> _T:
    """Do work where it is asked for, while nothing else goes on."""
    return work()


class Presence:
    """When each partner last looked into its mailbox, as this process remembers. For one event loop."""

    def __init__(self) -> None:
        self._seen: Final[dict[str, int]] = {}

    def note(self, partner: str, *, at: int) -> None:
        """Remember that a partner is here now (Unix seconds)."""
        self._seen[partner] = at

    def seen(self, partner: str) -> int | None:
        """Return when a partner was last here; None: not since this process started."""
        return self._seen.get(partner)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One hub of a federation.

    `directory`, `policies` and `clock` (Unix seconds) are asked anew by every trip, so that a change takes effect
    between two messages. `catch_up` is awaited before a request is believed: afterwards they are as new as what is
    published. It never raises; None where beliefs only change when the program says so. `apart` is where signatures are
    checked and policy decides.
    """

    hub: str
    federation: str
    store: Store
    directory: Callable[[], Directory]
    policies: Callable[[], PolicySet]
    clock: Callable[[], int]
    catch_up: Callable[[], Awaitable[None]] | None = None
    apart: Apart = at_once
    presence: Presence = field(default_factory=Presence)
