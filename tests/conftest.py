"""How every test runs: seeded, without a leftover event loop, with the public vectors when they are at hand."""

import gc
import inspect
import logging
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, settings

SEED: Final = 20_261_124
SHARED: Final = Path(os.environ.get("VALISE_SHARED", Path(__file__).resolve().parents[2] / "shared"))

# A check has to give the same answer twice, so `ci` derives its examples from the test alone; `dev` looks for new ones.
settings.register_profile(
    "ci",
    derandomize=True,
    deadline=None,  # a loaded machine is not a failure; pytest-timeout ends what hangs
    max_examples=60,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("dev", settings.get_profile("ci"), derandomize=False, max_examples=1_000)
settings.load_profile(os.environ.get("VALISE_HYPOTHESIS", "ci"))


@pytest.fixture(autouse=True)
def _seed() -> None:
    """Whatever a test draws without Hypothesis is the same in every run."""
    random.seed(SEED)


@pytest.fixture(autouse=True)
def _no_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of the person who runs the tests do not reach them; output is plain and as wide as CI's."""
    for name in [name for name in os.environ if name.startswith("VALISE_") and name != "VALISE_HYPOTHESIS"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.delenv("FORCE_COLOR", raising=False)


@pytest.fixture(autouse=True)
def _no_leftovers(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """A coroutine test loses no exception: what asyncio could only log of a task or client thrown away fails it."""
    yield
    if not inspect.iscoroutinefunction(getattr(request.node, "function", None)):
        return
    gc.collect()
    lost = [
        record.getMessage()
        for record in (*caplog.get_records("call"), *caplog.records)
        if record.name == "asyncio" and record.levelno >= logging.ERROR
    ]
    if lost:
        pytest.fail(f"left behind in the event loop: {lost}")


@pytest.fixture
def did(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """What a test calls to say what it did, for the summary at the end of the run."""

    def say(text: str) -> None:
        record_property("did", text)

    return say


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what the longer tests did, also when other processes ran them."""
    for report in (one for reports in terminalreporter.stats.values() for one in reports):
        if getattr(report, "when", "") == "call":
            for name, text in report.user_properties:
                if name == "did":
                    terminalreporter.write_line(f"did: {text}")


@pytest.fixture(scope="session")
def shared() -> Path | None:
    """The public vectors and data beside the repository, or None: then a test uses the figures that it typed in."""
    return SHARED if (SHARED / "vectors").is_dir() else None
