"""A hub put together: settings, keys, store, directory and policies behind the HTTP edge.

Not for: any rule of the protocol. User's page: `docs/how-to/run-a-hub.md`.
"""

import asyncio
import contextlib
import logging
import signal
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from hub.api.listen import Door, listening, server_tls
from hub.api.quotas import Limits
from hub.api.routes import make_app
from hub.broker.exchange import Apart, Exchange
from hub.broker.notary import Notary
from hub.host.events import LISTENING
from hub.host.upkeep import keep_looking
from hub.keeping import Keeper, expire_for_ever
from hub.keys import endings_of_hub, open_keys
from hub.protocol.errors import SetupError
from hub.protocol.hazmat import end_of_certificate
from hub.protocol.keys import KeyHolder
from hub.protocol.statements import sign_batch
from hub.protocol.strictjson import parse_json
from hub.settings import HubSettings
from hub.store.spool import FileSpool
from hub.store.sqlite import SqliteStore
from hub.watch import Watched, watch

_T = TypeVar("_T")
_LOG: Final = logging.getLogger("valise.hub")
_STANDSTILL: Final = 120.0  # seconds; an answer takes 60 at the most (`connectors/kit/client.py`)


class SteadyClock:
    """The clock that every trip is given, Unix seconds: it stands still rather than go back.

    A statement dated after the batch that carries it would be refused for ever, so no step of the system's clock may
    come between the two. It follows a step back after `_STANDSTILL`, when nothing of before is under way any longer: a
    clock that was a day ahead for a moment must not stop the hub for a day. Safe for threads.
    """

    def __init__(self, source: Callable[[], float] = time.time, passed: Callable[[], float] = time.monotonic) -> None:
        """Take the system's clock, and seconds that only ever grow."""
        self._source: Final = source
        self._passed: Final = passed
        self._lock: Final = threading.Lock()
        self._last = 0
        self._stands_since: float | None = None

    def __call__(self) -> int:
        """Return the time."""
        with self._lock:
            read = int(self._source())
            if read < self._last and self._stands_since is None:
                self._stands_since = self._passed()
            if self._stands_since is None or read >= self._last or self._passed() - self._stands_since > _STANDSTILL:
                self._last, self._stands_since = read, None
            return self._last


def _sign_batch_of(keys: KeyHolder) -> Callable[[bytes], str]:
    """Return what signs a batch, by the key that was valid when it was made: it may be signed only after a restart."""

    def sign(payload: bytes) -> str:
        return sign_batch(payload, keys.signer(at=parse_json(payload)["iat"]))

    return sign


@dataclass(frozen=True, slots=True)
class RunningHub:
    """A hub that answers at `url`."""

    url: str
    exchange: Exchange


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise SetupError(f"{file.name}: {error.strerror}") from error


@contextlib.asynccontextmanager
async def running_hub(settings: HubSettings) -> AsyncIterator[RunningHub]:
    """Run a hub for as long as the context lasts.

    Raises:
        SetupError, KeystoreError, DirectoryError, PolicyError, StoreError: it cannot start; the sentence says why.
    """
    now = SteadyClock()
    keeper = Keeper(
        repository=settings.repository,
        anchor=_read(settings.trusted_root),
        memory=settings.database.with_suffix(".seen"),
        clock=now,
    )
    keys = await asyncio.to_thread(open_keys, settings, keeper.directory)
    await keeper.refresh()
    async with contextlib.AsyncExitStack() as stack:
        store = await stack.enter_async_context(
            SqliteStore.open(
                settings.database,
                federation=settings.federation,
                hub=settings.hub,
                sign_batch=_sign_batch_of(keys),
                clock=now,
            )
        )
        exchange = Exchange(
            hub=settings.hub,
            federation=settings.federation,
            store=store,
            directory=keeper.directory,
            policies=keeper.policies,
            clock=now,
            catch_up=keeper.catch_up,
            apart=stack.enter_context(_one_thread()),
        )
        notary = Notary(store, keys.keyring, federation=settings.federation, clock=now)
        end = end_of_certificate(_read(settings.tls_certificate)) if settings.tls_certificate else None
        watched = Watched(exchange, keys.keyring, lambda: keeper.expires, certificate_ends=end, work=lambda: store.work)
        url = await _listen(stack, settings, watched, notary)
        fresh = asyncio.create_task(keeper.keep_fresh(seconds=settings.refresh_seconds))
        stack.callback(fresh.cancel)
        upkeep = asyncio.create_task(keep_looking(keys, lambda: endings_of_hub(keys, keeper.expires, end), clock=now))
        stack.callback(upkeep.cancel)
        expiring = asyncio.create_task(expire_for_ever(exchange, seconds=settings.expiry_seconds))
        stack.callback(expiring.cancel)
        _LOG.info(LISTENING, settings.hub, url)
        yield RunningHub(url, exchange)


@contextlib.contextmanager
def _one_thread() -> Iterator[Apart]:
    """Yield a thread that checks and decides: requests are answered meanwhile, and verdicts are made one at a time."""
    with ThreadPoolExecutor(1, "apart") as pool:

        async def apart(work: Callable[[], _T], /) -> _T:
            return await asyncio.get_running_loop().run_in_executor(pool, work)

        yield apart


def _bind(settings: HubSettings) -> socket.socket:
    try:
        return socket.create_server((settings.host, settings.port), reuse_port=False)
    except OSError as error:
        raise SetupError(f"port {settings.port} of {settings.host}: {error.strerror}") from error


def _door(settings: HubSettings) -> Door:
    tls = None
    if settings.tls_certificate is not None and settings.tls_key is not None:
        required = settings.tls_client_certificates == "required"
        tls = server_tls(
            settings.tls_certificate, settings.tls_key, client_ca=settings.tls_client_ca, required=required
        )
    return Door(tls=tls, per_address=settings.connections_per_address)


def _limits(settings: HubSettings) -> Limits:
    return Limits(
        requests_per_minute=settings.requests_per_minute,
        messages_per_minute=settings.messages_per_minute,
        messages_per_day=settings.messages_per_day,
        bytes_per_day=settings.bytes_per_day,
        concurrent=settings.concurrent_requests,
        waiting=settings.waiting_polls,
        logins_per_minute=settings.logins_per_minute,
    )


async def _listen(stack: contextlib.AsyncExitStack, settings: HubSettings, watched: Watched, notary: Notary) -> str:
    sock = _bind(settings)
    stack.callback(sock.close)
    host, port = sock.getsockname()[:2]
    url = settings.public_url or f"{'https' if settings.tls_certificate else 'http'}://{host}:{port}"
    spool = FileSpool(settings.database.with_suffix(".spool"))
    app = make_app(
        watched.exchange, notary, public_url=url, repository=settings.repository, spool=spool, limits=_limits(settings)
    )
    health = await stack.enter_async_context(watch(app, settings, watched))
    await stack.enter_async_context(listening(app, sock, _door(settings)))
    stack.callback(health.stop)  # first of all, so that a proxy sends nobody here while the last answers go out
    return url


async def serve(settings: HubSettings, *, ready_file: Path | None = None) -> None:
    """Run a hub until the process is asked to stop (SIGINT or SIGTERM).

    Args:
        settings: of the hub.
        ready_file: where to write the hub's address once it answers.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    async with running_hub(settings) as hub:
        if ready_file is not None:
            fresh = ready_file.with_suffix(".new")
            fresh.write_text(hub.url, "utf-8")
            fresh.replace(ready_file)
        await stop.wait()
