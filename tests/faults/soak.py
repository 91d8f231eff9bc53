"""The long run: besiege an exchange and cut the power, with new seeds, for as long as there is time.

    python -m tests.faults.soak [--seconds 600] [--seed N]

It prints what it does, and writes it to `.soak/report.json`; the exit code is 1 when anything is lost or does not
balance, and the folder of that round is kept. Not for: the short runs (`test_kill.py`, `test_power.py`).
"""

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Final

from tests.faults.cuts import cut_hub, record
from tests.faults.siege import besieged, settle_accounts
from tests.support.tree import ROOT

ROUNDS: Final = 12  # of one siege; then everything is accounted for, and a fresh exchange is founded
CUTS: Final = 80  # of one recording
RECORDED: Final = 240  # messages
FOLDER: Final = ROOT / ".soak"


async def siege(seed: int, folder: Path, ends: float) -> tuple[Counter[str], list[str]]:
    """Besiege one exchange; return what was counted and every problem."""
    async with besieged(folder, seed) as one:
        for _ in range(ROUNDS):
            await one.round()
            if time.monotonic() > ends:
                break
        await one.settle(seconds=120)
    result = await settle_accounts(one)
    result.counts.update({f"deaths: {how}": number for how, number in one.done.items()})
    result.counts.update({"deaths": one.kills, "redelivered": one.redelivered})
    return result.counts, result.problems


async def cuts(seed: int, folder: Path) -> tuple[Counter[str], list[str]]:
    """Cut the power of one hub at many places; return what was counted and every problem."""
    result = await cut_hub(await asyncio.to_thread(record, "hub", folder, RECORDED), CUTS, seed, folder)
    counts = {
        "power cuts": CUTS,
        "acknowledged before cuts": result.counts["acknowledged"],
        "lost": result.counts["lost"],
    }
    return Counter(counts), result.problems


async def soak(seconds: float, seed: int) -> int:
    """Run until the time is over; return the exit code."""
    begin, total, problems = time.monotonic(), Counter[str](), list[str]()
    turn = 0
    while time.monotonic() < begin + seconds or not turn:
        folder = Path(tempfile.mkdtemp(prefix="valise-soak-"))
        for what in ("power", "siege"):
            place = folder / what
            place.mkdir()
            ends = begin + seconds
            counts, found = await (cuts(seed + turn, place) if what == "power" else siege(seed + turn, place, ends))
            total += counts
            problems += [f"seed {seed + turn}, {place}: {problem}" for problem in found]
            counted = ", ".join(f"{name} {number}" for name, number in sorted(counts.items()))
            passed = time.monotonic() - begin
            print(f"{passed:6.0f} s  {what}, seed {seed + turn}: {counted}, problems={len(found)}", flush=True)
        if not problems:
            shutil.rmtree(folder)
        turn += 1
    return _report(total, problems, time.monotonic() - begin, seed)


def _report(total: Counter[str], problems: list[str], seconds: float, seed: int) -> int:
    FOLDER.mkdir(exist_ok=True)
    report = {"seconds": round(seconds), "seed": seed, "counts": dict(sorted(total.items())), "problems": problems}
    FOLDER.joinpath("report.json").write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    print(
        f"soak: {seconds:.0f} s, deaths={total['deaths']}, power cuts={total['power cuts']}, "
        f"messages={total['handed over']}, acknowledged before cuts={total['acknowledged before cuts']}, "
        f"redelivered={total['redelivered']}, lost={total['lost']}, problems={len(problems)}"
    )
    for problem in problems:
        print(f"FOUND {problem}")
    return int(bool(problems) or total["lost"] > 0)


def main() -> int:
    parser = argparse.ArgumentParser(description="Besiege an exchange and cut the power until the time is over.")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    given = parser.parse_args()
    return asyncio.run(soak(given.seconds, given.seed))


if __name__ == "__main__":
    sys.exit(main())
