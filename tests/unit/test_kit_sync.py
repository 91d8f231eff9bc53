"""The client without an event loop: it has every name of the other, it sends, and it leaves nothing running."""

import asyncio
import inspect
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import CancelledError
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from connectors.kit.agency import Agency
from connectors.kit.sync import Background, SyncAgency
from hub.protocol.errors import NoAddresseeKeyError, ThreadError
from tests.support.agency import running_world, warning_draft, with_partner


@asynccontextmanager
async def _agency(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Agency]:
    async with running_world(folder, monkeypatch) as world:
        world.directory = with_partner(world.directory, "int-bureau", keys=())
        yield await world.open()


@pytest.fixture
def agency(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SyncAgency]:
    with SyncAgency.around(_agency(tmp_path, monkeypatch)) as opened:
        yield opened


def _public(owner: type) -> dict[str, Any]:
    return {name: one for name, one in vars(owner).items() if not name.startswith("_") and inspect.isfunction(one)}


def test_both_clients_have_the_same_methods_with_the_same_signatures() -> None:
    waiting, asking = _public(Agency), _public(SyncAgency)
    assert waiting
    assert set(waiting) == set(asking), "give SyncAgency the same methods as Agency"
    for name, method in waiting.items():
        assert inspect.iscoroutinefunction(method), name
        assert not inspect.iscoroutinefunction(asking[name]), name
        assert inspect.signature(method) == inspect.signature(asking[name]), name
    opens = [inspect.signature(inspect.unwrap(one.open)) for one in (Agency, SyncAgency)]
    assert opens[0].parameters == opens[1].parameters


def test_it_sends_and_shows_what_became_of_it(agency: SyncAgency) -> None:
    sent = agency.send(warning_draft(), to=["de-police"])
    assert [(row.to, row.state) for row in agency.matrix(sent.mh)] == [("de-police", "waiting")]
    assert [entry.state for entry in agency.outbox()] == ["accepted"]
    assert agency.settings.partner == agency.connector.partner == "fr-customs"


def test_an_error_is_the_one_that_the_other_client_raises(agency: SyncAgency) -> None:
    with pytest.raises(NoAddresseeKeyError):
        agency.send(warning_draft(), to=["int-bureau"])
    with pytest.raises(ThreadError):
        agency.answer("A" * 43, warning_draft())


def test_several_threads_may_call_it(agency: SyncAgency) -> None:
    seen: list[str] = []
    threads = [
        threading.Thread(target=lambda: seen.append(agency.send(warning_draft(), to=["de-police"]).mh)) for _ in "abcd"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(seen)) == 4


def test_a_call_that_is_under_way_at_the_end_is_cancelled() -> None:
    begun, ended = threading.Event(), threading.Event()
    raised: list[BaseException] = []

    async def never() -> None:
        begun.set()
        await asyncio.Event().wait()

    def call(background: Background) -> None:
        try:
            background.wait(never())
        except CancelledError as error:
            raised.append(error)
        ended.set()

    with Background() as background:
        threading.Thread(target=call, args=(background,), daemon=True).start()
        assert begun.wait(10)
    assert ended.wait(10)
    assert len(raised) == 1


def test_it_leaves_no_thread_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with SyncAgency.around(_agency(tmp_path, monkeypatch)):
        assert "sync-agency" in {thread.name for thread in threading.enumerate()}
    assert "sync-agency" not in {thread.name for thread in threading.enumerate()}
