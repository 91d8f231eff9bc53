"""A connector that was restored from an old backup gives no number twice, leaves none out, and sends nothing again."""

import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from connectors.kit.agency import Agency
from connectors.kit.client import HubClient
from connectors.kit.questions import ask_standing
from connectors.kit.send import Addressing, advance, compose, hand_over
from connectors.kit.standing import catch_up
from hub.protocol.envelope import Proven
from hub.protocol.errors import AnswerError, ExpiredError, NotFoundError, UnreachableError
from hub.protocol.interface import OwnRecord, StandingAnswer
from hub.protocol.manifest import parse_manifest
from hub.protocol.wire import parse_wire
from tests.support.agency import World, line_of, running_world, warning_draft
from tests.support.memory_store import MemoryStore

KID = "fr-customs#s1"


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    async with running_world(tmp_path, monkeypatch) as running:
        yield running


def _file(tmp_path: Path) -> Path:
    return tmp_path / "fr-customs" / "agency.sqlite"


def _back_up(tmp_path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        part = Path(f"{_file(tmp_path)}{suffix}")
        if part.exists():
            shutil.copy(part, f"{part}.kept")


def _restore(tmp_path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        part = Path(f"{_file(tmp_path)}{suffix}")
        part.unlink(missing_ok=True)
        kept = Path(f"{part}.kept")
        if kept.exists():
            shutil.move(kept, part)


async def _kinds(agency: Agency) -> list[str]:
    return sorted(one.kind for one in await agency.connector.alarms.raised())


async def test_a_restored_connector_neither_repeats_nor_skips(world: World, tmp_path: Path) -> None:
    other = await world.open("de-customs")
    async with AsyncExitStack() as process:
        customs = await world.open(stack=process)
        await customs.send(warning_draft(), to=["de-customs"])
        message = compose(customs.connector, warning_draft(), Addressing(["de-customs"]))
        (waiting,) = await hand_over(customs.connector, [message])
    _back_up(tmp_path)  # with one message sent, and one that waits
    async with AsyncExitStack() as process:
        customs = await world.open(stack=process)
        second = await advance(customs.connector, waiting)
        third = await customs.send(warning_draft(), to=["de-customs", "de-police"])
    await other.receive_once()
    _restore(tmp_path)
    customs = await world.open()
    assert (await customs.connector.outbox.entry(waiting)).state == "waiting", "the backup knows nothing of it"
    fourth = await customs.send(warning_draft(), to=["de-customs", "de-police"])
    assert (await advance(customs.connector, waiting)).mh == second.mh, "not sent again"
    known = await world.store.messages_of(iss="fr-customs", operation=None, limit=9)
    assert [one.seq for one in known] == [4, 3, 2, 1]
    chain = {one.mh: parse_manifest(one.manifest)[0].prev for one in known}
    assert (chain[fourth.mh], chain[third.mh]) == (third.mh, second.mh), "one history"
    for partner in ("de-customs", "de-police"):
        agency = await world.open(partner)
        await agency.receive_once()
        assert await agency.gaps() == {}
        assert {entry.state for entry in await agency.inbox()} == {"opened"}
    assert [row.state for row in await customs.matrix(third.mh)] == ["opened", "opened"], "it is ours again"
    assert {one.iss for one in await customs.receipts(third.mh)} == {"de-customs", "de-police"}
    assert await _kinds(customs) == []
    assert await catch_up(customs.connector) == 0


async def test_what_was_collected_and_lost_is_an_alarm(world: World, tmp_path: Path) -> None:
    police = await world.open("de-police")
    async with AsyncExitStack() as process:
        customs = await world.open(stack=process)
        await catch_up(customs.connector)
    _back_up(tmp_path)
    async with AsyncExitStack() as process:
        customs = await world.open(stack=process)
        await police.send(warning_draft(), to=["fr-customs"])
        assert len((await customs.receive_once()).opened) == 1
    _restore(tmp_path)
    customs = await world.open()
    await catch_up(customs.connector)
    assert await _kinds(customs) == ["mail-missing"]


async def test_a_hub_that_keeps_back_what_it_accepted_lets_no_number_be_given_twice(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with AsyncExitStack() as process:
        await world.open(stack=process)
    _back_up(tmp_path)
    async with AsyncExitStack() as process:
        await (await world.open(stack=process)).send(warning_draft(), to=["de-customs"])
    _restore(tmp_path)
    customs = await world.open()

    async def empty(client: HubClient, kid: str, *, after: int) -> StandingAnswer:
        return (await ask_standing(client, kid, after=after)).model_copy(update={"records": ()})

    monkeypatch.setattr("connectors.kit.standing.ask_standing", empty)
    with pytest.raises(AnswerError):
        await customs.send(warning_draft(), to=["de-customs"])
    assert [entry.state for entry in await customs.outbox()] == ["waiting"], "no number was given"


async def test_a_number_that_was_sealed_and_lost_is_an_alarm(world: World, tmp_path: Path) -> None:
    async with AsyncExitStack() as process:
        customs = await world.open(stack=process)
        await customs.send(warning_draft(), to=["de-customs"])
    _back_up(tmp_path)
    async with AsyncExitStack() as process:
        customs = await world.open(stack=process)
        line_of(customs).break_before["/v1/messages"] = 1
        with pytest.raises(UnreachableError):
            await customs.send(warning_draft(), to=["de-customs"])
        await customs.send(warning_draft(), to=["de-customs"])
    _restore(tmp_path)
    customs = await world.open()
    await catch_up(customs.connector)
    (alarm,) = await customs.connector.alarms.raised()
    assert (alarm.kind, alarm.about) == ("number-lost", f"{KID}/2")


async def test_a_hub_that_knows_less_than_we_do_is_an_alarm(world: World) -> None:
    customs = await world.open()
    sent = await customs.send(warning_draft(), to=["de-customs"])
    await world.stop()
    world.store._messages.clear()
    await world.start()
    await catch_up(customs.connector)
    (alarm,) = await customs.connector.alarms.raised()
    assert (alarm.kind, alarm.about) == ("hub-forgot", sent.mh)


async def test_what_nobody_signed_is_not_adopted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    customs, police = await world.open(), await world.open("de-police")
    honest = line_of(customs).ask
    mine = (await customs.send(warning_draft(), to=["de-customs"])).mh
    theirs = await police.send(warning_draft(), to=["de-customs"])
    (foreign,) = await world.store.own_messages("de-police#s1", after=0, limit=9)
    (own,) = await world.store.own_messages(KID, after=0, limit=9)
    lies = [
        OwnRecord(seq=1, manifest=foreign.manifest, accept=parse_wire(Proven, foreign.accept), to=("de-customs",)),
        OwnRecord(seq=2, manifest=own.manifest, accept=parse_wire(Proven, own.accept), to=("de-customs",)),
        OwnRecord(seq=1, manifest=own.manifest, accept=parse_wire(Proven, foreign.accept), to=("de-customs",)),
    ]
    for lie in lies:

        async def ask(*_given: object, lie: OwnRecord = lie, **_named: object) -> StandingAnswer:
            return StandingAnswer(highest=9, records=(lie,), collected=0)

        monkeypatch.setattr(line_of(customs), "ask", ask)
        with pytest.raises(AnswerError):
            await catch_up(customs.connector)
    monkeypatch.setattr(line_of(customs), "ask", honest)
    assert await customs.connector.counters.sealed(KID) == 1
    assert [entry.mh for entry in await customs.outbox()] == [mine]
    with pytest.raises(NotFoundError):
        await customs.connector.outbox.message(theirs.mh)


async def test_nobody_learns_of_anothers_standing(world: World) -> None:
    police = await world.open("de-police")
    with pytest.raises(NotFoundError):
        await line_of(police).ask(StandingAnswer, "/v1/standing", query={"kid": KID, "after": "0"})


async def test_a_message_that_expired_while_the_hub_was_away_is_given_up(world: World) -> None:
    customs = await world.open()
    line_of(customs).break_before["/v1/messages"] = 1
    with pytest.raises(UnreachableError):
        await customs.send(warning_draft(), to=["de-customs"])
    (entry,) = await customs.outbox()
    world.now += 31 * 86_400
    with pytest.raises(ExpiredError):
        await advance(customs.connector, entry.id)
    assert (await customs.connector.outbox.entry(entry.id)).code == ExpiredError.code
    assert isinstance(world.store, MemoryStore)
