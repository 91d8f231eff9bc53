"""How long an auditor waits: `valise verify` on one evidence file, the whole process, beside one that does nothing.

    python -m benchmarks.bench_evidence [RUNS]

The file is of a real exchange with this repository's policy set. Not for: the steps, one by one.
"""

import asyncio
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Final

from connectors.kit.agency import Agency
from connectors.kit.evidence import make_evidence
from hub.app import running_hub
from hub.settings import HubSettings
from tests.support.agency import warning_draft
from tests.support.exercise import OPERATION, PARTNERS, WORD, found_exercise
from tests.support.tree import ROOT

RUNS: Final = 7
TARGET: Final = 0.5  # seconds from the start of the process


async def make_file(folder: Path) -> None:
    """Send a warning through a real hub, and put the evidence of its delivery and the trusted root into a folder."""
    exercise = found_exercise(folder)
    async with running_hub(HubSettings.read(exercise.hub / "hub.toml")) as hub:
        exercise.place_agencies(hub.url)
        async with (
            Agency.open(exercise.agency("fr-customs"), passphrase=WORD) as customs,
            Agency.open(exercise.agency("de-customs"), passphrase=WORD) as other,
        ):
            now = int(time.time())
            members, closes = sorted(PARTNERS), now + 3_600
            await customs.open_operation(
                OPERATION, title="Exercise", members=members, opens=now - 60, closes=closes, exercise=True
            )
            sent = await customs.send(warning_draft(operation=OPERATION), to=["de-customs"])
            await other.receive_once()
            evidence, _ = await make_evidence(customs.connector, sent.mh, "de-customs", anchor=exercise.anchor)
    folder.joinpath("evidence.json").write_bytes(evidence)
    folder.joinpath("anchor.json").write_bytes(exercise.anchor)


def run(*arguments: str) -> float:
    """Return the seconds that a process of this Python takes."""
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True, cwd=ROOT)
    return time.perf_counter() - start


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else RUNS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        asyncio.run(make_file(folder))
        size = folder.joinpath("evidence.json").stat().st_size
        verify = ("-m", "hub.cli", "verify", str(folder / "evidence.json"), "--anchors", str(folder / "anchor.json"))
        pairs = [(run(*verify), run("-c", "pass")) for _ in range(runs)]
    whole, nothing = (median(column) for column in zip(*pairs, strict=True))
    print(
        f"python {platform.python_version()}, {platform.system()} {platform.machine()}; {size // 1024} KiB of evidence"
    )
    print(f"valise verify   {whole * 1e3:7.0f} ms  target {TARGET * 1e3:.0f} ms")
    print(f"python -c pass  {nothing * 1e3:7.0f} ms  {whole / nothing:.1f} times that")


if __name__ == "__main__":
    main()
