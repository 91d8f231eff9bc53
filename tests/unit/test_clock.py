"""The hub's clock stands still rather than go back, and a batch is signed by the key of its own time."""

import pytest

from hub.app import SteadyClock, _sign_batch_of
from hub.protocol.errors import MissingKeyError
from hub.protocol.jws import parse_jws
from hub.protocol.keyring import SIGNING_LIFETIME, Keyring
from hub.protocol.strictjson import write_json

NOW = 1_800_000_000


def test_a_step_back_of_the_system_clock_is_not_seen() -> None:
    readings = iter([NOW + 0.9, NOW - 3_600.0, NOW + 2.0])
    clock = SteadyClock(lambda: next(readings))
    assert [clock(), clock(), clock()] == [NOW, NOW, NOW + 2]


def test_a_clock_that_was_far_ahead_is_followed_back_after_a_while() -> None:
    """Otherwise a hub whose clock was a day ahead for a moment would refuse everybody for a day."""
    readings = iter([NOW + 86_400.0, NOW + 1.0, NOW + 121.0, NOW + 122.0, NOW + 123.0, NOW + 122.0])
    passed = iter([0.0, 0.0, 120.0, 120.1, 200.0, 200.0])
    clock = SteadyClock(lambda: next(readings), lambda: next(passed))
    assert [clock(), clock(), clock()] == [NOW + 86_400] * 3
    assert [clock(), clock(), clock()] == [NOW + 122, NOW + 123, NOW + 123]


def test_a_batch_is_signed_by_the_key_of_its_own_time() -> None:
    ring = Keyring.generate("int-hub", now=NOW, second_signature=False).rotate("sign", now=NOW + 100)
    sign = _sign_batch_of(ring)
    for at, kid in ((NOW + 50, "int-hub#s1"), (NOW + 150, "int-hub#s2")):
        assert parse_jws(sign(write_json({"iat": at})), typ="valise-batch+jwt").kid == kid
    with pytest.raises(MissingKeyError):
        sign(write_json({"iat": NOW + 2 * SIGNING_LIFETIME}))
