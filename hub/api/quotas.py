"""How much one partner, or one address, may ask of the hub: token buckets and counts in memory.

They keep the mistakes and the malice of one partner from the others; they forget everything with the process. Not for:
whether content may go. User's page: `docs/how-to/run-a-hub.md`.
"""

import contextlib
import math
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network
from typing import Final, NamedTuple

from hub.protocol.envelope import MAX_SUBMISSION
from hub.protocol.errors import OverQuotaError

MINUTE: Final = 60.0  # seconds
DAY: Final = 86_400.0
_MAX_ADDRESSES: Final = 10_000  # remembered; beyond, the one that was quiet for longest is forgotten
_CONCURRENT_PAUSE: Final = 1.0  # seconds after which a partner with too many open requests may ask again


@dataclass(frozen=True, slots=True)
class Limits:
    """What one partner may ask for; 0 means: as much as it likes.

    `waiting` counts open polls and streams, `concurrent` every other request, `bodies` the bytes of the bodies that are
    in memory at once; `logins` are of one address.
    """

    requests_per_minute: int = 6_000
    messages_per_minute: int = 3_000
    messages_per_day: int = 500_000
    bytes_per_day: int = 50 * 1024**3
    concurrent: int = 64
    waiting: int = 16
    logins_per_minute: int = 300
    bodies: int = 4 * MAX_SUBMISSION


class Standing(NamedTuple):
    """How one bucket stands: what it holds when full, what is left, and the seconds until it is full again."""

    limit: int
    left: int
    reset: float


class Bucket:
    """Holds `limit` tokens and gets them back over `seconds`; a `limit` of 0 never ends."""

    def __init__(self, limit: int, seconds: float, now: float) -> None:
        self.limit: Final = limit
        self.seconds: Final = seconds
        self._rate: Final = limit / seconds
        self._left = float(limit)
        self._at = now

    def wait(self, count: int, now: float) -> float:
        """Return for how many seconds `count` tokens are still missing; 0 when they are there.

        More than the bucket can ever hold may be taken when it is full: it then stays empty for longer.
        """
        if not self.limit:
            return 0.0
        self._left = min(self.limit, self._left + (now - self._at) * self._rate)
        self._at = now
        missing = min(count, self.limit) - self._left
        return max(0.0, missing / self._rate)

    def take(self, count: int) -> None:
        """Take tokens after `wait` said that they are there."""
        self._left -= count

    def standing(self) -> Standing:
        """Return how it stood when it was last asked."""
        left = max(0.0, self._left)
        return Standing(self.limit, int(left), (self.limit - left) / self._rate if self.limit else 0.0)


@dataclass(slots=True)
class _Account:
    requests: Bucket
    messages: tuple[Bucket, Bucket]
    volume: Bucket
    open: int = 0
    polls: int = 0
    bodies: int = 0


class Quotas:
    """What each partner has used. For one event loop."""

    def __init__(self, limits: Limits, ticks: Callable[[], float]) -> None:
        """Take the limits and a clock that only goes forward (seconds)."""
        self._limits: Final = limits
        self._ticks: Final = ticks
        self._accounts: Final[dict[str, _Account]] = {}
        self._addresses: Final[OrderedDict[str, Bucket]] = OrderedDict()

    def log_in(self, address: str) -> None:
        """Count a log-in of an address.

        Raises:
            OverQuotaError: there were too many.
        """
        now, address = self._ticks(), caller_at(address)
        bucket = self._addresses.pop(address, None) or Bucket(self._limits.logins_per_minute, MINUTE, now)
        self._addresses[address] = bucket
        if len(self._addresses) > _MAX_ADDRESSES:
            self._addresses.popitem(last=False)
        _take([(bucket, 1)], now)

    def request(self, partner: str) -> Standing:
        """Count a request; return how the partner stands.

        Raises:
            OverQuotaError: there were too many, or enough for today.
        """
        account, now = self._account(partner), self._ticks()
        if account.volume.wait(1, now) > 0:
            raise over_quota(account.volume.wait(1, now))
        _take([(account.requests, 1)], now)
        return account.requests.standing()

    def messages(self, partner: str, count: int) -> None:
        """Count messages, before they are taken in.

        Raises:
            OverQuotaError: there were too many; none is counted.
        """
        _take([(bucket, count) for bucket in self._account(partner).messages], self._ticks())

    def volume(self, partner: str, size: int) -> None:
        """Count bytes that came in."""
        bucket = self._account(partner).volume
        if bucket.limit:
            bucket.wait(size, self._ticks())
            bucket.take(size)

    @contextlib.contextmanager
    def open(self, partner: str, *, waits: bool, size: int = 0) -> Iterator[None]:
        """Count a request, and the most bytes that its body may have, for as long as it is open.

        Raises:
            OverQuotaError: too many are, or too large ones.
        """
        account, limits = self._account(partner), self._limits
        most = limits.waiting if waits else limits.concurrent
        if most and (account.polls if waits else account.open) >= most:
            raise over_quota(_CONCURRENT_PAUSE)
        if limits.bodies and account.bodies and size and account.bodies + size > limits.bodies:
            raise over_quota(_CONCURRENT_PAUSE)
        step = (0, 1, size) if waits else (1, 0, size)
        _step(account, *step)
        try:
            yield
        finally:
            _step(account, *(-one for one in step))

    def _account(self, partner: str) -> _Account:
        """Return a partner's account; there are as many as the directory has partners."""
        if partner not in self._accounts:
            limits, now = self._limits, self._ticks()
            self._accounts[partner] = _Account(
                Bucket(limits.requests_per_minute, MINUTE, now),
                (Bucket(limits.messages_per_minute, MINUTE, now), Bucket(limits.messages_per_day, DAY, now)),
                Bucket(limits.bytes_per_day, DAY, now),
            )
        return self._accounts[partner]


def _step(account: _Account, requests: int, polls: int, size: int) -> None:
    account.open, account.polls, account.bodies = account.open + requests, account.polls + polls, account.bodies + size


def caller_at(address: str) -> str:
    """Return what counts as one address: of IPv6 the /64, all of which one line's owner has (RFC 6177 section 2)."""
    if ":" not in address:
        return address
    try:
        found = IPv6Address(address)
    except ValueError:
        return address
    return str(found.ipv4_mapped or IPv6Network((int(found), 64), strict=False))


def over_quota(seconds: float) -> OverQuotaError:
    """Return the refusal, which says after how many seconds to ask again."""
    return OverQuotaError(f"for {seconds:.1f} s", retry_after=max(1, math.ceil(seconds)))


def _take(wanted: list[tuple[Bucket, int]], now: float) -> None:
    missing = max(bucket.wait(count, now) for bucket, count in wanted)
    if missing > 0:
        raise over_quota(missing)
    for bucket, count in wanted:
        if bucket.limit:
            bucket.take(count)
