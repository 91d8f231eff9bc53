"""SoftHSM, a token in software: where its library is, and tokens for one run of the tests.

`make check` installs it where it may; where it may not, its tests are left out - but never on CI, where they fail.
"""

import os
import subprocess
from pathlib import Path
from typing import Final

LIBRARIES: Final = (
    Path("/usr/lib/softhsm/libsofthsm2.so"),
    Path("/usr/lib64/softhsm/libsofthsm2.so"),
    Path("/usr/local/lib/softhsm/libsofthsm2.so"),
    Path("/opt/homebrew/lib/softhsm/libsofthsm2.so"),
)
PIN: Final = "271828"


def library() -> Path | None:
    """Return the PKCS#11 library, if it is installed."""
    return next((path for path in LIBRARIES if path.exists()), None)


def is_left_out() -> bool:
    """Whether tests that need a token are left out: there is none, and this is not CI."""
    return library() is None and not os.environ.get("CI")


def make_tokens(folder: Path, *labels: str) -> Path:
    """Make a token for each label below a folder; return the configuration file, for SOFTHSM2_CONF."""
    (folder / "tokens").mkdir()
    configuration = folder / "softhsm2.conf"
    configuration.write_text(
        f"directories.tokendir = {folder / 'tokens'}\nobjectstore.backend = file\nlog.level = ERROR\n"
    )
    for label in labels:
        subprocess.run(
            ["softhsm2-util", "--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", "314159"],
            env={**os.environ, "SOFTHSM2_CONF": str(configuration)},
            check=True,
            capture_output=True,
            timeout=60,
        )
    return configuration
