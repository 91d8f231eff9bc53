"""`valise connector run`: agencies that receive, answer and send by themselves until they are told to stop.

Each line of their log names the agency, an event and message digests, never content. Not for: what an adapter answers
(`connectors/customs`, `police`, `interpol`). User's page: `docs/trips/receive.md`.
"""

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Final

import click

from connectors.cli.unlock import open_agency
from connectors.customs.adapter import answer_as_customs
from connectors.interop.ledger import stop_noting
from connectors.interpol.adapter import answer_as_bureau
from connectors.kit.agency import Agency
from connectors.kit.metrics import told
from connectors.kit.runner import Loop, OnMessage, Runner
from connectors.kit.upkeep import keep_keys
from connectors.police.adapter import answer_as_police
from hub.host.events import ADMIN_LISTENING, CONNECTOR_RUNS, CONNECTOR_STOPPED, PROGRAM, write_events
from hub.protocol.errors import SetupError

_LOG: Final = logging.getLogger("valise.connector")

ADAPTERS: Final[Mapping[str, OnMessage | None]] = MappingProxyType(
    {"customs": answer_as_customs, "police": answer_as_police, "interpol": answer_as_bureau, "none": None}
)


@click.command(
    epilog="Example: valise connector run agencies/fr-customs agencies/de-customs",
)
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path, file_okay=False))
@click.option("--ready-file", type=click.Path(path_type=Path), help="Write the agencies' codes here once all are open.")
@click.option("--json", "as_json", is_flag=True, help="Write each line of the log as JSON.")
def run(*, folders: tuple[Path, ...], ready_file: Path | None, as_json: bool) -> None:
    """Run the agencies in FOLDERS in one process until it is asked to stop (Ctrl-C or SIGTERM).

    Each is answered for by the adapter that its agency.toml names.
    """
    write_events(as_json=as_json)
    asyncio.run(run_agencies(folders, ready_file=ready_file))


async def run_agencies(folders: Sequence[Path], *, ready_file: Path | None = None) -> None:
    """Run agencies until the process is asked to stop; what is under way is kept and goes on with the next start.

    Raises:
        ValiseError: one of them could not be opened, or its adapter is broken; then all stop.
    """
    all_open = asyncio.Barrier(len(folders) + 1)
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_run_one(folder, all_open)) for folder in folders]
            tasks.append(group.create_task(_announce(all_open, folders, ready_file)))
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, _cancel, tasks)
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None


def _cancel(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()


async def _run_one(folder: Path, all_open: asyncio.Barrier) -> None:
    PROGRAM.set(folder.name)
    async with open_agency(folder) as agency:
        PROGRAM.set(agency.settings.partner)
        await all_open.wait()
        _LOG.info(CONNECTOR_RUNS, agency.settings.adapter)
        upkeep = asyncio.create_task(keep_keys(agency.connector))
        try:
            async with _links_of(agency) as links:
                runner = Runner(agency, ADAPTERS[agency.settings.adapter], beside=links)
                async with told(agency, runner.successes) as url:
                    if url is not None:
                        _LOG.info(ADMIN_LISTENING, url)
                    await runner.run()
        finally:
            upkeep.cancel()
            _LOG.info(CONNECTOR_STOPPED)


@contextlib.asynccontextmanager
async def _links_of(agency: Agency) -> AsyncIterator[Sequence[Loop]]:
    """Yield the loops for the agency's own systems; their libraries are an extra that only those need who link some."""
    settings = agency.settings
    if settings.drop is None and settings.webhook is None and settings.mail is None:
        await stop_noting(settings.store)
        yield ()
        return
    try:
        links = import_module("connectors.interop.links")
    except ModuleNotFoundError as error:
        raise SetupError(
            f"[drop], [webhook] and [mail] need more parts: pip install 'valise[interop]' ({error})"
        ) from error
    async with links.links_of(agency) as loops:
        yield loops


async def _announce(all_open: asyncio.Barrier, folders: Sequence[Path], ready_file: Path | None) -> None:
    await all_open.wait()
    if ready_file is not None:
        await asyncio.to_thread(_write_ready, ready_file, "".join(f"{folder.name}\n" for folder in folders))


def _write_ready(file: Path, text: str) -> None:
    try:
        file.write_text(text, "utf-8")
    except OSError as error:
        raise SetupError(f"{file}: {error.strerror}") from error
