"""The power fails at any moment: what the hub or an agency acknowledged before is there, whole, in the log, and once.

Each recording serves many cuts. Three planted faults - no syncs, a disk that lies, an acknowledgement too early - must
show losses, or these tests could not fail. Longer: `make soak`.
"""

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from connectors.kit.agency_store import AgencyStore
from connectors.kit.outbox import Outbox
from hub.protocol.errors import StoreError
from tests.faults.books import MANY
from tests.faults.cuts import cut_hub, losses_of_hub, places, record, restore
from tests.faults.power import MOODS, Event, Mood, acknowledged, left_after

CUTS: Final = 20
MESSAGES: Final = 160


@pytest.mark.timeout(300)  # seconds; a quarter of a minute, and more on a machine that does other things
async def test_a_hub_keeps_what_it_acknowledged(tmp_path: Path, did: Callable[[str], None]) -> None:
    events = record("hub", tmp_path, MESSAGES)
    assert Counter(event.what for event in events)["sync"] > MESSAGES // 8
    total = await cut_hub(events, CUTS, 20_270_401, tmp_path)
    did(f"power cuts of a hub: {total}")
    assert total.problems == []
    assert total.counts["acknowledged"] > CUTS


@pytest.mark.parametrize("fault", ["off", "lies"])
async def test_without_syncs_something_is_lost(fault: str, tmp_path: Path, did: Callable[[str], None]) -> None:
    """The control: what is not synced may be gone, or the file may be no store any longer."""
    events = record("hub", tmp_path, 48, fault)
    chance, lost, unreadable = random.Random(1), 0, 0
    for number, place in enumerate(places(events, 8, chance)):
        try:
            result = await losses_of_hub(events, place, MOODS[number % 4], chance, tmp_path / f"cut-{number}")
        except StoreError:
            unreadable += 1
        else:
            lost += result.counts["lost"]
    did(f"power cuts of a hub without syncs ({fault}): lost={lost}, unreadable={unreadable}")
    assert lost > 0


async def test_an_acknowledgement_before_the_commit_is_found(tmp_path: Path) -> None:
    """A killed process keeps what it wrote (mood `everything`); what it promised too early is missing even so."""
    events = record("hub", tmp_path, 48, "early")
    total = await cut_hub(events, 12, 3, tmp_path, ("everything",))
    assert total.counts["lost"] > 0
    assert any("acknowledged and gone" in problem for problem in total.problems)


async def test_an_agency_keeps_what_was_handed_over(tmp_path: Path, did: Callable[[str], None]) -> None:
    events, chance, told = record("agency", tmp_path, 120), random.Random(20_270_402), 0
    for number, place in enumerate(places(events, CUTS, chance)):
        folder = tmp_path / f"cut-{number}"
        restore(events[:place], MOODS[number % 4], chance, folder)
        async with await AgencyStore.open(folder / "agency.sqlite") as store:
            entries = await Outbox(store).entries(limit=MANY)
        assert len({entry.id for entry in entries}) == len(entries)
        assert set(acknowledged(events[:place])) <= {entry.id for entry in entries}
        told += len(acknowledged(events[:place]))
    did(f"power cuts of an agency: cuts {CUTS}, acknowledged {told}, lost=0")


# --- the model itself ------------------------------------------------------------------------------------------------

SYNCED: Final = [Event("write", "f", 0, b"A" * 1024), Event("sync", "f"), Event("write", "f", 512, b"B" * 1024)]


@pytest.mark.parametrize(
    ("mood", "allowed"),
    [
        ("nothing", {b"A" * 1024}),
        ("everything", {b"A" * 512 + b"B" * 1024}),
        ("some", {b"A" * 1024, b"A" * 512 + b"B" * 1024}),
        (
            "torn",
            {
                b"A" * 1024,
                b"A" * 512 + b"B" * 512,
                b"A" * 512 + b"B" * 1024,
                b"A" * 1024 + b"B" * 512,
            },
        ),
    ],
)
def test_what_a_cut_leaves(mood: Mood, allowed: set[bytes]) -> None:
    seen = {left_after(SYNCED, mood, random.Random(seed))["f"] for seed in range(60)}
    assert seen == allowed


def test_a_cut_leaves_no_file_that_was_deleted_or_never_synced() -> None:
    events = [*SYNCED, Event("cut", "f", -1), Event("write", "g", 0, b"x")]
    assert left_after(events, "nothing", random.Random(1)) == {}
    cut = [*SYNCED, Event("cut", "f", 4), Event("sync", "f")]
    assert left_after(cut, "nothing", random.Random(1)) == {"f": b"AAAA"}
