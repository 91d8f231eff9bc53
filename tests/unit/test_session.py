"""The hub's memory of proofs: nothing passes twice, and neither a flood nor a clock that jumps fills it for good."""

from typing import NoReturn

import pytest

from hub.protocol import session
from hub.protocol.errors import BusyError, OverQuotaError, ReplayedProofError
from hub.protocol.session import PROOF_WINDOW, SeenOnce
from tests.support.exchange import NOW

AHEAD = 86_400  # seconds


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "_MAX_SEEN", 3)


def test_what_was_seen_is_refused_for_as_long_as_it_would_pass() -> None:
    seen = SeenOnce()
    seen.check("one", now=NOW)
    with pytest.raises(ReplayedProofError):
        seen.check("one", now=NOW + 2 * PROOF_WINDOW)
    seen.check("one", now=NOW + 2 * PROOF_WINDOW + 1)


def test_a_clock_that_was_ahead_does_not_fill_it() -> None:
    seen = SeenOnce()
    seen.check("ahead", now=NOW + AHEAD)
    for step in range(10):
        seen.check(f"after {step}", now=NOW + step * PROOF_WINDOW * 3)
    with pytest.raises(ReplayedProofError):
        seen.check("ahead", now=NOW + AHEAD)


def test_what_is_not_admitted_takes_no_room() -> None:
    def refuse() -> NoReturn:
        raise OverQuotaError

    seen = SeenOnce()
    for number in range(10):
        with pytest.raises(OverQuotaError):
            seen.check(f"flood {number}", now=NOW, admit=refuse)
    for number in range(3):
        seen.check(f"calm {number}", now=NOW)
    with pytest.raises(ReplayedProofError):
        seen.check("calm 0", now=NOW, admit=refuse)
    with pytest.raises(BusyError):
        seen.check("one more", now=NOW)
