"""Cut the power at many places of one recording, and account for what was acknowledged before each.

Not for: what a cut leaves (`power.py`) or what must hold (`accounting.py`).
"""

import random
import subprocess
import sys
from pathlib import Path

from tests.faults.accounting import Account, account
from tests.faults.books import hub_book
from tests.faults.power import KEYS, MOODS, TO, Event, Mood, acknowledged, left_after, load
from tests.support.stores import open_sqlite
from tests.support.tree import ROOT


def record(where: str, folder: Path, count: int, *how: str) -> list[Event]:
    """Record a process that works on a fresh store."""
    store, trace = folder / "store", folder / "trace"
    store.mkdir()
    command = [sys.executable, "-m", "tests.faults.power", where, str(store), str(trace), str(count), *how]
    subprocess.run(command, check=True, cwd=ROOT, timeout=100)
    return load(trace)


async def losses_of_hub(events: list[Event], place: int, mood: Mood, chance: random.Random, folder: Path) -> Account:
    """Cut the hub's power after `place` events; return the account of what was acknowledged before."""
    told = acknowledged(events[:place])
    restore(events[:place], mood, chance, folder)
    async with open_sqlite(folder) as store:
        book = await hub_book(store, originators=KEYS, partners=list(TO), sizes=())
    result = account({}, [], book)
    known = {message.mh: message for message in book.messages}
    receipted = {message.mh for message in book.messages if any(one.kind == "receipt" for one in message.entries)}
    for name in told:
        what, _, mh = name.partition(" ")
        there = {
            "message": mh in known,
            "receipt": mh in receipted,
            "confirmed": mh not in book.mailboxes["int-bureau"],
        }
        if not there[what]:
            result.counts["lost"] += 1
            result.problems.append(f"{name}: acknowledged and gone")
    result.counts["acknowledged"] = len(told)
    return result


def restore(events: list[Event], mood: Mood, chance: random.Random, folder: Path) -> None:
    """Write the files that are left when the power fails after these events."""
    folder.mkdir()
    for name, data in left_after(events, mood, chance).items():
        folder.joinpath(name).write_bytes(data)


def places(events: list[Event], cuts: int, chance: random.Random) -> list[int]:
    """Return where to cut: half of the places right after an acknowledgement, where a promise is the freshest."""
    begun = next(place for place, event in enumerate(events) if event.what == "ack")
    fresh = [place + 1 for place, event in enumerate(events) if event.what == "ack"]
    anywhere = range(begun, len(events) + 1)
    return chance.sample(fresh, cuts // 2) + chance.sample(anywhere, cuts - cuts // 2)


async def cut_hub(events: list[Event], cuts: int, seed: int, folder: Path, moods: tuple[Mood, ...] = MOODS) -> Account:
    """Cut many times; return the sum of all accounts."""
    chance, total = random.Random(seed), Account()
    for number, place in enumerate(places(events, cuts, chance)):
        result = await losses_of_hub(events, place, moods[number % len(moods)], chance, folder / f"cut-{number}")
        total.counts += result.counts
        total.problems += [f"cut after event {place}: {problem}" for problem in result.problems]
    total.counts["cuts"] = cuts
    return total
