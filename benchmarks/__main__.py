"""Run every benchmark, each in a process of its own, after saying on what.

    python -m benchmarks

Not for: targets and what they mean (`benchmarks/README.md`).
"""

import os
import platform
import sqlite3
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent
PACKAGES: Final = ("cryptography", "cedarpy", "pydantic", "aiohttp", "tuf")


def main() -> int:
    """Return how many benchmarks failed."""
    print(f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(", ".join([*(f"{name} {version(name)}" for name in PACKAGES), f"SQLite {sqlite3.sqlite_version}"]))
    failed = 0
    for file in sorted(FOLDER.glob("bench_*.py")):
        print(f"\n== {file.stem}", flush=True)
        failed += subprocess.run([sys.executable, "-m", f"benchmarks.{file.stem}"], check=False).returncode != 0
    return failed


if __name__ == "__main__":
    sys.exit(main())
