"""The receipt: an addressee's signature over what became of a copy, from opened or refused to destroyed.

A transport acknowledgement is not a receipt. Not for: what a hub states (`statements.py`). Implements
`docs/protocol/04-statements.md` section 5.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from hub.protocol.directory import Directory
from hub.protocol.jws import parse_jws
from hub.protocol.keys import Signer
from hub.protocol.signed import Signed, sign, verify_signed
from hub.protocol.vocabulary import Act
from hub.protocol.wire import CompartmentId, Digest, parse_wire

RECEIPT_TYP: Final = "valise-receipt+jwt"

ReceiptState = Literal["opened", "refused", "read", "acted", "purged"]
DeliveryState = Literal["withheld", "waiting", "collected", "opened", "refused", "read", "acted", "expired"]

RANKS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "withheld": 0,
        "waiting": 1,
        "expired": 2,
        "collected": 3,
        "refused": 4,
        "opened": 5,
        "read": 6,
        "acted": 7,
    }
)
"""How far each state of a delivery is; nothing ever takes one back. `purged` is beside it: it says nothing of use."""


class Receipt(Signed):
    """What an addressee signs.

    `state` is how far it came: `opened` or `refused`, later `read` (an officer had it before him), `acted`, `purged`.
    `act` says what was done, `rel` are the compartments opened, `error` the wire code of the failed step, `dec` the
    digests of the decisions that came with the copy, and `cps` the latest checkpoints seen, as gossip that no hub can
    filter.
    """

    v: Literal[1]
    mh: Digest
    state: ReceiptState
    act: Act | None
    error: Annotated[str, Field(pattern=r"^[a-z]+/[a-z0-9-]+$", max_length=64)] | None
    rel: tuple[CompartmentId, ...]
    dec: Annotated[tuple[Digest, ...], Field(max_length=8)]
    cps: Annotated[tuple[Annotated[str, Field(max_length=16 * 1024)], ...], Field(max_length=8)]

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if (self.state == "refused") != (self.error is not None):
            raise ValueError("a refusal has a wire code, and only a refusal")
        if (self.state == "acted") != (self.act is not None):
            raise ValueError("an act is named where one is receipted, and only there")
        if self.state != "opened" and (self.rel or self.dec):
            raise ValueError("compartments and decisions are named once, where they were opened")
        return self


def further(now: DeliveryState, receipt: ReceiptState) -> DeliveryState:
    """Return the state of a delivery after a receipt: it only ever moves forward."""
    if receipt == "purged" or RANKS[receipt] <= RANKS[now]:
        return now
    return receipt


@dataclass(frozen=True, slots=True)
class VerifiedReceipt:
    """A receipt whose signature was checked. Only `verify_receipt` makes one."""

    receipt: Receipt
    jws: str


def sign_receipt(receipt: Receipt, signer: Signer) -> str:
    """Return the receipt as a signed object."""
    return sign(receipt, typ=RECEIPT_TYP, signer=signer)


def parse_receipt(text: str) -> Receipt:
    """Return an unbelieved receipt, or one that was believed when it was recorded.

    Raises:
        SignatureError, EncodingError, EnvelopeError: not a receipt's JWS.
    """
    return parse_wire(Receipt, parse_jws(text, typ=RECEIPT_TYP).payload)


def verify_receipt(text: str, directory: Directory, *, now: int | None) -> VerifiedReceipt:
    """Check a receipt (`verify_signed` has the meaning of `now`).

    Raises:
        SignatureError, EncodingError, EnvelopeError, DirectoryError: it is not to be believed.
    """
    return VerifiedReceipt(verify_signed(Receipt, text, directory, typ=RECEIPT_TYP, now=now), text)
