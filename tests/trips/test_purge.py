"""Content ends at the agency on the agency's own clock, and its originator gets a signed word of it."""

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from connectors.kit.agency import Agency
from connectors.kit.matrix import checked_matrix
from connectors.kit.purge import kept_for, purge_due
from connectors.kit.reading import read_draft
from connectors.kit.receive import send_receipts
from connectors.kit.threads import find_reference
from hub.protocol.errors import PurgedError, StoreError
from tests.support.agency import World, feedback_draft, running_world, warning_draft

DAY = 86_400
MARKS = {"tlp": "AMBER", "codes": ["H2"], "eval": "B2", "retain": 10 * DAY}


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    async with running_world(tmp_path, monkeypatch) as running:
        yield running


async def test_content_is_destroyed_on_the_agencys_own_clock_and_the_originator_told(world: World) -> None:
    customs, other = await world.open(), await world.open("de-customs")
    sent = await customs.send(warning_draft(marks=MARKS), to=["de-customs"])
    await other.receive_once()
    world.now += 10 * DAY - 1
    assert (await purge_due(other.connector)).copies == 0
    assert (await other.read(sent.mh)).manifest.marks.retain == 10 * DAY
    world.now += 1
    assert (await purge_due(other.connector)).copies == 1
    assert (await purge_due(other.connector)).copies == 0, "once"
    with pytest.raises(PurgedError):
        await other.read(sent.mh)
    await send_receipts(other.connector)
    (row,) = await checked_matrix(customs.connector, sent.mh)
    assert (row.row.state, row.purged_at) == ("opened", world.now), "that it is gone takes nothing back"
    assert (await find_reference(other.connector, sent.mh)).manifest.iss == "fr-customs", "what is no content stays"
    assert (await other.answer(sent.mh, feedback_draft())).mh
    await send_receipts(other.connector)
    assert (await purge_due(customs.connector)).drafts == 1
    with pytest.raises(PurgedError):
        read_draft(customs.connector, await customs.connector.outbox.message(sent.mh))
    assert [row.state for row in await customs.matrix(sent.mh)] == ["acted"]


async def test_nothing_of_it_stays_on_disk(world: World, tmp_path: Path) -> None:
    customs, other = await world.open(), await world.open("de-customs")
    sent = await customs.send(warning_draft(marks=MARKS), to=["de-customs"])
    await other.receive_once()
    copy = await other.connector.inbox.frame((await other.connector.inbox.opened(sent.mh)).digest)
    draft = (await customs.connector.outbox.message(sent.mh)).draft
    secrets = {"de-customs": copy[-64:], "fr-customs": draft[-64:]}
    for partner, secret in secrets.items():
        assert secret in _bytes(tmp_path / partner), "the test looks in the right place"
    world.now += 10 * DAY
    await purge_due(other.connector)
    await purge_due(customs.connector)
    for partner, secret in secrets.items():
        assert secret not in _bytes(tmp_path / partner)


def _bytes(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())


async def test_a_copy_that_comes_again_after_it_was_destroyed_is_dropped(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    customs, other = await world.open(), await world.open("de-customs")
    sent = await customs.send(warning_draft(marks=MARKS), to=["de-customs"])
    client = other.connector.client

    async def lost(_seqs: list[int]) -> None:
        """The hub never hears of it, and hands the same out again."""

    with monkeypatch.context() as patch:
        patch.setattr(client, "confirm", lost)
        await other.receive_once()
        world.now += 10 * DAY
        await purge_due(other.connector)
        assert (await other.receive_once()).opened == ()
    assert [entry.mh for entry in await other.inbox()] == [sent.mh]


def test_a_duty_that_is_stricter_than_the_mark_counts() -> None:
    manifest: Any = SimpleNamespace(marks=SimpleNamespace(retain=90 * DAY))

    def decision(*duties: str) -> Any:
        return SimpleNamespace(duties=duties)

    assert kept_for(manifest, [decision("no-onward")]) == 90 * DAY
    assert kept_for(manifest, [decision("retention-days:30"), decision("retention-days:7", "no-onward")]) == 7 * DAY
    assert kept_for(manifest, [decision("retention-days:365")]) == 90 * DAY


async def test_what_could_not_be_overwritten_at_once_is_overwritten_by_the_next_call(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    customs = await world.open()
    await customs.send(warning_draft(), to=["de-customs"])
    world.now += 10 * 366 * 86_400
    outbox, scrubbed = customs.connector.outbox, []
    scrub = outbox.scrub

    async def once_busy() -> None:
        scrubbed.append(await purge_finished(customs))
        if len(scrubbed) == 1:
            raise StoreError("the write-ahead log is in use")
        await scrub()

    monkeypatch.setattr(outbox, "scrub", once_busy)
    with pytest.raises(StoreError):
        await purge_due(customs.connector)
    assert (await purge_due(customs.connector)).drafts == 0
    assert scrubbed == [True, True]


async def purge_finished(agency: Agency) -> bool:
    return all(entry.purged_at is not None for entry in await agency.outbox())
