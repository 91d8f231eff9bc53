"""What a subscription would have matched last month: counted among what policy gives, and nothing else."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connectors.kit.agency import Agency
from connectors.kit.questions import ask_preview
from hub.broker import preview as trip
from hub.protocol.errors import OperationError
from hub.protocol.interface import Preview
from hub.protocol.subscription import Criteria
from hub.protocol.vocabulary import Label, Topic
from tests.support.agency import ScriptedSet, World, running_world, warning_draft
from tests.support.exchange import criteria

EVERYTHING = frozenset(Label)


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    async with running_world(tmp_path, monkeypatch) as running:
        yield running


async def _counts(agency: Agency, want: Criteria) -> tuple[int, int]:
    found = await ask_preview(agency.connector.client, want)
    return found.old, found.new


async def _offer(world: World, *topics: Topic, to: tuple[str, ...] = ()) -> None:
    """Send a warning to subscribers, of whom rilo-we is one."""
    agency = await world.open()
    draft = warning_draft(topics=list(topics)) if topics else warning_draft()
    await agency.send(draft, to=to, subscribers=True)


async def test_old_and_new_are_counted_among_what_policy_gives(world: World) -> None:
    office, bureau, police = [await world.open(one) for one in ("rilo-we", "int-bureau", "de-police")]
    await office.subscribe(want=criteria())
    for topics in (("hs:93",), ("hs:93", "mode:sea", "transit:QA"), ("hs:24", "mode:sea", "origin:KE")):
        await _offer(world, *topics)
    assert await _counts(bureau, criteria()) == (0, 3)
    assert await _counts(office, criteria(topics=("hs:93",))) == (3, 2), "the present one matches everything"
    assert await _counts(bureau, criteria(topics=("hs:93", "mode:sea"))) == (0, 1), "facets narrow each other"
    assert await _counts(bureau, criteria(topics=("hs:93", "hs:24"))) == (0, 3), "words of one facet widen it"
    assert await _counts(bureau, criteria(countries=("QA",), regions=("africa",))) == (0, 2)
    assert await _counts(bureau, criteria(priorities=("urgent",))) == (0, 0)
    assert await _counts(bureau, criteria(kinds=("seizure",))) == (0, 0)
    world.policies = ScriptedSet("b" * 64, {"de-police": EVERYTHING})
    assert await _counts(police, criteria()) == (0, 0), "policy gives it nothing, so it is told of nothing"
    world.now += 31 * 86_400
    assert await _counts(bureau, criteria()) == (0, 0), "last month's only"


async def test_what_went_to_named_partners_alone_is_never_counted(world: World) -> None:
    customs, bureau = await world.open(), await world.open("int-bureau")
    await customs.send(warning_draft(), to=["de-customs"])
    assert await _counts(bureau, criteria()) == (0, 0)
    office = await world.open("rilo-we")
    await office.subscribe(want=criteria())
    await _offer(world, to=("de-customs",))
    assert await _counts(bureau, criteria()) == (0, 1)
    assert await _counts(customs, criteria()) == (0, 0), "nor one's own"


async def test_the_work_of_one_question_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    bureau, office = await world.open("int-bureau"), await world.open("rilo-we")
    await office.subscribe(want=criteria())
    for _ in range(3):
        await _offer(world)
    whole = await ask_preview(bureau.connector.client, criteria())
    assert whole == Preview(days=30, old=0, new=3, whole=True)
    monkeypatch.setattr(trip, "MAX_LOOKED_AT", 2)
    assert await ask_preview(bureau.connector.client, criteria()) == Preview(days=30, old=0, new=2, whole=False)


async def test_an_operation_of_others_is_not_asked_about(world: World) -> None:
    bureau = await world.open("int-bureau")
    with pytest.raises(OperationError):
        await ask_preview(bureau.connector.client, criteria(operations=("op-canute",)))
