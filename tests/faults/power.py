"""Power cuts: what a disk is sure to hold at one moment, and what it may hold besides, from a recording of every write.

A process works on a real store and records each write, truncation, sync and acknowledgement in the order in which they
happened. A cut at any place of the recording leaves, of each file, what was synced, and of what was not an arbitrary
part: nothing, everything, some writes, or some 512-byte sectors of some writes. So one recording serves many cuts, and
a volatile cache that reorders is among them. Why so: `docs/decisions/0020-power-cuts-from-a-recording.md`.

    python -m tests.faults.power hub|agency FOLDER TRACE COUNT [off|lies|early]

The three words are planted faults: no syncs are asked for, the disk confirms them and does nothing, or the caller is
told before the store is asked.

Not for: what must hold afterwards (`test_power.py`).
"""

import asyncio
import pickle
import random
import re
import sqlite3
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from connectors.kit.agency_store import AgencyStore
from connectors.kit.outbox import HandedOver, Outbox
from tests.faults.disk import Shim
from tests.support.exchange import NOW, acceptance, make_directory, message_id, receipt, warning
from tests.support.stores import open_sqlite

SECTOR: Final = 512  # bytes that a disk writes whole
KEYS: Final = ("fr-customs", "de-customs")
TO: Final = {"de-police": (0, 1), "rilo-we": (0,), "int-bureau": (1,)}
AT_ONCE: Final = 8
SYNCHRONOUS: Final = re.compile(r"(synchronous\s*=\s*)\w+", re.IGNORECASE)
Mood = Literal["nothing", "everything", "some", "torn"]
MOODS: Final[tuple[Mood, ...]] = ("nothing", "everything", "some", "torn")


@dataclass(frozen=True)
class Event:
    """One thing that happened: `write` and `cut` (to a size; -1 is a deletion), `sync`, or `ack` of a name."""

    what: Literal["write", "cut", "sync", "ack"]
    name: str  # of the file, or what was acknowledged
    at: int = 0
    data: bytes = b""


@dataclass
class Recording:
    """A disk that notes what happens, in order. A disk that `lies` confirms a sync and does not do it."""

    lies: bool = False
    events: list[Event] = field(default_factory=list)
    _order: threading.Lock = field(default_factory=threading.Lock)

    def write(self, path: str, data: bytes, at: int, do: Callable[[], int]) -> int:
        """See `Disk`."""
        return self._note(Event("write", Path(path).name, at, data), do)

    def truncate(self, path: str, size: int, do: Callable[[], int]) -> int:
        """See `Disk`."""
        return self._note(Event("cut", Path(path).name, size), do)

    def sync(self, path: str, do: Callable[[], int]) -> int:
        """See `Disk`; noted once it has happened."""
        code = do()
        if not self.lies:
            with self._order:
                self.events.append(Event("sync", Path(path).name))
        return code

    def ack(self, name: str) -> None:
        """Note that the caller was told that something is durable."""
        with self._order:
            self.events.append(Event("ack", name))

    def _note(self, event: Event, do: Callable[[], int]) -> int:
        with self._order:
            self.events.append(event)
        return do()


def left_after(events: Sequence[Event], mood: Mood, chance: random.Random) -> dict[str, bytes]:
    """Return the files that a disk holds when the power fails after these events."""
    kept: dict[str, bytearray] = {}
    pending: dict[str, list[Event]] = {}
    for event in events:
        if event.what == "sync":
            for earlier in pending.pop(event.name, []):
                _apply(kept, earlier)
            kept.setdefault(event.name, bytearray())
        elif event.what == "cut" and event.at < 0:  # SQLite syncs the folder after a deletion
            kept.pop(event.name, None)
            pending.pop(event.name, None)
        elif event.what in ("write", "cut"):
            pending.setdefault(event.name, []).append(event)
    for unsynced in pending.values():
        for event in unsynced:
            _apply_perhaps(kept, event, mood, chance)
    return {name: bytes(data) for name, data in kept.items()}


def _apply_perhaps(kept: dict[str, bytearray], event: Event, mood: Mood, chance: random.Random) -> None:
    if mood == "everything" or (mood == "some" and chance.random() < 0.5):
        _apply(kept, event)
    elif mood == "torn" and event.what == "write":
        for start in range(0, len(event.data), SECTOR):
            if chance.random() < 0.5:
                _apply(kept, Event("write", event.name, event.at + start, event.data[start : start + SECTOR]))


def _apply(kept: dict[str, bytearray], event: Event) -> None:
    data = kept.setdefault(event.name, bytearray())
    if event.what == "cut":
        del data[event.at :]
        data.extend(bytes(max(0, event.at - len(data))))
        return
    data.extend(bytes(max(0, event.at - len(data))))
    data[event.at : event.at + len(event.data)] = event.data


def acknowledged(events: Sequence[Event]) -> list[str]:
    """Return what the callers were told is durable."""
    return [event.name for event in events if event.what == "ack"]


def load(trace: Path) -> list[Event]:
    """Return a recording that this module wrote."""
    return [Event(*members) for members in pickle.loads(trace.read_bytes())]  # noqa: S301 - our own file of a moment ago


# --- the process that is recorded ------------------------------------------------------------------------------------


class _Careless(sqlite3.Connection):
    """A connection whose `synchronous` is OFF, whatever it is told: the control that must lose something."""

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        return super().execute(SYNCHRONOUS.sub(r"\1OFF", sql), *values)

    def executescript(self, script: str) -> sqlite3.Cursor:
        return super().executescript(SYNCHRONOUS.sub(r"\1OFF", script))


def be_careless() -> None:
    """Make every connection of this process a careless one."""
    honest = sqlite3.connect

    def connect(*given: Any, **named: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = honest(*given, **{**named, "factory": _Careless})
        return connection

    sqlite3.connect = connect  # type: ignore[assignment]


async def work_on_hub(folder: Path, disk: Recording, count: int, *, early: bool = False) -> None:
    """Commit messages, several at once, confirm some and take receipts; note each acknowledgement."""
    directory = make_directory()
    async with open_sqlite(folder) as store:

        async def one(seq: int) -> None:
            originator = KEYS[seq % 2]
            envelope = warning(directory, to=TO, seq=seq, jti=message_id(seq), originator=originator)
            if early:
                disk.ack(f"message {envelope.mh}")
            await store.commit(acceptance(envelope))
            if not early:
                disk.ack(f"message {envelope.mh}")
            if seq % 3 == 0:
                await store.add_receipt(receipt(directory, envelope.mh, iss="de-police", number=seq))
                disk.ack(f"receipt {envelope.mh}")

        for first in range(1, count, AT_ONCE):
            await asyncio.gather(*(one(seq) for seq in range(first, first + AT_ONCE)))
            for item in await store.waiting("int-bureau", limit=4):
                await store.confirm("int-bureau", [item.seq], at=NOW)
                disk.ack(f"confirmed {item.mh}")


async def work_on_agency(folder: Path, disk: Recording, count: int) -> None:
    """Hand drafts over; note each that was kept."""
    async with await AgencyStore.open(folder / "agency.sqlite") as store:
        outbox = Outbox(store)
        for number in range(count):
            await outbox.hand_over([HandedOver(message_id(number), b"sealed draft" * 300)], at=NOW)
            disk.ack(message_id(number))


def main() -> None:
    where, folder, trace, count, *how = sys.argv[1:]
    disk = Recording(lies="lies" in how)
    shim = Shim(disk)
    if "off" in how:
        be_careless()
    if where == "hub":
        asyncio.run(work_on_hub(Path(folder), disk, int(count), early="early" in how))
    else:
        asyncio.run(work_on_agency(Path(folder), disk, int(count)))
    Path(trace).write_bytes(pickle.dumps([(one.what, one.name, one.at, one.data) for one in disk.events]))
    del shim


if __name__ == "__main__":
    main()
