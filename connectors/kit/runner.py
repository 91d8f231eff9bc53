"""A connector that runs unattended: it receives, sends and keeps its directory fresh until it is asked to stop.

Each loop makes its trip, and after an error waits twice as long as before, up to a minute. Not for: what a message
means to an agency; its adapter says so through `on_message`. User's view in `docs/trips/receive.md`.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from connectors.kit.agency import Agency
from connectors.kit.alarms import AlarmKind
from connectors.kit.purge import purge_due
from connectors.kit.reading import OpenedMessage
from connectors.kit.receive import send_receipts
from connectors.kit.refusals import FINAL, OURS
from connectors.kit.send import Addressing, advance, compose, hand_over
from connectors.kit.standing import catch_up_once
from connectors.kit.threads import Reference
from connectors.kit.watch import watch_once
from hub.host.events import MESSAGE_ACCEPTED, MESSAGE_REFUSED, NOT_HANDLED, OPENED, TRIP_FAILED
from hub.protocol.content import Draft
from hub.protocol.errors import DeniedError, SetupError, UnreachableError, ValiseError

_LOG: Final = logging.getLogger("valise.connector")
_FIRST_PAUSE: Final = 1.0  # seconds after the first error
_LONGEST_PAUSE: Final = 60.0
_LOOK: Final = 2.0  # seconds between looks at the outbox; other processes of this agency hand over to it


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that an adapter gives to a message: the draft, and whom it goes to besides the originator."""

    draft: Draft
    addressing: Addressing = field(default_factory=Addressing)


OnMessage = Callable[[Agency, OpenedMessage], Awaitable[Sequence[Reply]]]


@dataclass(frozen=True, slots=True)
class Loop:
    """A trip that is made again and again beside the agency's own, so many seconds after it ended well."""

    name: str
    trip: Callable[[], Awaitable[None]]
    seconds: float


class Runner:
    """The loops of one agency.

    `on_message` is called for every opened message at least once, oldest first; its replies are handed over in the same
    step that marks the message as handled, so they are sent exactly once.

    Attributes:
        successes: when each loop last made its trip, in Unix seconds.
    """

    def __init__(self, agency: Agency, on_message: OnMessage | None = None, *, beside: Sequence[Loop] = ()) -> None:
        """Take an open agency, its adapter's hook, and the loops that run beside the agency's own."""
        self._beside: Final = beside
        self._agency: Final = agency
        self._on_message: Final = on_message
        self._stop: Final = asyncio.Event()
        self.successes: Final[dict[str, int]] = {}

    def stop(self) -> None:
        """Ask the loops to end; what is under way is kept and goes on with the next start."""
        self._stop.set()

    async def run(self) -> None:
        """Run until `stop` is called."""
        settings = self._agency.settings
        loops = [
            asyncio.create_task(self._forever("receive", self._receive, 0.0)),
            asyncio.create_task(self._forever("send", self._send, _LOOK)),
            asyncio.create_task(self._forever("refresh", self._refresh, settings.refresh_seconds)),
            *(asyncio.create_task(self._forever(one.name, one.trip, one.seconds)) for one in self._beside),
            asyncio.create_task(self._forever("watch", self._watch, settings.watch_seconds)),
            asyncio.create_task(self._forever("purge", self._purge, settings.watch_seconds)),
        ]
        stopped = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait([stopped, *loops], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (stopped, *loops):
                task.cancel()
            ended = await asyncio.gather(stopped, *loops, return_exceptions=True)
        for outcome in ended:
            if isinstance(outcome, Exception):  # an adapter's bug, or ours: stop and show it
                raise outcome

    async def _forever(self, name: str, trip: Callable[[], Awaitable[None]], seconds: float) -> None:
        pause = _FIRST_PAUSE
        while True:
            try:
                await trip()
            except ValiseError as error:
                _LOG.warning(TRIP_FAILED, name, error.code, pause)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                pause = _FIRST_PAUSE
                self.successes[name] = self._agency.connector.clock()
                await asyncio.sleep(seconds)

    async def _receive(self) -> None:
        received = await self._agency.receive_once(wait=self._agency.settings.poll_seconds)
        for mh in received.opened:
            _LOG.info(OPENED, mh)
        await self.handle_new()

    async def handle_new(self) -> None:
        """Show every opened message that was not handled yet to the adapter, and hand its replies over.

        A message that cannot be read any longer, or whose reply is wrong, is left to the officers.

        Raises:
            ValiseError: one of `OURS`; it is tried again.
        """
        for mh in await self._agency.connector.inbox.unhandled() if self._on_message else ():
            try:
                await self._handle(mh)
            except OURS:
                raise
            except ValiseError as error:
                _LOG.warning(NOT_HANDLED, mh, error.code)
                await hand_over(self._agency.connector, [], handled=mh)

    async def _handle(self, mh: str) -> None:
        if self._on_message is None:
            return
        message = await self._agency.read(mh)
        source = Reference(mh, message.manifest)
        replies = await self._on_message(self._agency, message)
        connector = self._agency.connector
        try:
            answers = [compose(connector, reply.draft, reply.addressing, answers=source) for reply in replies]
        except SetupError as error:  # meant in earnest, from a connector for exercises: no later try mends that
            raise DeniedError(error.detail) from error
        await hand_over(connector, answers, handled=mh)

    async def _refresh(self) -> None:
        """Look for a newer directory, and whether the log still tells one history."""
        connector = self._agency.connector
        await connector.mirror.refresh()
        await connector.log.look(connector.client, connector.directory, now=connector.clock())

    async def _watch(self) -> None:
        """Look whether receipts, proofs and everything that was counted for us have come."""
        await watch_once(self._agency.connector)

    async def _purge(self) -> None:
        """Destroy what may not be kept any longer; the receipts of it go out with the others."""
        connector = self._agency.connector
        if (await purge_due(connector)).copies:
            await send_receipts(connector)

    async def _send(self) -> None:
        """Advance the outbox, urgent first, then oldest; a message that stays where it is does not stop the next."""
        connector = self._agency.connector
        await catch_up_once(connector)
        stuck: ValiseError | None = None
        for identifier in await connector.outbox.unfinished():
            try:
                sent = await advance(connector, identifier)
            except UnreachableError:
                raise
            except FINAL as error:
                _LOG.warning(MESSAGE_REFUSED, identifier, error.code)
                at = connector.clock()
                await connector.alarms.sound(AlarmKind.NOT_SENT, identifier, reason=error.code, at=at)
            except ValiseError as error:
                stuck = error
            else:
                _LOG.info(MESSAGE_ACCEPTED, sent.mh)
        if stuck is not None:
            raise stuck
