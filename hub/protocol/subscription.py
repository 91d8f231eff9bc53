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
from hub.protocol.signed import Signed, sign, verify_signed
from hub.protocol.vocabulary import MessageKind, Topic

SUBSCRIPTION_TYP: Final = "valise-subscription+jwt"
_MAX_FACETS: Final = 128

_Operation = Annotated[str, Field(max_length=48)]


class Subscription(Signed):
    """The payload that a partner signs; the newest `iat` replaces the earlier ones.

    An empty list means 'any'. `topics` match when the message carries at least one of them. `active` false ends it.
    """

    v: Literal[1]
    active: bool
    kinds: Annotated[tuple[MessageKind, ...], Field(max_length=8)]
    operations: Annotated[tuple[_Operation, ...], Field(max_length=_MAX_FACETS)]
    topics: Annotated[tuple[Topic, ...], Field(max_length=_MAX_FACETS)]

    def matches(self, kind: MessageKind, operation: str | None, topics: Collection[str]) -> bool:
        """Return whether a message with these facets is wanted."""
        return (
            self.active
            and (not self.kinds or kind in self.kinds)
            and (not self.operations or operation in self.operations)
            and (not self.topics or not set(self.topics).isdisjoint(topics))
        )


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
