"""A partner watches the hub's log: growth is believed, a second history is not, and receipts tell what was seen."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connectors.kit.agency import Agency
from hub.broker.notary import log_origin, log_signers
from hub.protocol.errors import ConsistencyError, NoteError, NoteSignatureError, RollbackError
from hub.protocol.receipt import verify_receipt
from hub.tlog.checkpoint import Checkpoint, sign_checkpoint
from tests.support.agency import World, keyring_of, line_of, running_world, warning_draft
from tests.support.exchange import FEDERATION, HUB, NOW

SIGNERS = [(key, signer.sign) for key, signer in log_signers(keyring_of(HUB), FEDERATION, at=NOW)]


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    async with running_world(tmp_path, monkeypatch) as running:
        yield running


async def _look(agency: Agency) -> Checkpoint:
    connector = agency.connector
    return await connector.log.look(connector.client, connector.directory, now=connector.clock())


def _show(agency: Agency, monkeypatch: pytest.MonkeyPatch, note: str) -> None:
    async def checkpoint() -> str:
        return note

    monkeypatch.setattr(line_of(agency), "checkpoint", checkpoint)


async def test_a_log_that_grows_is_believed_and_told_in_receipts(world: World) -> None:
    customs, other = await world.open(), await world.open("de-customs")
    assert await other.connector.log.latest() is None
    sizes = []
    for _ in range(3):
        await customs.send(warning_draft(), to=["de-customs"])
        sizes.append((await _look(other)).size)
    assert sizes == sorted(set(sizes))
    assert (await _look(other)).size == sizes[-1], "looking again changes nothing"
    await other.receive_once()
    await customs.receive_once()
    (newest, *_) = (await line_of(customs).sent()).messages
    (kept,) = await customs.receipts(newest.mh)
    seen = verify_receipt(kept.jws, world.directory, now=None).receipt.cps
    assert seen == (await other.connector.log.latest(),)


async def test_another_process_that_saw_more_is_no_alarm(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = await world.open(), await world.open()  # two processes on one store
    await first.send(warning_draft(), to=["de-customs"])
    shown = await line_of(first).checkpoint()

    async def slowly() -> str:
        await second.send(warning_draft(), to=["de-customs"])
        await _look(second)
        return shown

    monkeypatch.setattr(line_of(first), "checkpoint", slowly)
    await _look(first)
    assert await first.connector.log.alarms() == []
    assert await first.connector.log.latest() == await line_of(second).checkpoint(), "the newer one is remembered"


async def test_a_second_history_is_an_alarm_with_its_proof(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    agency = await world.open()
    await agency.send(warning_draft(), to=["de-customs"])
    believed = await _look(agency)
    latest = await agency.connector.log.latest()
    forked = sign_checkpoint(Checkpoint(believed.origin, believed.size, bytes(32)), SIGNERS, at=NOW)
    shorter = sign_checkpoint(Checkpoint(believed.origin, believed.size - 1, bytes(32)), SIGNERS, at=NOW)
    for note, leaf in ((forked, ConsistencyError), (shorter, RollbackError), (forked, ConsistencyError)):
        _show(agency, monkeypatch, note)
        with pytest.raises(leaf):
            await _look(agency)
    assert await agency.connector.log.latest() == latest
    assert await agency.connector.log.alarms() == [(latest, forked), (latest, shorter)]


async def test_a_checkpoint_of_somebody_else_is_not_looked_at(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    agency = await world.open()
    mine = Checkpoint(log_origin(FEDERATION, HUB), 1, bytes(32))
    once = sign_checkpoint(mine, SIGNERS[:1], at=NOW)
    other = sign_checkpoint(Checkpoint("somewhere/else", 1, bytes(32)), SIGNERS, at=NOW)
    for note, leaf in (("nonsense", NoteError), (once, NoteSignatureError), (other, NoteSignatureError)):
        _show(agency, monkeypatch, note)
        with pytest.raises(leaf):
            await _look(agency)
    assert await agency.connector.log.latest() is None
    assert await agency.connector.log.alarms() == []
