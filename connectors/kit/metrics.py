"""What a connector tells of itself when its settings name an admin port: what waits, since when, and alarms.

Not for: content or names of messages. Reference page: `docs/reference/metrics.md`.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Iterator, Mapping
from importlib.metadata import version
from typing import Final

from aiohttp import web

from connectors.kit.agency import Agency
from connectors.kit.agency_store import read_only
from connectors.kit.alarms import AlarmKind
from hub.host.machine import days_left
from hub.host.metrics import (
    ALARMS,
    BUILD,
    DIRECTORY_VERSION,
    INBOX,
    KEY_DAYS,
    LAST_SUCCESS,
    OUTBOX,
    OUTBOX_OLDEST,
    TEXT,
    Gathered,
    Sample,
    disk_samples,
    exposition,
    process_registry,
)
from hub.protocol.errors import SetupError, StaleDirectoryError


class _Gauges:
    """Gathers the samples of one agency, in the thread of whoever asks."""

    def __init__(self, agency: Agency, successes: Mapping[str, int]) -> None:
        self._agency: Final = agency
        self._successes: Final = successes

    def samples(self) -> Iterator[Sample]:
        partner, now = self._agency.settings.partner, self._agency.connector.clock()
        yield Sample(BUILD, 1, (version("valise"),))
        yield from disk_samples(self._agency.settings.store.parent)
        for use, days in days_left(self._agency.connector.keyring.entries(), now=now).items():
            yield Sample(KEY_DAYS, days, (use,))
        with contextlib.suppress(StaleDirectoryError):
            yield Sample(DIRECTORY_VERSION, self._agency.connector.directory.version)
        for trip, at in tuple(self._successes.items()):
            yield Sample(LAST_SUCCESS, at, (partner, trip))
        with contextlib.closing(read_only(self._agency.settings.store)) as db:
            yield from store_samples(db, partner, now)


def store_samples(db: sqlite3.Connection, partner: str, now: int) -> Iterator[Sample]:
    """Yield what outbox and inbox hold, by state, and how old the oldest unsent message is. `now`: Unix seconds."""
    for measure, sql in (
        (OUTBOX, "SELECT state, count(*) FROM outbox GROUP BY state"),
        (INBOX, "SELECT state, count(*) FROM inbox GROUP BY state"),
    ):
        for state, count in db.execute(sql):
            yield Sample(measure, count, (partner, state))
    (since,) = db.execute("SELECT min(handed_at) FROM outbox WHERE state IN ('waiting', 'sealed')").fetchone()
    yield Sample(OUTBOX_OLDEST, 0 if since is None else max(0, now - since), (partner,))
    raised = dict(db.execute("SELECT kind, count(*) FROM alarms WHERE cleared_at IS NULL GROUP BY kind").fetchall())
    for kind in AlarmKind:
        yield Sample(ALARMS, raised.get(kind, 0), (partner, kind))


@contextlib.asynccontextmanager
async def told(agency: Agency, successes: Mapping[str, int]) -> AsyncIterator[str | None]:
    """Tell an agency's metrics on its admin port for as long as the context lasts; yield the address, if it has one.

    Args:
        agency: open.
        successes: when each trip last succeeded, in Unix seconds; looked at whenever somebody asks.

    Raises:
        SetupError: the port cannot be had.
    """
    settings = agency.settings
    if settings.admin_port is None:
        yield None
        return
    registry = process_registry()
    registry.register(Gathered(_Gauges(agency, successes).samples))

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=await asyncio.to_thread(exposition, registry), headers={"Content-Type": TEXT})

    app = web.Application()
    app.add_routes([web.get("/metrics", answer)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, settings.admin_host, settings.admin_port)
        try:
            await site.start()
        except OSError as error:
            raise SetupError(f"admin port {settings.admin_port}: {error.strerror}") from error
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()
