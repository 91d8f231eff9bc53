"""What is late alarms the originator, until it comes."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connectors.kit.agency import Agency
from connectors.kit.alarms import AlarmKind
from connectors.kit.watch import watch_once
from hub.protocol.errors import UnreachableError
from hub.protocol.interface import DeliveryProof, Matrix
from tests.support.agency import ScriptedSet, World, line_of, running_world, warning_draft
from tests.support.content import ACTION

HOUR = 3_600


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    async with running_world(tmp_path, monkeypatch) as running:
        yield running


async def raised(agency: Agency) -> list[tuple[str, str, str]]:
    return [(one.kind, one.partner, one.reason) for one in await agency.connector.alarms.raised()]


@pytest.mark.parametrize(("priority", "hours"), [("urgent", 1), ("routine", 24)])
async def test_a_late_receipt_is_an_alarm_until_it_comes(world: World, priority: str, hours: int) -> None:
    customs, other = await world.open(), await world.open("de-customs")
    urgency = {"urgency_reason": "the ship sails tonight"} if priority == "urgent" else {}
    draft = warning_draft(priority=priority, compartments={"action": ACTION | urgency})
    sent = await customs.send(draft, to=["de-customs"])
    await watch_once(customs.connector)
    world.now += hours * HOUR - 1
    await watch_once(customs.connector)
    assert await raised(customs) == [], "not before its time"
    world.now += 1
    for _ in range(2):
        await watch_once(customs.connector)
    assert await raised(customs) == [("receipt-late", "de-customs", "waiting-not-collected")], "once"
    (alarm,) = await customs.connector.alarms.raised(about=(sent.mh,))
    assert alarm.raised_at == world.now
    await other.receive_once()
    await customs.receive_once()
    assert await raised(customs) == []


async def test_no_receipt_is_waited_for_where_nothing_was_released(world: World) -> None:
    customs = await world.open()
    draft = warning_draft()
    labels = frozenset(label for label, _, _ in draft.body())
    world.policies = ScriptedSet("a" * 64, {"de-police": labels})
    await customs.send(draft, to=["de-customs", "de-police"])
    world.now += 24 * HOUR
    await watch_once(customs.connector)
    assert [partner for _, partner, _ in await raised(customs)] == ["de-customs"]


async def test_a_hub_that_only_says_that_it_withheld_hides_no_deadline(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    customs = await world.open()
    sent = await customs.send(warning_draft(), to=["de-customs"])
    honest = line_of(customs).matrix

    async def lie(mh: str) -> Matrix:
        matrix = await honest(mh)
        rows = [row.model_copy(update={"released": (), "state": "withheld"}) for row in matrix.rows]
        return matrix.model_copy(update={"rows": tuple(rows)})

    monkeypatch.setattr(line_of(customs), "matrix", lie)
    world.now += 24 * HOUR
    await watch_once(customs.connector)
    (alarm,) = await customs.connector.alarms.raised()
    assert (alarm.kind, alarm.about, alarm.partner) == (AlarmKind.RECEIPT_LATE, sent.mh, "de-customs")


async def test_a_hub_that_is_away_hides_no_deadline(world: World) -> None:
    customs = await world.open()
    await customs.send(warning_draft(), to=["de-customs"])
    await world.stop()
    world.now += 24 * HOUR
    with pytest.raises(UnreachableError):
        await watch_once(customs.connector)
    assert sorted(await raised(customs)) == [
        ("log-proof-late", "int-hub", ""),
        ("receipt-late", "de-customs", "hub-not-asked"),
    ]
    await world.start()
    other = await world.open("de-customs")
    await other.receive_once()
    await watch_once(customs.connector)
    assert await raised(customs) == [], "proof and receipt are there, even before the mailbox was looked into"


async def test_a_proof_of_the_log_is_fetched_and_checked(world: World) -> None:
    customs = await world.open()
    sent = await customs.send(warning_draft(), to=["de-customs"])
    assert list(await customs.connector.deadlines.unproven(limit=9)) == [sent.mh]
    await watch_once(customs.connector)
    assert await customs.connector.deadlines.unproven(limit=9) == []
    assert await customs.connector.log.latest() == await line_of(customs).checkpoint(), "it continues what was seen"
    world.now += 20 * 60
    await watch_once(customs.connector)
    assert await raised(customs) == []


@pytest.mark.parametrize("spoil", ["index", "payload", "checkpoint"])
async def test_a_proof_that_is_late_or_wrong_is_an_alarm(
    world: World, monkeypatch: pytest.MonkeyPatch, spoil: str
) -> None:
    customs = await world.open()
    first = await customs.send(warning_draft(), to=["de-customs"])
    sent = await customs.send(warning_draft(), to=["de-customs"])
    honest = line_of(customs).proof

    async def wrong(mh: str, to: str) -> DeliveryProof:
        proof = await honest(mh, to)
        if mh == first.mh:
            return proof
        if spoil == "checkpoint":
            return proof.model_copy(update={"checkpoint": proof.checkpoint[:-8] + "AAAAAAA\n"})
        change = {"index": proof.accept.index - 1} if spoil == "index" else {"payload": proof.decision.payload}
        return proof.model_copy(update={"accept": proof.accept.model_copy(update=change)})

    with monkeypatch.context() as patch:
        patch.setattr(line_of(customs), "proof", wrong)
        await watch_once(customs.connector)
        assert [(kind, partner) for kind, partner, _ in await raised(customs)] == [("log-proof-wrong", "int-hub")]
        world.now += 10 * 60
        await watch_once(customs.connector)
        assert sorted(kind for kind, _, _ in await raised(customs)) == ["log-proof-late", "log-proof-wrong"]
    assert list(await customs.connector.deadlines.unproven(limit=9)) == [sent.mh]
    await watch_once(customs.connector)
    assert await raised(customs) == [], "the right one came after all"


async def test_a_gap_is_an_alarm_once_nothing_can_be_under_way(world: World) -> None:
    customs, other = await world.open(), await world.open("de-customs")
    line_of(customs).break_before["/v1/messages"] = 1
    with pytest.raises(UnreachableError):
        await customs.send(warning_draft(), to=["de-customs"])
    await customs.send(warning_draft(), to=["de-customs"])
    await other.receive_once()
    await watch_once(other.connector)
    assert await raised(other) == []
    world.now += 900
    await watch_once(other.connector)
    (gap,) = await other.connector.alarms.raised()
    assert (gap.kind, gap.about, gap.partner) == (AlarmKind.GAP, "1-1", "fr-customs")
    assert await other.connector.alarms.dismiss(gap.place, at=world.now)
    assert not await other.connector.alarms.dismiss(gap.place, at=world.now)
    await watch_once(other.connector)
    assert await raised(other) == [], "it was dealt with, although the gap stays"


async def test_what_was_dismissed_stays_so_until_it_has_come_and_is_late_anew(world: World) -> None:
    customs = await world.open()
    await customs.send(warning_draft(), to=["de-customs"])
    world.now += 24 * HOUR
    await watch_once(customs.connector)
    alarms = customs.connector.alarms
    (late,) = await alarms.raised()
    for moment in (world.now, world.now + HOUR):
        await alarms.dismiss(late.place, at=moment)
        await watch_once(customs.connector)
        assert await raised(customs) == []
    await alarms.clear(late.kind, late.about, partner=late.partner, at=world.now)
    await watch_once(customs.connector)
    assert await alarms.raised() == [late]
