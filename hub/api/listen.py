"""Where the hub listens: TLS, how long a line may be idle or a head take, how many lines one address may hold.

Not for: who is on a line (`sessions.py`). Implements `docs/reference/api.md`; user's page `docs/how-to/run-a-hub.md`.
"""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiohttp import web

from hub.api.quotas import caller_at
from hub.host.events import SERVER_FAILED
from hub.protocol.errors import SetupError

_HANDSHAKE: Final = 15.0  # seconds for TLS to be agreed on


@dataclass(frozen=True, slots=True)
class Door:
    """How lines are taken.

    `idle` are the seconds that a line may say nothing, or take to say the head of a request: connectors let go of an
    idle line after ten. `stop` are those that requests under way get when the hub stops; polls are answered at once.
    `per_address` is how many lines one address may hold; 0 for any number.
    """

    tls: ssl.SSLContext | None = None
    idle: float = 15.0
    stop: float = 10.0
    per_address: int = 256


def server_tls(certificate: Path, key: Path, *, client_ca: Path | None, required: bool) -> ssl.SSLContext:
    """Return what a hub needs to end TLS itself: version 1.3 and nothing below.

    Args:
        certificate: the hub's, with those that lead to its authority (PEM).
        key: its private key (PEM).
        client_ca: authorities of client certificates (PEM); None asks for none.
        required: whether who shows none is turned away.

    Raises:
        SetupError: a file is missing or is not what it should be.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.sslobject_class = _Alerting
    try:
        context.load_cert_chain(certificate, key)
    except OSError as error:  # ssl.SSLError too
        raise SetupError(f"{certificate.name}, {key.name}: not a certificate and its key") from error
    if client_ca is not None:
        try:
            context.load_verify_locations(client_ca)
        except OSError as error:
            raise SetupError(f"{client_ca.name}: not a file of certificates") from error
        context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
    return context


class _Alerting(ssl.SSLObject):
    """Lets the alert of a handshake that failed out, so that the other end learns why; asyncio would drop it.

    The first failure is told as "more is to be read": then asyncio sends what is to be sent, the alert. Whatever comes
    next, or the end of the handshake's time, is the failure.
    """

    _failure: ssl.SSLError | None = None

    def do_handshake(self) -> None:
        if self._failure is not None:
            raise self._failure
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            self._failure = error
            raise ssl.SSLWantReadError from error


@contextlib.asynccontextmanager
async def listening(app: web.Application, sock: socket.socket, door: Door) -> AsyncIterator[web.AppRunner]:
    """Answer on a bound socket for as long as the context lasts; at its end, what is under way is finished."""
    runner = web.AppRunner(
        app,
        access_log=None,  # a line of it names partners and messages
        logger=_discreet_logger(),
        auto_decompress=False,  # nobody compresses here, so no bomb is ever unpacked
        keepalive_timeout=door.idle,
        shutdown_timeout=door.stop,
    )
    await runner.setup()
    try:
        await _Site(runner, sock, door).start()
        yield runner
    finally:
        await runner.cleanup()


class _Site(web.BaseSite):
    """A socket whose callers are counted before TLS or the server hear of them."""

    def __init__(self, runner: web.AppRunner, sock: socket.socket, door: Door) -> None:
        super().__init__(runner, ssl_context=door.tls)
        self._sock: Final = sock
        self._door: Final = door
        self._agreeing: Final[dict[asyncio.Task[None], str]] = {}

    @property
    def name(self) -> str:
        return str(self._sock.getsockname())

    async def start(self) -> None:
        await super().start()
        server, door, agreeing = self._runner.server, self._door, self._agreeing
        if server is None:
            raise SetupError("the server was not set up")
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Threshold(server, door, agreeing), sock=self._sock)

    async def stop(self) -> None:
        await super().stop()
        for task in self._agreeing:
            task.cancel()


class _Threshold(asyncio.Protocol):
    """Turns a line away when its address holds too many, else agrees on TLS; the server's protocol takes its place.

    `agreeing` are the lines that have not agreed yet, with their addresses: they count as well, or whoever never says a
    word could hold any number.
    """

    def __init__(self, server: web.Server, door: Door, agreeing: dict[asyncio.Task[None], str]) -> None:
        self._server: Final = server
        self._door: Final = door
        self._agreeing: Final = agreeing

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("not a stream")
        address = _address(transport.get_extra_info("peername"))
        if self._door.per_address and self._held(address) >= self._door.per_address:
            transport.abort()
        elif self._door.tls is None:
            self._hand_over(transport)
        else:
            transport.pause_reading()  # until TLS listens
            task = asyncio.create_task(self._agree(transport, self._door.tls))
            self._agreeing[task] = address
            task.add_done_callback(self._agreeing.pop)

    def _held(self, address: str) -> int:
        open_now = sum(_address(one.peername) == address for one in self._server.connections)
        return open_now + sum(one == address for one in self._agreeing.values())

    async def _agree(self, transport: asyncio.Transport, tls: ssl.SSLContext) -> None:
        early, loop = _Early(), asyncio.get_running_loop()
        with contextlib.suppress(OSError):  # the other end was told by an alert, or is gone
            line = await loop.start_tls(transport, early, tls, server_side=True, ssl_handshake_timeout=_HANDSHAKE)
            if line is not None:
                early.repeat(self._hand_over(line))

    def _hand_over(self, line: asyncio.Transport) -> asyncio.Protocol:
        protocol = self._server()
        line.set_protocol(protocol)
        protocol.connection_made(line)
        return protocol


class _Early(asyncio.Protocol):
    """Keeps what comes between the end of a handshake and the moment at which the server takes the line."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._lost: list[Exception | None] = []

    def data_received(self, data: bytes) -> None:
        self._data += data

    def connection_lost(self, error: Exception | None) -> None:
        self._lost.append(error)

    def repeat(self, protocol: asyncio.Protocol) -> None:
        """Tell the server's protocol."""
        if self._data:
            protocol.data_received(bytes(self._data))
        for error in self._lost:
            protocol.connection_lost(error)


def _address(peer: object) -> str:
    return caller_at(str(peer[0])) if isinstance(peer, tuple) else ""


class _Discreet(logging.Filter):
    """Keeps of what the HTTP server notes only what went wrong: it would repeat malformed requests word for word."""

    def filter(self, record: logging.LogRecord) -> bool:
        cause = record.exc_info[0] if record.exc_info else None
        record.msg, record.args = SERVER_FAILED, (cause.__name__ if cause else "unknown",)
        record.exc_info = record.exc_text = record.stack_info = None
        return True


def _discreet_logger() -> logging.Logger:
    logger = logging.getLogger("valise.http")
    if not any(isinstance(one, _Discreet) for one in logger.filters):
        logger.addFilter(_Discreet())
    return logger
