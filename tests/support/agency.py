"""Agencies in memory for tests: real connectors on a real hub's application, with policy as the test says.

Not for: real policy sets or a published directory; those are in `tests/trips/`. Each line to the hub can be told to
break before the hub heard something, or after it did.
"""

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from aiohttp.test_utils import TestServer, unused_port

from connectors.kit.agency import Agency
from connectors.kit.agency_store import AgencyStore
from connectors.kit.alarms import Alarms
from connectors.kit.client import HubClient
from connectors.kit.connector import Connector
from connectors.kit.counters import Counters
from connectors.kit.deadlines import Deadlines
from connectors.kit.directory import Beliefs
from connectors.kit.inbox import Inbox
from connectors.kit.log_watch import LogWatch
from connectors.kit.outbox import Outbox
from connectors.kit.own_receipts import OwnReceipts
from connectors.kit.settings import ConnectorSettings
from hub.api.routes import make_app
from hub.broker.exchange import Exchange
from hub.broker.notary import Notary, log_signers
from hub.policy.facts import write_inputs
from hub.protocol.content import FeedbackDraft, WarningDraft
from hub.protocol.directory import Directory
from hub.protocol.encoding import encode_b64url
from hub.protocol.errors import UnreachableError
from hub.protocol.hazmat import sha256
from hub.protocol.keyring import Keyring, KeyUse, PrivateKey
from hub.protocol.strictjson import write_json
from hub.protocol.vocabulary import Label
from hub.store.spool import FileSpool
from tests.support.content import ACTION, CONSIGNMENT, NARRATIVE
from tests.support.exchange import FEDERATION, HUB, NOW, make_directory, sign_as_hub
from tests.support.memory_store import MemoryStore

YEAR: Final = 366 * 86_400  # seconds
PLACES: Final = (
    "hub.broker.audience.decide",
    "hub.broker.submit.decide",
    "hub.broker.preview.decide",
    "connectors.kit.audience.decide",
)


# --- policy as the test says -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ScriptedRules:
    coordinates: bool = True


@dataclass(frozen=True)
class ScriptedSet:
    """A policy set that releases everything but what it denies: labels by partner."""

    digest: str = "0" * 64
    deny: Mapping[str, frozenset[Label]] = field(default_factory=dict)

    @property
    def partners(self) -> Mapping[str, ScriptedRules]:
        return {"int-bureau": ScriptedRules()}


@dataclass(frozen=True)
class ScriptedDenial:
    cid: str
    reason: str = "policy/scripted"
    rules: tuple[str, ...] = ("TEST-01",)
    near_miss: str = "the test says so"


@dataclass(frozen=True)
class ScriptedVerdict:
    to: str
    released: tuple[str, ...]
    withheld: tuple[ScriptedDenial, ...]
    rules: tuple[str, ...] = ("TEST-00",)
    duties: tuple[str, ...] = ()
    agreement: str | None = None
    inputs: bytes = b"{}"


def scripted_decide(policies: Any, message: Any, compartments: Any, addressees: Any) -> list[ScriptedVerdict]:
    """Decide as the set says; a suspended partner gets nothing."""
    verdicts = []
    inputs = write_inputs(policies.digest, message, compartments, addressees)
    for addressee, data in zip(addressees, inputs, strict=True):
        denied = policies.deny.get(addressee.partner, frozenset())
        cids = [one.cid for one in compartments if one.label not in denied and not addressee.suspended]
        others = tuple(ScriptedDenial(one.cid) for one in compartments if one.cid not in cids)
        verdicts.append(ScriptedVerdict(addressee.partner, tuple(cids), others, inputs=data))
    return verdicts


# --- keys, beliefs, lines --------------------------------------------------------------------------------------------


def keyring_of(partner: str) -> Keyring:
    """Return the private keys to `make_directory`'s public ones, and a log's for the hub."""
    uses: list[tuple[str, KeyUse]] = [("s1", "sign"), ("e1", "open")]
    uses += [("l1", "log"), ("n1", "log2")] if partner == HUB else []
    return Keyring(partner, tuple(_private_key(f"{partner}#{name}", use) for name, use in uses))


def _private_key(kid: str, use: KeyUse) -> PrivateKey:
    parts = [kid.encode() + bytes([part]) for part in range(3)] if use == "open" else [kid.encode()]
    secret = encode_b64url(b"".join(sha256(part) for part in parts))
    return PrivateKey(kid=kid, use=use, secret=secret, nbf=NOW - YEAR, exp=NOW + YEAR)


def directory_with_log() -> Directory:
    """Return `make_directory`'s directory with the hub's log keys in it."""
    log = log_signers(keyring_of(HUB), FEDERATION, at=NOW)
    return with_partner(make_directory(), HUB, log_keys=tuple(key.text for key, _ in log))


@dataclass
class ScriptedMirror:
    """Beliefs that change when the test says so; `published` is what the next refresh believes."""

    directory: Directory
    policies: Any
    published: tuple[Directory, Any] | None = None
    refreshed: int = 0

    def beliefs(self) -> Beliefs:
        return Beliefs(self.directory, self.policies)

    async def refresh(self) -> None:
        self.refreshed += 1
        if self.published is not None:
            self.directory, self.policies = self.published

    def files(self) -> Mapping[str, bytes]:
        return {}


class BrittleClient(HubClient):
    """A client whose line breaks when it is told to, before or after the hub heard a request; it counts requests."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.break_before: Counter[str] = Counter()
        self.break_after: Counter[str] = Counter()
        self.heard: Counter[str] = Counter()

    async def _exchange(self, method: str, path: str, *given: Any, **named: Any) -> bytes:
        if self.break_before[path]:
            self.break_before[path] -= 1
            raise UnreachableError("before")
        answer = await super()._exchange(method, path, *given, **named)
        self.heard[path] += 1
        if self.break_after[path]:
            self.break_after[path] -= 1
            raise UnreachableError("after")
        return answer


# --- the world -------------------------------------------------------------------------------------------------------


class World:
    """One hub and the agencies that a test opens. `policies` are the hub's; an agency's are its mirror's."""

    def __init__(self, folder: Path, stack: AsyncExitStack) -> None:
        self._folder, self._stack = folder, stack
        self._url = f"http://127.0.0.1:{unused_port()}"
        self._server: TestServer | None = None
        self.now = NOW
        self.directory = directory_with_log()
        self.policies: Any = ScriptedSet()
        self.store = MemoryStore(federation=FEDERATION, hub=HUB, sign_batch=sign_as_hub, clock=self.clock)

    def clock(self) -> int:
        return self.now

    async def start(self) -> None:
        """Start the hub, or start it anew: what it has stored stays, its sessions are gone."""
        exchange = Exchange(
            hub=HUB,
            federation=FEDERATION,
            store=self.store,
            directory=lambda: self.directory,
            policies=lambda: self.policies,
            clock=self.clock,
        )
        notary = Notary(self.store, lambda: keyring_of(HUB), federation=FEDERATION, clock=self.clock)
        app = make_app(
            exchange, notary, public_url=self._url, repository=self._folder, spool=FileSpool(self._folder / "spool")
        )
        self._server = TestServer(app, port=int(self._url.rpartition(":")[2]))
        await self._server.start_server()
        self._stack.push_async_callback(self._server.close)

    async def stop(self) -> None:
        """Stop the hub."""
        if self._server is not None:
            await self._server.close()

    async def open(self, partner: str = "fr-customs", *, stack: AsyncExitStack | None = None) -> Agency:
        """Open an agency; opening it again is what a new process after a crash does."""
        stack = stack or self._stack
        folder = self._folder / partner
        folder.mkdir(exist_ok=True)
        settings = ConnectorSettings(
            partner=partner,
            federation=FEDERATION,
            hub=HUB,
            hub_url=self._url,
            poll_seconds=0,
            refresh_seconds=1,
            watch_seconds=1,
        )
        keyring = keyring_of(partner)
        client = BrittleClient(
            self._url,
            federation=FEDERATION,
            partner=partner,
            hub=HUB,
            signer=lambda: keyring.signer("sign", at=NOW),
            clock=self.clock,
        )
        store = await stack.enter_async_context(await AgencyStore.open(folder / "agency.sqlite"))
        connector = Connector(
            partner=partner,
            federation=FEDERATION,
            hub=HUB,
            mode=settings.mode,
            lifetime=30 * 86_400,
            keyring=keyring,
            client=await stack.enter_async_context(client),
            mirror=ScriptedMirror(self.directory, self.policies),
            outbox=Outbox(store),
            inbox=Inbox(store),
            receipts=OwnReceipts(store),
            alarms=Alarms(store),
            deadlines=Deadlines(store),
            counters=Counters(store),
            log=LogWatch(store, hub=HUB),
            clock=self.clock,
        )
        return Agency(settings, connector)


@asynccontextmanager
async def running_world(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """Run a hub whose policy, and whose agencies' policy, is scripted."""
    for place in PLACES:
        monkeypatch.setattr(place, scripted_decide)
    async with AsyncExitStack() as stack:
        world = World(folder, stack)
        await world.start()
        yield world


def line_of(agency: Agency) -> BrittleClient:
    """Return an agency's line to the hub, to be broken."""
    client = agency.connector.client
    assert isinstance(client, BrittleClient)
    return client


def mirror_of(agency: Agency) -> ScriptedMirror:
    """Return an agency's beliefs, to be changed."""
    mirror = agency.connector.mirror
    assert isinstance(mirror, ScriptedMirror)
    return mirror


def with_partner(directory: Directory, partner: str, **change: Any) -> Directory:
    """Return the directory with one partner's record changed, or without its keys for `keys=()`."""
    records = [record.model_copy(update=change if record.partner == partner else {}) for record in directory.partners()]
    return Directory(federation=FEDERATION, version=2, digest="1" * 64, records=records)


# --- drafts ----------------------------------------------------------------------------------------------------------


def warning_draft(**change: Any) -> WarningDraft:
    """Return an invented warning of three compartments: action, consignment, narrative."""
    members = {
        "kind": "warning",
        "marks": {"tlp": "AMBER", "codes": ["H2"], "eval": "B2"},
        "purpose": "customs-control",
        "offence": "drugs",
        "basis": "cmaa",
        "status": "exercise",
        "compartments": {"action": ACTION, "consignment": CONSIGNMENT, "narrative": NARRATIVE},
    }
    return WarningDraft.model_validate_json(write_json(members | change))


def feedback_draft(**change: Any) -> FeedbackDraft:
    """Return an invented feedback, marked more loosely than the warning."""
    members = {
        "kind": "feedback",
        "marks": {"tlp": "GREEN"},
        "purpose": "customs-control",
        "offence": "drugs",
        "basis": "cmaa",
        "status": "exercise",
        "compartments": {"outcome": {"code": "inspected-negative", "useful": 2}},
    }
    return FeedbackDraft.model_validate_json(write_json(members | change))
