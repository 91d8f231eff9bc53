"""What a user installs: locks that pin and hash everything, name no machine, and hold what the project asks for."""

import re
import tomllib
from collections.abc import Mapping
from typing import Any, Final

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.support.tree import ROOT, check_none

RUNTIME: Final = "requirements.lock"
DEV: Final = "requirements-dev.lock"
MAX_RUNTIME: Final = 44  # packages; every one of them is somebody else's code beside our keys
PIN: Final = re.compile(r"^([a-z0-9-]+)==(\S+)( ; [^\\]+)? \\$")
HASH: Final = re.compile(r"^    --hash=sha256:[0-9a-f]{64}( \\)?$")


def _project() -> Mapping[str, Any]:
    project: Mapping[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return project


def _asked(*extras: str) -> list[Requirement]:
    """Return the direct dependencies, and those of the extras, without the project's own name."""
    project = _project()
    lines = [*project["dependencies"], *(line for extra in extras for line in project["optional-dependencies"][extra])]
    return [one for one in map(Requirement, lines) if one.name != project["name"]]


def _locked(name: str) -> dict[str, Version]:
    pins = [PIN.match(line) for line in (ROOT / name).read_text("utf-8").splitlines()]
    return {pin[1]: Version(pin[2]) for pin in pins if pin}


@pytest.mark.parametrize(("lock", "extras"), [(RUNTIME, ("exchange", "build")), (DEV, ("exchange", "build", "dev"))])
def test_a_lock_holds_what_the_project_asks_for(lock: str, extras: tuple[str, ...]) -> None:
    locked = _locked(lock)
    missing = [
        str(one)
        for one in _asked(*extras)
        if locked.get(canonicalize_name(one.name), Version("0")) not in one.specifier
    ]
    check_none(missing, "run `make lock`")


@pytest.mark.parametrize("lock", [RUNTIME, DEV])
def test_a_lock_has_nothing_but_pins_and_hashes(lock: str) -> None:
    """So it names no index, no address and no path, and pip's --require-hashes takes it."""
    lines = (ROOT / lock).read_text("utf-8").splitlines()
    check_none([line for line in lines if not PIN.match(line) and not HASH.match(line)])
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        assert line.endswith("\\") == after.startswith("    "), line


def test_the_locks_agree() -> None:
    dev = _locked(DEV)
    check_none([name for name, version in _locked(RUNTIME).items() if dev.get(name) != version], "run `make lock`")


def test_the_runtime_stays_small() -> None:
    assert len(_locked(RUNTIME)) <= MAX_RUNTIME


def test_the_decision_engine_is_pinned_exactly() -> None:
    """A decision is recomputed bit for bit, so the engine is one version and not a range."""
    [engine] = [one for one in _asked() if one.name == "cedarpy"]
    assert [one.operator for one in engine.specifier] == ["=="]


def test_ci_runs_the_check_and_nothing_else() -> None:
    script = ROOT / ".ci/run"
    assert script.stat().st_mode & 0o100
    commands = [line for line in script.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    assert commands == ["set -eu", 'cd "$(dirname "$0")/.."', "exec make check"]
