"""Several messages at once: each is taken or refused as if it came alone, in the order in which they came."""

from typing import Any

import pytest

from hub.broker.exchange import Exchange
from hub.broker.submit import submit, submit_many
from hub.protocol.directory import Directory
from hub.protocol.errors import ForkError, FrameError, StoreError, ThreadError, WrongOriginatorError
from tests.support.agency import ScriptedSet, scripted_decide
from tests.support.exchange import (
    FEDERATION,
    HUB,
    NOW,
    accept_in,
    make_directory,
    message_id,
    seal_warning,
    sign_as_hub,
    verified,
)
from tests.support.memory_store import MemoryStore

TO = {"de-police": [0, 1]}


@pytest.fixture(scope="module")
def directory() -> Directory:
    return make_directory()


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(federation=FEDERATION, hub=HUB, sign_batch=sign_as_hub, clock=lambda: NOW)


@pytest.fixture
def exchange(directory: Directory, store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> Exchange:
    """A hub whose policy lets everything go."""
    monkeypatch.setattr("hub.broker.submit.decide", scripted_decide)
    policies: Any = ScriptedSet()
    return Exchange(HUB, FEDERATION, store, lambda: directory, lambda: policies, lambda: NOW)


def frames_of(directory: Directory, count: int) -> list[bytes]:
    return [seal_warning(directory, to=TO, seq=seq) for seq in range(1, count + 1)]


def proven(outcome: object) -> bytes:
    assert isinstance(outcome, bytes), outcome
    return outcome


async def test_each_gets_its_own_accept_in_order(directory: Directory, exchange: Exchange) -> None:
    frames = frames_of(directory, 5)
    outcomes = await submit_many(exchange, "fr-customs", frames)
    accepts = [accept_in(directory, proven(outcome)) for outcome in outcomes]
    assert [accept.mh for accept in accepts] == [verified(directory, frame).mh for frame in frames]
    assert [accept.after for accept in accepts] == [None, 1, 2, 3, 4]
    assert [item.seq for item in await exchange.store.waiting("de-police", limit=9)] == [1, 2, 3, 4, 5]
    assert await submit_many(exchange, "fr-customs", []) == []


async def test_one_that_is_refused_does_not_touch_the_others(directory: Directory, exchange: Exchange) -> None:
    first, second, third = frames_of(directory, 3)
    foreign = seal_warning(directory, to=TO, seq=1, originator="de-customs")
    fork = seal_warning(directory, to=TO, seq=1, jti=message_id(99), thread=message_id(99))
    outcomes = await submit_many(exchange, "fr-customs", [first, second[:-1], foreign, fork, third])
    assert [type(outcome) for outcome in outcomes] == [bytes, FrameError, WrongOriginatorError, ForkError, bytes]
    assert len(await exchange.store.waiting("de-police", limit=9)) == 2
    assert proven(outcomes[4]) == await submit(exchange, "fr-customs", third)


async def test_the_same_twice_is_one_message(directory: Directory, exchange: Exchange) -> None:
    [frame] = frames_of(directory, 1)
    earlier, later = await submit_many(exchange, "fr-customs", [frame, frame])
    assert proven(earlier) == proven(later) == await submit(exchange, "fr-customs", frame)
    assert len(await exchange.store.waiting("de-police", limit=9)) == 1


async def test_one_may_refer_to_an_earlier_one(directory: Directory, exchange: Exchange) -> None:
    [first] = frames_of(directory, 1)
    sequel: dict[str, Any] = {"to": TO, "thread": message_id(1), "irt": verified(directory, first).mh}
    frames = [seal_warning(directory, seq=3, **sequel), first, seal_warning(directory, seq=2, **sequel)]
    outcomes = await submit_many(exchange, "fr-customs", frames)
    assert [type(outcome) for outcome in outcomes] == [ThreadError, bytes, bytes], "only what came before is known"


async def test_a_store_that_fails_is_told_to_each_and_all_may_be_sent_again(
    directory: Directory, exchange: Exchange, store: MemoryStore
) -> None:
    frames = frames_of(directory, 3)
    store.fail_after = 3
    outcomes = await submit_many(exchange, "fr-customs", frames)
    assert [type(outcome) for outcome in outcomes] == [StoreError] * 3
    again = await submit_many(exchange, "fr-customs", frames)
    assert [accept_in(directory, proven(outcome)).seq for outcome in again] == [1, 2, 3]
    assert [item.seq for item in await exchange.store.waiting("de-police", limit=9)] == [1, 2, 3]
