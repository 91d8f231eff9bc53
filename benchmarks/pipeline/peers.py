"""Brokers on the same work: 4 kB published durably, delivered to so many subscribers, each copy acknowledged.

They verify no originator, decide nothing and keep no log. Each runs as a process of its own and syncs before it
acknowledges; the load comes from this process over the brokers' own clients. What is not
installed is said and left out.
"""

import asyncio
import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

BODY: Final = os.urandom(4_096)
WINDOW: Final = 192  # messages in flight, as many as the hub's three batches of 64
ITEMS: Final = 64  # copies fetched at once
_BEFORE: Final = "/usr/lib/rabbitmq/bin"  # where Debian has the server itself; the command on PATH changes the user


class MissingPeerError(RuntimeError):
    """A peer's program or client library is not installed; the message names it."""


class Broker(Protocol):
    """One broker with so many subscribers."""

    async def publish(self, body: bytes) -> None:
        """Return when the message is durable."""

    async def receive(self, subscriber: int, take: Callable[[Sequence[bytes]], None]) -> None:
        """Fetch, acknowledge and hand on, until cancelled."""


@dataclass(frozen=True)
class Peer:
    """How a broker is started for so many subscribers, in a folder of its own."""

    name: str
    start: Callable[[Path, int], AbstractAsyncContextManager[Broker]]


def free_port() -> int:
    """Return a port that nobody listens on at this moment."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def program(name: str) -> str:
    """Return the path of a program, in this environment first.

    Raises:
        MissingPeerError: there is none.
    """
    own = Path(sys.executable).with_name(name)
    found = str(own) if own.exists() else shutil.which(name, path=f"{_BEFORE}:{os.environ['PATH']}:/usr/sbin")
    if found is None:
        raise MissingPeerError(name)
    return found


@asynccontextmanager
async def running(*command: str, port: int, env: dict[str, str] | None = None) -> AsyncIterator[None]:
    """Run a program until the context ends; it is there when it listens on its port."""
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        *command, stdout=quiet, stderr=quiet, env={**os.environ, **(env or {})}
    )
    try:
        async with asyncio.timeout(60):
            while not await _listens(port):
                if process.returncode is not None:
                    raise MissingPeerError(f"{Path(command[0]).name} ended with {process.returncode}")
                await asyncio.sleep(0.05)
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


class _Nats:
    def __init__(self, stream: Any, consumers: Sequence[Any]) -> None:  # noqa: ANN401 - of a library without types here
        self._stream, self._consumers = stream, consumers

    async def publish(self, body: bytes) -> None:
        await self._stream.publish("mail.all", body)

    async def receive(self, subscriber: int, take: Callable[[Sequence[bytes]], None]) -> None:
        while True:
            try:
                messages = await self._consumers[subscriber].fetch(ITEMS, timeout=5)
            except TimeoutError:
                continue
            take([message.data for message in messages])
            await messages[-1].ack()  # of all before it, too: AckPolicy.ALL


@asynccontextmanager
async def nats(folder: Path, subscribers: int) -> AsyncIterator[Broker]:
    """Start NATS JetStream, synced with every write, one stream and a pull consumer for each subscriber."""
    try:
        import nats as client  # noqa: PLC0415 - an extra of the benchmarks
        from nats.js.api import AckPolicy, ConsumerConfig  # noqa: PLC0415
    except ImportError as error:
        raise MissingPeerError("nats-py") from error
    port = free_port()
    config = folder / "nats.conf"
    config.write_text(f'listen: "127.0.0.1:{port}"\njetstream {{ store_dir: "{folder}", sync_interval: always }}\n')
    async with running(program("nats-server"), "-c", str(config), port=port):
        connection = await client.connect(f"nats://127.0.0.1:{port}")
        stream = connection.jetstream(timeout=60)
        await stream.add_stream(name="mail", subjects=["mail.*"])
        given = ConsumerConfig(ack_policy=AckPolicy.ALL, max_ack_pending=10_000)
        consumers = [
            await stream.pull_subscribe("mail.all", durable=f"s{number}", config=given) for number in range(subscribers)
        ]
        yield _Nats(stream, consumers)
        await connection.close()


class _Rabbit:
    def __init__(self, exchange: Any, message: Callable[[bytes], Any], queues: Sequence[Any]) -> None:  # noqa: ANN401
        self._exchange, self._message, self._queues = exchange, message, queues

    async def publish(self, body: bytes) -> None:
        await self._exchange.publish(self._message(body), routing_key="")

    async def receive(self, subscriber: int, take: Callable[[Sequence[bytes]], None]) -> None:
        unacknowledged = 0
        async with self._queues[subscriber].iterator() as messages:
            async for message in messages:
                take([message.body])
                unacknowledged += 1
                if unacknowledged == ITEMS // 4:  # of all before it, too
                    await message.ack(multiple=True)
                    unacknowledged = 0


@asynccontextmanager
async def rabbitmq(folder: Path, subscribers: int) -> AsyncIterator[Broker]:
    """Start RabbitMQ with a quorum queue for each subscriber behind one fanout exchange, and publisher confirms."""
    try:
        import aio_pika as client  # noqa: PLC0415 - an extra of the benchmarks
    except ImportError as error:
        raise MissingPeerError("aio-pika") from error
    port, distribution = free_port(), free_port()
    env = {
        "RABBITMQ_NODENAME": f"bench{port}@localhost",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_MNESIA_BASE": str(folder),
        "RABBITMQ_LOG_BASE": str(folder),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "HOME": str(folder),
    }
    async with running(program("rabbitmq-server"), port=port, env=env):
        connection = await client.connect(f"amqp://guest:guest@127.0.0.1:{port}/")
        channel = await connection.channel(publisher_confirms=True)
        exchange = await channel.declare_exchange("mail", client.ExchangeType.FANOUT, durable=True)
        queues = []
        for number in range(subscribers):
            own = await connection.channel()
            await own.set_qos(prefetch_count=ITEMS)
            queue = await own.declare_queue(f"s{number}", durable=True, arguments={"x-queue-type": "quorum"})
            await queue.bind(exchange)
            queues.append(queue)
        durable = client.DeliveryMode.PERSISTENT
        yield _Rabbit(exchange, lambda body: client.Message(body, delivery_mode=durable), queues)
        await connection.close()


PEERS: Final = (Peer("NATS JetStream, sync always", nats), Peer("RabbitMQ, quorum queues", rabbitmq))


async def measure(peer: Peer, subscribers: int, messages: int) -> tuple[float, float]:
    """Return accepted and delivered messages per second.

    Raises:
        MissingPeerError: the peer is not installed.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        async with peer.start(Path(folder), subscribers) as broker:
            copies, done = 0, asyncio.Event()

            def take(bodies: Sequence[bytes]) -> None:
                nonlocal copies
                copies += len(bodies)
                if copies >= messages * subscribers:
                    done.set()

            tasks = [asyncio.create_task(broker.receive(number, take)) for number in range(subscribers)]
            left = iter(range(messages))

            async def publish() -> None:
                for _ in left:
                    await broker.publish(BODY)

            start = time.perf_counter()
            try:
                await asyncio.gather(*(publish() for _ in range(WINDOW)))
                accepted = time.perf_counter() - start
                async with asyncio.timeout(60):
                    await done.wait()
                return messages / accepted, messages / (time.perf_counter() - start)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
