"""Watching a running hub: its edge is counted, its health is looked at, and an own listener tells both to the operator.

Not for: what is counted (`hub/api/metrics.py`, `hub/store/numbers.py`) nor what healthy means (`hub/api/health.py`).
User's page: `docs/how-to/watch-a-hub.md`.
"""

import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from typing import Final

from aiohttp import web

from hub.api.admin import HEALTH, make_admin_app
from hub.api.health import Clocks, Health, Standing, Surroundings
from hub.api.metrics import Counts
from hub.broker.exchange import Exchange
from hub.broker.notary import log_signers
from hub.host.events import ADMIN_LISTENING
from hub.host.machine import days_left
from hub.host.metrics import (
    BUILD,
    CERTIFICATE_DAYS,
    CHECKPOINT_AGE,
    CLOCK_STEPS,
    COMMIT_SECONDS,
    COMMITS,
    DIRECTORY_LEFT,
    DIRECTORY_VERSION,
    KEY_DAYS,
    NOT_READY_REASONS,
    POLICY,
    READY,
    WRITER_QUEUE,
    WRITES,
    Gathered,
    Sample,
    disk_samples,
    process_registry,
)
from hub.protocol.errors import SetupError, StaleDirectoryError, StoreError, UnknownPolicySetError
from hub.protocol.keyring import DAY, Keyring
from hub.settings import HubSettings
from hub.store.numbers import Numbers
from hub.store.writer import Work
from hub.tlog.checkpoint import parse_checkpoint, verify_by

_LOG: Final = logging.getLogger("valise.hub")
_MIB: Final = 1024 * 1024  # bytes


@dataclass(frozen=True, slots=True)
class Watched:
    """What is looked at of one hub, besides its store.

    `expires` is when its directory must have been refreshed, `certificate_ends` when its own TLS certificate ends (both
    Unix seconds, or None), and `work` what the store's writer did.
    """

    exchange: Exchange
    keyring: Callable[[], Keyring]
    expires: Callable[[], int | None] = lambda: None
    certificate_ends: int | None = None
    work: Callable[[], Work] = Work


class _Gauges:
    """Gathers all samples of one hub, in the thread of whoever asks."""

    def __init__(self, settings: HubSettings, watched: Watched, health: Health, counts: Counts, clocks: Clocks) -> None:
        self._settings: Final = settings
        self._watched: Final = watched
        self._health: Final = health
        self._counts: Final = counts
        self._clocks: Final = clocks
        self._numbers: Final = Numbers(settings.database, clock=watched.exchange.clock)

    def samples(self) -> Iterator[Sample]:
        yield Sample(BUILD, 1, (version("valise"),))
        yield from self._counts.samples()
        yield from disk_samples(self._settings.database.parent)
        yield from self._trust()
        yield from _standing(self._health.last)
        yield from _work(self._watched.work())
        yield Sample(CLOCK_STEPS, self._clocks.steps)
        with contextlib.suppress(StoreError):  # then `valise_ready` says so
            yield from self._numbers.samples()
            yield from self._checkpoint_age(self._numbers.checkpoint)

    def _trust(self) -> Iterator[Sample]:
        exchange, now = self._watched.exchange, self._watched.exchange.clock()
        with contextlib.suppress(StaleDirectoryError):
            yield Sample(DIRECTORY_VERSION, exchange.directory().version)
        with contextlib.suppress(UnknownPolicySetError):
            yield Sample(POLICY, 1, (exchange.policies().digest,))
        for measure, at, unit in (
            (DIRECTORY_LEFT, self._watched.expires(), 1),
            (CERTIFICATE_DAYS, self._watched.certificate_ends, DAY),
        ):
            if at is not None:
                yield Sample(measure, (at - now) / unit)
        for use, days in days_left(self._watched.keyring().keys, now=now).items():
            yield Sample(KEY_DAYS, days, (use,))

    def _checkpoint_age(self, text: str | None) -> Iterator[Sample]:
        if text is None:
            return
        checkpoint, note = parse_checkpoint(text)
        now, exchange = self._watched.exchange.clock(), self._watched.exchange
        keys = [key for key, _ in log_signers(self._watched.keyring(), exchange.federation, at=now)]
        times = [verify_by(checkpoint, note, key) for key in keys]
        yield Sample(CHECKPOINT_AGE, max(0, now - max(at or 0 for at in times)))


def _standing(standing: Standing) -> Iterator[Sample]:
    yield Sample(READY, not standing.reasons)
    for code in {one.code for one in standing.reasons}:
        yield Sample(NOT_READY_REASONS, 1, (code,))


def _work(work: Work) -> Iterator[Sample]:
    yield Sample(COMMITS, work.transactions)
    yield Sample(WRITES, work.jobs)
    yield Sample(COMMIT_SECONDS, work.seconds)
    yield Sample(WRITER_QUEUE, work.waiting)


@contextlib.asynccontextmanager
async def watch(app: web.Application, settings: HubSettings, watched: Watched) -> AsyncIterator[Health]:
    """Count and look at a hub's application, which is not started yet, for as long as the context lasts.

    Raises:
        SetupError: the admin port cannot be had.
        StoreError: the store cannot be read.
    """
    around = Surroundings(
        keyring=watched.keyring,
        folder=settings.database.parent,
        floor=settings.disk_floor_mib * _MIB,
        certificate_ends=watched.certificate_ends,
    )
    clocks, registry = Clocks(), process_registry()
    health = Health(watched.exchange, around, clocks)
    counts = Counts(registry)
    counts.watch(app)
    app[HEALTH] = health
    if settings.admin_port is None:
        yield health
        return
    registry.register(Gathered(_Gauges(settings, watched, health, counts, clocks).samples))
    sock = _bind(settings.admin_host, settings.admin_port)
    runner = web.AppRunner(make_admin_app(health, registry), access_log=None)
    await runner.setup()
    try:
        await web.SockSite(runner, sock).start()
        _LOG.info(ADMIN_LISTENING, "http://{}:{}".format(*sock.getsockname()[:2]))
        yield health
    finally:
        await runner.cleanup()
        sock.close()


def _bind(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), reuse_port=False)
    except OSError as error:
        raise SetupError(f"admin port {port} of {host}: {error.strerror}") from error
