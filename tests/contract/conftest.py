"""The stores that the contract suite runs against: the policing fake and SQLite; each new store is one row more."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.protocol.directory import Directory
from tests.support.exchange import make_directory
from tests.support.stores import CountingStore, open_memory, open_sqlite


@pytest.fixture(params=[open_memory, open_sqlite], ids=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[CountingStore]:
    async with request.param(tmp_path) as opened:
        yield opened


@pytest.fixture(scope="session")
def directory() -> Directory:
    return make_directory()
