"""What every trip finds at this agency: who it is, its keys, its store, its line to the hub and what it believes.

The agency's counterpart of the hub's `Exchange`. Not for: putting it together (`agency.py`). User's view in
`docs/trips/send.md` and `docs/trips/receive.md`.
"""

import asyncio
import logging
import uuid
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Final, Literal

from connectors.kit.alarms import Alarms
from connectors.kit.client import HubClient
from connectors.kit.counters import Counters
from connectors.kit.deadlines import Deadlines, Terms
from connectors.kit.directory import Mirror
from connectors.kit.inbox import Inbox
from connectors.kit.log_watch import LogWatch
from connectors.kit.outbox import Outbox
from connectors.kit.own_receipts import OwnReceipts
from hub.host.events import OPERATION_DISBELIEVED
from hub.protocol.directory import Directory
from hub.protocol.errors import OperationError, ValiseError
from hub.protocol.hazmat import random_bytes
from hub.protocol.keys import KeyHolder
from hub.protocol.operation import Operation, verify_operation

_LOG: Final = logging.getLogger("valise.connector")


@dataclass(slots=True)
class CaughtUp:
    """Whether this process has compared its counters with the hub's since it started."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    done: bool = False


@dataclass(frozen=True, slots=True)
class Connector:
    """One agency's side of one exchange.

    `terms` say after how long what does not come is late. `clock` is Unix seconds. `lifetime` is how long a sent
    message may be opened, in seconds. `pool` seals broadcasts in other processes; None seals in this one.
    """

    partner: str
    federation: str
    hub: str
    mode: Literal["exercise", "live"]
    lifetime: int
    keyring: KeyHolder
    client: HubClient
    mirror: Mirror
    outbox: Outbox
    inbox: Inbox
    receipts: OwnReceipts
    alarms: Alarms
    deadlines: Deadlines
    counters: Counters
    log: LogWatch
    clock: Callable[[], int]
    terms: Terms = field(default_factory=Terms)
    pool: Executor | None = None
    sealing: asyncio.Lock = field(default_factory=asyncio.Lock)
    caught_up: CaughtUp = field(default_factory=CaughtUp)

    @property
    def directory(self) -> Directory:
        """The directory in force.

        Raises:
            StaleDirectoryError: it must be refreshed first.
        """
        return self.mirror.beliefs().directory


def fresh_id(now: int) -> str:
    """Return a UUIDv7 (RFC 9562 section 5.7) for a time in Unix seconds."""
    milliseconds = (now * 1_000).to_bytes(6, "big")
    raw = bytearray(milliseconds + random_bytes(10))
    raw[6] = 0x70 | raw[6] & 0x0F
    raw[8] = 0x80 | raw[8] & 0x3F
    return str(uuid.UUID(bytes=bytes(raw)))


async def operations_of(connector: Connector) -> tuple[Operation, ...]:
    """Return the operations that this agency is in, as their coordinators signed them.

    One that is not to be believed, or whose coordinator may not coordinate, does not count.

    Raises:
        ExchangeError: the hub cannot be asked.
        StaleDirectoryError: the directory must be refreshed first.
    """
    texts = await connector.client.operations()
    return tuple(operation for text in texts if (operation := _believed(connector, text)) is not None)


def _believed(connector: Connector, text: str) -> Operation | None:
    beliefs = connector.mirror.beliefs()
    try:
        operation = verify_operation(text, beliefs.directory, now=None).operation
    except ValiseError as error:
        _LOG.warning(OPERATION_DISBELIEVED, error.code)
        return None
    rules = beliefs.policies.partners.get(operation.iss)
    return operation if rules is not None and rules.coordinates else None


async def operation_of(connector: Connector, name: str | None) -> Operation | None:
    """Return the operation that a message names.

    Raises:
        OperationError: there is none of that name that this agency is in.
        ExchangeError, StaleDirectoryError: as `operations_of`.
    """
    if name is None:
        return None
    for operation in await operations_of(connector):
        if operation.op == name:
            return operation
    raise OperationError(name)
