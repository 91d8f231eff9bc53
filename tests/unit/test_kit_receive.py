"""A message on its way in: kept before it is confirmed, refused aloud when wrong, never opened twice."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from connectors.kit.agency import Agency
from connectors.kit.client import MailPiece
from connectors.kit.receive import examine_new, send_receipts
from hub.protocol.directory import Directory
from hub.protocol.encoding import lp, parse_frame
from hub.protocol.errors import (
    AnswerError,
    NotFoundError,
    StaleDirectoryError,
    StoreError,
    UnreachableError,
    UntrustedDirectoryError,
)
from hub.protocol.interface import Collected
from hub.protocol.vocabulary import Label
from tests.support.agency import (
    ScriptedSet,
    World,
    line_of,
    mirror_of,
    running_world,
    warning_draft,
    with_partner,
)
from tests.support.exchange import NOW, make_directory, receipt

COLLECTED = "/v1/mailbox/collected"
RECEIPTS = "/v1/receipts/batch"


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    async with running_world(tmp_path, monkeypatch) as running:
        yield running


async def _states(agency: Agency) -> list[tuple[str, str | None]]:
    return [(entry.state, entry.code) for entry in await agency.inbox()]


async def _send(world: World, *, to: str = "de-customs") -> str:
    agency = await world.open()
    return (await agency.send(warning_draft(), to=[to])).mh


async def test_a_message_is_opened_receipted_and_read(world: World) -> None:
    customs, other = await world.open(), await world.open("de-customs")
    sent = await customs.send(warning_draft(), to=["de-customs"])
    received = await other.receive_once()
    assert (received.opened, received.refused) == ((sent.mh,), 0)
    read = await other.read(sent.mh)
    assert read.manifest.iss == "fr-customs"
    assert [one.label for one in read.compartments.values()] == [Label.ACTION, Label.CONSIGNMENT, Label.NARRATIVE]
    assert read.withheld == {}
    (row,) = await customs.matrix(sent.mh)
    assert row.state == "opened"
    assert (await customs.receive_once()).receipts == 1
    assert [(one.iss, one.state) for one in await customs.receipts(sent.mh)] == [("de-customs", "opened")]


async def test_what_was_withheld_is_shown_with_its_reason(world: World) -> None:
    customs, other = await world.open(), await world.open("de-customs")
    world.policies = ScriptedSet("a" * 64, {"de-customs": frozenset({Label.NARRATIVE})})
    sent = await customs.send(warning_draft(), to=["de-customs"])
    await other.receive_once()
    read = await other.read(sent.mh)
    assert list(read.compartments) == ["c0", "c1"]
    assert read.withheld == {"c2": "policy/scripted"}
    assert read.content(Label.NARRATIVE) is None
    assert read.content(Label.ACTION) is not None


async def test_content_stays_sealed_on_disk(world: World, tmp_path: Path) -> None:
    mh = await _send(world)
    other = await world.open("de-customs")
    await other.receive_once()
    await other.read(mh)
    kept = b"".join(path.read_bytes() for path in (tmp_path / "de-customs").iterdir())
    assert b"weight does not fit" not in kept
    with pytest.raises(NotFoundError):
        await other.read("A" * 43)


# --- whatever breaks, whenever ---------------------------------------------------------------------------------------


async def test_nothing_is_confirmed_before_it_is_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    mh = await _send(world)
    other = await world.open("de-customs")

    async def full(*_given: object, **_named: object) -> None:
        raise StoreError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(other.connector.inbox, "keep", full)
        with pytest.raises(StoreError):
            await other.receive_once()
    assert line_of(other).heard[COLLECTED] == 0
    assert (await other.receive_once()).opened == (mh,)


@pytest.mark.parametrize("stage", ["before confirm", "after confirm", "before receipt", "after receipt"])
async def test_a_crash_at_any_stage_neither_loses_nor_doubles(world: World, stage: str) -> None:
    mh = await _send(world)
    path = COLLECTED if "confirm" in stage else RECEIPTS
    async with AsyncExitStack() as first_process:
        other = await world.open("de-customs", stack=first_process)
        line = line_of(other)
        (line.break_before if "before" in stage else line.break_after)[path] = 1
        with pytest.raises(UnreachableError):
            await other.receive_once()
    other = await world.open("de-customs")
    await other.receive_once()
    assert await _states(other) == [("opened", None)]
    customs = await world.open()
    assert [row.state for row in await customs.matrix(mh)] == ["opened"]
    assert (await customs.receive_once()).receipts == 1
    assert len(await customs.receipts(mh)) == 1, "one receipt, however often it was sent"


async def test_a_copy_that_comes_twice_is_opened_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    mh = await _send(world)
    other = await world.open("de-customs")
    honest = line_of(other).confirm

    async def forget(_seqs: list[int]) -> None:
        """The hub never hears of it, and hands the same out again."""

    monkeypatch.setattr(line_of(other), "confirm", forget)
    assert (await other.receive_once()).opened == (mh,)
    assert (await other.receive_once()).opened == ()
    monkeypatch.setattr(line_of(other), "confirm", honest)
    assert (await other.receive_once()).opened == ()
    assert (await line_of(other).collect(wait=0)) == []
    assert await _states(other) == [("opened", None)]


async def test_mail_that_is_too_large_for_one_answer_comes_piece_by_piece(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = [await _send(world), await _send(world)]
    other = await world.open("de-customs")
    honest = line_of(other).collect

    async def collect(*, wait: int, limit: int) -> list[MailPiece]:
        if limit > 1:
            raise AnswerError("too large")
        return await honest(wait=wait, limit=limit)

    monkeypatch.setattr(line_of(other), "collect", collect)
    assert [(await other.receive_once()).opened for _ in sent] == [(mh,) for mh in sent]


# --- wrong copies ----------------------------------------------------------------------------------------------------


async def _copy_of(agency: Agency) -> bytes:
    (piece,) = await line_of(agency).collect(wait=0)
    return piece.data


def _flip_last(frame: bytes) -> bytes:
    return frame[:-1] + bytes([frame[-1] ^ 1])


def _drop_blob(frame: bytes) -> bytes:
    return lp(*parse_frame(frame, max_parts=33)[:-1])


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (_flip_last, "envelope/digest-mismatch"),
        (_drop_blob, "encoding/frame"),
        (lambda frame: frame[:-1], "encoding/frame"),
        (lambda _: b"", "encoding/json"),
        (lambda _: b"garbage", "encoding/frame"),
    ],
)
async def test_a_wrong_copy_is_refused_and_the_next_is_opened(
    world: World, spoil: Callable[[bytes], bytes], code: str
) -> None:
    mh = await _send(world)
    other = await world.open("de-customs")
    copy = await _copy_of(other)
    await other.connector.inbox.keep([spoil(copy), copy], at=NOW)
    assert await examine_new(other.connector) == ((mh,), 1)
    assert await _states(other) == [("opened", None), ("refused", code)]


async def test_a_refusal_is_signed_and_reaches_the_originator(world: World) -> None:
    mh = await _send(world)
    other = await world.open("de-customs")
    spoiled = _flip_last(await _copy_of(other))
    await other.connector.inbox.keep([spoiled], at=NOW)
    await examine_new(other.connector)
    await send_receipts(other.connector)
    customs = await world.open()
    (row,) = await customs.matrix(mh)
    assert row.state == "refused"
    await customs.receive_once()
    (kept,) = await customs.receipts(mh)
    assert (kept.state, kept.code) == ("refused", "envelope/digest-mismatch")


async def test_nothing_that_comes_later_turns_an_opened_message_into_a_refused_one(world: World) -> None:
    mh = await _send(world)
    other = await world.open("de-customs")
    copy = await _copy_of(other)
    await other.receive_once()
    await other.connector.inbox.keep([_flip_last(copy)], at=NOW)
    assert (await other.receive_once()).refused == 1
    customs = await world.open()
    assert [row.state for row in await customs.matrix(mh)] == ["opened"]


async def test_a_copy_for_somebody_else_is_refused_and_the_hub_takes_no_receipt(world: World) -> None:
    await _send(world)
    right, wrong = await world.open("de-customs"), await world.open("de-police")
    await wrong.connector.inbox.keep([await _copy_of(right)], at=NOW)
    await examine_new(wrong.connector)
    assert await _states(wrong) == [("refused", "envelope/broken-decision-chain")]
    await send_receipts(wrong.connector)
    assert await wrong.connector.receipts.waiting(limit=9) == [], "settled: the hub has no such delivery"


async def test_an_expired_copy_is_refused(world: World) -> None:
    await _send(world)
    world.now += 31 * 86_400
    other = await world.open("de-customs")
    assert (await other.receive_once()).refused == 1
    assert await _states(other) == [("refused", "envelope/expired")]


async def test_a_message_is_read_long_after_it_expired(world: World) -> None:
    mh = await _send(world)
    other = await world.open("de-customs")
    await other.receive_once()
    world.now += 90 * 86_400
    assert (await other.read(mh)).manifest.exp < world.now


async def test_a_partner_that_enrolled_since_is_looked_up(world: World) -> None:
    other = await world.open("de-customs")
    stale = with_partner(world.directory, "fr-customs", keys=())
    mirror = mirror_of(other)
    mirror.directory, mirror.published = stale, (world.directory, world.policies)
    mh = await _send(world)
    assert (await other.receive_once()).opened == (mh,)
    assert mirror.refreshed == 1


async def test_a_receipt_that_is_not_believed_is_let_go(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    agency = await world.open()
    mh = (await agency.send(warning_draft(), to=["de-customs"])).mh
    forged = receipt(make_directory(), mh, iss="de-customs").jws[:-4] + "AAAA"
    foreign = receipt(make_directory(), "B" * 43, iss="de-customs").jws
    confirmed: list[int] = []

    async def collect(**_named: object) -> list[MailPiece]:
        texts = (forged, foreign, "no receipt", "\udcff")
        data = [text.encode("utf-8", "surrogateescape") for text in texts]
        return [MailPiece(seq=seq, kind="receipt", data=one) for seq, one in enumerate(data)]

    async def confirm(seqs: list[int]) -> None:
        confirmed.extend(Collected(seqs=tuple(seqs)).seqs)

    monkeypatch.setattr(line_of(agency), "collect", collect)
    monkeypatch.setattr(line_of(agency), "confirm", confirm)
    assert (await agency.receive_once()).receipts == 0
    assert confirmed == [0, 1, 2, 3]
    assert await agency.receipts(mh) == []


async def test_the_matrix_is_not_believed_without_receipts(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    agency = await world.open()
    mh = (await agency.send(warning_draft(), to=["de-customs"])).mh
    honest = await line_of(agency).matrix(mh)
    another = receipt(make_directory(), mh, iss="de-police").jws
    for change in ({"state": "opened"}, {"state": "opened", "receipt": another}, {"receipt": another}):
        row = honest.rows[0].model_copy(update=change)

        async def lie(_mh: str, row: object = row) -> object:
            return honest.model_copy(update={"rows": (row,)})

        monkeypatch.setattr(line_of(agency), "matrix", lie)
        with pytest.raises(AnswerError):
            await agency.matrix(mh)


async def test_gaps_are_seen(world: World) -> None:
    agency = await world.open()
    line = line_of(agency)
    line.break_before["/v1/messages"] = 1
    with pytest.raises(UnreachableError):
        await agency.send(warning_draft(), to=["de-customs"])
    await agency.send(warning_draft(), to=["de-customs"])
    other = await world.open("de-customs")
    await other.receive_once()
    assert await other.gaps() == {"fr-customs": [range(1, 2)]}


@pytest.mark.parametrize("published", ["believed", "refused"])
async def test_what_an_unknown_partner_signed_waits_for_a_directory_that_is_believed(
    world: World, monkeypatch: pytest.MonkeyPatch, published: str
) -> None:
    """Copies and receipts alike: what is wrong with a published directory is no message's fault."""
    customs, police = await world.open(), await world.open("de-police")
    whole = mirror_of(police).directory
    sent = await customs.send(warning_draft(), to=["de-police"])
    mirror_of(police).directory = Directory(
        federation=whole.federation,
        version=whole.version,
        digest=whole.digest,
        records=[one for one in whole.partners() if one.partner != "fr-customs"],
    )
    mirror_of(customs).directory = Directory(
        federation=whole.federation,
        version=whole.version,
        digest=whole.digest,
        records=[one for one in whole.partners() if one.partner != "de-police"],
    )

    async def refused() -> None:
        raise UntrustedDirectoryError("forged")

    for agency in (police, customs):
        if published == "refused":
            with monkeypatch.context() as patch:
                patch.setattr(mirror_of(agency), "refresh", refused)
                with pytest.raises(StaleDirectoryError):
                    await agency.receive_once()
        mirror_of(agency).published = (whole, world.policies)
        await agency.receive_once()
    assert [(entry.mh, entry.state) for entry in await police.inbox()] == [(sent.mh, "opened")]
    assert [one.iss for one in await customs.receipts(sent.mh)] == ["de-police"]
