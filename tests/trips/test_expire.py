"""What nobody collects expires with its message: on record, provable, and told to the originator."""

import asyncio
from collections.abc import AsyncIterator
from copy import deepcopy
from pathlib import Path

import pytest

from hub.broker.exchange import Exchange
from hub.broker.expire import expire
from hub.keeping import expire_for_ever
from hub.protocol.errors import BadSignatureError, StoreError
from hub.protocol.interface import MatrixRow
from hub.protocol.statements import Expiry, fresh_salt, verify_expiry
from hub.protocol.wire import write_wire
from tests.support.agency import World, running_world, warning_draft
from tests.support.exchange import FEDERATION, HUB

MONTH = 30 * 86_400


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    async with running_world(tmp_path, monkeypatch) as running:
        yield running


def exchange_of(world: World) -> Exchange:
    return Exchange(HUB, FEDERATION, world.store, lambda: world.directory, lambda: world.policies, world.clock)


async def test_an_uncollected_copy_expires_with_a_record_and_its_originator_learns_of_it(world: World) -> None:
    customs, other = await world.open(), await world.open("de-customs")
    sent = await customs.send(warning_draft(), to=["de-customs", "de-police"])
    await other.receive_once()
    assert await expire(exchange_of(world)) == 0, "not before its time"
    world.now += MONTH
    world.store.fail_before = 1
    with pytest.raises(StoreError):
        await expire(exchange_of(world))
    assert await expire(exchange_of(world)) == 1
    assert await expire(exchange_of(world)) == 0, "once"
    assert [kind for _, entry in await world.store.entries_of(sent.mh) if (kind := entry.kind) == "expiry"] == [
        "expiry"
    ]
    assert not [item for item in await world.store.waiting("de-police", limit=9) if item.mh == sent.mh]
    rows = {row.to: row for row in await customs.matrix(sent.mh)}
    assert {to: row.state for to, row in rows.items()} == {"de-customs": "opened", "de-police": "expired"}
    assert await customs.connector.deadlines.overdue(now=world.now, limit=9) != []
    await customs.receive_once()
    late = [one.partner for one in await customs.connector.deadlines.overdue(now=world.now, limit=9)]
    assert "de-police" not in late, "nothing more will come of it"
    _check_proof(world, rows["de-police"])


def _check_proof(world: World, row: MatrixRow) -> None:
    assert row.expiry is not None
    said = verify_expiry(row.expiry, world.directory, hub=HUB, now=None)
    assert (said.to, said.iat >= said.exp) == ("de-police", True)
    with pytest.raises(BadSignatureError):
        verify_expiry(row.expiry.model_copy(update={"i": row.expiry.i ^ 1}), world.directory, hub=HUB, now=None)


async def test_an_expiry_under_a_key_of_the_hub_that_is_new_to_us_is_believed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A notice comes once; the hub's key may be newer than our last look at the directory."""
    customs = await world.open()
    await customs.send(warning_draft(), to=["de-police"])
    world.now += MONTH
    assert await expire(exchange_of(world)) == 1
    newest, connector = world.directory, customs.connector
    known = deepcopy(newest)
    for one in known.partner(HUB).keys:
        known._keys.pop(one.kid, None)  # as before the key was published
    looked: list[int] = []

    async def refresh() -> None:
        looked.append(world.now)

    monkeypatch.setattr(type(connector), "directory", property(lambda _: newest if looked else known))
    monkeypatch.setattr(connector.mirror, "refresh", refresh)
    await customs.receive_once()
    late = [one.partner for one in await connector.deadlines.overdue(now=world.now, limit=9)]
    assert (looked, late) == ([world.now], [""])


async def test_an_expiry_before_its_time_is_not_believed(world: World) -> None:
    customs = await world.open()
    sent = await customs.send(warning_draft(), to=["de-customs"])
    early = world.store.expire(now=world.now + MONTH, limit=9, write=lambda mh, to, exp: _write(world, mh, to, exp))
    assert await early == 1
    (row,) = await world.store.deliveries(sent.mh)
    assert row.state == "expired"
    assert (await customs.receive_once()).receipts == 0
    assert len(await customs.connector.deadlines.overdue(now=world.now + MONTH, limit=9)) == 2, "it still waits"


def _write(world: World, mh: str, to: str, exp: int) -> bytes:
    assert exp > world.now
    return write_wire(Expiry(v=1, s=fresh_salt(), fed=FEDERATION, hub=HUB, mh=mh, iat=world.now, to=to, exp=exp))


async def test_what_was_collected_and_not_confirmed_is_receipted_all_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    customs, other = await world.open(), await world.open("de-customs")
    sent = await customs.send(warning_draft(), to=["de-customs"])

    async def lost(_seqs: list[int]) -> None:
        """The hub never hears of it."""

    async def later(_connector: object) -> None:
        """The receipt is sent after the hub has expired the copy."""

    with monkeypatch.context() as patch:
        patch.setattr(other.connector.client, "confirm", lost)
        patch.setattr("connectors.kit.receive.send_receipts", later)
        assert (await other.receive_once()).opened == (sent.mh,)
    world.now += MONTH
    assert await expire(exchange_of(world)) == 1
    await other.receive_once()
    assert [row.state for row in await customs.matrix(sent.mh)] == ["opened"]


async def test_a_running_hub_expires_by_itself(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    customs = await world.open()
    sent = await customs.send(warning_draft(), to=["de-customs"])
    world.now += MONTH
    world.store.fail_before = 1
    rounds = asyncio.Event()
    seen: list[float] = []

    async def pause(seconds: float) -> None:
        seen.append(seconds)
        if len(seen) == 2:
            rounds.set()
            await asyncio.Event().wait()

    with monkeypatch.context() as patch:
        patch.setattr("hub.keeping.asyncio.sleep", pause)
        task = asyncio.create_task(expire_for_ever(exchange_of(world), seconds=60))
        await asyncio.wait_for(rounds.wait(), 10)
        task.cancel()
    assert seen == [60, 60]
    assert [row.state for row in await customs.matrix(sent.mh)] == ["expired"]
