"""A hub on an event loop of its own, in a thread, for what asks it from outside and knows no event loop.

Not for: tests that turn its clock or break its store; those share its loop (`line.py`).
"""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from requests import PreparedRequest
from requests.auth import AuthBase
from yarl import URL

from hub.protocol.session import SessionKey
from tests.support.exchange import NOW
from tests.support.line import Hub, Line, running_hub


class Session(AuthBase):
    """A partner's session: puts a token and a fresh proof on every request, whatever its address and body became."""

    def __init__(self, url: str, key: SessionKey, token: str) -> None:
        self.url, self.token = url, token
        self._key = key

    def prove(self, method: str, path: str, body: bytes) -> str:
        """Return the proof for one request; `path` as the hub reads it, without the query."""
        return self._key.prove(method=method, url=self.url + path, body=body, token=self.token, now=NOW)

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        body = request.body or b""
        data = body.encode() if isinstance(body, str) else body
        if not isinstance(data, bytes):
            raise TypeError("a body that can be read once only")
        path = path_of(request.path_url)
        request.headers["Authorization"] = f"DPoP {self.token}"
        request.headers["DPoP"] = self.prove(str(request.method), path, data)
        return request


def path_of(target: str) -> str:
    """Return the path of a request's target as the hub reads it: decoded, without the query."""
    return URL(target.partition("?")[0], encoded=True).path


@contextmanager
def hub_in_thread(folder: Path, partner: str, **given: Any) -> Iterator[tuple[Hub, Session]]:
    """Run a hub until the context ends; yield it with a session of a partner."""
    loop = asyncio.new_event_loop()
    ready: list[tuple[Hub, Line]] = []
    started, stop = threading.Event(), asyncio.Event()

    async def run() -> None:
        async with running_hub(folder, **given) as hub:
            line = await hub.line(partner)
            ready.append((hub, line))
            started.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    thread.start()
    try:
        started.wait(30)
        hub, line = ready[0]
        yield hub, Session(hub.url, line.key, line.token)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(30)
        loop.close()
