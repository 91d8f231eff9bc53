"""Who would get this message? Resolved by policy and shown, with reasons, before anything is sealed.

Not for: the audience tree of a sealed message (`hub/protocol/audience.py`). Implements `docs/protocol/06-decisions.md`
section 5; user's view in `docs/trips/audience.md`.
"""

from functools import partial

from hub.broker.exchange import Exchange
from hub.broker.operations import operation_of
from hub.broker.references import check_received
from hub.policy.decide import Verdict, decide
from hub.policy.from_message import addressee_facts, compartment_facts, message_facts
from hub.protocol.audience import Via
from hub.protocol.directory import Directory
from hub.protocol.errors import NoAddresseeKeyError, ThreadError
from hub.protocol.interface import AudienceAnswer, AudienceQuestion, AudienceRow, WithheldReason
from hub.protocol.operation import Operation
from hub.protocol.vocabulary import PartnerKind


async def resolve_audience(exchange: Exchange, originator: str, question: AudienceQuestion) -> AudienceAnswer:
    """Return every candidate with what it may get and why it may not get the rest.

    Raises:
        UnknownPartnerError: a named partner is not in the directory.
        OperationError: the operation is unknown, or the originator is not in it.
        ThreadError: the answered message is unknown.
    """
    directory, policies, now = exchange.directory(), exchange.policies(), exchange.clock()
    outline = question.outline
    operation = await operation_of(exchange, originator, outline.op)
    candidates = await _candidates(exchange, originator, question, operation)
    verdicts = await exchange.apart(
        partial(
            decide,
            policies,
            message_facts(outline, originator, operation, now),
            compartment_facts(outline.labels),
            [addressee_facts(partner, via, operation, directory) for partner, via in candidates.items()],
        )
    )
    rows = [
        _row(verdict, via, has_key=_has_key(directory, verdict.to, now))
        for verdict, via in zip(verdicts, candidates.values(), strict=True)
    ]
    return AudienceAnswer(pol=policies.digest, rows=tuple(rows))


async def _candidates(
    exchange: Exchange, originator: str, question: AudienceQuestion, operation: Operation | None
) -> dict[str, Via]:
    """Return candidates by code; being named counts before being a member, and that before a subscription."""
    found: dict[str, Via] = {}
    if question.subscribers:
        outline = question.outline
        found |= {
            verified.subscription.iss: "topic"
            for verified in await exchange.store.subscriptions()
            if verified.subscription.matches(outline.mt, outline.op, outline.topics, outline.pri)
        }
    if question.operation and operation is not None:
        found |= dict.fromkeys(operation.members, "operation")
    if question.irt is not None:
        answered = await exchange.store.find(mh=question.irt)
        if answered is None:
            raise ThreadError("unknown here")
        if answered.iss != originator:
            await check_received(exchange, originator, answered.mh)
        found[answered.iss] = "answer"
    found |= dict.fromkeys(question.to, "named")
    for partner in question.to:
        exchange.directory().partner(partner)
    known = {record.partner for record in exchange.directory().partners() if record.kind is not PartnerKind.HUB}
    return {partner: via for partner, via in sorted(found.items()) if partner in known - {originator}}


def _has_key(directory: Directory, partner: str, now: int) -> bool:
    try:
        directory.opening_key(partner, at=now)
    except NoAddresseeKeyError:
        return False
    return True


def _row(verdict: Verdict, via: Via, *, has_key: bool) -> AudienceRow:
    return AudienceRow(
        partner=verdict.to,
        via=via,
        permitted=verdict.released,
        withheld=tuple(
            WithheldReason(cid=one.cid, reason=one.reason, rules=one.rules, near_miss=one.near_miss)
            for one in verdict.withheld
        ),
        rules=verdict.rules,
        duties=verdict.duties,
        agreement=verdict.agreement,
        has_key=has_key,
    )
