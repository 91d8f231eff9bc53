"""An agency in ten lines: the facade that a Python user and the command line use.

    async with Agency.open("fr-customs") as agency:
        draft = WarningDraft.model_validate_json(Path("warning.json").read_bytes())
        sent = await agency.send(draft, to=["de-customs"])
        for row in await agency.matrix(sent.mh):
            print(row.to, row.state)

Not for: the trips themselves (`send.py`, `receive.py`) nor for running unattended (`runner.py`). User's view in
`docs/trips/send.md` and `docs/trips/receive.md`.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Final, Self

from pydantic import SecretStr

from connectors.kit.agency_store import AgencyStore
from connectors.kit.alarms import Alarms
from connectors.kit.audience import Audience, resolve_audience
from connectors.kit.client import HubClient
from connectors.kit.connector import Connector, fresh_id, operations_of
from connectors.kit.counters import Counters
from connectors.kit.deadlines import Deadlines
from connectors.kit.directory import HubMirror
from connectors.kit.gather import report_of
from connectors.kit.inbox import Inbox, InboxEntry
from connectors.kit.keys import open_keys
from connectors.kit.log_watch import LogWatch
from connectors.kit.matrix import matrix_of
from connectors.kit.outbox import KeptReceipt, Outbox, OutboxEntry
from connectors.kit.own_receipts import OwnReceipts
from connectors.kit.reading import OpenedMessage, read_message
from connectors.kit.receive import Received, receive_once
from connectors.kit.report import Report
from connectors.kit.send import Addressing, Sent, advance, compose, hand_over
from connectors.kit.settings import ConnectorSettings, read_settings, terms_of
from connectors.kit.threads import Reference, find_reference
from connectors.kit.tls import client_tls
from hub.host.events import NOT_REFRESHED
from hub.protocol.content import Draft
from hub.protocol.errors import DirectoryError, ExchangeError, PolicyError, SetupError, StaleDirectoryError
from hub.protocol.interface import DeliveryProof, MatrixRow
from hub.protocol.keys import KeyHolder
from hub.protocol.operation import CountingRules, Operation, sign_operation
from hub.protocol.subscription import Criteria, Subscription, sign_subscription, verify_subscription
from hub.protocol.vocabulary import Verb

_LOG: Final = logging.getLogger("valise.connector")
_DAY: Final = 86_400  # seconds


def unix_now() -> int:
    """Return the clock that every trip is given: Unix seconds."""
    return int(time.time())


class Agency:
    """One agency, with its keys unlocked and its store open. Use `open`."""

    def __init__(self, settings: ConnectorSettings, connector: Connector) -> None:
        """Take what `open` put together."""
        self.settings: Final = settings
        self.connector: Final = connector

    @classmethod
    @contextlib.asynccontextmanager
    async def open(
        cls, folder: str | Path, *, passphrase: SecretStr | None = None, clock: Callable[[], int] = unix_now
    ) -> AsyncIterator[Self]:
        """Open the agency in a folder, for as long as the context lasts.

        Args:
            folder: where `agency.toml` is.
            passphrase: the keystore's; without it, that of the environment or of `passphrase_file`.
            clock: Unix seconds.

        Raises:
            SetupError, KeystoreError, StoreError: it is not set up, or a file of it cannot be used.
            ExchangeError, DirectoryError, PolicyError: nothing is believed yet, and the hub does not change that.
        """
        settings = read_settings(Path(folder))
        mirror: HubMirror
        keys = await asyncio.to_thread(open_keys, settings, passphrase, lambda: mirror.beliefs().directory)
        async with contextlib.AsyncExitStack() as stack:
            store = await stack.enter_async_context(await AgencyStore.open(settings.store))
            client = await stack.enter_async_context(_client(settings, keys, clock))
            mirror = await _mirror(settings, client, clock)
            pool = None
            if settings.sealing_processes:
                pool = ProcessPoolExecutor(settings.sealing_processes, mp_context=get_context("spawn"))
                stack.callback(pool.shutdown)
            connector = Connector(
                partner=settings.partner,
                federation=settings.federation,
                hub=settings.hub,
                mode=settings.mode,
                lifetime=settings.lifetime_days * _DAY,
                keyring=keys,
                client=client,
                mirror=mirror,
                outbox=Outbox(store),
                inbox=Inbox(store),
                receipts=OwnReceipts(store),
                alarms=Alarms(store),
                deadlines=Deadlines(store),
                counters=Counters(store),
                log=LogWatch(store, hub=settings.hub),
                clock=clock,
                terms=terms_of(settings),
                pool=pool,
            )
            yield cls(settings, connector)

    # --- send --------------------------------------------------------------------------------------------------------

    async def audience(
        self,
        draft: Draft,
        *,
        to: Sequence[str] = (),
        operation: bool = False,
        subscribers: bool = False,
        answers: str | None = None,
    ) -> Audience:
        """Return who would get a draft, what not and why; nothing is kept or sealed.

        Raises:
            ExchangeError, OperationError, ThreadError, StaleDirectoryError: as for `send`.
        """
        addressing = Addressing(to, operation, subscribers)
        outgoing, _ = compose(self.connector, draft, addressing, answers=await self._reference(answers))
        return await resolve_audience(self.connector, outgoing.question)

    async def send(
        self,
        draft: Draft,
        *,
        to: Sequence[str] = (),
        operation: bool = False,
        subscribers: bool = False,
        leave_out: Sequence[str] = (),
    ) -> Sent:
        """Send a draft: keep it, ask for the audience, seal, upload, and keep the hub's accept.

        Args:
            draft: a warning, feedback or seizure that has checked itself.
            to: partners by name.
            operation: also all members of the operation that the draft names.
            subscribers: also all who subscribed to such messages.
            leave_out: nobody of these, even when addressed otherwise.

        Raises:
            NoAddresseeKeyError: an addressee has no valid key; nothing was sealed.
            DeniedError: policy lets nothing go to anybody; `audience` shows why.
            UnreachableError, BusyError: the message waits in the outbox and is sent when the hub is back.
            ValiseError: it was refused for good; the outbox shows the code.
        """
        return await self._send(draft, Addressing(to, operation, subscribers, leave_out))

    async def answer(
        self,
        mh: str,
        draft: Draft,
        *,
        to: Sequence[str] = (),
        operation: bool = False,
        subscribers: bool = False,
        leave_out: Sequence[str] = (),
    ) -> Sent:
        """Send a feedback or seizure about a message to its originator, and to whom else is named.

        Its marks become at least as strict as those of what it answers.

        Raises:
            ThreadError: that message was neither received nor sent here.
            ValiseError: as `send`.
        """
        addressing = Addressing(to, operation, subscribers, leave_out)
        return await self._send(draft, addressing, answers=await self._reference(mh))

    async def replace(
        self,
        mh: str,
        draft: Draft,
        *,
        verb: Verb,
        to: Sequence[str] = (),
        operation: bool = False,
        subscribers: bool = False,
        leave_out: Sequence[str] = (),
    ) -> Sent:
        """Send an update or cancellation of an own message.

        Raises:
            ThreadError: that message was not sent here, or the verb replaces nothing.
            ValiseError: as `send`.
        """
        replaced = await self._reference(mh)
        addressing = Addressing(to, operation, subscribers, leave_out)
        return await self._send(draft, addressing, verb=verb, replaces=replaced)

    async def _send(
        self,
        draft: Draft,
        addressing: Addressing,
        *,
        verb: Verb = Verb.ALERT,
        answers: Reference | None = None,
        replaces: Reference | None = None,
    ) -> Sent:
        message = compose(self.connector, draft, addressing, verb=verb, answers=answers, replaces=replaces)
        (identifier,) = await hand_over(self.connector, [message])
        return await advance(self.connector, identifier)

    async def _reference(self, mh: str | None) -> Reference | None:
        return None if mh is None else await find_reference(self.connector, mh)

    async def outbox(self, *, limit: int = 50) -> Sequence[OutboxEntry]:
        """Return the latest messages handed over, newest first, with what became of each."""
        return await self.connector.outbox.entries(limit=limit)

    async def matrix(self, mh: str) -> tuple[MatrixRow, ...]:
        """Return what became of each addressee's copy of an own message; see `matrix_of` for errors."""
        return await matrix_of(self.connector, mh)

    async def receipts(self, mh: str) -> Sequence[KeptReceipt]:
        """Return the verified receipts for an own message."""
        return await self.connector.outbox.receipts(mh)

    async def proof(self, mh: str, to: str) -> DeliveryProof:
        """Return what the hub adds to the evidence of one delivery, unverified.

        Raises:
            NotFoundError: there is no such delivery of this agency's.
            ExchangeError: the hub cannot be asked.
        """
        return await self.connector.client.proof(mh, to)

    # --- receive -----------------------------------------------------------------------------------------------------

    async def receive_once(self, *, wait: int = 0) -> Received:
        """Collect and examine what waits, for at most `wait` seconds; see `receive_once` of the trip for errors."""
        return await receive_once(self.connector, wait=wait)

    async def inbox(self, *, limit: int = 50) -> Sequence[InboxEntry]:
        """Return the latest copies, newest first, with what became of each."""
        return await self.connector.inbox.entries(limit=limit)

    async def read(self, mh: str) -> OpenedMessage:
        """Return a received message: manifest, content, and what was withheld; see `read_message` for errors."""
        return await read_message(self.connector, mh)

    async def gaps(self) -> Mapping[str, Sequence[range]]:
        """Return, by originator, the counted messages that never came."""
        return await self.connector.inbox.gaps()

    # --- groups ------------------------------------------------------------------------------------------------------

    async def subscribe(
        self,
        *,
        want: Criteria,
        active: bool = True,
    ) -> Subscription:
        """Subscribe to messages. It replaces the earlier subscription.

        Raises:
            ExchangeError: the hub cannot be asked, or refuses.
        """
        now = self.connector.clock()
        subscription = Subscription(
            v=1,
            fed=self.connector.federation,
            iss=self.connector.partner,
            jti=fresh_id(now),
            iat=now,
            active=active,
            want=want,
        )
        await self.connector.client.subscribe(
            await asyncio.to_thread(sign_subscription, subscription, self.connector.keyring.signer("sign", at=now))
        )
        return subscription

    async def subscription(self) -> Subscription | None:
        """Return this agency's subscription, verified.

        Raises:
            ExchangeError: the hub cannot be asked.
            SignatureError, EnvelopeError, DirectoryError: what the hub shows was not signed by this agency.
        """
        text = await self.connector.client.subscription()
        if text is None:
            return None
        return verify_subscription(text, self.connector.directory, now=None).subscription

    async def open_operation(
        self,
        name: str,
        *,
        title: str,
        members: Sequence[str],
        opens: int,
        closes: int,
        exercise: bool,
        counting: CountingRules | None = None,
    ) -> Operation:
        """Open an operation that this agency coordinates. Times are Unix seconds.

        Raises:
            ForbiddenError: policy does not let this agency coordinate.
            ReplayError: there is another operation of this name.
            ExchangeError: the hub cannot be asked, or refuses.
        """
        now = self.connector.clock()
        operation = Operation(
            v=1,
            fed=self.connector.federation,
            iss=self.connector.partner,
            jti=fresh_id(now),
            iat=now,
            op=name,
            title=title,
            opens=opens,
            closes=closes,
            exercise=exercise,
            members=tuple(sorted(set(members))),
            counting=counting or CountingRules(),
        )
        await self.connector.client.open_operation(
            await asyncio.to_thread(sign_operation, operation, self.connector.keyring.signer("sign", at=now))
        )
        return operation

    async def operations(self) -> tuple[Operation, ...]:
        """Return the operations that this agency is in, verified; see `operations_of` for errors."""
        return await operations_of(self.connector)

    async def report(self, operation: str) -> Report:
        """Return an operation's statistics from what this agency can read.

        Raises:
            OperationError: this agency is in no operation of that name.
            ExchangeError, StaleDirectoryError: as `operations`.
        """
        return await report_of(self.connector, operation)


def _client(settings: ConnectorSettings, keys: KeyHolder, clock: Callable[[], int]) -> HubClient:
    return HubClient(
        settings.hub_url,
        federation=settings.federation,
        partner=settings.partner,
        hub=settings.hub,
        signer=lambda: keys.signer("sign", at=clock()),
        clock=clock,
        tls=client_tls(settings.ca_file, settings.client_certificate, settings.client_key),
    )


async def _mirror(settings: ConnectorSettings, client: HubClient, clock: Callable[[], int]) -> HubMirror:
    """Return a mirror that believes something; a hub that is away does no harm if an earlier run's is in force."""
    try:
        anchor = settings.root.read_bytes()
    except OSError as error:
        raise SetupError(f"{settings.root}: {error.strerror}") from error
    mirror = HubMirror(
        client.file, anchor=anchor, memory=settings.directory, federation=settings.federation, clock=clock
    )
    await mirror.recall()
    try:
        await mirror.refresh()
    except (ExchangeError, DirectoryError, PolicyError) as error:
        try:
            mirror.beliefs()
        except StaleDirectoryError:
            raise error from None
        _LOG.warning(NOT_REFRESHED, error.code)
    return mirror
