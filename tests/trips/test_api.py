"""The interface as its reference page tells of it: its description, its pages, its quotas.

Not for: the trips themselves (`test_hub.py`).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from connectors.kit.client import HubClient
from hub.api.quotas import Limits
from hub.api.routes import ENDPOINTS, openapi
from hub.broker.ports import MailMark
from hub.protocol import session
from hub.protocol.errors import ClockError, NotFoundError, OverQuotaError, UnauthenticatedError
from hub.protocol.operation import sign_operation
from hub.protocol.strictjson import parse_json
from tests.support.exchange import FEDERATION, HUB, NOW, operation, signer_of
from tests.support.line import MAILBOX, MESSAGES, Hub, Line, mh_of, running_hub, script_policy


@pytest.fixture
async def stack(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[AsyncExitStack]:
    script_policy(monkeypatch)
    async with AsyncExitStack() as opened:
        yield opened


async def start(stack: AsyncExitStack, folder: Path, **given: Any) -> Hub:
    return await stack.enter_async_context(running_hub(folder, **given))


# --- the description -------------------------------------------------------------------------------------------------


async def test_the_description_is_served_to_anybody(stack: AsyncExitStack, tmp_path: Path) -> None:
    stranger = await (await start(stack, tmp_path)).line(log_in=False)
    answer = await stranger.send("GET", "/v1/openapi.json", b"", {})
    assert (answer.status, answer.body) == (200, openapi())


async def test_every_route_is_described_and_every_described_route_answers(
    stack: AsyncExitStack, tmp_path: Path
) -> None:
    hub = await start(stack, tmp_path)
    described = {(method.upper(), path) for path, one in parse_json(openapi())["paths"].items() for method in one}
    assert described == {(one.method, one.path) for one in ENDPOINTS}
    routed = {
        (route.method, route.resource.canonical)
        for route in hub.app.router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    assert described == routed


async def test_what_is_described_as_closed_is_closed(stack: AsyncExitStack, tmp_path: Path) -> None:
    stranger = await (await start(stack, tmp_path)).line(log_in=False)
    for endpoint in ENDPOINTS:
        if endpoint.session:
            path = endpoint.path.format(mh="A" * 43, to="de-customs", digest="A" * 43)
            answer = await stranger.send(endpoint.method, path, b"", {})
            answer.check_problem(UnauthenticatedError, 401)


# --- pages -----------------------------------------------------------------------------------------------------------


async def pages(line: Line, path: str, member: str) -> AsyncIterator[list[Any]]:
    """Yield each page of a list."""
    cursor = ""
    while True:
        answer = await line.ask("GET", path + (f"&cursor={cursor}" if cursor else ""))
        assert answer.status == 200
        page = parse_json(answer.body)
        yield page[member]
        cursor = page["next"]
        if cursor is None:
            return


async def test_pages_of_messages_stay_as_they_are_while_others_come(stack: AsyncExitStack, tmp_path: Path) -> None:
    hub = await start(stack, tmp_path)
    customs, seqs = await hub.line(), []
    for seq in range(1, 6):
        assert (await customs.ask("POST", MESSAGES, hub.frame(seq))).status == 201
    async for page in pages(customs, f"{MESSAGES}?limit=2", "messages"):
        seqs.append([one["seq"] for one in page])
        await customs.ask("POST", MESSAGES, hub.frame(10 + len(seqs)))
    assert seqs == [[5, 4], [3, 2], [1]]


async def test_a_cursor_of_another_partner_is_none(stack: AsyncExitStack, tmp_path: Path) -> None:
    hub = await start(stack, tmp_path)
    customs, police, frame = await hub.line(), await hub.line("de-police"), hub.frame()
    await customs.ask("POST", MESSAGES, frame)
    for cursor in (mh_of(frame), "A" * 43, "x", ""):
        answer = await police.ask("GET", f"{MESSAGES}?cursor={cursor}")
        answer.check_problem(NotFoundError, 404)
    (await police.ask("GET", "/v1/operations?cursor=_w")).check_problem(NotFoundError, 404)


async def test_pages_of_operations_go_by_name(stack: AsyncExitStack, tmp_path: Path) -> None:
    hub = await start(stack, tmp_path)
    bureau = await hub.line("int-bureau")
    found = []

    async def open_one(name: str) -> str:
        change = {"op": name, "jti": operation(hub.directory).operation.jti}
        shape = operation(hub.directory).operation.model_copy(update=change)
        jws = sign_operation(shape, signer_of("int-bureau"))
        assert (await bureau.ask("POST", "/v1/operations", jws.encode())).status == 201
        return jws

    signed = {name: await open_one(name) for name in ("op-d", "op-b", "op-a", "op-c", "op-e")}
    async for page in pages(bureau, "/v1/operations?limit=2", "operations"):
        found.append(page)
        await open_one(f"op-a{len(found)}")
    assert found == [[signed["op-a"], signed["op-b"]], [signed["op-c"], signed["op-d"]], [signed["op-e"]]]


# --- the clock -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "told"), [(-90, "90 s behind"), (3_600, "3600 s ahead")])
async def test_a_wrong_clock_is_told_by_how_much(
    stack: AsyncExitStack, tmp_path: Path, seconds: int, told: str
) -> None:
    hub = await start(stack, tmp_path)
    now = NOW + seconds
    client = HubClient(
        hub.url,
        federation=FEDERATION,
        partner="fr-customs",
        hub=HUB,
        signer=lambda: signer_of("fr-customs"),
        clock=lambda: now,
    )
    async with client:
        with pytest.raises(ClockError, match=told):
            await client.sent()
        now = NOW
        assert (await client.sent()).messages == (), "nothing but the clock was wrong"
        now = NOW + seconds
        with pytest.raises(ClockError, match=told):
            await client.sent()


# --- quotas ----------------------------------------------------------------------------------------------------------


async def test_whoever_asks_too_much_is_told_when_to_ask_again(stack: AsyncExitStack, tmp_path: Path) -> None:
    hub = await start(stack, tmp_path, limits=Limits(requests_per_minute=2), ticks=lambda: 1_000.0)
    customs, other = await hub.line(), await hub.line("de-customs")
    first = await customs.ask("GET", MAILBOX)
    assert first.headers["RateLimit-Policy"] == '"requests";q=2;w=60'
    assert first.headers["RateLimit"] == '"requests";r=1;t=30'
    await customs.ask("GET", MAILBOX)
    answer = await customs.ask("GET", MAILBOX)
    answer.check_problem(OverQuotaError, 429)
    assert answer.headers["Retry-After"] == "30"
    assert (await other.ask("GET", MAILBOX)).status == 200, "nobody else's quota"


async def test_a_flood_beyond_the_quota_leaves_the_memory_of_proofs_to_the_others(
    stack: AsyncExitStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "_MAX_SEEN", 10)
    hub = await start(stack, tmp_path, limits=Limits(requests_per_minute=1), ticks=lambda: 1_000.0)
    line, other = await hub.line(), await hub.line("de-customs")
    answers = [await line.ask("GET", MAILBOX) for _ in range(10)]
    assert [answer.status for answer in answers] == [200] + [429] * 9
    assert (await other.ask("GET", MAILBOX)).status == 200


async def test_messages_have_a_quota_of_their_own(stack: AsyncExitStack, tmp_path: Path) -> None:
    hub = await start(stack, tmp_path, limits=Limits(messages_per_minute=1), ticks=lambda: 1_000.0)
    customs = await hub.line()
    assert (await customs.ask("POST", MESSAGES, hub.frame())).status == 201
    (await customs.ask("POST", MESSAGES, hub.frame(2))).check_problem(OverQuotaError, 429)
    assert await hub.store.log_size() == 2, "nothing was stored"
    assert (await customs.ask("GET", MAILBOX)).status == 200


async def test_an_address_that_logs_in_for_ever_is_stopped(stack: AsyncExitStack, tmp_path: Path) -> None:
    hub = await start(stack, tmp_path, limits=Limits(logins_per_minute=2), ticks=lambda: 1_000.0)
    line = await hub.line(log_in=False)
    assert [(await line.log_in()).status for _ in range(2)] == [200, 200]
    (await line.log_in()).check_problem(OverQuotaError, 429)


async def test_a_partner_holds_so_many_polls_open_and_no_more(stack: AsyncExitStack, tmp_path: Path) -> None:
    hub = await start(stack, tmp_path, limits=Limits(waiting=1, concurrent=1))
    customs, other = await hub.line(), await hub.line("de-customs")
    waits = asyncio.Event()
    wait = hub.store.wait

    async def announced(partner: str, *, seconds: float, after: MailMark) -> None:
        waits.set()
        await wait(partner, seconds=seconds, after=after)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hub.store, "wait", announced)
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            poll = group.create_task(other.ask("GET", f"{MAILBOX}?wait=30"))
            await waits.wait()
            (await other.ask("GET", f"{MAILBOX}?wait=30")).check_problem(OverQuotaError, 429)
            assert (await other.ask("GET", MESSAGES)).status == 200, "other requests go on"
            await customs.ask("POST", MESSAGES, hub.frame())
    assert poll.result().status == 200
