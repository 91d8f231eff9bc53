"""What comes over a raw socket: heads and bodies that never end, bombs, too much of anything, too many lines."""

import asyncio
import os
import signal
import sys
import time
import zlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from connectors.kit.agency import Agency
from hub.api.listen import Door
from hub.api.quotas import Limits
from hub.protocol.envelope import MAX_SUBMISSION
from hub.protocol.errors import BusyError, ContentCodingError, RequestError, TooLargeError
from hub.protocol.strictjson import parse_json
from tests.support.exercise import WORD, Exercise
from tests.support.line import MESSAGES, Hub, Line, running_hub, script_policy
from tests.support.office import PASSPHRASE
from tests.support.tree import ROOT

SLOW = 0.2  # seconds that this hub waits, so that the test need not


@pytest.fixture
async def stack(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[AsyncExitStack]:
    script_policy(monkeypatch)
    async with AsyncExitStack() as opened, asyncio.timeout(60):
        yield opened


async def start(stack: AsyncExitStack, folder: Path, **given: Any) -> Hub:
    return await stack.enter_async_context(running_hub(folder, **given))


class Raw:
    """A socket to the hub."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, hub: Hub, stack: AsyncExitStack) -> "Raw":
        reader, writer = await asyncio.open_connection("127.0.0.1", int(hub.url.rpartition(":")[2]))
        stack.callback(writer.close)
        return cls(reader, writer)

    def head(self, line: Line, method: str, path: str, body: bytes, **headers: str) -> None:
        """Send the head of a request with a session; `body` is what its proof covers."""
        given = {
            "Host": "hub",
            **line.headers(method, path, body),
            **{k.replace("_", "-"): v for k, v in headers.items()},
        }
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items()), "", ""]
        self.writer.write("\r\n".join(lines).encode())

    async def problem(self) -> dict[str, Any]:
        """Read an answer, and return the problem that it is."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        length = int(head.lower().partition("content-length: ")[2].partition("\r\n")[0])
        answer = parse_json(await self.reader.readexactly(length))
        assert isinstance(answer, dict)
        return answer


# --- slow ------------------------------------------------------------------------------------------------------------


async def test_a_head_that_trickles_is_cut(stack: AsyncExitStack, tmp_path: Path) -> None:
    hub = await start(stack, tmp_path, door=Door(idle=SLOW))
    raw = await Raw.open(hub, stack)
    began = time.monotonic()
    raw.writer.write(b"GET /v1/hub HTTP/1.1\r\nHost: hub\r\n")
    ended = asyncio.create_task(raw.reader.read())
    number = 0
    while not ended.done():
        number += 1
        raw.writer.write(f"X-{number}: y\r\n".encode())
        await asyncio.wait((ended,), timeout=SLOW / 10)
    (answer,) = await asyncio.gather(ended, return_exceptions=True)
    assert answer == b"" or isinstance(answer, ConnectionResetError), "no answer for half a question"
    assert time.monotonic() - began < 20 * SLOW


async def test_a_second_head_that_trickles_is_cut_too(stack: AsyncExitStack, tmp_path: Path) -> None:
    hub = await start(stack, tmp_path, door=Door(idle=SLOW))
    raw = await Raw.open(hub, stack)
    raw.writer.write(b"GET /livez HTTP/1.1\r\nHost: hub\r\n\r\nGET /livez HT")
    answer = await raw.reader.read()
    assert answer.count(b"HTTP/1.1") == 1


async def test_a_body_that_trickles_is_refused(stack: AsyncExitStack, tmp_path: Path) -> None:
    hub = await start(stack, tmp_path, body_seconds=SLOW)
    raw, line = await Raw.open(hub, stack), await hub.line()
    raw.head(line, "POST", MESSAGES, b"x" * 100, Content_Length="100")
    raw.writer.write(b"x")
    assert (await raw.problem())["code"] == BusyError.code


# --- too much --------------------------------------------------------------------------------------------------------


async def test_an_endless_body_is_cut_at_the_limit(stack: AsyncExitStack, tmp_path: Path) -> None:
    hub = await start(stack, tmp_path)
    raw, line = await Raw.open(hub, stack), await hub.line()
    raw.head(line, "POST", "/v1/mailbox/collected", b"", Transfer_Encoding="chunked")
    refused = asyncio.create_task(raw.problem())
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    sent = 0
    while not refused.done() and sent < MAX_SUBMISSION:
        raw.writer.write(chunk)
        sent += len(chunk)
        await asyncio.wait((asyncio.create_task(raw.writer.drain()), refused), return_when=asyncio.FIRST_COMPLETED)
    assert (await refused)["code"] == TooLargeError.code
    assert sent < MAX_SUBMISSION / 2


async def test_what_is_announced_as_too_large_is_not_read(stack: AsyncExitStack, tmp_path: Path) -> None:
    hub = await start(stack, tmp_path)
    raw, line = await Raw.open(hub, stack), await hub.line()
    raw.head(line, "POST", MESSAGES, b"", Content_Length=str(MAX_SUBMISSION + 1))
    assert (await raw.problem())["code"] == TooLargeError.code, "before a byte of it was sent"


async def test_bodies_that_wait_in_memory_have_a_measure_together(stack: AsyncExitStack, tmp_path: Path) -> None:
    hub = await start(stack, tmp_path, limits=Limits(bodies=100), body_seconds=20)
    line, other = await hub.line(), await hub.line("de-customs")
    for announced in ({"Content_Length": "100"}, {"Transfer_Encoding": "chunked"}):
        raw = await Raw.open(hub, stack)
        raw.head(line, "POST", MESSAGES, b"", **announced, Expect="100-continue")
        assert (await raw.reader.readline()).endswith(b" 100 Continue\r\n"), "its body is waited for"
        answers = [await one.ask("POST", MESSAGES, b"x") for one in (line, other)]
        assert [answer.status for answer in answers] == [429, 422]
        raw.writer.close()
        while (await line.ask("POST", MESSAGES, b"x")).status == 429:
            pass


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "GZIP, identity"])
async def test_a_bomb_is_refused_unopened(stack: AsyncExitStack, tmp_path: Path, coding: str) -> None:
    hub = await start(stack, tmp_path)
    raw, line = await Raw.open(hub, stack), await hub.line()
    bomb = zlib.compress(bytes(50_000_000), 9)
    raw.head(line, "POST", MESSAGES, bomb, Content_Length=str(len(bomb)), Content_Encoding=coding)
    assert (await raw.problem())["code"] == ContentCodingError.code


async def test_a_head_has_its_measure(stack: AsyncExitStack, tmp_path: Path) -> None:
    hub = await start(stack, tmp_path)
    for head in (
        b"GET /v1/hub HTTP/1.1\r\nHost: hub\r\nX: " + b"x" * 10_000 + b"\r\n\r\n",
        b"GET /" + b"x" * 10_000 + b" HTTP/1.1\r\nHost: hub\r\n\r\n",
        b"GET /v1/hub HTTP/1.1\r\nHost: hub\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(200)) + b"\r\n",
        b"GET /v1/hub HTTP/1.1\r\nHost: hub\r\nX\x00: y\r\n\r\n",
    ):
        raw = await Raw.open(hub, stack)
        raw.writer.write(head)
        assert (await raw.reader.readline()).startswith((b"HTTP/1.0 400", b"HTTP/1.1 400")), head[:60]


async def test_an_address_holds_so_many_lines_and_no_more(stack: AsyncExitStack, tmp_path: Path) -> None:
    hub = await start(stack, tmp_path, door=Door(per_address=2))
    first, second, third = [await Raw.open(hub, stack) for _ in range(3)]
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await third.reader.readexactly(1)
    for raw in (first, second):
        raw.writer.write(b"GET /livez HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n")
        assert (await raw.reader.read()).endswith(b"live\n")
    again = await Raw.open(hub, stack)
    again.writer.write(b"GET /livez HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n")
    assert (await again.reader.read()).endswith(b"live\n"), "who is gone counts no longer"


async def test_junk_gets_a_plain_answer(stack: AsyncExitStack, tmp_path: Path) -> None:
    hub = await start(stack, tmp_path)
    for junk in (b"\x16\x03\x01\x02\x00\x01", b"junk\r\n\r\n", os.urandom(64).replace(b"\n", b"") + b"\r\n\r\n"):
        raw = await Raw.open(hub, stack)
        raw.writer.write(junk)
        raw.writer.write_eof()
        assert (await raw.reader.read(12)) in {b"", b"HTTP/1.0 400"}
    line = await hub.line(log_in=False)
    (await line.send("GET", "/v1/log/consistency", b"", {})).check_problem(RequestError, 400)


# --- stopping --------------------------------------------------------------------------------------------------------


async def test_a_hub_that_is_asked_to_stop_answers_everybody_first(exercise: Exercise, tmp_path: Path) -> None:
    """A real process: a poll and a stream are open when SIGTERM comes."""
    ready = tmp_path / "ready"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "hub.cli", "hub", "serve", str(exercise.hub), "--ready-file", str(ready)),
        cwd=ROOT,
        env={**os.environ, "VALISE_PASSPHRASE": PASSPHRASE},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    log = process.stderr
    assert log is not None
    try:
        async with asyncio.timeout(60):
            while "listens on" not in (await log.readline()).decode():
                assert process.returncode is None
            await _stop_while_open(exercise, ready, process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _address(ready: Path) -> str:
    """Return what the hub wrote there once it answered; it says so in its log a moment before."""
    while not await asyncio.to_thread(ready.exists):
        await asyncio.to_thread(time.monotonic)
    return await asyncio.to_thread(ready.read_text)


async def _stop_while_open(exercise: Exercise, ready: Path, process: asyncio.subprocess.Process) -> None:
    exercise.place_agencies(await _address(ready))
    async with Agency.open(exercise.agency("de-customs"), passphrase=WORD) as agency:
        client = agency.connector.client
        opened = asyncio.Event()
        bounded = aiohttp.StreamReader.iter_any

        async def streamed() -> int:
            async with aclosing(client.stream()) as stream:  # type: ignore[type-var]
                return len([piece async for piece in stream])

        def announced(self: aiohttp.StreamReader) -> Any:
            opened.set()
            return bounded(self)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(aiohttp.StreamReader, "iter_any", announced)
            stream = asyncio.create_task(streamed())
            await opened.wait()
        poll = asyncio.create_task(client.collect(wait=30))
        await client.facts()  # on the wire after the poll
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert (await poll, await stream) == ([], 0)
        assert await process.wait() == 0
        assert time.monotonic() - began < 10
