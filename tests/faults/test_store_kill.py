"""Kill a committing process without warning, several times: what it acknowledged is there, once and whole.

The same file is the process that is killed. Not for: a disk that loses what it confirmed.
"""

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from hub.broker.ports import MailCopy, Store
from hub.protocol.merkle import levels, root_of
from hub.protocol.submission import VerifiedEnvelope
from tests.support.exchange import NOW, acceptance, make_directory, message_id, warning
from tests.support.stores import leaf_of, open_sqlite

ROUNDS = 3
KEYS = ("fr-customs", "de-customs")
TO = {"de-police": [0, 1], "rilo-we": [0], "int-bureau": [1]}
LIMIT = 100_000


async def commit_for_ever(folder: Path, first: int) -> None:
    """Commit as fast as possible and write each acknowledged digest on a line of its own."""
    directory = make_directory()
    async with open_sqlite(folder) as store:

        async def commit(envelope: VerifiedEnvelope) -> None:
            await store.commit(acceptance(envelope))
            os.write(1, f"{envelope.mh}\n".encode())
            for item in await store.waiting("int-bureau", limit=4):
                await store.confirm("int-bureau", [item.seq], at=NOW)

        for seq in range(first, LIMIT, 8):
            sealed = [
                warning(directory, to=TO, seq=seq + n, jti=message_id(seq + n), originator=KEYS[n % 2])
                for n in range(8)
            ]
            await asyncio.gather(*(commit(envelope) for envelope in sealed))


def acknowledged_before_kill(folder: Path, first: int, count: int) -> list[str]:
    """Run the committing process and kill it after its `count`-th acknowledgement; return all of them."""
    command = [sys.executable, "-m", "tests.faults.test_store_kill", str(folder), str(first)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(count)]
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.readlines()  # what it wrote until it was dead
    return [line.strip() for line in lines if line.endswith("\n")]


async def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    order = random.Random(20_270_115)
    acknowledged: list[str] = []
    for turn in range(ROUNDS):
        acknowledged += acknowledged_before_kill(tmp_path, 1 + turn * 10_000, order.randrange(8, 120))
        async with open_sqlite(tmp_path) as store:
            await check_whole(store, acknowledged)
    assert len(acknowledged) >= ROUNDS * 8


async def check_whole(store: Store, acknowledged: list[str]) -> None:
    size = await store.log_size()
    leaves: dict[int, bytes] = {}
    found = set()
    async for mh in all_messages(store):
        entries = await store.entries_of(mh)
        kinds = sorted((to or "", entry.kind) for to, entry in entries)
        assert kinds == [("", "accept"), ("de-police", "decision"), ("int-bureau", "decision"), ("rilo-we", "decision")]
        assert all(entry.proven for _, entry in entries)
        assert [row.to for row in await store.deliveries(mh)] == sorted(TO)
        assert not leaves.keys() & {entry.index for _, entry in entries}
        leaves |= {entry.index: leaf_of(entry) for _, entry in entries}
        assert mh not in found
        found.add(mh)
    assert set(acknowledged) <= found
    assert sorted(leaves) == list(range(size))
    assert await store.log_root(size) == root_of(levels([leaves[index] for index in range(size)]))
    for partner in ("de-police", "rilo-we"):
        copies = [item for item in await store.waiting(partner, limit=LIMIT) if isinstance(item, MailCopy)]
        assert [copy.seq for copy in copies] == list(range(1, len(found) + 1))
        assert {copy.mh for copy in copies} == found
        assert all(len(copy.blobs) == len(TO[partner]) for copy in copies)


async def all_messages(store: Store) -> AsyncIterator[str]:
    for key in KEYS:
        for known in await store.messages_of(iss=key, operation=None, limit=LIMIT):
            yield known.mh


if __name__ == "__main__":
    asyncio.run(commit_for_ever(Path(sys.argv[1]), int(sys.argv[2])))
