"""One input to one target, and what is kept of it when it shows a fault.

Not for: where inputs come from (`campaign.py`).
"""

import hashlib
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hub.protocol.errors import ValiseError
from tests.fuzz.target import Target

SLOWEST: Final = 10.0  # seconds for one input; a loaded machine is slow, a hang is slower
FOLDER: Final = ".fuzz"


@dataclass
class Tally:
    """How often each target ran and what became of it; `findings` are the saved inputs, by where they failed."""

    folder: Path
    runs: dict[str, int] = field(default_factory=dict)
    accepted: dict[str, int] = field(default_factory=dict)
    findings: dict[str, str] = field(default_factory=dict)

    def try_one(self, target: Target, data: bytes) -> None:
        """Run one input; keep it when it shows a fault."""
        self.runs[target.name] = self.runs.get(target.name, 0) + 1
        begin = time.monotonic()
        fault = fault_of(target, data)
        if time.monotonic() - begin > SLOWEST:
            fault = "slow", f"more than {SLOWEST} s"
        if fault is None:
            self.accepted[target.name] = self.accepted.get(target.name, 0) + 1
        elif fault[0] and f"{target.name}: {fault[0]}" not in self.findings:
            self.findings[f"{target.name}: {fault[0]}"] = self._save(target.name, data, fault[1])

    def _save(self, name: str, data: bytes, text: str) -> str:
        file = self.folder / "crashes" / f"{name}-{hashlib.sha256(data).hexdigest()[:16]}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        file.with_suffix(".txt").write_text(f"{text}\nrepeat it: {command(name, file)}\n", "utf-8")
        return command(name, file)


def command(name: str, file: Path) -> str:
    """Return the one line that repeats an input."""
    return f".venv/bin/python -m tests.fuzz --target {name} --input {file}"


def fault_of(target: Target, data: bytes) -> tuple[str, str] | None:
    """Return where an input made a target fail and the traceback; ("", "") when it was refused as it should be."""
    try:
        target.read(data)
    except ValiseError as error:
        if "code" in vars(type(error)):
            return "", ""
        return f"{type(error).__name__} is no leaf", traceback.format_exc()
    except Exception as error:  # noqa: BLE001 - whatever comes out is the finding
        last = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}", traceback.format_exc()
    return None
