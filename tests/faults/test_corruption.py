"""Damaged files: the store says so with a typed error, or answers; what it then delivers is what was accepted, or is
refused by its addressee. Nothing else comes out, whatever bytes of the file are changed.

SQLite has no checksums in its pages, so damage to the inside of a value is found by whoever checks the signature over
it: addressee, originator, auditor, `valise hub fsck`. Not for: finding all damage beforehand (fsck).
"""

import random
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import pytest

from connectors.kit.agency_store import AgencyStore
from connectors.kit.inbox import Inbox
from connectors.kit.outbox import HandedOver, Outbox
from hub.broker.ports import MailCopy
from hub.protocol.copy import verify_copy
from hub.protocol.envelope import write_copy
from hub.protocol.errors import StoreCorruptError, StoreError, ValiseError
from hub.store.sqlite import SqliteStore
from tests.support.content import BODY
from tests.support.exchange import (
    FEDERATION,
    HUB,
    NOW,
    acceptance,
    make_directory,
    message_id,
    operation,
    receipt,
    subscription,
    warning,
)
from tests.support.stores import open_sqlite

TO: Final = {"de-police": (0, 1), "rilo-we": (0,)}
COUNT: Final = 12
DAMAGES: Final = 60
NAME: Final = "hub.sqlite"


@pytest.fixture
async def whole(tmp_path: Path) -> tuple[bytes, frozenset[str]]:
    """A store with messages, receipts, an operation and a subscription in one file; and the digests."""
    folder, directory = tmp_path / "whole", make_directory()
    folder.mkdir()
    known = set()
    async with open_sqlite(folder) as store:
        await store.put_operation(operation(directory))
        await store.put_subscription(subscription(directory))
        for seq in range(1, COUNT + 1):
            envelope = warning(directory, to=TO, seq=seq, compartments=BODY)
            await store.commit(acceptance(envelope))
            known.add(envelope.mh)
            if seq % 2:
                await store.add_receipt(receipt(directory, envelope.mh, iss="de-police", number=seq))
    assert not folder.joinpath(f"{NAME}-wal").exists(), "closed in order: all of it is in one file"
    return folder.joinpath(NAME).read_bytes(), frozenset(known)


def damage(data: bytes, chance: random.Random) -> bytes:
    """Change one byte, some bytes, a page, or cut the file short."""
    changed = bytearray(data)
    how = chance.randrange(4)
    if how == 0:
        changed[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    elif how == 1:
        for _ in range(40):
            changed[chance.randrange(len(data))] = chance.randrange(256)
    elif how == 2:
        start = chance.randrange(0, len(data), 4_096)
        changed[start : start + 4_096] = chance.randbytes(4_096) if chance.random() < 0.5 else bytes(4_096)
    else:
        del changed[chance.randrange(len(data)) :]
    return bytes(changed)


def questions(store: SqliteStore, mh: str) -> list[Callable[[], Awaitable[object]]]:
    """Return every question of the ports."""
    return [
        lambda: store.find(mh=mh),
        lambda: store.find_submissions(iss="fr-customs", jtis=[message_id(1)]),
        lambda: store.entries_of(mh),
        lambda: store.inputs_of(mh, "de-police"),
        lambda: store.deliveries(mh),
        lambda: store.messages_of(iss="fr-customs", operation=None, limit=100),
        store.operations,
        lambda: store.operation("op-canute"),
        store.subscriptions,
        store.log_size,
        lambda: store.log_root(COUNT),
        lambda: store.inclusion(1, COUNT),
        lambda: store.consistency(2, COUNT),
        lambda: store.tile(0, 0, 8),
        lambda: store.entry_bundle(0, 8),
        store.checkpoint,
    ]


async def ask_everything(store: SqliteStore, known: frozenset[str], seen: Counter[str]) -> None:
    """Ask every question, and verify every copy as its addressee does."""
    for question in questions(store, min(known)):
        try:
            await question()
        except ValiseError as error:
            seen[error.code] += 1
        else:
            seen["answered"] += 1
    directory = make_directory()
    try:
        items = await store.waiting("de-police", limit=100)
    except ValiseError as error:
        seen[error.code] += 1
        return
    for item in items:
        if not isinstance(item, MailCopy):
            continue
        try:
            frame = write_copy(
                manifest=item.manifest,
                second=item.second,
                disclosures=item.disclosures,
                part=item.part,
                decisions=[item.decision],
                blobs=item.blobs,
            )
            copy = verify_copy(frame, directory, addressee="de-police", hub=HUB, federation=FEDERATION, now=NOW)
        except ValiseError as error:
            seen[f"addressee: {error.code}"] += 1
            continue
        assert copy.mh in known
        seen["delivered"] += 1


async def test_a_damaged_store_answers_or_says_so(
    whole: tuple[bytes, frozenset[str]], tmp_path: Path, did: Callable[[str], None]
) -> None:
    (data, known), chance, seen = whole, random.Random(20_270_501), Counter[str]()
    for number in range(DAMAGES):
        folder = tmp_path / str(number)
        folder.mkdir()
        folder.joinpath(NAME).write_bytes(damage(data, chance))
        try:
            async with open_sqlite(folder) as store:
                await ask_everything(store, known, seen)
        except ValiseError as error:
            seen[f"opening: {error.code}"] += 1
    did(f"{DAMAGES} damaged stores: {dict(sorted(seen.items()))}")
    assert seen["delivered"] > DAMAGES
    assert seen["store/corrupt"] + seen["opening: store/corrupt"] > DAMAGES // 10


async def test_what_is_no_store_is_named_so(tmp_path: Path) -> None:
    tmp_path.joinpath(NAME).write_bytes(b"not a database at all" * 500)
    with pytest.raises(StoreCorruptError):
        async with open_sqlite(tmp_path):
            pass


async def test_a_damaged_agency_store_answers_or_says_so(tmp_path: Path) -> None:
    whole_file = tmp_path / "whole.sqlite"
    async with await AgencyStore.open(whole_file) as store:
        await Outbox(store).hand_over([HandedOver(message_id(number), b"draft" * 500) for number in range(60)], at=NOW)
    data, chance, refused = whole_file.read_bytes(), random.Random(20_270_502), 0
    for number in range(DAMAGES):
        file = tmp_path / f"{number}.sqlite"
        file.write_bytes(damage(data, chance))
        try:
            async with await AgencyStore.open(file) as store:
                await Outbox(store).entries(limit=100)
                await Outbox(store).unfinished()
                await Inbox(store).entries(limit=100)
        except StoreError:
            refused += 1
    assert refused > DAMAGES // 4
