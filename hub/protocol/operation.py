"""An operation: a closed group of partners with dates and counting rules, opened by one signed object.

Not for: who may open one (`hub/policy/`) or its statistics (`connectors/kit/report.py`). Implements
`docs/protocol/02-envelope.md` section 8.
"""

from dataclasses import dataclass
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from hub.protocol.directory import Directory
from hub.protocol.keys import Signer
from hub.protocol.signed import Signed, sign, verify_signed
from hub.protocol.vocabulary import PartnerCode
from hub.protocol.wire import Time, Wire

OPERATION_TYP: Final = "valise-operation+jwt"
MAX_MEMBERS: Final = 512


class CountingRules(Wire):
    """How an operation counts, agreed before it opens (two official counts of one operation have differed by half).

    `firearm_parts` says whether parts count as firearms, `double_reports` that two reports with one counting key count
    once, and `small_cell` the number below which a cell of the statistics is suppressed.
    """

    firearm_parts: Literal["apart", "as-firearms"] = "apart"
    double_reports: Literal["once"] = "once"
    small_cell: Annotated[int, Field(ge=0, le=100)] = 0


class Operation(Signed):
    """The payload that the coordinator signs. Times are Unix seconds; it is open from `opens` until before `closes`."""

    v: Literal[1]
    op: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=48)]
    title: Annotated[str, Field(min_length=1, max_length=120)]
    opens: Time
    closes: Time
    exercise: bool
    members: Annotated[tuple[PartnerCode, ...], Field(min_length=2, max_length=MAX_MEMBERS)]
    counting: CountingRules

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.opens >= self.closes:
            raise ValueError("closes before it opens")
        if list(self.members) != sorted(set(self.members)):
            raise ValueError("members must be sorted and without repetition")
        return self

    def is_open(self, at: int) -> bool:
        """Return whether messages of the operation may be sent at this time."""
        return self.opens <= at < self.closes

    def is_known_to(self, partner: str) -> bool:
        """Return whether a partner may know of it: as a member or as its coordinator. For others it does not exist."""
        return partner == self.iss or partner in self.members


@dataclass(frozen=True, slots=True)
class VerifiedOperation:
    """An operation whose coordinator's signature was checked. Only `verify_operation` makes one."""

    operation: Operation
    jws: str


def sign_operation(operation: Operation, signer: Signer) -> str:
    """Return the operation as a signed object."""
    return sign(operation, typ=OPERATION_TYP, signer=signer)


def verify_operation(text: str, directory: Directory, *, now: int | None) -> VerifiedOperation:
    """Check an operation (`verify_signed` has the meaning of `now`).

    Raises:
        SignatureError, EncodingError, EnvelopeError: it is not to be believed.
        UnknownPartnerError: a member is not in the directory.
    """
    operation = verify_signed(Operation, text, directory, typ=OPERATION_TYP, now=now)
    for member in operation.members:
        directory.partner(member)
    return VerifiedOperation(operation, text)
