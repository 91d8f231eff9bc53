"""Updates, cancellations and a hub that is away: the verbs of a thread through a real hub, and the durable outbox."""

import time
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from connectors.kit.agency import Agency
from connectors.kit.runner import Runner
from hub.app import running_hub
from hub.protocol.errors import ThreadError, UnreachableError
from hub.protocol.vocabulary import Verb
from hub.settings import HubSettings
from tests.support.agency import warning_draft
from tests.support.exercise import OPERATION, WORD, Exercise

TO = ("de-customs",)


async def _open_operation(agency: Agency) -> None:
    now = int(time.time())
    await agency.open_operation(
        OPERATION,
        title="Exercise Lantern",
        members=["fr-customs", "de-customs", "rilo-we"],
        opens=now - 60,
        closes=now + 86_400,
        exercise=True,
    )


async def test_an_update_and_a_cancellation_follow_their_warning(folders: dict[str, Path]) -> None:
    async with AsyncExitStack() as stack:
        customs, other = [
            await stack.enter_async_context(Agency.open(folders[partner], passphrase=WORD))
            for partner in ("fr-customs", "de-customs")
        ]
        await _open_operation(customs)
        draft = warning_draft(operation=OPERATION)
        sent = await customs.send(draft, to=TO)
        updated = await customs.replace(sent.mh, draft, verb=Verb.UPDATE, to=TO)
        cancelled = await customs.replace(updated.mh, draft, verb=Verb.CANCEL, to=TO)
        assert (await other.receive_once()).opened == (sent.mh, updated.mh, cancelled.mh)
        read = [(await other.read(mh)).manifest for mh in (sent.mh, updated.mh, cancelled.mh)]
        assert [one.verb for one in read] == [Verb.ALERT, Verb.UPDATE, Verb.CANCEL]
        assert [one.refs for one in read] == [(), (sent.mh,), (updated.mh,)]
        assert len({one.thread for one in read}) == 1
        with pytest.raises(ThreadError):
            await other.replace(sent.mh, draft, verb=Verb.CANCEL, to=("fr-customs",))


async def test_what_is_sent_while_the_hub_is_away_goes_out_when_it_is_back(exercise: Exercise) -> None:
    settings = HubSettings.read(exercise.hub / "hub.toml")
    async with running_hub(settings) as running:
        exercise.place_agencies(running.url)
        port = int(running.url.rpartition(":")[2])
        async with Agency.open(exercise.agency("fr-customs"), passphrase=WORD) as customs:
            await _open_operation(customs)
    async with Agency.open(exercise.agency("fr-customs"), passphrase=WORD) as customs:
        with pytest.raises(UnreachableError):
            await customs.send(warning_draft(operation=OPERATION), to=TO)
        assert [entry.state for entry in await customs.outbox()] == ["waiting"]
    async with (
        running_hub(settings.model_copy(update={"port": port})),
        Agency.open(exercise.agency("fr-customs"), passphrase=WORD) as customs,
        Agency.open(exercise.agency("de-customs"), passphrase=WORD) as other,
    ):
        await Runner(customs)._send()
        (entry,) = await customs.outbox()
        assert entry.state == "accepted"
        assert (await other.receive_once()).opened == (entry.mh,)


class _UntilRefreshed(Runner):
    """A runner that stops after its first look at directory and log."""

    async def _refresh(self) -> None:
        await super()._refresh()
        self.stop()


async def test_a_running_connector_watches_the_log(folders: dict[str, Path]) -> None:
    async with Agency.open(folders["de-customs"], passphrase=WORD) as agency:
        assert await agency.connector.log.latest() is None
        await _UntilRefreshed(agency).run()
        assert await agency.connector.log.latest() is not None
