"""A real exchange for trips: a founded office, enrolled partners, the policy set of this repository, a running hub."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.app import RunningHub, running_hub
from hub.settings import HubSettings
from tests.support.exercise import PARTNERS, Exercise, found_exercise
from tests.support.softhsm import is_left_out

collect_ignore = ["test_token.py"] if is_left_out() else []


@pytest.fixture
def exercise(tmp_path: Path) -> Exercise:
    """An exchange on disk, nothing of it running."""
    return found_exercise(tmp_path)


@pytest.fixture
async def hub(exercise: Exercise) -> AsyncIterator[RunningHub]:
    """Its hub, running in this process."""
    async with running_hub(HubSettings.read(exercise.hub / "hub.toml")) as running:
        yield running


@pytest.fixture
def folders(exercise: Exercise, hub: RunningHub) -> dict[str, Path]:
    """The agencies' folders, ready to be opened."""
    exercise.place_agencies(hub.url)
    return {partner: exercise.agency(partner) for partner in PARTNERS}
