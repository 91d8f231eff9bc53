"""A short fuzz run over every parser, and that the fuzzer finds what is planted.

Not for: depth; `make fuzz` runs for as long as it is told to.
"""

import json
import random
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

import pytest

from hub.protocol.errors import FrameError, StoreError, ValiseError
from hub.protocol.strictjson import parse_json
from tests.fuzz.campaign import Campaign
from tests.fuzz.findings import Tally, fault_of
from tests.fuzz.mutations import mutations
from tests.fuzz.target import Target
from tests.fuzz.targets import TARGETS
from tests.support.tree import ROOT

SECONDS: Final = 12
SUMMARY: Final = re.compile(r"(\d+) targets, (\d+) inputs in \d+ s, findings=0")


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_what_is_valid_is_accepted(name: str) -> None:
    """Mutations of what is refused at the door would never get inside."""
    target = TARGETS[name]
    assert target.samples
    for sample in target.samples:
        if target.refused is None:
            target.read(sample)
            continue
        with pytest.raises(ValiseError) as refusal:
            target.read(sample)
        assert refusal.value.code == target.refused


@pytest.mark.timeout(300)  # seconds; a quarter of a minute, and more on a machine that does other things
def test_a_short_run_finds_nothing(tmp_path: Path, did: Callable[[str], None]) -> None:
    command = [sys.executable, "-m", "tests.fuzz", "--together", "--seconds", str(SECONDS), "--folder", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    said = SUMMARY.search(done.stdout)
    assert said, done.stdout
    assert int(said[1]) == len(TARGETS)
    assert int(said[2]) > 25 * len(TARGETS)
    did(f"fuzz: {said[0]}")


# --- what is planted is found ----------------------------------------------------------------------------------------


def _crashes(data: bytes) -> None:
    if isinstance(parse_json(data), dict):
        raise KeyError("planted")


def _accepts_another_spelling(data: bytes) -> None:
    assert data == b'{"a":1}' or not data.startswith(b'{"a"'), "planted"


def _raises_a_family(_data: bytes) -> None:
    class NoLeafError(ValiseError):
        """Without a code of its own."""

    raise NoLeafError


def _samples() -> Sequence[bytes]:
    return [b'{"a":1}']


@pytest.mark.parametrize(
    ("read", "named"),
    [
        (_crashes, "KeyError at test_fuzz.py"),
        (_accepts_another_spelling, "AssertionError"),
        (_raises_a_family, "NoLeafError is no leaf"),
    ],
)
def test_a_planted_fault_is_found_and_kept(read: object, named: str, tmp_path: Path) -> None:
    assert callable(read)
    target = Target("planted", (), read, _samples)
    tally = Tally(tmp_path)
    for data in islice(mutations(target.samples, random.Random(1)), 200):
        tally.try_one(target, data)
    (where,) = tally.findings
    assert named in where
    kept = [path for path in (tmp_path / "crashes").iterdir() if not path.suffix]
    assert fault_of(target, kept[0].read_bytes())
    assert tally.findings[where] == f".venv/bin/python -m tests.fuzz --target planted --input {kept[0]}"


def test_leaves_are_refusals_and_not_findings(tmp_path: Path) -> None:
    def read(data: bytes) -> None:
        raise (FrameError if data else StoreError)

    tally = Tally(tmp_path)
    tally.try_one(Target("refuses", (), read, _samples), b"x")
    tally.try_one(Target("refuses", (), read, _samples), b"")
    assert (tally.findings, tally.runs, tally.accepted) == ({}, {"refuses": 2}, {})


def test_without_the_engine_seeded_mutations_do_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzz.campaign.GUIDED", False)
    target = Target("planted", (), _crashes, _samples)
    Campaign([target, TARGETS["json"]], 1.0, 1, tmp_path, tmp_path / "report.json").run()
    report = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert report["done"]
    assert list(report["findings"]) == [next(iter(report["findings"]))]
    assert report["runs"]["json"] > 100


def test_the_same_seed_makes_the_same_inputs() -> None:
    first, second = (list(islice(mutations(_samples(), random.Random(7)), 500)) for _ in range(2))
    assert first == second
    assert len(set(first)) > 300
