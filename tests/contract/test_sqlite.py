"""What only a store on disk can promise: restarts, full disks, held files, ciphertexts that are gone."""

import asyncio
import errno
import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from hub.broker.ports import Store
from hub.protocol.directory import Directory
from hub.protocol.errors import (
    StoreCorruptError,
    StoreError,
    StoreFullError,
    StoreInUseError,
    StoreLockedError,
    StoreStoppedError,
    StoreVersionError,
)
from hub.protocol.merkle import levels, root_of, verify_consistency
from hub.store.ledger import Ledger
from hub.store.schema import APPLICATION_ID, VERSION, connect
from hub.store.sqlite import SqliteStore
from tests.support.exchange import (
    HUB,
    NOW,
    accept_in,
    acceptance,
    operation,
    receipt,
    signer_of,
    subscription,
    warning,
)
from tests.support.stores import leaf_of, open_sqlite

BOTH = {"de-police": [0, 1], "rilo-we": [0]}


def modes_in(folder: Path) -> list[int]:
    """Return the modes of all files below a folder."""
    return [file.stat().st_mode for file in folder.rglob("*") if file.is_file()]


class TestSqlite:
    """What only a store on disk can promise."""

    async def test_a_restart_changes_nothing(self, tmp_path: Path, directory: Directory) -> None:
        envelope = warning(directory, to=BOTH, seq=1)
        async with open_sqlite(tmp_path) as store:
            proven = await store.commit(acceptance(envelope))
            await store.add_receipt(receipt(directory, envelope.mh, iss="de-police"))
            await store.put_operation(operation(directory))
            await store.put_subscription(subscription(directory))
            await store.put_checkpoint(4, "note")
            before = await everything(store, envelope.mh)
        async with open_sqlite(tmp_path) as store:
            assert await everything(store, envelope.mh) == before
            assert await store.commit(acceptance(envelope)) == proven
            await store.commit(acceptance(warning(directory, to=BOTH, seq=2, prev=envelope.mh)))
            assert [item.seq for item in await store.waiting("rilo-we", limit=9)] == [1, 2]
            assert await store.log_size() == 7
            verify_consistency(
                (4, await store.log_root(4)), (7, await store.log_root(7)), await store.consistency(4, 7)
            )

    async def test_nobody_but_its_owner_reads_it(self, tmp_path: Path, directory: Directory) -> None:
        async with open_sqlite(tmp_path) as store:
            await store.commit(acceptance(warning(directory, to=BOTH, seq=1)))
            kept = modes_in(tmp_path)
        assert len(kept) == 4, "the database, its log, its index and the file that is locked"
        assert not any(mode & 0o077 for mode in kept)

    async def test_a_batch_that_a_crash_left_unsigned_is_signed(self, tmp_path: Path, directory: Directory) -> None:
        envelope = warning(directory, to=BOTH, seq=1)
        async with open_sqlite(tmp_path) as store:
            proven = await store.commit(acceptance(envelope))
            store._ledger.db.execute("UPDATE batches SET jws = NULL")
            [copy] = await store.waiting("rilo-we", limit=1)
        async with open_sqlite(tmp_path) as store:
            assert store._ledger.db.execute("SELECT count(*) FROM batches WHERE jws IS NULL").fetchone() == (0,)
            assert [copy] == await store.waiting("rilo-we", limit=1)
            assert await store.commit(acceptance(envelope)) == proven

    async def test_a_ciphertext_leaves_with_the_last_copy_that_needs_it(
        self, tmp_path: Path, directory: Directory
    ) -> None:
        async with open_sqlite(tmp_path) as store:
            to = {"de-police": [0, 1], "rilo-we": [0, 1], "int-bureau": [0, 1]}
            permitted = {"de-police": ["c0", "c1"], "rilo-we": ["c0"], "int-bureau": ["c0"]}
            envelope = warning(directory, to=to, seq=1)
            await store.commit(acceptance(envelope, permitted))
            nobody = warning(directory, to=BOTH, seq=2)
            await store.commit(acceptance(nobody, dict.fromkeys(BOTH, ())))

            def kept() -> list[bytes]:
                return [blob for (blob,) in store._ledger.db.execute("SELECT blob FROM bodies ORDER BY id")]

            assert kept() == list(envelope.blobs)
            await store.confirm("rilo-we", [1], at=NOW)
            assert kept() == list(envelope.blobs)
            await store.confirm("de-police", [1], at=NOW)
            assert kept() == [envelope.blobs[0]]
            await store.confirm("int-bureau", [1], at=NOW)
            assert kept() == []
            assert store._ledger.db.execute("SELECT count(*) FROM needs").fetchone() == (0,)
        files = all_bytes(tmp_path)
        assert not [blob for blob in (*envelope.blobs, *nobody.blobs) if blob in files]

    async def test_a_ciphertext_leaves_the_write_ahead_log_too_when_nothing_is_written(
        self, tmp_path: Path, directory: Directory, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("hub.store.writer._IDLE", 0.01)
        ended, empty_log = {False: threading.Event(), True: threading.Event()}, Ledger.empty_log

        def tell(ledger: Ledger) -> bool:
            is_empty = empty_log(ledger)
            ended[is_empty].set()
            return is_empty

        envelope = warning(directory, to=BOTH, seq=1)
        async with open_sqlite(tmp_path) as store:
            reader = connect(tmp_path / "hub.sqlite")
            await store.commit(acceptance(envelope))
            reader.execute("BEGIN")
            reader.execute("SELECT * FROM messages").fetchall()
            monkeypatch.setattr(Ledger, "empty_log", tell)
            for partner in BOTH:
                await store.confirm(partner, [1], at=NOW)
            await asyncio.to_thread(ended[False].wait)
            assert envelope.blobs[0] in all_bytes(tmp_path), "somebody reads what there was before"
            reader.close()
            await asyncio.to_thread(ended[True].wait)
            assert not [blob for blob in envelope.blobs if blob in all_bytes(tmp_path)]
            await store.commit(acceptance(warning(directory, to=BOTH, seq=2)))

    async def test_a_full_disk_keeps_nothing_half_and_stops_nobody(self, tmp_path: Path, directory: Directory) -> None:
        async with open_sqlite(tmp_path) as store:
            await store.commit(acceptance(warning(directory, to=BOTH, seq=1)))
            db = store._ledger.db
            (pages,) = db.execute("PRAGMA page_count").fetchone()
            db.execute(f"PRAGMA max_page_count = {pages + 4}")
            large = acceptance(warning(directory, to=BOTH, seq=2, refs=tuple("A" * 43 for _ in range(16))))
            copies = tuple(replace(copy, part=bytes(100_000)) for copy in large.copies)
            with pytest.raises(StoreFullError):
                await store.commit(replace(large, copies=copies))
            assert await store.log_size() == 3
            db.execute("PRAGMA max_page_count = 1000000")
            accept = accept_in(directory, await store.commit(large))
            assert accept.after == 1
            assert [item.seq for item in await store.waiting("rilo-we", limit=9)] == [1, 2]
            assert await store.log_root(6) == root_of(levels(await leaves_of(store, 6)))

    async def test_a_signer_that_fails_leaves_a_durable_message(self, tmp_path: Path, directory: Directory) -> None:
        failing = [True]

        def sign(payload: bytes) -> str:
            if failing:
                raise StoreError("no token")
            return signer_of(HUB).key.sign(payload).hex()

        envelope = warning(directory, to=BOTH, seq=1)
        path = tmp_path / "hub.sqlite"
        async with SqliteStore.open(path, federation="f", hub=HUB, sign_batch=sign, clock=lambda: NOW) as store:
            with pytest.raises(StoreError):
                await store.commit(acceptance(envelope))
            assert await store.find(mh=envelope.mh) is not None
            failing.clear()
            assert json.loads(await store.commit(acceptance(envelope)))["b"]

    async def test_every_transaction_waits_for_the_disk(self, tmp_path: Path, directory: Directory) -> None:
        def level(ledger: Ledger) -> int:
            (found,) = ledger.db.execute("PRAGMA synchronous").fetchone()
            return int(found)

        async with open_sqlite(tmp_path) as store:
            for seq in (1, 2):
                assert await store._writer.run(level) == 2  # FULL
                await store.commit(acceptance(warning(directory, to=BOTH, seq=seq)))
            assert store._ledger.db.execute("PRAGMA journal_mode").fetchone() == ("wal",)

    async def test_no_second_hub_runs_on_it(self, tmp_path: Path, directory: Directory) -> None:
        async with open_sqlite(tmp_path) as one:
            with pytest.raises(StoreInUseError):
                await open_and_close(tmp_path)
            await one.commit(acceptance(warning(directory, to=BOTH, seq=1)))
        async with open_sqlite(tmp_path) as two:
            assert await two.log_size() == 3

    async def test_no_second_hub_runs_on_it_by_another_name(self, tmp_path: Path) -> None:
        other = tmp_path / "other"
        other.mkdir()
        async with open_sqlite(tmp_path):
            (other / "hub.sqlite").symlink_to(tmp_path / "hub.sqlite")
            with pytest.raises(StoreInUseError):
                await open_and_close(other)

    async def test_a_file_system_that_locks_nothing_is_not_taken_for_another_hub(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def flock(_file: object, _how: int) -> None:
            raise OSError(errno.ENOLCK, "no locks")

        monkeypatch.setattr("hub.store.lock.fcntl.flock", flock)
        with pytest.raises(StoreError) as refused:
            await open_and_close(tmp_path)
        assert not isinstance(refused.value, StoreInUseError)

    async def test_a_damaged_mailbox_stops_nobody_else(self, tmp_path: Path, directory: Directory) -> None:
        async with open_sqlite(tmp_path) as store:
            await store.commit(acceptance(warning(directory, to=BOTH, seq=1)))
            box = "partner = (SELECT id FROM partners WHERE code = 'rilo-we')"
            store._ledger.db.execute(f"UPDATE mail SET items = substr(items, 2) WHERE {box}")  # noqa: S608 - our own words
            with pytest.raises(StoreCorruptError):
                await store.confirm("rilo-we", [1], at=NOW)
            store.check_writing()
            await store.confirm("de-police", [1], at=NOW)
            assert await store.waiting("de-police", limit=9) == []

    async def test_a_damaged_accept_stops_nobody_else(self, tmp_path: Path, directory: Directory) -> None:
        first = acceptance(warning(directory, to=BOTH, seq=1))
        async with open_sqlite(tmp_path) as store:
            await store.commit(first)
            store._ledger.db.execute("UPDATE entries SET payloads = substr(payloads, 1, length(payloads) - 1)")
            with pytest.raises(StoreCorruptError):
                await store.commit(first)
            await store.commit(acceptance(warning(directory, to=BOTH, seq=2)))

    async def test_a_held_store_is_reported(
        self, tmp_path: Path, directory: Directory, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("hub.store.schema._LOCK_WAIT", 0.01)
        async with open_sqlite(tmp_path) as store:
            other = connect(tmp_path / "hub.sqlite")
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreLockedError):
                await store.commit(acceptance(warning(directory, to=BOTH, seq=1)))
            other.execute("ROLLBACK")
            other.close()
            await store.commit(acceptance(warning(directory, to=BOTH, seq=1)))

    async def test_a_damaged_log_stops_writing(self, tmp_path: Path, directory: Directory) -> None:
        async with open_sqlite(tmp_path) as store:
            await store.commit(acceptance(warning(directory, to=BOTH, seq=1)))
            store._ledger.db.execute("DELETE FROM tiles")
        async with open_sqlite(tmp_path) as store:
            for seq in (2, 3):
                with pytest.raises(StoreCorruptError):
                    await store.commit(acceptance(warning(directory, to=BOTH, seq=seq)))

    async def test_what_is_no_store_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "hub.sqlite").write_bytes(b"SQLite format 2\0" * 512)
        with pytest.raises(StoreCorruptError):
            await open_and_close(tmp_path)

    @pytest.mark.parametrize(
        "pragma", [f"application_id = {APPLICATION_ID + 1}", f"user_version = {VERSION + 1}", "user_version = 0"]
    )
    async def test_another_versions_store_is_refused(self, tmp_path: Path, pragma: str) -> None:
        await open_and_close(tmp_path)
        db = connect(tmp_path / "hub.sqlite")
        db.execute(f"PRAGMA {pragma}")
        db.close()
        with pytest.raises(StoreVersionError):
            await open_and_close(tmp_path)

    async def test_a_folder_that_is_not_there_is_reported(self, tmp_path: Path) -> None:
        with pytest.raises(StoreError):
            await open_and_close(tmp_path / "none")

    async def test_a_closed_store_says_so(self, tmp_path: Path, directory: Directory) -> None:
        async with open_sqlite(tmp_path) as store:
            pass
        with pytest.raises(StoreError):
            await store.commit(acceptance(warning(directory, to=BOTH, seq=1)))
        with pytest.raises(StoreError):
            await store.log_size()

    async def test_a_program_error_leaves_nobody_waiting(
        self, tmp_path: Path, directory: Directory, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen: list[object] = []
        monkeypatch.setattr(threading, "excepthook", seen.append)

        def broken(_after: int | None) -> bytes:
            raise TypeError

        async with open_sqlite(tmp_path) as store:
            good, bad = (acceptance(warning(directory, to=BOTH, seq=seq)) for seq in (1, 2))
            ends = await asyncio.gather(
                *(store.commit(one) for one in (good, replace(bad, accept=broken), bad)), return_exceptions=True
            )
            assert any(isinstance(end, StoreError) for end in ends)
            with pytest.raises(StoreError):
                await store.commit(good)
            with pytest.raises(StoreStoppedError):
                store.check_writing()
        assert len(seen) == 1

    async def test_tells_what_it_wrote_in_numbers(self, tmp_path: Path, directory: Directory) -> None:
        async with open_sqlite(tmp_path) as store:
            store.check_writing()
            await store.commit_many([acceptance(warning(directory, to=BOTH, seq=seq)) for seq in range(1, 9)])
            work = store.work
            assert work.jobs == 8
            assert 1 <= work.transactions <= 8
            assert work.waiting == 0
            assert work.seconds > 0


async def test_what_was_delivered_leaves_the_disk(tmp_path: Path, directory: Directory) -> None:
    """At once, not when the store is closed: in the file, and after a checkpoint in the write-ahead log too."""
    async with open_sqlite(tmp_path) as store:
        envelope = warning(directory, to={"rilo-we": [0]}, seq=1)
        await store.commit(acceptance(envelope))
        assert envelope.blobs[0] in all_bytes(tmp_path)
        await store.confirm("rilo-we", [1], at=NOW)
        assert store._ledger.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
        assert envelope.blobs[0] not in all_bytes(tmp_path)


async def test_what_expired_leaves_the_disk(tmp_path: Path, directory: Directory) -> None:
    async with open_sqlite(tmp_path) as store:
        envelope = warning(directory, to=BOTH, seq=1)
        await store.commit(acceptance(envelope))
        assert await store.expire(now=envelope.manifest.exp, limit=9, write=lambda *_: b"{}") == 2
        assert store._ledger.db.execute("SELECT count(*) FROM needs").fetchone() == (0,)
        assert store._ledger.db.execute("SELECT count(*) FROM parts").fetchone() == (0,)
        assert store._ledger.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
        assert not [blob for blob in envelope.blobs if blob in all_bytes(tmp_path)]


def all_bytes(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


async def open_and_close(folder: Path) -> None:
    async with open_sqlite(folder):
        pass


async def everything(store: Store, mh: str) -> list[object]:
    return [
        await store.find(mh=mh),
        await store.entries_of(mh),
        await store.deliveries(mh),
        await store.inputs_of(mh, "de-police"),
        await store.waiting("de-police", limit=9),
        await store.waiting("fr-customs", limit=9),
        await store.operations(),
        await store.subscriptions(),
        await store.checkpoint(),
        await store.log_root(await store.log_size()),
    ]


async def leaves_of(store: Store, size: int) -> list[bytes]:
    """Return all leaf hashes, made again from the record itself."""
    leaves = {}
    for known in await store.messages_of(iss="fr-customs", operation=None, limit=99):
        for _, entry in await store.entries_of(known.mh):
            leaves[entry.index] = leaf_of(entry)
    return [leaves[index] for index in range(size)]
