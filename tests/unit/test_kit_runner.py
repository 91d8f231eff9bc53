"""A connector that runs unattended: it answers once, survives a hub that is away, and stops when it is asked."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connectors.kit.agency import Agency
from connectors.kit.reading import OpenedMessage
from connectors.kit.runner import Reply, Runner
from connectors.kit.send import Addressing
from hub.protocol.errors import ContentError, StoreError, UnreachableError
from hub.protocol.vocabulary import Status
from tests.support.agency import World, feedback_draft, line_of, running_world, warning_draft


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    async with running_world(tmp_path, monkeypatch) as running:
        yield running


async def _answer(_agency: Agency, _message: OpenedMessage) -> Sequence[Reply]:
    return [Reply(feedback_draft())]


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Pauses are noted and not waited for."""
    pauses: list[float] = []
    really = asyncio.sleep

    async def note(seconds: float) -> None:
        pauses.append(seconds)
        await really(0.001)

    monkeypatch.setattr("connectors.kit.runner.asyncio.sleep", note)
    return pauses


def _signal(monkeypatch: pytest.MonkeyPatch, owner: object, name: str) -> asyncio.Event:
    """Return an event that is set when a method has returned."""
    happened, method = asyncio.Event(), getattr(owner, name)

    async def tell(*given: Any, **named: Any) -> Any:
        result = await method(*given, **named)
        happened.set()
        return result

    monkeypatch.setattr(owner, name, tell)
    return happened


async def test_a_warning_is_answered_without_anybody(
    world: World, monkeypatch: pytest.MonkeyPatch, no_pause: list[float]
) -> None:
    customs, police = await world.open(), await world.open("de-police")
    sent = await customs.send(warning_draft(), to=["de-police"])
    answered = _signal(monkeypatch, police.connector.outbox, "keep_accept")
    runner = Runner(police, _answer)
    running = asyncio.create_task(runner.run())
    await asyncio.wait_for(answered.wait(), 20)
    runner.stop()
    await asyncio.wait_for(running, 10)
    await customs.receive_once()
    assert [entry.irt for entry in await customs.inbox()] == [sent.mh]
    assert [entry.state for entry in await police.outbox()] == ["accepted"]
    assert no_pause


async def test_a_message_is_answered_once_whatever_crashes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    customs = await world.open()
    await customs.send(warning_draft(), to=["de-police"])
    asked: list[str] = []

    async def answer(agency: Agency, message: OpenedMessage) -> Sequence[Reply]:
        asked.append(message.mh)
        return await _answer(agency, message)

    async with AsyncExitStack() as first_process:
        police = await world.open("de-police", stack=first_process)
        await police.receive_once()

        async def broken(*_given: object, **_named: object) -> None:
            raise StoreError("disk full")

        with monkeypatch.context() as patch:
            patch.setattr(police.connector.outbox, "hand_over", broken)
            with pytest.raises(StoreError):
                await Runner(police, answer).handle_new()
    police = await world.open("de-police")
    for _ in range(2):
        await Runner(police, answer).handle_new()
    assert len(asked) == 2, "asked again after the crash"
    assert len(await police.connector.outbox.unfinished()) == 1, "answered once"


async def test_an_adapter_whose_answer_is_wrong_does_not_stop_the_next(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    customs, police = await world.open(), await world.open("de-police")
    for _ in range(2):
        await customs.send(warning_draft(), to=["de-police"])
    await police.receive_once()
    asked: list[str] = []

    async def answer(_agency: Agency, message: OpenedMessage) -> Sequence[Reply]:
        asked.append(message.mh)
        if len(asked) == 1:
            raise ContentError("a name that must not be noted")
        return [Reply(feedback_draft(), Addressing(to=["int-bureau"]))]

    with caplog.at_level(logging.INFO):
        await Runner(police, answer).handle_new()
    assert len(asked) == 2
    assert len(await police.connector.outbox.unfinished()) == 1
    assert "content/invalid" in caplog.text
    assert "must not be noted" not in caplog.text


async def test_a_hub_that_is_away_is_waited_for(
    world: World, monkeypatch: pytest.MonkeyPatch, no_pause: list[float]
) -> None:
    customs = await world.open()
    line_of(customs).break_before["/v1/audience"] = 4
    line_of(customs).break_before["/v1/mailbox"] = 9
    accepted = _signal(monkeypatch, customs.connector.outbox, "keep_accept")
    polled = _signal(monkeypatch, customs.connector.inbox, "keep")
    with pytest.raises(UnreachableError):
        await customs.send(warning_draft(), to=["de-police"])
    runner = Runner(customs)
    running = asyncio.create_task(runner.run())
    await asyncio.wait_for(asyncio.gather(accepted.wait(), polled.wait()), 20)
    runner.stop()
    await asyncio.wait_for(running, 10)
    assert [entry.state for entry in await customs.outbox()] == ["accepted"]
    assert sorted({pause for pause in no_pause if pause >= 1}) == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0]


@pytest.mark.usefixtures("no_pause")
async def test_a_bug_of_an_adapter_stops_the_connector_and_is_shown(world: World) -> None:
    customs, police = await world.open(), await world.open("de-police")
    await customs.send(warning_draft(), to=["de-police"])

    async def answer(_agency: Agency, _message: OpenedMessage) -> Sequence[Reply]:
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        await asyncio.wait_for(Runner(police, answer).run(), 10)
    assert len(await police.connector.inbox.unhandled()) == 1, "and the message is not lost"


async def test_a_warning_in_earnest_does_not_stop_a_connector_for_exercises(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    customs, police = await world.open(), await world.open("de-police")
    customs = Agency(customs.settings, replace(customs.connector, mode="live"))
    await customs.send(warning_draft(status=Status.ACTUAL), to=["de-police"])
    await customs.send(warning_draft(), to=["de-police"])
    await police.receive_once()

    async def answer(_agency: Agency, message: OpenedMessage) -> Sequence[Reply]:
        return [Reply(feedback_draft(status=message.manifest.status))]

    await Runner(police, answer).handle_new()
    assert await police.connector.inbox.unhandled() == []
    assert len(await police.connector.outbox.unfinished()) == 1, "the exercise is answered, the other left to officers"
    assert "policy/denied" in caplog.text
