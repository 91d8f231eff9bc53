"""Several messages or receipts in one request: the good half is taken, the bad half named in its place."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connectors.kit.client import HubClient
from hub.api.quotas import Limits
from hub.protocol.encoding import lp
from hub.protocol.errors import FrameError, MalformedError, NotFoundError, OverQuotaError, RequestError, ValiseError
from hub.protocol.interface import Accepted, ReceiptResults, Refused, SubmitResults
from hub.protocol.wire import parse_wire, write_wire
from tests.support.exchange import FEDERATION, HUB, NOW, accept_in, receipt, signer_of
from tests.support.line import MESSAGES, Hub, mh_of, running_hub, script_policy

BATCH = f"{MESSAGES}/batch"
RECEIPTS = "/v1/receipts/batch"


@pytest.fixture
async def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hub]:
    script_policy(monkeypatch)
    async with running_hub(tmp_path) as running:
        yield running


def client_of(hub: Hub, partner: str) -> HubClient:
    return HubClient(
        hub.url, federation=FEDERATION, partner=partner, hub=HUB, signer=lambda: signer_of(partner), clock=lambda: NOW
    )


async def test_half_a_batch_is_bad_and_named(hub: Hub) -> None:
    customs, frames = await hub.line(), [hub.frame(1), b"junk", hub.frame(2), hub.frame(3)[:-1]]
    answer = await customs.ask("POST", BATCH, lp(*frames))
    assert answer.status == 200
    good, junk, another, cut = parse_wire(SubmitResults, answer.body).results
    for one, frame in ((good, frames[0]), (another, frames[2])):
        assert isinstance(one, Accepted)
        assert accept_in(hub.directory, write_wire(one.accept)).mh == mh_of(frame)
    for one in (junk, cut):
        assert isinstance(one, Refused)
        assert one.problem.code == FrameError.code
    assert await hub.store.log_size() == 4, "two accepts, two decisions"
    again = await customs.ask("POST", BATCH, lp(*frames))
    assert again.body == answer.body, "the same batch again gets the same answer"
    assert await hub.store.log_size() == 4
    alone = await customs.ask("POST", MESSAGES, frames[0])
    assert alone.body == write_wire(good.accept) if isinstance(good, Accepted) else False


async def test_a_batch_has_one_to_sixty_four_parts(hub: Hub) -> None:
    customs = await hub.line()
    for path in (BATCH, RECEIPTS):
        for body in (b"", b"\xff", lp(*[b"x"] * 65)):
            (await customs.ask("POST", path, body)).check_problem(FrameError, 422)
        assert (await customs.ask("POST", path, lp(*[b"x"] * 64))).status == 200


async def test_a_batch_counts_as_its_messages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script_policy(monkeypatch)
    async with running_hub(tmp_path, limits=Limits(messages_per_minute=3), ticks=lambda: 1_000.0) as hub:
        customs = await hub.line()
        frames = [hub.frame(seq) for seq in (1, 2, 3, 4)]
        assert (await customs.ask("POST", BATCH, lp(*frames[:2]))).status == 200
        (await customs.ask("POST", BATCH, lp(*frames[2:]))).check_problem(OverQuotaError, 429)
        assert await hub.store.log_size() == 4, "of the second batch nothing was stored"


async def test_receipts_come_together(hub: Hub) -> None:
    customs, other, frame = await hub.line(), await hub.line("de-customs"), hub.frame()
    await customs.ask("POST", MESSAGES, frame)
    good = receipt(hub.directory, mh_of(frame), iss="de-customs").jws
    unknown = receipt(hub.directory, "A" * 43, iss="de-customs", number=2).jws
    answer = await other.ask("POST", RECEIPTS, lp(good, unknown, "\u00e9", "x.y.z", good))
    results = parse_wire(ReceiptResults, answer.body).results
    codes = [one.problem.code if isinstance(one, Refused) else None for one in results]
    assert codes == [None, NotFoundError.code, RequestError.code, "signature/malformed", None]
    assert await hub.store.log_size() == 3, "accept, decision, one receipt"


async def test_the_client_sends_batches(hub: Hub) -> None:
    frames = [hub.frame(1), b"junk", hub.frame(2)]
    async with client_of(hub, "fr-customs") as client:
        first, refused, last = await client.submit_many(frames)
        assert isinstance(first, bytes)
        assert isinstance(last, bytes)
        assert isinstance(refused, FrameError)
        assert [one.mh for one in (await client.sent()).messages] == [mh_of(frames[2]), mh_of(frames[0])]
    texts = [receipt(hub.directory, mh_of(frames[0]), iss="de-customs").jws, "a.b.c"]
    async with client_of(hub, "de-customs") as client:
        taken, unknown = await client.send_receipts(texts)
        assert taken is None
        assert isinstance(unknown, ValiseError)
        assert not isinstance(unknown, MalformedError)
