"""Fuzz everything that takes bytes from outside: `make fuzz`, or one target, or one kept input again.

    python -m tests.fuzz [--seconds 600] [--seed N] [--target NAME] [--together]
    python -m tests.fuzz --target NAME --input FILE

Every target gets an equal share of the time; a process feeds so many of them that it runs for a minute, and keeps its
corpus under `.fuzz/`. `--together` feeds all from one process, for a short run. A finding is saved with the command
that repeats it; then the exit code is 1.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from tests.fuzz.findings import FOLDER, fault_of
from tests.fuzz.targets import TARGETS
from tests.support.tree import ROOT

WORTH: Final = 60  # seconds at the least for a process; it loads for five
GRACE: Final = 180  # seconds beyond its time that a process gets: the engine loads, and ends what it has begun


def campaign(names: Sequence[str], seconds: float, seed: int, folder: Path) -> dict[str, Any]:
    """Run one process over these targets; return its report, with a finding more when it did not end well."""
    with tempfile.TemporaryDirectory() as scratch:
        report, output = Path(scratch) / "report.json", Path(scratch) / "output"
        command = [sys.executable, "-m", "tests.fuzz.campaign", "--seconds", str(seconds), "--seed", str(seed)]
        command += ["--folder", str(folder), "--report", str(report), *names]
        with output.open("wb") as sink:
            try:
                code = subprocess.run(
                    command, stdout=sink, stderr=subprocess.STDOUT, cwd=ROOT, timeout=seconds + GRACE, check=False
                ).returncode
            except subprocess.TimeoutExpired:
                code = -1
        said = output.read_text("utf-8", "replace")
        found: dict[str, Any] = (
            json.loads(report.read_text("utf-8")) if report.exists() else {"findings": {}, "runs": {}}
        )
        if code or not found.get("done"):
            found["findings"][f"{' '.join(names) or 'all'}: the process ended with {code}"] = said[-2_000:]
        return found


def campaigns(given: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Run what was asked for, one process after the other."""
    names = [given.target] if given.target else list(TARGETS)
    processes = 1 if given.together else max(1, min(len(names), int(given.seconds // WORTH)))
    for place in range(processes):
        yield campaign(names[place::processes], given.seconds / processes, given.seed, given.folder)


def repeat(name: str, file: Path) -> int:
    """Run one input and say what came of it."""
    fault = fault_of(TARGETS[name], file.read_bytes())
    print("accepted" if fault is None else fault[1] or "refused as it should be")
    return int(fault is not None and fault[0] != "")


def main() -> int:
    parser = argparse.ArgumentParser(description="Fuzz everything that takes bytes from outside.")
    parser.add_argument("--seconds", type=float, default=600, help="for all targets together")
    parser.add_argument("--seed", type=int, default=20_270_306)
    parser.add_argument("--target", choices=sorted(TARGETS), help="only this one")
    parser.add_argument("--input", type=Path, help="run this file once, and nothing else")
    parser.add_argument("--together", action="store_true", help="one process for all targets")
    parser.add_argument("--folder", type=Path, default=ROOT / FOLDER, help="of the corpora and of what is found")
    given = parser.parse_args()
    if given.input is not None:
        return repeat(given.target or parser.error("--input needs --target"), given.input)
    begin, findings, runs = time.monotonic(), dict[str, str](), 0
    given.folder.mkdir(parents=True, exist_ok=True)
    for report in campaigns(given):
        findings |= report["findings"]
        for name, count in report["runs"].items():
            runs += count
            accepted = report.get("accepted", {}).get(name, 0)
            print(f"{name:20} {count:9} inputs  {accepted:7} accepted", flush=True)
    seconds = time.monotonic() - begin
    print(
        f"{len(TARGETS) if not given.target else 1} targets, {runs} inputs in {seconds:.0f} s, findings={len(findings)}"
    )
    for where, what in findings.items():
        print(f"FOUND {where}\n  {what}")
    return int(bool(findings))


if __name__ == "__main__":
    sys.exit(main())
