"""The receipt: an addressee's signature over what arrived, verified and opened - or over why it did not.

A transport acknowledgement is not a receipt. Not for: what a hub states (`statements.py`). Implements
`docs/protocol/04-statements.md` section 5.
"""

from dataclasses import dataclass
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from hub.protocol.directory import Directory
from hub.protocol.keys import Signer
from hub.protocol.signed import Signed, sign, verify_signed
from hub.protocol.wire import CompartmentId, Digest

RECEIPT_TYP: Final = "valise-receipt+jwt"


class Receipt(Signed):
    """What an addressee signs.

    `state` is `opened` or `refused`; `rel` are the compartments opened, `error` the wire code of the failed step, `dec`
    the digests of the decisions that came with the copy, and `cps` the latest checkpoints seen, as gossip that no hub
    can filter.
    """

    v: Literal[1]
    mh: Digest
    state: Literal["opened", "refused"]
    error: Annotated[str, Field(pattern=r"^[a-z]+/[a-z0-9-]+$", max_length=64)] | None
    rel: tuple[CompartmentId, ...]
    dec: Annotated[tuple[Digest, ...], Field(max_length=8)]
    cps: Annotated[tuple[Annotated[str, Field(max_length=16 * 1024)], ...], Field(max_length=8)]

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if (self.state == "refused") != (self.error is not None):
            raise ValueError("a refusal has a wire code, and only a refusal")
        return self


@dataclass(frozen=True, slots=True)
class VerifiedReceipt:
    """A receipt whose signature was checked. Only `verify_receipt` makes one."""

    receipt: Receipt
    jws: str


def sign_receipt(receipt: Receipt, signer: Signer) -> str:
    """Return the receipt as a signed object."""
    return sign(receipt, typ=RECEIPT_TYP, signer=signer)


def verify_receipt(text: str, directory: Directory, *, now: int | None) -> VerifiedReceipt:
    """Check a receipt (`verify_signed` has the meaning of `now`).

    Raises:
        SignatureError, EncodingError, EnvelopeError, DirectoryError: it is not to be believed.
    """
    return VerifiedReceipt(verify_signed(Receipt, text, directory, typ=RECEIPT_TYP, now=now), text)
