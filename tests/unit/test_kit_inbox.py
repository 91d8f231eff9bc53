"""The inbox: copies are kept once, numbers are compared, gaps are seen, receipts wait until they are taken."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from connectors.kit.agency_store import AgencyStore
from connectors.kit.inbox import Inbox, Standing, frame_digest
from connectors.kit.outbox import HandedOver, Outbox
from connectors.kit.own_receipts import OwnReceipts, SignedReceipt
from hub.protocol.errors import ForkError, NotFoundError, ReplayError
from hub.protocol.manifest import Manifest
from tests.support.exchange import NOW, make_directory, message_id, receipt, warning

DIRECTORY = make_directory()


@pytest.fixture
async def inbox(tmp_path: Path) -> AsyncIterator[Inbox]:
    async with await AgencyStore.open(tmp_path / "agency.sqlite") as store:
        yield Inbox(store)


def _manifest(**members: Any) -> Manifest:
    return warning(DIRECTORY, to={"de-customs": [0]}, **{"seq": 1, **members}).manifest


def _standing(letter: str, *, rseq: int = 1, **members: Any) -> Standing:
    manifest = _manifest(**members)
    kid = f"{manifest.iss}#s1"
    return Standing(mh=letter * 43, kid=kid, rseq=rseq, manifest=manifest, text="manifest", keep=86_400)


def _signed(mh: str, state: str = "opened") -> SignedReceipt:
    verified = receipt(DIRECTORY, mh, iss="de-customs", state=state)
    return SignedReceipt(verified.receipt, verified.jws)


async def _waiting(inbox: Inbox) -> list[tuple[int, str]]:
    return [(one.place, one.state) for one in await OwnReceipts(inbox._store).waiting(limit=9)]


async def _open(inbox: Inbox, frame: bytes, standing: Standing) -> bool:
    await inbox.keep([frame], at=NOW)
    return await inbox.mark_opened(frame_digest(frame), standing, _signed(standing.mh), at=NOW)


async def test_the_same_bytes_are_kept_once(inbox: Inbox) -> None:
    await inbox.keep([b"one", b"two", b"one"], at=NOW)
    await inbox.keep([b"two"], at=NOW + 1)
    assert await inbox.unexamined() == [frame_digest(b"one"), frame_digest(b"two")]
    assert await inbox.frame(frame_digest(b"two")) == b"two"
    with pytest.raises(NotFoundError):
        await inbox.frame(frame_digest(b"three"))


async def test_a_message_is_opened_once_from_whatever_copy(inbox: Inbox) -> None:
    assert await _open(inbox, b"first copy", _standing("A"))
    assert not await _open(inbox, b"second copy", _standing("A"))
    assert [entry.state for entry in await inbox.entries(limit=9)] == ["opened"]
    assert [state for _, state in await _waiting(inbox)] == ["opened"]


async def test_another_message_under_one_identifier_is_a_replay(inbox: Inbox) -> None:
    await _open(inbox, b"a", _standing("A"))
    with pytest.raises(ReplayError):
        await _open(inbox, b"b", _standing("B", seq=2, jti=message_id(1)))
    assert await inbox.unexamined() == [frame_digest(b"b")], "nothing of it was marked"


async def test_another_message_under_one_number_is_a_fork(inbox: Inbox) -> None:
    await _open(inbox, b"a", _standing("A"))
    with pytest.raises(ForkError):
        await _open(inbox, b"b", _standing("B", jti=message_id(7)))


async def test_a_refused_copy_does_not_hide_a_good_one(inbox: Inbox) -> None:
    await inbox.keep([b"bad"], at=NOW)
    await inbox.mark_refused(frame_digest(b"bad"), "envelope/digest-mismatch", _signed("B" * 43, "refused"), at=NOW)
    assert await _open(inbox, b"good", _standing("A"))
    assert [(entry.state, entry.code) for entry in await inbox.entries(limit=9)] == [
        ("opened", None),
        ("refused", "envelope/digest-mismatch"),
    ]
    assert (await inbox.opened("A" * 43)).digest == frame_digest(b"good")


async def test_gaps_are_numbers_that_never_came(inbox: Inbox) -> None:
    for letter, seq, rseq in (("A", 1, 2), ("B", 2, 3), ("C", 9, 6)):
        await _open(inbox, letter.encode(), _standing(letter, seq=seq, rseq=rseq))
    await _open(inbox, b"D", _standing("D", originator="de-police", seq=1, jti=message_id(99)))
    gaps = await inbox.gaps()
    assert gaps == {"fr-customs": [range(1, 2), range(4, 6)]}
    for letter, seq, rseq in (("E", 3, 1), ("F", 4, 4), ("G", 5, 5)):
        await _open(inbox, letter.encode(), _standing(letter, seq=seq, rseq=rseq))
    assert await inbox.gaps() == {}, "what came late is no gap"


async def test_receipts_wait_until_they_are_settled(inbox: Inbox) -> None:
    await _open(inbox, b"a", _standing("A"))
    await inbox.keep([b"b", b"c"], at=NOW)
    await inbox.mark_refused(frame_digest(b"b"), "seal/not-openable", _signed("B" * 43, "refused"), at=NOW)
    await inbox.mark_refused(frame_digest(b"c"), "encoding/frame", None, at=NOW)
    waiting = await _waiting(inbox)
    assert [state for _, state in waiting] == ["opened", "refused"]
    await OwnReceipts(inbox._store).settle(waiting[0][0], "taken")
    await OwnReceipts(inbox._store).settle(waiting[1][0], "refused")
    assert await _waiting(inbox) == []


async def test_a_message_is_handled_in_one_step_with_its_answers(tmp_path: Path) -> None:
    async with await AgencyStore.open(tmp_path / "agency.sqlite") as store:
        inbox, outbox = Inbox(store), Outbox(store)
        await _open(inbox, b"a", _standing("A"))
        assert await inbox.unhandled() == ["A" * 43]
        await outbox.hand_over([HandedOver("answer", b"draft")], at=NOW, handled="A" * 43)
        assert await inbox.unhandled() == []
        await outbox.hand_over([HandedOver("again", b"draft")], at=NOW, handled="A" * 43)
        assert await outbox.unfinished() == ["answer"], "a second process answers nothing"
