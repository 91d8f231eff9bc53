"""A subscription: which messages a partner wants to be offered, signed by it, so that no hub invents one.

A subscription never widens what policy lets go; it only makes a partner a candidate. Not for: addressing by name or by
operation (`hub/broker/audience.py`). Implements `docs/protocol/02-envelope.md` section 9.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import Field

from hub.protocol.directory import Directory
from hub.protocol.keys import Signer
from hub.protocol.regions import COUNTRIES_OF
from hub.protocol.signed import Signed, sign, verify_signed
from hub.protocol.vocabulary import ROUTE, Country, MessageKind, Priority, Region, Topic
from hub.protocol.wire import Wire

SUBSCRIPTION_TYP: Final = "valise-subscription+jwt"
_MAX_FACETS: Final = 128

_Operation = Annotated[str, Field(max_length=48)]


class Criteria(Wire):
    """Which messages a partner wants: an empty list means any, lists narrow each other, words of one list widen it.

    `topics` are taken by facet: one of the commodity chapters (`hs`) that are named *and* one of the transport modes.
    `countries` and `regions` are one list: a message fits when it comes from, passes or goes to one of them.
    """

    kinds: Annotated[tuple[MessageKind, ...], Field(max_length=8)]
    operations: Annotated[tuple[_Operation, ...], Field(max_length=_MAX_FACETS)]
    topics: Annotated[tuple[Topic, ...], Field(max_length=_MAX_FACETS)]
    countries: Annotated[tuple[Country, ...], Field(max_length=_MAX_FACETS)]
    regions: Annotated[tuple[Region, ...], Field(max_length=8)]
    priorities: Annotated[tuple[Priority, ...], Field(max_length=2)]

    def match(self, kind: MessageKind, operation: str | None, topics: Collection[str], priority: Priority) -> bool:
        """Return whether a message with these facets is wanted."""
        return (
            (not self.kinds or kind in self.kinds)
            and (not self.operations or operation in self.operations)
            and (not self.priorities or priority in self.priorities)
            and all(not wanted.isdisjoint(topics) for wanted in _by_facet(self.topics))
            and self._is_on_route(topics)
        )

    def _is_on_route(self, topics: Collection[str]) -> bool:
        if not self.countries and not self.regions:
            return True
        route = {value for facet, _, value in (topic.partition(":") for topic in topics) if facet in ROUTE}
        wanted = set(self.countries).union(*(COUNTRIES_OF[region] for region in self.regions))
        return not wanted.isdisjoint(route)


def _by_facet(topics: Collection[str]) -> list[set[str]]:
    found: dict[str, set[str]] = {}
    for topic in topics:
        found.setdefault(topic.partition(":")[0], set()).add(topic)
    return list(found.values())


class Subscription(Signed):
    """The payload that a partner signs; the newest `iat` replaces the earlier ones. `active` false ends it."""

    v: Literal[1]
    active: bool
    want: Criteria

    def matches(self, kind: MessageKind, operation: str | None, topics: Collection[str], priority: Priority) -> bool:
        """Return whether a message with these facets is wanted."""
        return self.active and self.want.match(kind, operation, topics, priority)


@dataclass(frozen=True, slots=True)
class VerifiedSubscription:
    """A subscription whose partner's signature was checked. Only `verify_subscription` makes one."""

    subscription: Subscription
    jws: str


def sign_subscription(subscription: Subscription, signer: Signer) -> str:
    """Return the subscription as a signed object."""
    return sign(subscription, typ=SUBSCRIPTION_TYP, signer=signer)


def verify_subscription(text: str, directory: Directory, *, now: int | None) -> VerifiedSubscription:
    """Check a subscription (`verify_signed` has the meaning of `now`).

    Raises:
        SignatureError, EncodingError, EnvelopeError, DirectoryError: it is not to be believed.
    """
    return VerifiedSubscription(verify_signed(Subscription, text, directory, typ=SUBSCRIPTION_TYP, now=now), text)
