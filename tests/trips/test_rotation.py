"""Every kind of key is replaced from the command line while messages flow, and every message is accounted for.

A real hub, two real agencies that send to each other without a pause, and the registry office's own commands.
"""

import asyncio
import contextlib
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import pytest

from connectors.kit.agency import Agency
from hub.app import RunningHub, running_hub
from hub.protocol.audience import parse_leaf
from hub.protocol.encoding import decode_b64url
from hub.protocol.envelope import SubmissionHead
from hub.protocol.errors import (
    EnrolmentError,
    MissingSignatureError,
    NotARenewalError,
    UnreachableError,
    UntrustedDirectoryError,
)
from hub.protocol.jws import parse_jws
from hub.protocol.manifest import MANIFEST_TYP, parse_manifest
from hub.protocol.wire import parse_wire
from hub.settings import HubSettings
from hub.tlog.note import parse_key
from tests.support.agency import warning_draft
from tests.support.commands import called
from tests.support.exercise import HUB, OPERATION, Exercise, open_exercise
from tests.support.office import FEDERATION, PASSPHRASE
from tests.support.tree import ROOT

ROLES: Final = ("timestamp", "snapshot", "policies", "national-fr", "national-de", "exchange", "targets", "root")


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VALISE_PASSPHRASE", PASSPHRASE)


class Load:
    """Messages from each of two agencies to the other, one after the other, until it is told to stop."""

    def __init__(self, *agencies: Agency) -> None:
        self.agencies = agencies
        self.sent: list[tuple[Agency, str]] = []
        self._going = True
        self._moved = asyncio.Condition()

    async def flow(self, agency: Agency, to: str) -> None:
        """Send, receive and refresh, as a runner does; whatever is refused fails the test here."""
        while self._going:
            sent = await agency.send(warning_draft(operation=OPERATION), to=[to])
            received = await agency.receive_once()
            assert received.refused == 0
            with contextlib.suppress(UntrustedDirectoryError):  # caught between two files; what was believed stays
                await agency.connector.mirror.refresh()
            async with self._moved:
                self.sent.append((agency, sent.mh))
                self._moved.notify_all()

    async def passed(self, messages: int) -> None:
        """Return when so many more messages were sent since now."""
        goal = len(self.sent) + messages
        async with self._moved:
            await self._moved.wait_for(lambda: len(self.sent) >= goal)

    def stop(self) -> None:
        self._going = False

    @staticmethod
    async def keys_of(agency: Agency, mh: str) -> set[str]:
        """Return the keys that an own message was signed with and sealed to."""
        entry = await agency.connector.outbox.message(mh)
        head = parse_wire(SubmissionHead, entry.head or b"")
        jws = parse_manifest(head.m)[1]
        keys = {jws.kid, *(parse_leaf(decode_b64url(slot.l)).kid for slot in head.a if slot.k is not None)}
        if head.s2 is not None:
            keys.add(parse_jws(head.s2, typ=MANIFEST_TYP, payload_segment=jws.payload_segment).kid)
        return keys


async def rotate_everything(exercise: Exercise, load: Load) -> None:
    """Replace each kind of key once, and let messages pass between any two steps."""
    office = exercise.folder / "office"
    for use in ("sign", "sign2"):
        made = await called("connector", "rotate", exercise.agency("fr-customs"), "--use", use)
        await load.passed(2)
        assert (await called("partner", "renew", office, made["request"])) == {"renewed": ["fr-customs"]}
        await load.passed(4)
    for folder in (exercise.agency("fr-customs"), exercise.agency("de-customs")):
        made = await called("connector", "rotate", folder, "--use", "open", "--count", "2")
        with pytest.raises(NotARenewalError):
            await called("partner", "renew", office, made["request"])
        (challenged,) = (await called("partner", "challenge", office, made["request"]))["challenges"]
        assert challenged["vouching"], "no fingerprint is compared again"
        await called("connector", "answer", folder)
        await load.passed(2)
        await called("partner", "enrol", office, made["request"])
        await load.passed(4)
    for use in ("sign", "log"):
        made = await called("hub", "rotate", exercise.hub, "--use", use)
        await load.passed(2)
        await called("partner", "renew", office, made["request"])
        await load.passed(4)
    for role in ROLES:
        await called("exchange", "rotate-role", office, role)
        await load.passed(2)
    load.stop()


async def test_every_kind_of_key_is_replaced_under_load_without_a_lost_message(
    exercise: Exercise, hub: RunningHub, folders: dict[str, Path]
) -> None:
    async with AsyncExitStack() as stack:
        french, german = [
            await stack.enter_async_context(Agency.open(folders[one])) for one in ("fr-customs", "de-customs")
        ]
        await open_exercise(french)
        load = Load(french, german)
        async with asyncio.TaskGroup() as group:
            group.create_task(load.flow(french, "de-customs"))
            group.create_task(load.flow(german, "fr-customs"))
            group.create_task(rotate_everything(exercise, load))
        for agency in (french, german):
            await agency.receive_once()
        for agency in (french, german):
            await agency.receive_once()  # the receipts for the last ones

        for agency in (french, german):
            outbox = await agency.outbox(limit=10_000)
            assert {entry.state for entry in outbox} == {"accepted"}
            assert {entry.state for entry in await agency.inbox(limit=10_000)} == {"opened"}
            assert await agency.gaps() == {}
            for entry in outbox:
                (row,) = await agency.matrix(entry.mh or "")
                assert row.state == "opened", "each message was delivered, and its receipt came back"
            assert len(outbox) == len([one for one, _ in load.sent if one is agency])

        used: set[str] = set()
        for agency, mh in load.sent:
            used |= await load.keys_of(agency, mh)
        assert used >= {"fr-customs#s1", "fr-customs#s2", "fr-customs#m1", "fr-customs#m2", "de-customs#s1"}
        assert used >= {f"{partner}#{key}" for partner in ("fr-customs", "de-customs") for key in ("e1", "e2")}
        record = french.connector.directory.partner(HUB)
        assert len([parse_key(text) for text in record.log_keys]) == 4, "the log's old keys and its new ones"
        checkpoint = await french.connector.log.look(
            french.connector.client, french.connector.directory, now=french.connector.clock()
        )
        assert checkpoint.size > len(load.sent)
        assert await french.connector.log.alarms() == []
    assert hub.exchange.directory().partner("fr-customs").keys[-1].kid == "fr-customs#e3"


async def test_an_agency_that_signs_once_signs_twice_and_then_must(tmp_path: Path) -> None:
    """By the commands alone: founded, enrolled with Ed25519, a second key by rotation, and then required."""
    office, folder = tmp_path / "office", tmp_path / HUB
    countries = ("--country", "FR", "--country", "DE")
    await called("exchange", "init", office, "--name", FEDERATION, *countries, "--light-keystores")
    await called("exchange", "policies", office, ROOT / "policies")
    shared = ("--exchange", FEDERATION, "--root", office / "root.json", "--light-keystores")
    directory = ("--directory", office / "public", "--port", "0")
    await called("hub", "init", folder, "--code", HUB, "--name", "Hub", *directory, *shared)
    await called("partner", "challenge", office, folder / f"{HUB}.request")
    await called("hub", "answer", folder, folder / f"{HUB}.challenge")
    await called("partner", "enrol", office, folder / f"{HUB}.request")
    async with running_hub(HubSettings.read(folder / "hub.toml")) as hub:
        agencies = [tmp_path / code for code in ("fr-customs", "de-customs")]
        line = ("--kind", "customs", "--hub", HUB, "--hub-url", hub.url)
        requests = [
            (await called("connector", "init", one, "--code", one.name, "--name", one.name, *line, *shared))["request"]
            for one in agencies
        ]
        await called("partner", "challenge", office, *requests)
        await called("connector", "answer", *agencies)
        await called("partner", "enrol", office, *requests)
        async with Agency.open(agencies[0]) as french, Agency.open(agencies[1]) as german:
            await open_exercise(french)
            with pytest.raises(EnrolmentError, match="ML-DSA-65"):
                await called("partner", "require", office, "fr-customs", "--second")
            once = await held_back(french)
            made = await called("connector", "rotate", agencies[0], "--use", "sign2")
            assert made["made"] == ["fr-customs#m1"]
            await called("partner", "renew", office, made["request"])
            await french.connector.mirror.refresh()
            sent = await french.send(warning_draft(operation=OPERATION), to=["de-customs"])
            assert await Load.keys_of(french, sent.mh) >= {"fr-customs#s1", "fr-customs#m1"}, "before it must"
            required = await called("partner", "require", office, "fr-customs", "--second")
            assert required["require"] == ["Ed25519", "ML-DSA-65"]
            with pytest.raises(MissingSignatureError):
                await french.connector.client.submit(once)
            after = await french.send(warning_draft(operation=OPERATION), to=["de-customs"])
            assert (await german.receive_once()).opened == (sent.mh, after.mh)


async def held_back(agency: Agency) -> bytes:
    """Seal a message and return its bytes instead of uploading them."""
    uploaded: list[bytes] = []
    submit = agency.connector.client.submit

    async def caught(frame: bytes) -> bytes:
        uploaded.append(frame)
        raise UnreachableError("held back")

    agency.connector.client.submit = caught  # type: ignore[method-assign]
    with pytest.raises(UnreachableError):
        await agency.send(warning_draft(operation=OPERATION), to=["de-customs"])
    agency.connector.client.submit = submit  # type: ignore[method-assign]
    return uploaded[0]
