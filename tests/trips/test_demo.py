"""The demo as a new user runs it: the command in a process of its own, its words, its files, and that it ends."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hub.protocol.errors import BadSignatureError
from hub.verify.evidence import verify_evidence


@pytest.mark.timeout(240)
def test_the_demo_plays_and_ends_by_itself(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    played = subprocess.run(
        [sys.executable, "-m", "hub.cli", "demo", "--json", "--folder", str(folder)],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
        env={**os.environ, "COLUMNS": "120"},
    )
    assert played.returncode == 0, played.stdout[-2_000:] + played.stderr[-2_000:]
    told = " ".join(played.stderr.split())
    assert "31 partners and a hub enrol" in told
    assert "16 accepts came back" in told
    copies = re.search(r"(\d+) copies were opened.*?(\d+) refused, (\d+) still on their way", told)
    assert copies is not None
    assert int(copies[1]) > 400
    assert (copies[2], copies[3]) == ("0", "0")
    assert re.search(r"seizure reports / events \(double reports counted once\) 3 / 2", told)
    assert "The evidence holds" in told
    assert BadSignatureError.sentence in told
    assert "exit code 6" in told
    figures = json.loads(played.stdout)
    assert (len(figures["sent"]), figures["copies"]) == (16, {"opened": int(copies[1])})
    assert figures["seizures"] == {"reports": 3, "events": 2}
    assert figures["evidence"]["forged_exit_code"] == 6
    anchor = (folder / "office" / "root.json").read_bytes()
    evidence = verify_evidence((folder / "evidence.json").read_bytes(), anchor)
    assert evidence.verdict is not None
    assert evidence.receipt is not None
    assert (evidence.manifest.iss, evidence.receipt.iss) == ("fr-customs", "de-customs")
    with pytest.raises(BadSignatureError):
        verify_evidence((folder / "evidence-forged.json").read_bytes(), anchor)
    assert not _running(folder), "every process of the demo has ended"


def _running(folder: Path) -> list[str]:
    """Return the command lines of processes that name the folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().decode("utf-8", "replace")
        except OSError:
            continue  # it ended meanwhile
        if str(folder) in words:
            found.append(json.dumps(words))
    return found
