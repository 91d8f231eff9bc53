"""The connector's line to its hub: sessions, typed errors, limits - against the hub's own session desk."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port

from connectors.kit.client import HubClient
from connectors.kit.refusals import error_for
from hub.protocol.encoding import lp
from hub.protocol.errors import (
    AnswerError,
    BusyError,
    ForkError,
    InternalError,
    NotFoundError,
    UnauthenticatedError,
    UnreachableError,
    ValiseError,
)
from hub.protocol.session import TOKEN_LIFETIME, SessionDesk
from hub.protocol.strictjson import parse_json, write_json
from tests.support.exchange import FEDERATION, HUB, NOW, make_directory, signer_of

DIRECTORY = make_directory()


@dataclass
class FakeHub:
    """A hub that checks sessions for real and answers everything else with what the test put there."""

    now: int = NOW
    answer: bytes = b"{}"
    status: int = 200
    logins: int = 0
    seen: list[tuple[str, str, bytes]] = field(default_factory=list)
    desk: SessionDesk = field(default_factory=lambda: SessionDesk(hub=HUB))

    def app(self) -> web.Application:
        app = web.Application(client_max_size=2**26)
        app.router.add_post("/v1/session", self._log_in)
        app.router.add_get("/v1/hub", self._plain)
        app.router.add_get("/v1/directory/{path:.+}", self._plain)
        app.router.add_route("*", "/{path:.+}", self._checked)
        return app

    async def _log_in(self, request: web.Request) -> web.Response:
        body = await request.read()
        token = self.desk.log_in(
            parse_json(body)["assertion"],
            request.headers["DPoP"],
            url=str(request.url),
            body=body,
            directory=DIRECTORY,
            now=self.now,
        )
        self.logins += 1
        answer = {"access_token": token, "token_type": "DPoP", "expires_in": TOKEN_LIFETIME}
        return web.Response(body=write_json(answer))

    async def _plain(self, request: web.Request) -> web.Response:
        assert "Authorization" not in request.headers
        return web.Response(body=self.answer, status=self.status)

    async def _checked(self, request: web.Request) -> web.Response:
        scheme, _, token = request.headers["Authorization"].partition(" ")
        assert scheme == "DPoP"
        try:
            caller = self.desk.check(
                token,
                request.headers["DPoP"],
                method=request.method,
                url=str(request.url.with_query(None)),
                now=self.now,
            )
            caller.check_body(await request.read())
        except UnauthenticatedError as error:
            return _problem(error, 401)
        assert caller.partner == "fr-customs"
        self.seen.append((request.method, request.path_qs, await request.read()))
        return web.Response(body=self.answer, status=self.status)


def _problem(error: ValiseError, status: int) -> web.Response:
    body = {"type": f"urn:valise:error:{error.code}", "title": error.sentence, "status": status, "code": error.code}
    return web.Response(body=write_json(body), status=status)


@pytest.fixture
async def hub() -> FakeHub:
    return FakeHub()


@pytest.fixture
async def client(hub: FakeHub) -> AsyncIterator[HubClient]:
    async with TestServer(hub.app()) as server, _client(str(server.make_url("")).rstrip("/"), hub) as opened:
        yield opened


def _client(url: str, hub: FakeHub) -> HubClient:
    return HubClient(
        url,
        federation=FEDERATION,
        partner="fr-customs",
        hub=HUB,
        signer=lambda: signer_of("fr-customs"),
        clock=lambda: hub.now,
    )


async def test_one_login_serves_many_requests(hub: FakeHub, client: HubClient) -> None:
    hub.answer = b'{"messages":[],"next":null}'
    await client.sent(operation="op-canute", limit=3)
    await client.sent()
    assert hub.logins == 1
    assert [path for _, path, _ in hub.seen] == ["/v1/messages?limit=3&op=op-canute", "/v1/messages?limit=50"]


async def test_an_ended_session_is_renewed_once(hub: FakeHub, client: HubClient) -> None:
    hub.answer = b'{"operations":[],"next":null}'
    await client.operations()
    hub.now += TOKEN_LIFETIME
    assert await client.operations() == ()
    assert hub.logins == 2
    hub.desk = SessionDesk(hub=HUB)  # the hub was started anew and knows no token
    assert await client.operations() == ()
    assert hub.logins == 3


async def test_a_stranger_is_told_so(hub: FakeHub) -> None:
    async with TestServer(hub.app()) as server:
        url = str(server.make_url("")).rstrip("/")
        stranger = HubClient(
            url,
            federation=FEDERATION,
            partner="fr-customs",
            hub=HUB,
            signer=lambda: signer_of("de-police"),
            clock=lambda: NOW,
        )
        async with stranger:
            with pytest.raises(InternalError):  # the fake does not turn its error into a problem
                await stranger.operations()
    assert hub.logins == 0


async def test_the_body_is_what_is_sent(hub: FakeHub, client: HubClient) -> None:
    hub.answer = b"accept"
    assert await client.submit(b"\x00frame") == b"accept"
    await client.send_receipt("a.b.c")
    await client.confirm([3, 4])
    assert hub.seen == [
        ("POST", "/v1/messages", b"\x00frame"),
        ("POST", "/v1/receipts", b"a.b.c"),
        ("POST", "/v1/mailbox/collected", b'{"seqs":[3,4]}'),
    ]


async def test_a_refusal_is_the_error_that_the_hub_names(hub: FakeHub, client: HubClient) -> None:
    hub.status = 409
    hub.answer = write_json({"type": "urn:x", "title": "t", "status": 409, "code": ForkError.code})
    with pytest.raises(ForkError):
        await client.submit(b"frame")
    hub.answer = write_json({"type": "urn:x", "title": "t", "status": 409, "code": "future/unheard-of"})
    with pytest.raises(InternalError):
        await client.submit(b"frame")


@pytest.mark.parametrize(
    ("status", "leaf"), [(500, InternalError), (502, BusyError), (503, BusyError), (302, InternalError)]
)
async def test_a_refusal_of_something_before_the_hub(
    hub: FakeHub, client: HubClient, status: int, leaf: type[ValiseError]
) -> None:
    hub.status, hub.answer = status, b"<html>"
    with pytest.raises(leaf):
        await client.submit(b"frame")


Ask = Callable[[HubClient], Awaitable[object]]


@pytest.mark.parametrize(
    "ask",
    [
        lambda client: client.facts(),
        lambda client: client.matrix("A" * 43),
        lambda client: client.proof("A" * 43, "de-customs"),
        lambda client: client.sent(),
        lambda client: client.operations(),
        lambda client: client.subscription(),
        lambda client: client.collect(wait=0),
    ],
)
@pytest.mark.parametrize("answer", [b"", b"nonsense", b'{"a":1}', b"[]", b"\xff", b'{"items":[],"items":[]}'])
async def test_a_wrong_answer_is_told_apart(hub: FakeHub, client: HubClient, ask: Ask, answer: bytes) -> None:
    hub.answer = answer
    with pytest.raises(AnswerError):
        await ask(client)


async def test_the_mailbox_is_split(hub: FakeHub, client: HubClient) -> None:
    head = write_json({"items": [{"seq": 7, "kind": "copy"}, {"seq": 9, "kind": "receipt"}]})
    hub.answer = lp(head, b"a copy", b"a.b.c")
    pieces = await client.collect(wait=0, limit=2)
    assert [(piece.seq, piece.kind, piece.data) for piece in pieces] == [
        (7, "copy", b"a copy"),
        (9, "receipt", b"a.b.c"),
    ]
    hub.answer = lp(head, b"a copy")
    with pytest.raises(AnswerError):
        await client.collect(wait=0)


async def test_an_answer_has_a_limit(hub: FakeHub, client: HubClient) -> None:
    hub.answer = bytes(101)
    with pytest.raises(AnswerError):
        await client.file("metadata/timestamp.json", 100)
    assert await client.file("metadata/timestamp.json", 101) == bytes(101)
    hub.status = 404
    hub.answer = write_json({"type": "urn:x", "title": "t", "status": 404, "code": NotFoundError.code})
    with pytest.raises(NotFoundError):
        await client.file("metadata/9.root.json", 100)


async def test_a_hub_that_is_away_is_unreachable(hub: FakeHub) -> None:
    gone = _client(f"http://127.0.0.1:{unused_port()}", hub)
    with pytest.raises(UnreachableError):
        await gone.facts()
    async with gone:
        with pytest.raises(UnreachableError):
            await gone.facts()


def test_every_wire_code_leads_back_to_its_error() -> None:
    assert error_for("envelope/forked") is ForkError
    assert error_for("no/such-code") is None
