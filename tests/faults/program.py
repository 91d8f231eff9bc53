"""One of our programs with a fault planted in it, as the tests of faults start it; without one it is the same program.

    FAULTS='{"die_at": 17}' python -m tests.faults.program hub serve FOLDER

`die_at`: the process kills itself (SIGKILL) in its so-many-th write or sync of a SQLite file, half of the write done.
`full`, `read_only`: while this file exists, every write to a SQLite file is refused so. `clock`: a file with seconds to
add to the time. Copies that a connector keeps are noted on standard error, so that repeated deliveries can be counted.
Nothing of this is in the shipped programs. Not for: what a power cut leaves (`power.py`).
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.faults.disk import FULL, READ_ONLY, Shim

FAULTS: Final = "FAULTS"
KEPT: Final = "kept a copy"


@dataclass
class Faulty:
    """A disk that fails as it is told."""

    die_at: int = 0
    full: Path | None = None
    read_only: Path | None = None

    def write(self, path: str, data: bytes, at: int, do: Callable[[], int]) -> int:
        """See `Disk`."""
        if self._is_last():
            with Path(path).open("r+b", buffering=0) as file:  # a part of the write, as a killed process leaves it
                os.pwrite(file.fileno(), data[: len(data) // 2], at)
            os.kill(os.getpid(), signal.SIGKILL)
        if self.full is not None and self.full.exists():
            return FULL
        if self.read_only is not None and self.read_only.exists():
            return READ_ONLY
        return do()

    def truncate(self, path: str, size: int, do: Callable[[], int]) -> int:  # noqa: ARG002 - as `Disk` has it
        """See `Disk`."""
        return do()

    def sync(self, path: str, do: Callable[[], int]) -> int:  # noqa: ARG002 - as `Disk` has it
        """See `Disk`."""
        if self._is_last():
            os.kill(os.getpid(), signal.SIGKILL)
        return do()

    def _is_last(self) -> bool:
        self.die_at -= 1
        return self.die_at == 0


def shift_clock(file: Path) -> None:
    """Let the process's clock differ from the real one by the seconds in a file; call it before ours is imported."""
    honest = time.time

    def shifted() -> float:
        return honest() + int(file.read_text("ascii") or 0)

    time.time = shifted


def note_copies() -> None:
    """Say on standard error of every copy that is kept which one it is."""
    from connectors.kit.inbox import Inbox, frame_digest  # noqa: PLC0415 - after the clock was changed

    keep = Inbox.keep

    async def noting(self: Inbox, frames: Sequence[bytes], **named: Any) -> None:
        await keep(self, frames, **named)
        for frame in frames:
            print(f"{KEPT} {frame_digest(frame)}", file=sys.stderr, flush=True)

    Inbox.keep = noting  # type: ignore[method-assign]


def main() -> None:
    faults = json.loads(os.environ.pop(FAULTS, "{}"))
    if "clock" in faults:
        shift_clock(Path(faults["clock"]))
    note_copies()
    from hub.cli import main as program  # noqa: PLC0415 - after the clock was changed

    flags = {name: Path(faults[name]) for name in ("full", "read_only") if name in faults}
    shim = Shim(Faulty(die_at=faults.get("die_at", 0), **flags)) if flags or "die_at" in faults else None
    program()
    del shim


if __name__ == "__main__":
    main()
