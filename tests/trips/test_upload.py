"""A large message over a bad line: it goes on where it was cut, over a restart too, and nobody fills the disk."""

import asyncio
import errno
import os
import resource
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from connectors.kit import client as kit
from hub.broker.uploads import LIFETIME, MAX_CHUNK, MAX_UPLOADS
from hub.protocol.encoding import encode_b64url
from hub.protocol.envelope import MAX_SUBMISSION
from hub.protocol.errors import (
    DigestError,
    FrameError,
    NotFoundError,
    OverQuotaError,
    RequestError,
    StoreError,
    StoreFullError,
    TooLargeError,
    UnreachableError,
    UploadOffsetError,
)
from hub.protocol.hazmat import sha256
from hub.protocol.interface import UploadState, UploadWanted
from hub.protocol.vocabulary import Label
from hub.protocol.wire import parse_wire, write_wire
from hub.store.spool import FileSpool
from tests.support.agency import BrittleClient
from tests.support.exchange import FEDERATION, HUB, NOW, accept_in, signer_of
from tests.support.line import MESSAGES, Answer, Hub, Line, mh_of, running_hub, script_policy

UPLOADS = "/v1/uploads"


@pytest.fixture
async def stack(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[AsyncExitStack]:
    script_policy(monkeypatch)
    async with AsyncExitStack() as opened:
        yield opened


@pytest.fixture
async def hub(stack: AsyncExitStack, tmp_path: Path) -> Hub:
    return await stack.enter_async_context(running_hub(tmp_path))


def digest_of(data: bytes) -> str:
    return encode_b64url(sha256(data))


async def begin(line: Line, data: bytes) -> Answer:
    return await line.ask("POST", UPLOADS, write_wire(UploadWanted(digest=digest_of(data), size=len(data))))


async def append(line: Line, data: bytes, start: int, end: int) -> Answer:
    return await line.ask("PATCH", f"{UPLOADS}/{digest_of(data)}?offset={start}", data[start:end])


def received(answer: Answer) -> int:
    assert answer.status in {200, 201}
    return parse_wire(UploadState, answer.body).received


def large(hub: Hub, seq: int = 1) -> bytes:
    return hub.frame(seq, compartments=[(Label.ACTION, os.urandom(40_000)), (Label.NARRATIVE, b"{}")])


async def test_an_upload_goes_on_after_a_restart(stack: AsyncExitStack, tmp_path: Path) -> None:
    async with running_hub(tmp_path) as before:
        line, frame = await before.line(), large(before)
        assert received(await begin(line, frame)) == 0
        assert received(await append(line, frame, 0, 1_000)) == 1_000
    hub = await stack.enter_async_context(running_hub(tmp_path))
    line, path = await hub.line(), f"{UPLOADS}/{digest_of(frame)}"
    assert received(await line.ask("GET", path)) == 1_000
    assert received(await begin(line, frame)) == 1_000, "to begin again is to find it"
    for offset in (0, 999, 1_001):
        answer = await append(line, frame, offset, offset + 10)
        answer.check_problem(UploadOffsetError, 409)
        assert answer.headers["Upload-Offset"] == "1000"
    (await line.ask("POST", f"{path}/submit")).check_problem(UploadOffsetError, 409)
    assert received(await append(line, frame, 1_000, len(frame))) == len(frame)
    answers = [await line.ask("POST", f"{path}/submit") for _ in range(2)]
    assert {answer.status for answer in answers} == {201}
    assert answers[0].body == answers[1].body, "an answer that was lost is given again"
    assert accept_in(hub.directory, answers[0].body).mh == mh_of(frame)
    assert (await line.ask("POST", MESSAGES, frame)).body == answers[0].body
    assert await hub.store.log_size() == 2


async def test_files_are_private_and_named_by_digests(hub: Hub, tmp_path: Path) -> None:
    line, frame = await hub.line(), large(hub)
    await begin(line, frame)
    await append(line, frame, 0, 10)
    (file,) = [path for path in (tmp_path / "spool").rglob("*") if path.is_file()]
    assert file.stat().st_mode & 0o777 == 0o600
    assert {folder.stat().st_mode & 0o777 for folder in (file.parent, file.parent.parent)} == {0o700}
    assert file.name.startswith(sha256(frame).hex())
    for wrong in ("..%2F..%2Fhub", "A" * 42, "A" * 43):
        (await line.ask("GET", f"{UPLOADS}/{wrong.replace('%2F', '-')}")).check_problem(NotFoundError, 404)


async def test_what_is_not_what_was_announced_is_forgotten(hub: Hub) -> None:
    line, frame = await hub.line(), large(hub)
    other = bytes(len(frame))
    await begin(line, frame)
    await line.ask("PATCH", f"{UPLOADS}/{digest_of(frame)}?offset=0", other)
    (await line.ask("POST", f"{UPLOADS}/{digest_of(frame)}/submit")).check_problem(DigestError, 422)
    (await line.ask("GET", f"{UPLOADS}/{digest_of(frame)}")).check_problem(NotFoundError, 404)
    assert received(await begin(line, frame)) == 0
    junk = b"junk" * 100
    await begin(line, junk)
    await append(line, junk, 0, len(junk))
    (await line.ask("POST", f"{UPLOADS}/{digest_of(junk)}/submit")).check_problem(FrameError, 422)
    (await line.ask("GET", f"{UPLOADS}/{digest_of(junk)}")).check_problem(NotFoundError, 404)


async def test_another_partner_finds_nothing(hub: Hub) -> None:
    customs, police, frame = await hub.line(), await hub.line("de-police"), large(hub)
    await begin(customs, frame)
    for method, path in (("GET", ""), ("PATCH", "?offset=0"), ("POST", "/submit"), ("DELETE", "")):
        answer = await police.ask(method, f"{UPLOADS}/{digest_of(frame)}{path}")
        answer.check_problem(NotFoundError, 404)
    assert received(await customs.ask("GET", f"{UPLOADS}/{digest_of(frame)}")) == 0
    assert (await customs.ask("DELETE", f"{UPLOADS}/{digest_of(frame)}")).status == 204
    (await customs.ask("GET", f"{UPLOADS}/{digest_of(frame)}")).check_problem(NotFoundError, 404)


async def test_nobody_fills_the_disk(hub: Hub) -> None:
    line = await hub.line()
    wanted = write_wire(UploadWanted.model_construct(digest="A" * 43, size=MAX_SUBMISSION + 1))
    (await line.ask("POST", UPLOADS, wanted)).check_problem(RequestError, 400)
    for number in range(MAX_UPLOADS):
        assert (await begin(line, bytes([number]))).status == 201
    answer = await begin(line, b"one more")
    answer.check_problem(OverQuotaError, 429)
    assert answer.headers["Retry-After"] == str(LIFETIME)
    assert (await begin(await hub.line("de-customs"), b"one more")).status == 201, "each partner has its own"
    data = bytes([0])
    (await line.ask("PATCH", f"{UPLOADS}/{digest_of(data)}?offset=0", b"two")).check_problem(TooLargeError, 413)
    (await line.ask("PATCH", f"{UPLOADS}/{digest_of(data)}", b"x")).check_problem(RequestError, 400)
    chunk = bytes(MAX_CHUNK + 1)
    (await line.ask("PATCH", f"{UPLOADS}/{digest_of(data)}?offset=0", chunk)).check_problem(TooLargeError, 413)
    hub.now = line.now = NOW + LIFETIME
    await line.log_in()
    (await line.ask("GET", f"{UPLOADS}/{digest_of(data)}")).check_problem(NotFoundError, 404)
    assert (await begin(line, b"one more")).status == 201, "what expired makes room"


async def test_uploads_that_begin_at_once_share_one_quota(hub: Hub) -> None:
    line = await hub.line()
    answers = await asyncio.gather(*(begin(line, bytes([number])) for number in range(MAX_UPLOADS + 4)))
    assert sorted(answer.status for answer in answers) == [201] * MAX_UPLOADS + [429] * 4
    other = await hub.line("de-customs")
    again = await asyncio.gather(*(begin(other, b"the same") for _ in range(3)))
    assert [received(answer) for answer in again] == [0, 0, 0]


async def test_a_finished_upload_makes_room(hub: Hub, tmp_path: Path) -> None:
    line = await hub.line()
    accepts: dict[str, bytes] = {}
    frames = [large(hub, seq) for seq in range(1, MAX_UPLOADS + 3)]
    for frame in (*frames, frames[0]):
        assert (await begin(line, frame)).status == 201
        await append(line, frame, 0, len(frame))
        answer = await line.ask("POST", f"{UPLOADS}/{digest_of(frame)}/submit")
        assert accepts.setdefault(digest_of(frame), answer.body) == answer.body, "what was forgotten is found again"
        assert answer.status == 201
    assert len([file for file in (tmp_path / "spool").rglob("*") if file.is_file()]) == MAX_UPLOADS


async def test_a_full_disk_keeps_no_half_chunk(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    line, frame = await hub.line(), large(hub)
    await begin(line, frame)
    await append(line, frame, 0, 100)

    def fail(_file: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as patch:
        patch.setattr("hub.store.spool.os.fsync", fail)
        (await append(line, frame, 100, 200)).check_problem(StoreFullError, 503)
    assert received(await line.ask("GET", f"{UPLOADS}/{digest_of(frame)}")) == 100
    assert received(await append(line, frame, 100, 200)) == 200


async def test_a_disk_that_is_full_in_the_middle_of_a_chunk_keeps_none_of_it(tmp_path: Path) -> None:
    spool, most = FileSpool(tmp_path / "spool"), 10_000
    upload = await spool.begin("fr-customs", digest_of(b"x"), size=MAX_CHUNK, expires=NOW)
    upload = await spool.append(upload, bytes(most - 100))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    try:
        for size in (101, 50_000):
            with pytest.raises(StoreError):
                await spool.append(upload, bytes(size))
            assert [one.received for one in await spool.uploads("fr-customs")] == [most - 100]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_two_that_append_at_once_do_not_mix(hub: Hub) -> None:
    line, frame = await hub.line(), large(hub)
    await begin(line, frame)
    answers = await asyncio.gather(*(append(line, frame, 0, 1_000) for _ in range(4)))
    assert sorted(answer.status for answer in answers) == [200, 409, 409, 409]
    assert received(await line.ask("GET", f"{UPLOADS}/{digest_of(frame)}")) == 1_000


async def test_the_client_goes_on_where_the_line_broke(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kit, "UPLOAD_FROM", 10_000)
    monkeypatch.setattr(kit, "CHUNK", 10_000)
    frame = large(hub)
    path, chunks = f"{UPLOADS}/{digest_of(frame)}", -(-len(frame) // 10_000)
    brittle = BrittleClient(
        hub.url,
        federation=FEDERATION,
        partner="fr-customs",
        hub=HUB,
        signer=lambda: signer_of("fr-customs"),
        clock=lambda: NOW,
    )
    async with brittle as client:
        for where in (client.break_before, client.break_after):
            where[path] = 1
            with pytest.raises(UnreachableError):
                await client.submit(frame)
        client.break_after[f"{path}/submit"] = 1
        with pytest.raises(UnreachableError):
            await client.submit(frame)
        answer = await client.submit(frame)
    assert accept_in(hub.directory, answer).mh == mh_of(frame)
    assert client.heard[path] == chunks, "no chunk went twice"
    assert client.heard[MESSAGES] == 0
