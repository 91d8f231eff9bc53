"""Each reason for which a hub says that it is not ready, made to happen; and that it says so once in the log."""

import logging
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pytest

from hub.api.health import Clocks, Health, Surroundings
from hub.broker.exchange import Exchange
from hub.protocol.directory import Directory
from hub.protocol.errors import (
    MissingKeyError,
    PartnerSuspendedError,
    StaleDirectoryError,
    StoreFullError,
    StoreStoppedError,
    UnknownPolicySetError,
    ValiseError,
)
from hub.protocol.keyring import DAY, Keyring
from tests.support.agency import with_partner
from tests.support.exchange import FEDERATION, HUB, NOW, make_directory


class Store:
    """A store that answers, or does not."""

    fault: ValiseError | None = None

    writing: ValiseError | None = None

    def check_writing(self) -> None:
        if self.writing is not None:
            raise self.writing

    async def log_size(self) -> int:
        if self.fault is not None:
            raise self.fault
        return 1


@dataclass
class Time:
    """A clock that the test sets."""

    now: float = float(NOW)

    def __call__(self) -> float:
        return self.now


def raises(error: type[ValiseError]) -> Any:
    def ask() -> Any:
        raise error("secret detail")

    return ask


def exchange(store: Store | None = None, **change: Any) -> Exchange:
    kept: Any = store or Store()
    known: dict[str, Any] = {"directory": make_directory, "policies": object, "clock": lambda: NOW, **change}
    return Exchange(hub=HUB, federation=FEDERATION, store=kept, **known)


def _keys() -> Keyring:
    return Keyring.generate(HUB, now=NOW, second_signature=False, log=True)


async def codes(health: Health) -> tuple[str, ...]:
    return (await health.look()).codes


async def test_a_hub_in_order(tmp_path: Path) -> None:
    around = Surroundings(keyring=_keys, folder=tmp_path, floor=1, certificate_ends=NOW + 90 * DAY)
    time = Time()
    health = Health(exchange(), around, Clocks(time, Time(0)))
    found = await health.look()
    assert (found.reasons, found.warnings) == ((), ())


def suspended() -> Directory:
    return with_partner(make_directory(), HUB, status="suspended")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"directory": raises(StaleDirectoryError)}, StaleDirectoryError.code),
        ({"directory": suspended}, PartnerSuspendedError.code),
        ({"policies": raises(UnknownPolicySetError)}, UnknownPolicySetError.code),
    ],
)
async def test_what_is_believed_is_stale(change: dict[str, Any], code: str) -> None:
    assert await codes(Health(exchange(**change))) == (code,)


async def test_the_store_fails_and_comes_back(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    store = Store()
    health = Health(exchange(store))
    assert await codes(health) == ()
    store.fault = StoreFullError("secret path")
    assert [await codes(health) for _ in range(3)] == [(StoreFullError.code,)] * 3
    store.fault = None
    assert await codes(health) == ()
    assert [one.getMessage() for one in caplog.records] == [f"not ready: {StoreFullError.code}", "ready again"]


async def test_the_writer_is_dead() -> None:
    store = Store()
    store.writing = StoreStoppedError()
    assert await codes(Health(exchange(store))) == (StoreStoppedError.code,)


async def test_a_key_is_missing_or_ended() -> None:
    ring = _keys()
    without_log = Keyring(HUB, tuple(key for key in ring.keys if key.use != "log"))
    assert await codes(Health(exchange(), Surroundings(keyring=lambda: without_log))) == (MissingKeyError.code,)
    later = exchange(clock=lambda: NOW + 400 * DAY)
    assert set(await codes(Health(later, Surroundings(keyring=lambda: ring)))) == {MissingKeyError.code}


async def test_the_disk_is_low_or_read_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    low = Surroundings(folder=tmp_path, floor=10**18)
    assert await codes(Health(exchange(), low)) == ("hub/disk-low",)
    real = os.statvfs(tmp_path)
    values = list(real)
    values[8] |= os.ST_RDONLY
    monkeypatch.setattr("hub.api.health.os.statvfs", lambda _: os.statvfs_result(values))
    assert await codes(Health(exchange(), replace(low, floor=0))) == ("hub/disk-read-only",)


STEP: Final = 31.0  # seconds


@pytest.mark.parametrize("step", [STEP, -STEP])
async def test_the_clock_steps_and_calms_down(step: float) -> None:
    wall, monotonic = Time(), Time(0)
    clocks = Clocks(wall, monotonic)
    health = Health(exchange(clock=lambda: int(wall.now)), clocks=clocks)
    assert await codes(health) == ()
    wall.now += step
    assert await codes(health) == ("hub/clock-stepped",)
    monotonic.now, wall.now = 61, wall.now + 61
    assert await codes(health) == ()
    assert (clocks.steps, clocks.last_step) == (1, step)


async def test_the_clock_is_behind_what_was_told_already() -> None:
    clocks = Clocks(Time(NOW - 3_600.0), Time(0))
    assert await codes(Health(exchange(), clocks=clocks)) == ("hub/clock-stepped",)


async def test_the_certificate_ends() -> None:
    soon = await Health(exchange(), Surroundings(certificate_ends=NOW + 3 * DAY)).look()
    assert (soon.codes, [one.code for one in soon.warnings]) == ((), ["hub/certificate"])
    assert await codes(Health(exchange(), Surroundings(certificate_ends=NOW - 1))) == ("hub/certificate",)


async def test_shutting_down() -> None:
    health = Health(exchange())
    health.stop()
    assert await codes(health) == ("hub/stopping",)
