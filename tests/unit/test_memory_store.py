"""What the policing fake does for tests of the trips: it fails when it is told to."""

import pytest

from hub.protocol.errors import (
    StoreError,
)
from tests.support.exchange import (
    HUB,
    NOW,
    acceptance,
    make_directory,
    warning,
)
from tests.support.memory_store import MemoryStore

BOTH = {"de-police": [0, 1], "rilo-we": [0]}


class TestMemory:
    """What the fake does for tests of the trips."""

    @pytest.fixture
    def fake(self) -> MemoryStore:
        return MemoryStore(federation="f", hub=HUB, sign_batch=lambda _: "x", clock=lambda: NOW)

    async def test_fails_before_a_write_is_kept(self, fake: MemoryStore) -> None:
        once = acceptance(warning(make_directory(), to=BOTH, seq=1))
        fake.fail_before = 1
        with pytest.raises(StoreError):
            await fake.commit(once)
        assert await fake.log_size() == 0
        await fake.commit(once)
        assert await fake.log_size() == 3

    async def test_fails_after_a_write_was_kept(self, fake: MemoryStore) -> None:
        once = acceptance(warning(make_directory(), to=BOTH, seq=1))
        fake.fail_after = 1
        with pytest.raises(StoreError):
            await fake.commit(once)
        assert await fake.log_size() == 3
        await fake.commit(once)
        assert await fake.log_size() == 3
