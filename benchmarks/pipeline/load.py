"""The load on a hub: an originator that hands over in batches, addressees that poll, and what the hub process costs.

Not for: connectors, which open what they get and keep it (`connectors/kit/`); here copies are counted and confirmed.
"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import aiohttp

from benchmarks.pipeline.office import ORIGINATOR, Office
from hub.protocol.encoding import lp, parse_frame
from hub.protocol.session import SessionKey, make_assertion
from hub.protocol.strictjson import parse_json, write_json
from tests.support.exercise import HUB
from tests.support.office import FEDERATION

BATCH: Final = 64  # messages in a request
ITEMS: Final = 64  # copies in an answer
WINDOW: Final = 3  # batches in flight
RENEW: Final = 240  # seconds that a token is used
_TICKS: Final = os.sysconf("SC_CLK_TCK")


class Line:
    """One partner's session."""

    def __init__(self, url: str, office: Office, partner: str, http: aiohttp.ClientSession) -> None:
        self.partner = partner
        self._url, self._office, self._http = url, office, http
        self._key, self._token, self._since = SessionKey(), "", 0.0

    async def ask(self, method: str, path: str, body: bytes = b"") -> bytes:
        """Ask, after logging in if need be; the answer must be a good one."""
        if time.monotonic() - self._since > RENEW:
            await self._log_in()
        proof = self._prove(method, path.partition("?")[0], body, self._token)
        return await self._send(method, path, body, {"Authorization": f"DPoP {self._token}", "DPoP": proof})

    async def _log_in(self) -> None:
        assertion = make_assertion(
            federation=FEDERATION,
            partner=self.partner,
            hub=HUB,
            thumbprint=self._key.thumbprint,
            signer=self._office.signer(self.partner),
            now=int(time.time()),
        )
        body = write_json({"assertion": assertion})
        proof = self._prove("POST", "/v1/session", body, None)
        answer = await self._send("POST", "/v1/session", body, {"DPoP": proof})
        self._token, self._since = parse_json(answer)["access_token"], time.monotonic()

    def _prove(self, method: str, path: str, body: bytes, token: str | None) -> str:
        return self._key.prove(method=method, url=self._url + path, body=body, token=token, now=int(time.time()))

    async def _send(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> bytes:
        async with self._http.request(method, self._url + path, data=body or None, headers=headers) as response:
            data = await response.read()
            if response.status >= 300:
                raise RuntimeError(f"{method} {path}: {response.status} {data[:200]!r}")
            return data


@dataclass
class Arrivals:
    """When copies came: counted, and timed where a message's start is known."""

    expected: int
    copies: int = 0
    seconds: list[float] = field(default_factory=list)
    starts: dict[bytes, float] = field(default_factory=dict)
    done: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, bodies: Sequence[bytes]) -> None:
        """Count copies."""
        now = time.perf_counter()
        for body in bodies:
            self.copies += 1
            start = self.starts.get(body[-32:])  # the end of its ciphertext is its own
            if start is not None:
                self.seconds.append(now - start)
        if self.copies >= self.expected:
            self.done.set()


@dataclass(frozen=True)
class Served:
    """A hub process that answers."""

    url: str
    pid: int

    def cpu(self) -> float:
        """Return the seconds of processor time that it took so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def resident(self) -> float:
        """Return its resident memory in MB."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024


@asynccontextmanager
async def serving(office: Office) -> AsyncIterator[Served]:
    """Run `valise hub serve` as a process of its own."""
    ready = office.hub / "ready"
    ready.unlink(missing_ok=True)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "hub.cli", "hub", "serve", str(office.hub), "--ready-file", str(ready)),
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(60):
            while not ready.exists():  # noqa: ASYNC110 - a file that another process writes
                await asyncio.sleep(0.01)
        yield Served(ready.read_text().strip(), process.pid)
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def lines(served: Served, office: Office, partners: Sequence[str]) -> AsyncIterator[dict[str, Line]]:
    """Open a session for each partner, over one pool of connections."""
    async with AsyncExitStack() as stack:
        pool = aiohttp.TCPConnector(limit=0)
        timeout = aiohttp.ClientTimeout(total=None)
        http = await stack.enter_async_context(
            aiohttp.ClientSession(connector=pool, timeout=timeout, auto_decompress=False)
        )
        yield {partner: Line(served.url, office, partner, http) for partner in (ORIGINATOR, *partners)}


async def hand_over(line: Line, frames: Sequence[bytes]) -> None:
    """Hand all messages over, a few batches in flight; each must be accepted."""
    batches = iter([frames[at : at + BATCH] for at in range(0, len(frames), BATCH)])

    async def next_batch() -> None:
        for batch in batches:
            answer = parse_json(await line.ask("POST", "/v1/messages/batch", lp(*batch)))
            refused = [one for one in answer["results"] if "accept" not in one]
            if refused:
                raise RuntimeError(f"refused: {refused[0]}")

    await asyncio.gather(*(next_batch() for _ in range(WINDOW)))


async def collect(line: Line, arrivals: Arrivals, *, wait: int = 20) -> None:
    """Poll for copies and confirm them, until cancelled."""
    while True:
        frame = await line.ask("GET", f"/v1/mailbox?wait={wait}&limit={ITEMS}")
        head, *bodies = parse_frame(frame, max_parts=ITEMS + 1)
        items = parse_json(head)["items"]
        if items:
            await line.ask("POST", "/v1/mailbox/collected", write_json({"seqs": [item["seq"] for item in items]}))
            arrivals.take(bodies)


@asynccontextmanager
async def collecting(served: dict[str, Line], partners: Sequence[str], arrivals: Arrivals) -> AsyncIterator[None]:
    """Let these partners poll for as long as the context lasts; a poll that fails ends it."""
    tasks = [asyncio.create_task(collect(served[partner], arrivals)) for partner in partners]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
    failed = [end for end in ends if isinstance(end, Exception)]
    if failed:
        raise failed[0]
