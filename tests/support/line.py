"""A real hub's application and store in this process, and lines to it whose every part a test can replace.

Not for: what policy decides, which is scripted here, nor the connector's own client (`tests/support/agency.py`).
"""

import io
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest
from aiohttp.test_utils import unused_port

from hub.api.listen import Door, listening
from hub.api.places import CLOSING
from hub.api.routes import make_app
from hub.broker.exchange import Exchange
from hub.broker.notary import Notary
from hub.protocol.encoding import parse_frame
from hub.protocol.errors import ValiseError
from hub.protocol.interface import MailHead
from hub.protocol.manifest import parse_manifest
from hub.protocol.session import SessionKey, make_assertion
from hub.protocol.strictjson import parse_json, write_json
from hub.protocol.wire import parse_wire
from hub.store.spool import FileSpool
from hub.store.sqlite import SqliteStore
from tests.support.agency import ScriptedSet, directory_with_log, keyring_of, scripted_decide
from tests.support.exchange import FEDERATION, HUB, NOW, seal_warning, sign_as_hub, signer_of

MESSAGES: Final = "/v1/messages"
MAILBOX: Final = "/v1/mailbox"
PLAIN: Final = Door()


class Answer:
    """What came back: status, headers and body."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    def check_problem(self, error: type[ValiseError], status: int) -> None:
        """Check that it is the constant problem of an error, to the byte, and so says nothing of any message."""
        assert (self.status, self.headers["Content-Type"]) == (status, "application/problem+json")
        assert parse_json(self.body) == {
            "type": f"urn:valise:error:{error.code}",
            "title": error.sentence,
            "status": status,
            "code": error.code,
        }


class Line:
    """A partner's session with the hub, whose every part a test can replace."""

    def __init__(self, url: str, partner: str, http: aiohttp.ClientSession) -> None:
        self.url, self.partner, self._http = url, partner, http
        self.key = SessionKey()
        self.token = ""
        self.now = NOW

    async def log_in(self, **change: Any) -> Answer:
        """Log in; `change` replaces members of the assertion."""
        given = {"federation": FEDERATION, "partner": self.partner, "hub": HUB, "thumbprint": self.key.thumbprint}
        assertion = make_assertion(**{**given, "signer": signer_of(self.partner), "now": self.now, **change})
        body = write_json({"assertion": assertion})
        proof = self.prove("POST", "/v1/session", body, token=None)
        answer = await self.send("POST", "/v1/session", body, {"DPoP": proof})
        if answer.status == 200:
            self.token = parse_json(answer.body)["access_token"]
        return answer

    def prove(self, method: str, path: str, body: bytes = b"", *, token: str | None) -> str:
        return self.key.prove(method=method, url=self.url + path, body=body, token=token, now=self.now)

    def headers(self, method: str, path: str, body: bytes = b"") -> dict[str, str]:
        proof = self.prove(method, path.partition("?")[0], body, token=self.token)
        return {"Authorization": f"DPoP {self.token}", "DPoP": proof}

    async def ask(self, method: str, path: str, body: bytes = b"") -> Answer:
        """Ask as the interface wants it."""
        return await self.send(method, path, body, self.headers(method, path, body))

    async def send(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        data = io.BytesIO(body) if body else None
        async with self._http.request(method, self.url + path, data=data, headers=headers) as response:
            return Answer(response.status, response.headers, await response.read())


class Hub:
    """A running hub; its clock, directory and policy are what the test says."""

    def __init__(self, folder: Path, stack: AsyncExitStack, store: SqliteStore, door: Door, **given: Any) -> None:
        self.store, self._stack = store, stack
        self.now = NOW
        self.runner: aiohttp.web.AppRunner | None = None
        self.directory = directory_with_log()
        self.policies: Any = ScriptedSet()
        self.url = f"{'https' if door.tls else 'http'}://127.0.0.1:{unused_port()}"
        self.exchange = Exchange(
            HUB, FEDERATION, store, lambda: self.directory, lambda: self.policies, lambda: self.now
        )
        notary = Notary(store, lambda: keyring_of(HUB), federation=FEDERATION, clock=lambda: self.now)
        self.app = make_app(
            self.exchange,
            notary,
            public_url=self.url,
            repository=folder,
            **{"spool": FileSpool(folder / "spool"), **given},
        )

    def close_polls(self) -> None:
        """Let every poll be answered at once and every stream end, as when the hub is about to stop."""
        self.app[CLOSING].set()

    def cut_lines(self) -> None:
        """Cut every line at once, as a broken cable does."""
        server = self.runner.server if self.runner is not None else None
        for connection in server.connections if server is not None else ():
            if connection.transport is not None:
                connection.transport.abort()

    async def line(
        self, partner: str = "fr-customs", *, log_in: bool = True, tls: ssl.SSLContext | None = None
    ) -> Line:
        connector = aiohttp.TCPConnector(ssl=tls if tls is not None else True)
        http = await self._stack.enter_async_context(aiohttp.ClientSession(connector=connector))
        line = Line(self.url, partner, http)
        if log_in:
            assert (await line.log_in()).status == 200
        return line

    def frame(self, seq: int = 1, *, to: str = "de-customs", **message: Any) -> bytes:
        return seal_warning(self.directory, to={to: [0, 1]}, seq=seq, **message)


@asynccontextmanager
async def running_hub(folder: Path, *, door: Door = PLAIN, **given: Any) -> AsyncIterator[Hub]:
    """Run a hub on a store of its own; `given` goes to `make_app`."""
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(
            SqliteStore.open(
                folder / "hub.sqlite", federation=FEDERATION, hub=HUB, sign_batch=sign_as_hub, clock=lambda: NOW
            )
        )
        hub = Hub(folder, stack, store, door, **given)
        sock = socket.create_server(("127.0.0.1", int(hub.url.rpartition(":")[2])))
        stack.callback(sock.close)
        hub.runner = await stack.enter_async_context(listening(hub.app, sock, door))
        yield hub


def script_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the test say what policy decides at the hub."""
    for place in ("hub.broker.audience.decide", "hub.broker.submit.decide"):
        monkeypatch.setattr(place, scripted_decide)


def mh_of(frame: bytes) -> str:
    head = parse_json(parse_frame(frame, max_parts=33)[0])
    return parse_manifest(head["m"])[1].digest


def mail_in(answer: Answer) -> list[tuple[int, str, bytes]]:
    assert answer.status == 200
    head, *bodies = parse_frame(answer.body, max_parts=65)
    items = parse_wire(MailHead, head).items
    return [(item.seq, item.kind, body) for item, body in zip(items, bodies, strict=True)]
