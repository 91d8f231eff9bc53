"""What one partner may ask for: buckets that empty and fill, and counts, on a clock that the test turns."""

import pytest

from hub.api.quotas import DAY, MINUTE, Limits, Quotas, caller_at
from hub.protocol.errors import OverQuotaError


class Clock:
    """Seconds, as the test says."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def refused_for(quotas: Quotas, partner: str = "fr-customs") -> int:
    with pytest.raises(OverQuotaError) as caught:
        quotas.request(partner)
    return caught.value.facts["retry_after"]


def test_a_bucket_empties_and_fills_again(clock: Clock) -> None:
    quotas = Quotas(Limits(requests_per_minute=3), clock)
    assert [quotas.request("fr-customs").left for _ in range(3)] == [2, 1, 0]
    assert refused_for(quotas) == 20, "a third of a minute for one of three"
    assert quotas.request("de-customs").left == 2, "each partner has its own"
    clock.now += 19.9
    assert refused_for(quotas) == 1
    clock.now += 0.1
    assert quotas.request("fr-customs")[:2] == (3, 0)
    clock.now += 10 * MINUTE
    assert quotas.request("fr-customs").left == 2, "it holds no more than it holds"


def test_a_batch_counts_as_its_messages_or_not_at_all(clock: Clock) -> None:
    quotas = Quotas(Limits(messages_per_minute=10, messages_per_day=15), clock)
    quotas.messages("fr-customs", 6)
    with pytest.raises(OverQuotaError):
        quotas.messages("fr-customs", 5)
    quotas.messages("fr-customs", 4)
    clock.now += MINUTE
    with pytest.raises(OverQuotaError) as caught:
        quotas.messages("fr-customs", 6)
    assert MINUTE < caught.value.facts["retry_after"] < DAY, "the day's quota"


def test_the_bytes_of_a_day_end_too(clock: Clock) -> None:
    quotas = Quotas(Limits(bytes_per_day=1_000), clock)
    quotas.volume("fr-customs", 1_500)
    assert refused_for(quotas) == pytest.approx(DAY * 501 / 1_000, abs=1)
    clock.now += DAY
    quotas.request("fr-customs")


def test_open_requests_and_polls_are_counted_apart_and_given_back(clock: Clock) -> None:
    quotas = Quotas(Limits(concurrent=1, waiting=1), clock)
    for _ in range(2):
        with quotas.open("fr-customs", waits=False), quotas.open("fr-customs", waits=True):
            for waits in (False, True):
                with pytest.raises(OverQuotaError), quotas.open("fr-customs", waits=waits):
                    pass
            with quotas.open("de-customs", waits=True):
                pass
    with pytest.raises(ZeroDivisionError), quotas.open("fr-customs", waits=False):
        raise ZeroDivisionError
    with quotas.open("fr-customs", waits=False):
        pass


def test_the_bodies_of_one_partner_together_have_a_size(clock: Clock) -> None:
    quotas = Quotas(Limits(bodies=100), clock)
    for _ in range(2):
        with quotas.open("fr-customs", waits=False, size=60), quotas.open("fr-customs", waits=False, size=40):
            with pytest.raises(OverQuotaError), quotas.open("fr-customs", waits=False, size=1):
                pass
            with quotas.open("fr-customs", waits=True), quotas.open("de-customs", waits=False, size=60):
                pass
    with quotas.open("fr-customs", waits=False, size=101):
        pass


def test_an_address_may_not_try_for_ever(clock: Clock) -> None:
    quotas = Quotas(Limits(logins_per_minute=2), clock)
    quotas.log_in("192.0.2.1")
    quotas.log_in("192.0.2.1")
    with pytest.raises(OverQuotaError):
        quotas.log_in("192.0.2.1")
    quotas.log_in("192.0.2.2")


def test_whoever_has_many_addresses_of_ipv6_is_one_caller(clock: Clock) -> None:
    quotas = Quotas(Limits(logins_per_minute=2), clock)
    quotas.log_in("2001:db8::1")
    quotas.log_in("2001:db8::2:0:0:1")
    with pytest.raises(OverQuotaError):
        quotas.log_in("2001:db8::ffff")
    quotas.log_in("2001:db8:0:1::1")
    assert [caller_at(one) for one in ("192.0.2.1", "::ffff:192.0.2.1", "fe80::1%lo", "", "x:y")] == [
        "192.0.2.1",
        "192.0.2.1",
        "fe80::/64",
        "",
        "x:y",
    ]


def test_nothing_ends_where_the_limit_is_nought(clock: Clock) -> None:
    limits = Limits(0, 0, 0, 0, 0, 0, 0)
    quotas = Quotas(limits, clock)
    for _ in range(100):
        quotas.log_in("192.0.2.1")
        quotas.messages("fr-customs", 64)
        quotas.volume("fr-customs", 10**12)
        assert quotas.request("fr-customs").limit == 0
    with quotas.open("fr-customs", waits=True), quotas.open("fr-customs", waits=True):
        pass
