"""The outbox: nothing is lost, and no number is given twice, whatever happens between two steps."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connectors.kit.agency_store import AgencyStore
from connectors.kit.outbox import HandedOver, Numbers, Outbox, SealedMessage
from hub.protocol.errors import NotFoundError, StoreError, StoreVersionError
from tests.support.exchange import NOW, make_directory, receipt

KID = "fr-customs#s1"
MH = "A" * 43
OTHER_MH = "B" * 43


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[AgencyStore]:
    async with await AgencyStore.open(tmp_path / "agency.sqlite") as opened:
        yield opened


async def _keep(outbox: Outbox, identifier: str, numbers: Numbers, mh: str) -> bool:
    sealed = SealedMessage(mh, "op-canute", "manifest", b"head", b"frame of " + mh.encode())
    return await outbox.keep_sealed(identifier, numbers, sealed)


async def test_numbers_follow_each_other_by_key_and_by_addressee(store: AgencyStore) -> None:
    outbox = Outbox(store)
    await outbox.hand_over([HandedOver("a", b"draft"), HandedOver("b", b"draft")], at=NOW)
    first = await outbox.next_numbers(KID, ["de-customs", "de-police"])
    assert first == Numbers(KID, 1, None, {"de-customs": 1, "de-police": 1})
    assert await outbox.next_numbers(KID, ["de-customs", "de-police"]) == first, "looking reserves nothing"
    assert await _keep(outbox, "a", first, MH)
    second = await outbox.next_numbers(KID, ["de-customs", "int-bureau"])
    assert second == Numbers(KID, 2, MH, {"de-customs": 2, "int-bureau": 1})
    assert await outbox.next_numbers("fr-customs#s2", ["de-customs"]) == Numbers(
        "fr-customs#s2", 1, None, {"de-customs": 2}
    )


async def test_numbers_that_were_taken_meanwhile_are_not_given_again(store: AgencyStore) -> None:
    outbox = Outbox(store)
    await outbox.hand_over([HandedOver("a", b""), HandedOver("b", b"")], at=NOW)
    numbers = await outbox.next_numbers(KID, ["de-customs"])
    assert await _keep(outbox, "a", numbers, MH)
    assert not await _keep(outbox, "b", numbers, OTHER_MH)
    assert (await outbox.entry("b")).state == "waiting"
    only_addressee = Numbers(KID, 2, MH, {"de-customs": 1})
    assert not await _keep(outbox, "b", only_addressee, OTHER_MH), "an addressee's count was taken"


async def test_a_message_is_sealed_once(store: AgencyStore) -> None:
    outbox = Outbox(store)
    await outbox.hand_over([HandedOver("a", b"")], at=NOW)
    assert await _keep(outbox, "a", await outbox.next_numbers(KID, ["de-customs"]), MH)
    assert not await _keep(outbox, "a", await outbox.next_numbers(KID, ["de-customs"]), OTHER_MH)
    entry = await outbox.entry("a")
    assert (entry.mh, entry.frame) == (MH, b"frame of " + MH.encode())
    assert (await outbox.next_numbers(KID, [])).seq == 2, "the second try took no number"


async def test_everything_survives_reopening(tmp_path: Path) -> None:
    file = tmp_path / "agency.sqlite"
    async with await AgencyStore.open(file) as store:
        outbox = Outbox(store)
        await outbox.hand_over([HandedOver("a", b"first"), HandedOver("b", b"second")], at=NOW)
        await _keep(outbox, "a", await outbox.next_numbers(KID, ["de-customs"]), MH)
    async with await AgencyStore.open(file) as store:
        outbox = Outbox(store)
        assert await outbox.unfinished() == ["a", "b"]
        assert (await outbox.entry("b")).draft == b"second"
        assert await outbox.next_numbers(KID, ["de-customs"]) == Numbers(KID, 2, MH, {"de-customs": 2})
        await outbox.keep_accept("a", b"accept")
        await outbox.refuse("b", "policy/denied", found="waiting")
        assert await outbox.unfinished() == []
    assert file.stat().st_mode & 0o077 == 0


async def test_the_end_of_a_message_is_final(store: AgencyStore) -> None:
    outbox = Outbox(store)
    await outbox.hand_over([HandedOver("a", b""), HandedOver("b", b"")], at=NOW)
    await _keep(outbox, "a", await outbox.next_numbers(KID, []), MH)
    await outbox.keep_accept("a", b"accept")
    await outbox.refuse("a", "envelope/expired", found="sealed")
    entry = await outbox.entry("a")
    assert (entry.state, entry.code, entry.accept, entry.frame) == ("accepted", None, b"accept", None)
    assert (entry.head, entry.manifest) == (b"head", "manifest"), "evidence is made of them"
    assert [one.id for one in await outbox.of_operation("op-canute")] == ["a"]
    await outbox.refuse("b", "policy/denied", found="waiting")
    await outbox.keep_accept("b", b"accept")
    assert (await outbox.entry("b")).state == "refused"
    await outbox.hand_over([HandedOver("b", b"again")], at=NOW)
    assert (await outbox.entry("b")).draft == b""
    with pytest.raises(NotFoundError):
        await outbox.entry("c")


async def test_two_processes_share_the_numbers(tmp_path: Path) -> None:
    file = tmp_path / "agency.sqlite"
    async with await AgencyStore.open(file) as one, await AgencyStore.open(file) as other:
        await Outbox(one).hand_over([HandedOver("a", b""), HandedOver("b", b"")], at=NOW)
        same = await Outbox(one).next_numbers(KID, ["de-customs"])
        kept = await asyncio.gather(_keep(Outbox(one), "a", same, MH), _keep(Outbox(other), "b", same, OTHER_MH))
        assert sorted(kept) == [False, True]


async def test_a_transaction_that_fails_leaves_nothing(store: AgencyStore) -> None:
    def half(db: sqlite3.Connection) -> None:
        db.execute("INSERT INTO chain VALUES ('k', 1, 'm')")
        raise NotFoundError("in between")

    with pytest.raises(NotFoundError):
        await store.run(half)
    assert (await Outbox(store).next_numbers("k", [])).seq == 1
    with pytest.raises(StoreError):
        await store.run(lambda db: db.execute("SELECT nothing FROM nowhere"))


async def test_another_version_is_not_touched(tmp_path: Path) -> None:
    file = tmp_path / "agency.sqlite"
    with sqlite3.connect(file) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(StoreVersionError):
        await AgencyStore.open(file)
    file.write_bytes(b"no database at all, but long enough to be looked at" * 10)
    with pytest.raises(StoreError):
        await AgencyStore.open(file)
    with pytest.raises(StoreError):
        await AgencyStore.open(tmp_path / "nowhere" / "agency.sqlite")


async def test_what_another_process_brought_further_is_not_given_up(store: AgencyStore) -> None:
    """One process fails before it sealed; another has sealed meanwhile, and the hub's accept is the last word."""
    outbox = Outbox(store)
    await outbox.hand_over([HandedOver("a", b"")], at=NOW)
    await _keep(outbox, "a", await outbox.next_numbers(KID, []), MH)
    await outbox.refuse("a", "seal/no-addressee-key", found="waiting")
    assert (await outbox.entry("a")).state == "sealed"
    await outbox.refuse("a", "exchange/not-found", found="sealed")
    await outbox.keep_accept("a", b"accept")
    entry = await outbox.entry("a")
    assert (entry.state, entry.code, entry.accept) == ("accepted", None, b"accept")


async def test_receipts_are_tied_to_own_messages(store: AgencyStore) -> None:
    outbox, directory = Outbox(store), make_directory()
    await outbox.hand_over([HandedOver("a", b"")], at=NOW)
    await _keep(outbox, "a", await outbox.next_numbers(KID, ["de-customs"]), MH)
    opened = receipt(directory, MH, iss="de-customs")
    for _ in range(2):
        await outbox.add_receipt(opened, at=NOW)
    await outbox.add_receipt(receipt(directory, MH, iss="de-police", number=2, state="refused"), at=NOW)
    kept = await outbox.receipts(MH)
    assert [(one.iss, one.state, one.code) for one in kept] == [
        ("de-customs", "opened", None),
        ("de-police", "refused", "seal/not-openable"),
    ]
    assert kept[0].jws == opened.jws
    with pytest.raises(NotFoundError):
        await outbox.add_receipt(receipt(directory, OTHER_MH, iss="de-customs", number=3), at=NOW)
