"""The facts that policy decides on, and the exact bytes from which one decision is made again.

Facts come from what was verified (`from_message.py`); they never hold content. Not for: deciding (`decide.py`) nor for
what a policy set says about partners (`registry.py`). Implements `docs/protocol/06-decisions.md` section 1.
"""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from hub.protocol.errors import EncodingError, RecomputationError
from hub.protocol.marks import Caveat, HandlingCode, Tlp
from hub.protocol.vocabulary import (
    MAX_TOPICS,
    Basis,
    Label,
    MessageKind,
    Offence,
    PartnerCode,
    Priority,
    Purpose,
    Status,
    Topic,
    Verb,
)
from hub.protocol.wire import CompartmentId, Count, Time, Wire, parse_wire, write_wire

PolicySetDigest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class MessageFacts(Wire):
    """One message, as its manifest and its operation show it.

    Attributes:
        retain: seconds after which an addressee destroys its copy (from the marks).
        operation_open: the operation is known and open at `at`.
        originator_member: the originator is a member of the operation.
        operation_exercise: the operation is an exercise.
        relayed: it is passed on by somebody who is not its originator.
        at: the deciding clock, Unix seconds.
    """

    originator: PartnerCode
    mt: MessageKind
    verb: Verb
    status: Status
    tlp: Tlp
    codes: tuple[HandlingCode, ...]
    caveats: tuple[Caveat, ...]
    retain: Count
    purpose: Purpose
    offence: Offence
    basis: Basis
    priority: Priority
    topics: Annotated[tuple[Topic, ...], Field(max_length=MAX_TOPICS)]
    operation: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=48)] | None
    operation_open: bool
    originator_member: bool
    operation_exercise: bool
    relayed: bool
    at: Time


class CompartmentFacts(Wire):
    """One compartment: its place in the manifest and its label."""

    cid: CompartmentId
    label: Label


class AddresseeFacts(Wire):
    """One addressee.

    Attributes:
        named: the originator named it individually, or it is the one who is answered.
        member: it is a member of the message's operation; False when there is none.
        suspended: the directory says so, or does not know it.
    """

    partner: PartnerCode
    named: bool
    member: bool
    suspended: bool


class Inputs(Wire):
    """Everything that one verdict follows from; it says nothing about another addressee. `pol` is the set's digest."""

    v: Literal[1]
    pol: PolicySetDigest
    msg: MessageFacts
    cmp: tuple[CompartmentFacts, ...]
    to: AddresseeFacts


def write_inputs(
    policies: str, message: MessageFacts, compartments: Sequence[CompartmentFacts], addressees: Sequence[AddresseeFacts]
) -> list[bytes]:
    """Return the inputs of each addressee's verdict, in their only spelling; `policies` is the set's digest.

    They differ in their last member only, so the rest is written once.
    """
    if not addressees:
        return []
    tails = [write_wire(addressee) + b"}" for addressee in addressees]
    whole = write_wire(Inputs(v=1, pol=policies, msg=message, cmp=tuple(compartments), to=addressees[0]))
    head = whole.removesuffix(tails[0])
    return [head + tail for tail in tails]


def is_offered(inputs: bytes) -> bool:
    """Return whether recorded inputs are about somebody whom the originator did not name: a member or subscriber."""
    return b'"named":false' in inputs[inputs.rfind(b'"to":') :]


def parse_inputs(data: bytes) -> Inputs:
    """Return the inputs in the bytes that a verdict carries.

    Raises:
        RecomputationError: they are not the inputs of a verdict.
    """
    try:
        return parse_wire(Inputs, data, error=RecomputationError)
    except EncodingError as error:
        raise RecomputationError(str(error)) from error
