"""`valise hub fsck`: each kind of damage is planted into a real store and found, and a sound store is sound."""

import asyncio
import shutil
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import pytest

from hub.broker.notary import Notary
from hub.host.findings import Finding, Level
from hub.protocol.directory import Directory
from hub.protocol.errors import StoreError
from hub.store.fsck import examine_store, extent_of
from hub.store.packing import pack_all, pack_items, unpack_all, unpack_items
from tests.support.agency import directory_with_log, keyring_of
from tests.support.exchange import FEDERATION, HUB, NOW, acceptance, receipt, warning
from tests.support.stores import open_sqlite

MORE: Final = 62  # messages: so many that the log has more leaves than a tile, and no more
TO: Final = {"de-customs": (0, 1), "de-police": (0,), "int-bureau": (0, 1)}


@pytest.fixture(scope="module")
def directory() -> Directory:
    return directory_with_log()


async def _fill(folder: Path, directory: Directory) -> None:
    """Make a store: messages, copies that wait and copies that were collected, a receipt and three checkpoints."""
    async with open_sqlite(folder) as store:
        notary = Notary(store, lambda: keyring_of(HUB), federation=FEDERATION, clock=lambda: NOW)
        await notary.checkpoint()
        envelopes = [warning(directory, to=TO, seq=seq) for seq in range(1, 5)]
        for envelope in envelopes:
            await store.commit(acceptance(envelope, {"int-bureau": ("c1",)}))
        waiting = await store.waiting("de-customs", limit=2)
        await store.confirm("de-customs", [item.seq for item in waiting], at=NOW)
        await store.add_receipt(receipt(directory, envelopes[0].mh, iss="de-customs"))
        await notary.checkpoint()
        more = [acceptance(warning(directory, to=TO, seq=seq)) for seq in range(5, 5 + MORE)]
        await asyncio.gather(*map(store.commit, more))
        await notary.checkpoint()


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory, directory: Directory) -> Path:
    folder = tmp_path_factory.mktemp("sound")
    asyncio.run(_fill(folder, directory))
    return folder / "hub.sqlite"


@pytest.fixture
def database(tmp_path: Path, sound: Path) -> Path:
    return Path(shutil.copy(sound, tmp_path / "hub.sqlite"))


def wrong(database: Path, directory: Directory | None) -> list[Finding]:
    return [one for one in examine_store(database, directory, hub=HUB) if one.level is not Level.OK]


@contextmanager
def damaging(database: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(database, isolation_level=None)) as db:
        yield db


def change(db: sqlite3.Connection, table: str, column: str, where: str, into: object) -> None:
    done = db.execute(f"UPDATE {table} SET {column} = ? WHERE {where}", (into,))  # noqa: S608 - our own words
    assert done.rowcount > 0


def value(db: sqlite3.Connection, table: str, column: str, where: str) -> bytes:
    found: bytes = db.execute(f"SELECT {column} FROM {table} WHERE {where}").fetchone()[0]  # noqa: S608 - our own words
    return found


def flipped(data: bytes, at: int = -1) -> bytes:
    changed = bytearray(data)
    changed[at] ^= 1
    return bytes(changed)


def test_a_sound_store(database: Path, directory: Directory) -> None:
    assert wrong(database, directory) == []
    found = list(examine_store(database, directory, hub=HUB))
    assert {one.check for one in found} == {
        "file", "record", "messages", "checkpoints", "mailboxes", "needs", "bodies", "receipts",
    }  # fmt: skip
    assert extent_of(database).entries == 4 * 4 + 1 + MORE * 4


def test_without_a_directory_no_signature_is_checked_and_that_is_said(database: Path) -> None:
    assert [(one.check, one.level) for one in wrong(database, None)] == [("signatures", Level.WARNING)]


async def test_it_may_run_beside_the_hub(tmp_path: Path, database: Path, directory: Directory) -> None:
    async with open_sqlite(tmp_path) as store:
        await store.commit(acceptance(warning(directory, to=TO, seq=900)))
        assert wrong(database, directory) == []


# --- damage ----------------------------------------------------------------------------------------------------------


def _alter_payload(db: sqlite3.Connection) -> None:
    payloads = unpack_all(value(db, "entries", "payloads", "first = 0"))
    change(db, "entries", "payloads", "first = 0", pack_all([payloads[0].replace(b'"v":1', b'"v":2'), *payloads[1:]]))


def _alter_salt(db: sqlite3.Connection) -> None:
    change(db, "entries", "salts", "first = 4", flipped(value(db, "entries", "salts", "first = 4")))


def _lose_a_column(db: sqlite3.Connection) -> None:
    change(db, "entries", "salts", "first = 4", value(db, "entries", "salts", "first = 4")[:-16])


def _alter_commitment(db: sqlite3.Connection) -> None:
    change(db, "entries", "commitments", "first = 4", flipped(value(db, "entries", "commitments", "first = 4")))


def _alter_released(db: sqlite3.Connection) -> None:
    change(db, "entries", "released", "first = 0", struct.pack(">4Q", 0, 1, 1, 1))


def _alter_concerned(db: sqlite3.Connection) -> None:
    concerned = pack_all([b"", b"de-customs", b"rilo-we", b"int-bureau"])
    change(db, "entries", "concerned", "first = 0", concerned)


def _alter_inputs(db: sqlite3.Connection) -> None:
    change(db, "entries", "inputs", "first = 0", flipped(value(db, "entries", "inputs", "first = 0")))


def _lose_entries(db: sqlite3.Connection) -> None:
    db.execute("DELETE FROM parts WHERE id / 128 = (SELECT message FROM entries WHERE first = 12)")
    db.execute("DELETE FROM entries WHERE first = 12")


def _alter_batch(db: sqlite3.Connection) -> None:
    change(db, "batches", "nodes", "id = 2", flipped(value(db, "batches", "nodes", "id = 2")))


def _alter_batch_leaf(db: sqlite3.Connection) -> None:
    change(db, "batches", "nodes", "id = 2", flipped(value(db, "batches", "nodes", "id = 2"), 0))


def _alter_batch_payload(db: sqlite3.Connection) -> None:
    payload = value(db, "batches", "payload", "id = 2").replace(b'"n":8', b'"n":4')
    change(db, "batches", "payload", "id = 2", payload)


def _swap_signatures(db: sqlite3.Connection) -> None:
    change(db, "batches", "jws", "id = 2", db.execute("SELECT jws FROM batches WHERE id = 3").fetchone()[0])


def _forge_signature(db: sqlite3.Connection) -> None:
    jws = db.execute("SELECT jws FROM batches WHERE id = 2").fetchone()[0]
    head, payload, _ = jws.split(".")
    change(db, "batches", "jws", "id = 2", f"{head}.{payload}.{'A' * 86}")


def _unsign(db: sqlite3.Connection) -> None:
    change(db, "batches", "jws", "id = 2", None)


def _rename_message(db: sqlite3.Connection) -> None:
    change(db, "messages", "mh", "id = 2", "A" * 43)


def _renumber_message(db: sqlite3.Connection) -> None:
    change(db, "messages", "seq", "id = 2", 950)


def _alter_tile(db: sqlite3.Connection) -> None:
    change(db, "tiles", "nodes", "level = 0 AND number = 0", flipped(value(db, "tiles", "nodes", "level = 0"), 0))


def _lose_last_tile(db: sqlite3.Connection) -> None:
    db.execute("DELETE FROM tiles WHERE level = 1")


def _forge_checkpoint(db: sqlite3.Connection) -> None:
    note = db.execute("SELECT note FROM checkpoints WHERE size = 17").fetchone()[0]
    lines = note.split("\n")
    lines[2] = "A" * 43 + "="
    change(db, "checkpoints", "note", "size = 17", "\n".join(lines))


def _checkpoint_of_more(db: sqlite3.Connection) -> None:
    change(db, "checkpoints", "size", "size = 17", 5_000)


def _lose_mail(db: sqlite3.Connection) -> None:
    db.execute("DELETE FROM mail WHERE partner = (SELECT id FROM partners WHERE code = 'de-police')")


def _lose_receipt_mail(db: sqlite3.Connection) -> None:
    db.execute("DELETE FROM mail WHERE partner = (SELECT id FROM partners WHERE code = 'fr-customs')")


def _renumber_receipt_mail(db: sqlite3.Connection) -> None:
    where = "partner = (SELECT id FROM partners WHERE code = 'fr-customs')"
    [item] = unpack_items(value(db, "mail", "items", where))
    db.execute("UPDATE partners SET last = 2 WHERE code = 'fr-customs'")
    change(db, "mail", "items", where, pack_items([item._replace(number=2)]))


def _cut_mail_short(db: sqlite3.Connection) -> None:
    db.execute("UPDATE mail SET items = substr(items, 2)")


def _mail_again(db: sqlite3.Connection) -> None:
    db.execute("DELETE FROM collected")


def _collected_and_waiting(db: sqlite3.Connection) -> None:
    db.execute("INSERT INTO collected SELECT id, 1, 3, 0 FROM partners WHERE code = 'de-police'")


def _mail_to_another(db: sqlite3.Connection) -> None:
    of = "(SELECT id FROM partners WHERE code = '{}')"
    db.execute(f"DELETE FROM mail WHERE partner = {of.format('int-bureau')}")  # noqa: S608 - our own words
    db.execute(f"UPDATE mail SET partner = {of.format('int-bureau')} WHERE partner = {of.format('de-police')}")  # noqa: S608 - our own words


def _mail_more_than_released(db: sqlite3.Connection) -> None:
    where = "partner = (SELECT id FROM partners WHERE code = 'int-bureau')"
    first, *rest = unpack_items(value(db, "mail", "items", where))
    number = db.execute(f"SELECT number FROM mail WHERE {where}").fetchone()[0]  # noqa: S608 - our own words
    items = pack_items([first._replace(released=3), *rest])
    change(db, "mail", "items", f"{where} AND number = {number}", items)


def _mail_out_of_nowhere(db: sqlite3.Connection) -> None:
    where = "partner = (SELECT id FROM partners WHERE code = 'int-bureau')"
    first, *rest = unpack_items(value(db, "mail", "items", where))
    number = db.execute(f"SELECT number FROM mail WHERE {where}").fetchone()[0]  # noqa: S608 - our own words
    items = pack_items([first._replace(first=9_999), *rest])
    change(db, "mail", "items", f"{where} AND number = {number}", items)


def _forget_numbers(db: sqlite3.Connection) -> None:
    change(db, "partners", "last", "code = 'de-police'", 0)


def _miscount(db: sqlite3.Connection) -> None:
    done = db.execute("UPDATE needs SET copies = copies + 1 WHERE message = 3")
    assert done.rowcount


def _lose_body(db: sqlite3.Connection) -> None:
    db.execute("DELETE FROM bodies WHERE id = 3 * 32")


def _keep_body(db: sqlite3.Connection) -> None:
    db.execute("DELETE FROM needs WHERE message = 3")


def _swap_bodies(db: sqlite3.Connection) -> None:
    disclosure = db.execute("SELECT disclosure FROM bodies WHERE id = 4 * 32").fetchone()[0]
    change(db, "bodies", "disclosure", "id = 3 * 32", disclosure)


def _lose_parts(db: sqlite3.Connection) -> None:
    db.execute("DELETE FROM parts WHERE id = 3 * 128")


def _alter_receipt_name(db: sqlite3.Connection) -> None:
    change(db, "receipts", "jti", "1", "another")


def _alter_receipt_digest(db: sqlite3.Connection) -> None:
    change(db, "receipts", "digest", "1", bytes(32))


def _lose_receipt(db: sqlite3.Connection) -> None:
    db.execute("DELETE FROM receipts")


def _other_version(db: sqlite3.Connection) -> None:
    db.execute("PRAGMA user_version = 77")


def _lose_reference(db: sqlite3.Connection) -> None:
    db.execute("DELETE FROM batches WHERE id = 2")


@pytest.mark.parametrize(
    ("check", "damage"),
    [
        ("file", _other_version),
        ("file", _lose_reference),
        ("record", _alter_payload),
        ("record", _alter_salt),
        ("record", _lose_a_column),
        ("checkpoints", _alter_commitment),
        ("record", _alter_released),
        ("record", _alter_concerned),
        ("record", _alter_inputs),
        ("record", _lose_entries),
        ("record", _alter_batch),
        ("record", _alter_batch_leaf),
        ("record", _alter_batch_payload),
        ("record", _swap_signatures),
        ("record", _forge_signature),
        ("record", _unsign),
        ("messages", _rename_message),
        ("messages", _renumber_message),
        ("checkpoints", _alter_tile),
        ("checkpoints", _lose_last_tile),
        ("checkpoints", _forge_checkpoint),
        ("checkpoints", _checkpoint_of_more),
        ("mailboxes", _lose_mail),
        ("mailboxes", _lose_receipt_mail),
        ("mailboxes", _renumber_receipt_mail),
        ("mailboxes", _cut_mail_short),
        ("mailboxes", _mail_again),
        ("mailboxes", _collected_and_waiting),
        ("mailboxes", _mail_to_another),
        ("mailboxes", _mail_more_than_released),
        ("mailboxes", _mail_out_of_nowhere),
        ("mailboxes", _forget_numbers),
        ("needs", _miscount),
        ("bodies", _lose_body),
        ("bodies", _keep_body),
        ("bodies", _swap_bodies),
        ("bodies", _lose_parts),
        ("receipts", _alter_receipt_name),
        ("receipts", _alter_receipt_digest),
        ("receipts", _lose_receipt),
    ],
    ids=lambda one: getattr(one, "__name__", one),
)
def test_damage_is_found(database: Path, directory: Directory, check: str, damage: object) -> None:
    with damaging(database) as db:
        assert callable(damage)
        damage(db)
    found = wrong(database, directory)
    assert check in {one.check for one in found}, found
    assert all(one.remedy for one in found)
    assert len(found) < 200, "a store that is damaged all over says so in a few lines"


def test_a_damaged_page_is_found(database: Path, directory: Directory) -> None:
    data = bytearray(database.read_bytes())
    for start in range(16_384, len(data), 16_384):
        data[start : start + 64] = bytes(64)
    database.write_bytes(data)
    assert {one.check for one in wrong(database, directory)} == {"file"}


def test_what_is_no_store_is_said(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"nothing of ours" * 1_000)
    assert {one.check for one in wrong(tmp_path / "x", None)} == {"file"}
    with pytest.raises(StoreError):
        extent_of(tmp_path / "x")
