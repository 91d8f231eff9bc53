"""The chain of hubs' decisions about one copy: linked, for this addressee, and only ever narrowing.

Not for: one statement (`statements.py`). Implements `docs/protocol/02-envelope.md` section 7, step 6.
"""

from hub.protocol.directory import Directory
from hub.protocol.envelope import Proven
from hub.protocol.errors import DecisionChainError
from hub.protocol.statements import DECISION_TYP, Decision, read_statement, verify_statement


def verify_chain(
    proven: tuple[Proven, ...], directory: Directory, *, mh: str, addressee: str, now: int | None
) -> tuple[tuple[Decision, ...], tuple[str, ...]]:
    """Check the hubs' decisions: signed, about this message and addressee, linked, and only ever narrowing.

    Raises:
        DecisionChainError: they are not.
        SignatureError, DirectoryError, EnvelopeError: a statement is not to be believed.
    """
    decisions: list[Decision] = []
    digests: list[str] = []
    for one in proven:
        believed = verify_statement(one, directory, typ=DECISION_TYP, now=now)
        decision = read_statement(Decision, believed, directory)
        if decision.mh != mh or decision.to != addressee:
            raise DecisionChainError("another message's or addressee's")
        if decision.prev != (digests[-1] if digests else None):
            raise DecisionChainError("not linked")
        if decisions and not (
            set(decision.rel) <= set(decisions[-1].rel) and set(decision.duties) >= set(decisions[-1].duties)
        ):
            raise DecisionChainError("widened, or a duty dropped")
        if decision.hub in {earlier.hub for earlier in decisions}:
            raise DecisionChainError("a hub twice")
        decisions.append(decision)
        digests.append(believed.digest)
    if not decisions:
        raise DecisionChainError("no decision")
    return tuple(decisions), tuple(digests)
