"""A running connector does what its tables ask for, beside receiving and sending, and stops with it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from pydantic import BaseModel

from connectors.cli import run
from connectors.interop.links import links_of
from connectors.kit.agency import Agency
from connectors.kit.link_settings import DropSettings, MailSettings, WebhookSettings
from connectors.kit.runner import Runner
from hub.protocol.errors import SetupError
from tests.support.agency import World, running_world, warning_draft
from tests.support.columns import WARNING
from tests.support.listeners import listening, mail_server

SECRET = "whsec_" + "A" * 43 + "="


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    async with running_world(tmp_path, monkeypatch) as running:
        yield running


@pytest.fixture
def turned(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Pauses are not waited for; the event is set by each, so that a test may look."""
    really, event = asyncio.sleep, asyncio.Event()

    async def briefly(_seconds: float) -> None:
        event.set()
        await really(0.001)

    monkeypatch.setattr("connectors.kit.runner.asyncio.sleep", briefly)
    return event


def linked(agency: Agency, tmp_path: Path, **tables: BaseModel) -> Agency:
    """Return the agency as if its file had these tables."""
    store = tmp_path / agency.settings.partner / "agency.sqlite"
    return Agency(agency.settings.model_copy(update={"store": store, **tables}), agency.connector)


async def _until(condition: Callable[[], bool], turned: asyncio.Event) -> None:
    while not condition():
        turned.clear()
        await turned.wait()


def _put(drop: Path) -> None:
    (drop / "in").mkdir(parents=True)
    (drop / "in" / "warnings.json").write_text(json.dumps({**WARNING, "to": "fr-customs"}))
    (drop / "secret").touch(0o600)
    (drop / "secret").write_text(SECRET)


async def test_all_of_them_run_beside_the_connector(world: World, tmp_path: Path, turned: asyncio.Event) -> None:
    drop = tmp_path / "drop"
    _put(drop)
    customs = await world.open()
    await customs.send(warning_draft(), to=["de-police"])
    async with listening() as posts, mail_server() as post:
        mail = {
            "host": "localhost",
            "port": post.port,
            "security": "none",
            "sender": "a@b.example",
            "to": ["c@d.example"],
        }
        police = linked(
            await world.open("de-police"),
            tmp_path,
            drop=DropSettings(folder=drop, defaults={"priority": "routine"}),
            webhook=WebhookSettings(url=posts.url, secret_file=drop / "secret"),
            mail=MailSettings.model_validate(mail),
        )
        async with links_of(police) as loops:
            assert [loop.name for loop in loops] == ["drop", "out", "webhook", "mail"]
            runner = Runner(police, beside=loops)
            running = asyncio.create_task(runner.run())

            def everything_came() -> bool:
                reported = (drop / "done" / "warnings.json.report.json").exists()
                return bool(reported and posts.got and post.mails and list((drop / "out").glob("[!.]*")))

            await asyncio.wait_for(_until(everything_came, turned), 60)
            runner.stop()
            await asyncio.wait_for(running, 10)


async def test_a_default_for_no_column_stops_the_start(world: World, tmp_path: Path) -> None:
    agency = linked(await world.open(), tmp_path, drop=DropSettings(folder=tmp_path / "drop", defaults={"tpl": "RED"}))
    with pytest.raises(SetupError, match="did you mean 'tlp'"):
        async with links_of(agency):
            pass


async def test_without_tables_nothing_runs_beside(world: World, tmp_path: Path) -> None:
    async with run._links_of(linked(await world.open(), tmp_path)) as loops:
        assert loops == ()


async def test_the_parts_that_are_missing_are_named(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(run, "import_module", missing)
    agency = linked(await world.open(), tmp_path, drop=DropSettings(folder=tmp_path / "drop"))
    with pytest.raises(SetupError, match=r"valise\[interop\]"):
        async with run._links_of(agency):
            pass
