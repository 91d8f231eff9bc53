"""How fast the SQLite store commits and hands out, beside plain inserts of the same bytes into SQLite in the same run.

Messages have 4 kB of ciphertext; every one is recorded with its accept, one decision, log entry and mailbox row for
each addressee, all durable before it is confirmed. Not for: verifying and deciding, which come before the store.
"""

import asyncio
import os
import platform
import sqlite3
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from hub.broker.ports import Acceptance
from hub.protocol.encoding import encode_b64url
from hub.protocol.hazmat import random_bytes
from hub.protocol.release import ReleasedCopy
from hub.protocol.vocabulary import Label
from hub.store.sqlite import SqliteStore
from tests.support.exchange import (
    NOW,
    acceptance,
    make_directory,
    message_id,
    warning,
    writes_accept,
)
from tests.support.stores import open_sqlite

CONTENT: Final = 4_096  # bytes of ciphertext of a message, about
WINDOW: Final = 512  # commits in flight
KEYS: Final = 4  # originators' keys that the messages are spread over
RUNS: Final = ((1, 6_000), (10, 2_000), (100, 300))  # addressees, messages


def make_messages(addressees: int, count: int) -> list[Acceptance]:
    """Seal one message really; the others are copies of it under other names."""
    partners = tuple(f"p{number}-customs" for number in range(addressees))
    directory = make_directory((*partners, "fr-customs"))
    content = [(Label.ACTION, b" " * (CONTENT - 100))]
    to = {partner: [0] for partner in partners}
    first = acceptance(warning(directory, to=to, seq=1, compartments=content))
    return [_renamed(first, number) for number in range(count)]


def _renamed(first: Acceptance, number: int) -> Acceptance:
    mh, seq = encode_b64url(random_bytes(32)), number // KEYS + 1
    manifest = first.envelope.manifest.model_copy(update={"seq": seq, "jti": message_id(number)})
    envelope = replace(first.envelope, mh=mh, kid=f"fr-customs#s{number % KEYS + 1}", manifest=manifest)
    copies: tuple[ReleasedCopy, ...] = tuple(replace(copy, mh=mh) for copy in first.copies)
    return Acceptance(envelope, writes_accept(envelope), first.decisions, copies)


async def commit_all(store: SqliteStore, messages: Sequence[Acceptance], window: int) -> float:
    """Return the seconds that committing takes with so many in flight."""
    waiting = iter(messages)

    async def commit_next() -> None:
        for message in waiting:
            await store.commit(message)

    start = time.perf_counter()
    await asyncio.gather(*(commit_next() for _ in range(window)))
    return time.perf_counter() - start


async def collect_all(store: SqliteStore, messages: Sequence[Acceptance]) -> float:
    """Return the seconds in which all partners read and confirm everything, 64 copies at a time."""

    async def collect(partner: str) -> None:
        while items := await store.waiting(partner, limit=64):
            await store.confirm(partner, [item.seq for item in items], at=NOW)

    start = time.perf_counter()
    await asyncio.gather(*(collect(copy.to) for copy in messages[0].copies))
    return time.perf_counter() - start


def insert_plainly(path: Path, messages: Sequence[Acceptance], group: int) -> float:
    """Return the seconds for the same bytes as plain rows, as many messages in a transaction as the store took."""
    db = sqlite3.connect(path, isolation_level=None)
    for statement in (
        "PRAGMA journal_mode = WAL",
        "PRAGMA synchronous = FULL",
        "CREATE TABLE messages (id INTEGER PRIMARY KEY, head TEXT, body BLOB)",
        "CREATE TABLE copies (id INTEGER PRIMARY KEY, message INTEGER, partner TEXT, part BLOB, decision BLOB)",
    ):
        db.execute(statement)
    start = time.perf_counter()
    for at in range(0, len(messages), group):
        db.execute("BEGIN IMMEDIATE")
        for number, message in enumerate(messages[at : at + group], at):
            db.execute("INSERT INTO messages VALUES (?, ?, ?)", (number, message.envelope.jws, *message.envelope.blobs))
            db.executemany(
                "INSERT INTO copies (message, partner, part, decision) VALUES (?, ?, ?, ?)",
                [
                    (number, copy.to, copy.part, decision.payload)
                    for copy, decision in zip(message.copies, message.decisions, strict=True)
                ],
            )
        db.execute("COMMIT")
    seconds = time.perf_counter() - start
    db.close()
    return seconds


async def measure(folder: Path, addressees: int, count: int) -> str:
    messages = make_messages(addressees, count)
    async with open_sqlite(folder) as store:
        committing = await commit_all(store, messages, WINDOW)
        group = count / store.transactions
        collecting = await collect_all(store, messages)
    plain = insert_plainly(folder / "plain.sqlite", messages, max(1, round(group)))
    rate, copies = count / committing, count * addressees
    return (
        f"{addressees:>10} {rate:>9,.0f} {copies / committing:>12,.0f} {group:>10,.0f} {count / plain:>11,.0f} "
        f"{rate * plain / count:>6.2f} {copies / collecting:>14,.0f}"
    )


def main() -> None:
    cpus = os.cpu_count()
    print(f"{platform.machine()}, {cpus} cores, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}")
    print("addressees     msg/s  committed/s  msg/commit  plain msg/s  ratio  collected/s")
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as folder:
        for addressees, count in RUNS:
            place = Path(folder) / str(addressees)
            place.mkdir()
            print(asyncio.run(measure(place, addressees, count)), flush=True)


if __name__ == "__main__":
    main()
