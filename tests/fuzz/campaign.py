"""One process that feeds targets: coverage-guided with atheris where it can be had, else by seeded mutations.

    python -m tests.fuzz.campaign --seconds 20 --seed 1 --folder .fuzz --report FILE TARGET...

The report (JSON) is written again and again, because the engine ends the process itself. Not for: choosing what runs
for how long (`tests/fuzz/__main__.py`).
"""

import argparse
import contextlib
import importlib
import importlib.util
import io
import json
import random
import resource
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from tests.fuzz.findings import Tally
from tests.fuzz.mutations import MAX_INPUT, mutations
from tests.fuzz.target import Target

GUIDED: Final = importlib.util.find_spec("atheris") is not None
FIRST: Final = 30  # mutations that every target gets before the engine chooses
MEMORY: Final = 4 * 1024**3  # bytes of address space; a parser that wants more ends the run
HANG: Final = 60  # seconds for one input, after which the engine gives up


@dataclass(frozen=True)
class Campaign:
    """What one process does: its targets, for how long, from which seed, and where it keeps what it finds."""

    targets: Sequence[Target]
    seconds: float
    seed: int
    folder: Path
    report: Path

    def run(self) -> None:
        """Feed every target once round, then spend the time that is left."""
        tally, ends = Tally(self.folder), time.monotonic() + self.seconds
        self._write(tally, done=False)
        chance = random.Random(self.seed)
        for target in self.targets:
            for data in islice(mutations(target.samples, chance), len(target.samples) + FIRST):
                tally.try_one(target, data)
        self._write(tally, done=time.monotonic() >= ends)
        if time.monotonic() < ends:
            (self._guided if GUIDED else self._seeded)(tally, ends, chance)

    def _write(self, tally: Tally, *, done: bool) -> None:
        report = {"engine": "atheris" if GUIDED else "seeded", "done": done, "runs": tally.runs}
        fresh = self.report.with_suffix(".new")
        fresh.write_text(json.dumps({**report, "accepted": tally.accepted, "findings": tally.findings}), "utf-8")
        fresh.replace(self.report)

    def _seeded(self, tally: Tally, ends: float, chance: random.Random) -> None:
        streams = [(target, mutations(target.samples, chance)) for target in self.targets]
        while time.monotonic() < ends:
            for target, stream in streams:
                for data in islice(stream, 20):
                    tally.try_one(target, data)
            self._write(tally, done=False)
        self._write(tally, done=True)

    def _guided(self, tally: Tally, ends: float, _chance: random.Random) -> None:
        """Let libFuzzer choose; it never returns. One byte before each input names the target."""
        atheris = importlib.import_module("atheris")
        corpus = self.folder / "corpus" / f"{self.targets[0].name}-{len(self.targets)}"
        corpus.mkdir(parents=True, exist_ok=True)
        for place, target in enumerate(self.targets):
            for number, sample in enumerate(target.samples):
                corpus.joinpath(f"sample-{target.name}-{number}").write_bytes(bytes([place]) + sample)
        written = time.monotonic()

        def one(data: bytes) -> None:
            nonlocal written
            tally.try_one(self.targets[data[0] % len(self.targets)] if data else self.targets[0], data[1:])
            if time.monotonic() - written > 1 or time.monotonic() >= ends:
                written = time.monotonic()
                self._write(tally, done=written >= ends - 2)

        options = (
            f"-seed={self.seed}",
            f"-max_total_time={max(1, int(ends - time.monotonic()))}",
            f"-timeout={HANG}",
            f"-max_len={MAX_INPUT}",
            "-rss_limit_mb=3072",
            f"-artifact_prefix={self.folder}/crashes/",
            "-print_final_stats=0",
            "-verbosity=0",
        )
        self.folder.joinpath("crashes").mkdir(exist_ok=True)
        atheris.Setup(["campaign", *options, str(corpus)], one)
        atheris.Fuzz()


def _targets() -> Mapping[str, Target]:
    """Return the table; what it imports of ours is instrumented where the engine can be had."""
    around: contextlib.AbstractContextManager[object] = contextlib.nullcontext()
    if GUIDED:
        around = importlib.import_module("atheris").instrument_imports(include=["hub", "connectors"])
    with around, contextlib.redirect_stderr(io.StringIO()):
        table: Mapping[str, Target] = importlib.import_module("tests.fuzz.targets").TARGETS
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description="Feed fuzz targets in this process.")
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--report", type=Path, required=True)
    parser.add_argument("targets", nargs="*")
    given = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
    table = _targets()
    chosen = [table[name] for name in given.targets or table]
    Campaign(chosen, given.seconds, given.seed, given.folder.absolute(), given.report.absolute()).run()


if __name__ == "__main__":
    main()
