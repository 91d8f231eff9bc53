"""The mailbox as a stream: nothing is lost or repeated when it is cut, urgent first, and it ends when it must."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import NoReturn

import pytest

from connectors.kit.client import HubClient, StreamedPiece
from connectors.kit.events import MAX_EVENT, EventReader
from hub.api.places import CLOSING
from hub.api.problems import problem
from hub.api.stream import MAX_INLINE
from hub.broker.ports import MailMark
from hub.protocol.errors import (
    AnswerError,
    PartnerSuspendedError,
    RequestError,
    StoreError,
    UnreachableError,
    ValiseError,
)
from hub.protocol.session import TOKEN_LIFETIME
from hub.protocol.vocabulary import Label, Priority
from hub.protocol.wire import write_wire
from tests.support.agency import with_partner
from tests.support.exchange import FEDERATION, HUB, NOW, receipt, signer_of
from tests.support.line import MAILBOX, MESSAGES, Hub, mail_in, mh_of, running_hub, script_policy

STREAM = f"{MAILBOX}/stream"


@pytest.fixture
async def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hub]:
    script_policy(monkeypatch)
    async with running_hub(tmp_path, heartbeat=0.05) as running:
        yield running


@pytest.fixture
async def client(hub: Hub) -> AsyncIterator[HubClient]:
    opened = HubClient(
        hub.url,
        federation=FEDERATION,
        partner="de-customs",
        hub=HUB,
        signer=lambda: signer_of("de-customs"),
        clock=lambda: NOW,
    )
    async with opened:
        yield opened


async def send(hub: Hub, *seqs: int, pri: Priority = Priority.ROUTINE) -> None:
    line = await hub.line()
    for seq in seqs:
        assert (await line.ask("POST", MESSAGES, hub.frame(seq, pri=pri))).status == 201


async def take(client: HubClient, count: int, after: str | None = None) -> list[StreamedPiece]:
    """Take so many pieces of a stream and cut it."""
    pieces: list[StreamedPiece] = []
    async with asyncio.timeout(20), aclosing(client.stream(after=after)) as stream:  # type: ignore[type-var]
        async for piece in stream:
            pieces.append(piece)
            if len(pieces) == count:
                break
    return pieces


async def test_a_cut_stream_goes_on_without_loss_or_repeat(hub: Hub, client: HubClient) -> None:
    await send(hub, 1, 2, 3)
    first = await take(client, 2)
    await send(hub, 4)
    await send(hub, 5, pri=Priority.URGENT)
    rest = await take(client, 3, first[-1].mark)
    assert [one.piece.seq for one in first] == [1, 2]
    assert [one.piece.seq for one in rest] == [5, 3, 4], "what is urgent overtakes, and nothing is left out"
    assert [one.mark for one in rest] == ["5.2", "5.3", "5.4"]
    everything = {seq: data for seq, _, data in mail_in(await (await hub.line("de-customs")).ask("GET", MAILBOX))}
    assert {one.piece.seq: one.piece.data for one in first + rest} == everything


async def test_what_comes_later_comes_at_once(hub: Hub, client: HubClient) -> None:
    async with asyncio.TaskGroup() as group:
        taken = group.create_task(take(client, 2))
        await send(hub, 1)
        await send(hub, 2)
    assert [one.piece.seq for one in taken.result()] == [1, 2]


async def test_a_large_copy_is_fetched_beside_the_stream(hub: Hub, client: HubClient) -> None:
    line = await hub.line()
    large = [(Label.ACTION, b"x" * (2 * MAX_INLINE)), (Label.NARRATIVE, b"{}")]
    for seq, pri in ((1, Priority.ROUTINE), (2, Priority.URGENT), (3, Priority.ROUTINE)):
        frame = hub.frame(seq, pri=pri, compartments=large)
        assert (await line.ask("POST", MESSAGES, frame)).status == 201
    pieces = await take(client, 3)
    assert [one.piece.seq for one in pieces] == [2, 1, 3]
    assert all(len(one.piece.data) > 2 * MAX_INLINE for one in pieces)


async def test_receipts_stream_too(hub: Hub) -> None:
    frame = hub.frame()
    line, other = await hub.line(), await hub.line("de-customs")
    await line.ask("POST", MESSAGES, frame)
    text = receipt(hub.directory, mh_of(frame), iss="de-customs").jws
    await other.ask("POST", "/v1/receipts", text.encode())
    customs = HubClient(
        hub.url,
        federation=FEDERATION,
        partner="fr-customs",
        hub=HUB,
        signer=lambda: signer_of("fr-customs"),
        clock=lambda: NOW,
    )
    async with customs:
        (piece,) = await take(customs, 1)
    assert (piece.piece.kind, piece.piece.data.decode()) == ("receipt", text)


async def test_a_stream_ends_with_its_session(hub: Hub, client: HubClient) -> None:
    await send(hub, 1)
    pieces = []
    async with asyncio.timeout(20):
        async for piece in client.stream():
            pieces.append(piece)
            hub.now = NOW + TOKEN_LIFETIME
    assert len(pieces) == 1, "it ended by itself"


async def test_a_stream_ends_when_its_partner_is_suspended(hub: Hub, client: HubClient) -> None:
    await send(hub, 1)

    async def read() -> None:
        async for _ in client.stream():
            hub.directory = with_partner(hub.directory, "de-customs", status="suspended")

    async with asyncio.timeout(20):
        with pytest.raises(PartnerSuspendedError):
            await read()


async def test_a_stream_and_a_poll_are_answered_when_the_hub_stops(hub: Hub, client: HubClient) -> None:
    line = await hub.line("de-customs")
    waits = asyncio.Event()
    wait = hub.store.wait

    async def announced(partner: str, *, seconds: float, after: MailMark) -> None:
        waits.set()
        await wait(partner, seconds=seconds, after=after)

    async def streamed() -> list[StreamedPiece]:
        return [piece async for piece in client.stream()]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hub.store, "wait", announced)
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            poll = group.create_task(line.ask("GET", f"{MAILBOX}?wait=30"))
            await waits.wait()
            stream = group.create_task(streamed())
            hub.app[CLOSING].set()
    assert mail_in(poll.result()) == []
    assert stream.result() == []


@pytest.mark.parametrize("error", [PartnerSuspendedError, StoreError])
async def test_what_ends_a_stream_is_told_in_it(
    hub: Hub, error: type[ValiseError], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_args: object, **_given: object) -> NoReturn:
        raise error

    line, answer = await hub.line("de-customs"), b""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(hub.url.rpartition(":")[2]))
    heads = {"Host": "hub", "Connection": "close", **line.headers("GET", STREAM)}
    lines = [f"GET {STREAM} HTTP/1.1", *(f"{name}: {value}" for name, value in heads.items()), "", ""]
    writer.write("\r\n".join(lines).encode())
    async with asyncio.timeout(20):
        answer += await reader.readuntil(b": open\n\n")
        if error is StoreError:
            monkeypatch.setattr(hub.store, "waiting", fail)
        else:
            hub.directory = with_partner(hub.directory, "de-customs", status="suspended")
        answer += await reader.read()
    writer.close()
    assert f"event: end\ndata: {write_wire(problem(error)).decode()}\n\n".encode() in answer
    assert answer.count(b"HTTP/1.1 ") == 1, "no second answer in the middle of the first"


async def test_a_mark_is_a_mark(hub: Hub) -> None:
    line = await hub.line("de-customs")
    for wrong in ("1", "1.", "-1.0", "1.2.3", "x.y", f"1.{'9' * 16}"):
        for path in (STREAM, MAILBOX):
            (await line.ask("GET", f"{path}?after={wrong}")).check_problem(RequestError, 400)


async def test_a_line_that_is_cut_is_told(hub: Hub, client: HubClient) -> None:
    await send(hub, 1)
    pieces = []

    async def read() -> None:
        async for piece in client.stream():
            pieces.append(piece)
            hub.cut_lines()

    async with asyncio.timeout(20):
        with pytest.raises(UnreachableError):
            await read()
    assert len(pieces) == 1
    await send(hub, 2)
    assert [one.piece.seq for one in await take(client, 1, pieces[0].mark)] == [2]


def test_events_may_come_in_any_cut() -> None:
    wire = b": open\n\nid: 1.2\nevent: copy\ndata: {}\n\n: on\n\nevent: end\ndata: x\n\n"
    for size in (1, 2, 7, len(wire)):
        reader = EventReader()
        events = [event for at in range(0, len(wire), size) for event in reader.feed(wire[at : at + size])]
        assert [(one.kind, one.data, one.mark) for one in events] == [("copy", b"{}", "1.2"), ("end", b"x", "1.2")]
    with pytest.raises(AnswerError):
        list(EventReader().feed(b"x" * (MAX_EVENT + 1)))
    with pytest.raises(AnswerError):
        list(EventReader().feed(b"id: \xff\ndata: x\n\n"))
