"""Kill the hub and two connectors without warning, in turns and under load: nothing is lost and nothing comes twice.

All three are the programs that an operator starts, on files that outlive them. Longer: `make soak`. Not for: the store
alone, at every point of its transactions (`test_store_kill.py`, `test_power.py`).
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from tests.faults.siege import ABSENT, MESSAGES, RECEIVER, besieged, settle_accounts

ROUNDS: Final = 5
SEED: Final = 20_270_306


@pytest.mark.timeout(300)  # seconds; half a minute, and more on a machine that does other things
async def test_nothing_is_lost_and_nothing_comes_twice(tmp_path: Path, did: Callable[[str], None]) -> None:
    async with besieged(tmp_path, SEED) as siege:
        for _ in range(ROUNDS):
            await siege.round()
        await siege.settle(seconds=150)
    result = await settle_accounts(siege)
    did(f"kills {siege.kills} {dict(siege.done)}, redelivered {siege.redelivered}; {result}")
    assert result.problems == []
    assert siege.kills >= ROUNDS
    assert siege.done["died writing"]
    count = len(siege.identifiers)
    assert count >= ROUNDS * MESSAGES
    assert result.counts["accepted"] == result.counts["copies opened"] == result.counts["inbox opened"] == count
    assert result.counts["copies waiting"] == count, f"{ABSENT} fetches nothing, and {RECEIVER} everything"
