"""Who would get this message, in the hub's word and in our own: only what both permit is ever sealed.

A hub that lies can then withhold, which shows, but cannot make us open a compartment to somebody whom our own copy of
the policy set denies. Not for: sealing (`send.py`). Implements `docs/protocol/06-decisions.md` section 5; user's view
in `docs/trips/send.md`.
"""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from connectors.kit.connector import Connector, operation_of
from connectors.kit.directory import Beliefs
from connectors.kit.threads import originator_of
from hub.policy.decide import Verdict, decide
from hub.policy.from_message import addressee_facts, compartment_facts, message_facts
from hub.protocol.audience import Via
from hub.protocol.errors import AnswerError, DirectoryError, NoAddresseeKeyError, PolicyError, UnknownPartnerError
from hub.protocol.interface import AudienceAnswer, AudienceQuestion, AudienceRow, WithheldReason
from hub.protocol.operation import Operation

NOT_ASKED: Final = "originator/not-asked"  # the hub names somebody whom the question does not lead to
NO_ANSWER: Final = "hub/no-answer"  # the hub says nothing about somebody whom the question names

Denier = Literal["hub", "originator", "both"]


@dataclass(frozen=True, slots=True)
class Withheld:
    """A compartment that would not be sealed to a candidate: who denies it, and why."""

    cid: str
    by: Denier
    reason: str
    rules: tuple[str, ...]
    near_miss: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A partner that was asked for: what it would get, what not and why, and whether it can be sealed to."""

    partner: str
    via: Via
    grants: tuple[str, ...]
    withheld: tuple[Withheld, ...]
    duties: tuple[str, ...]
    has_key: bool


@dataclass(frozen=True, slots=True)
class Audience:
    """All candidates, by code. `agrees` is whether the hub decides by the same policy set as we do."""

    policies: str
    agrees: bool
    candidates: tuple[Candidate, ...]


async def resolve_audience(connector: Connector, question: AudienceQuestion) -> Audience:
    """Ask the hub, ask our own policy set, and keep what both permit.

    Raises:
        ExchangeError: the hub cannot be asked, or refuses.
        OperationError: this agency is in no operation of that name.
        StaleDirectoryError: the directory must be refreshed first.
    """
    answer = await connector.client.audience(question)
    if answer.pol != connector.mirror.beliefs().policies.digest:
        with contextlib.suppress(DirectoryError, PolicyError):  # then the two sets differ, and both must permit
            await connector.mirror.refresh()
    beliefs = connector.mirror.beliefs()
    operation = await operation_of(connector, question.outline.op)
    expected = await _expected(connector, question, operation)
    rows = _by_partner(answer, expected)
    now = connector.clock()
    verdicts = decide(
        beliefs.policies,
        message_facts(question.outline, connector.partner, operation, now),
        compartment_facts(question.outline.labels),
        [addressee_facts(partner, row.via, operation, beliefs.directory) for partner, row in rows.items()],
    )
    return Audience(
        policies=beliefs.policies.digest,
        agrees=answer.pol == beliefs.policies.digest,
        candidates=tuple(
            _candidate(row, verdict, _is_asked(row, question, expected), has_key=_has_key(beliefs, row.partner, now))
            for row, verdict in zip(rows.values(), verdicts, strict=True)
        ),
    )


async def _expected(connector: Connector, question: AudienceQuestion, operation: Operation | None) -> Mapping[str, Via]:
    """Return whom the question leads to by our own reckoning, with the strongest reason for each; no subscribers."""
    found: dict[str, Via] = {}
    if question.operation and operation is not None:
        found |= dict.fromkeys(operation.members, "operation")
    if question.irt is not None:
        found[await originator_of(connector, question.irt)] = "answer"
    found |= dict.fromkeys(question.to, "named")
    found.pop(connector.partner, None)
    return found


def _by_partner(answer: AudienceAnswer, expected: Mapping[str, Via]) -> dict[str, AudienceRow]:
    """Return one row for each candidate, by code; one that the hub passed over in silence gets nothing."""
    rows = {row.partner: row for row in answer.rows}
    if len(rows) != len(answer.rows):
        raise AnswerError("a partner twice")
    silent = (_silent_row(partner, via) for partner, via in expected.items() if partner not in rows)
    rows |= {row.partner: row for row in silent}
    return dict(sorted(rows.items()))


def _silent_row(partner: str, via: Via) -> AudienceRow:
    return AudienceRow(
        partner=partner, via=via, permitted=(), withheld=(), rules=(), duties=(), agreement=None, has_key=False
    )


def _is_asked(row: AudienceRow, question: AudienceQuestion, expected: Mapping[str, Via]) -> bool:
    return row.via == expected.get(row.partner, "topic" if question.subscribers else None)


def _has_key(beliefs: Beliefs, partner: str, now: int) -> bool:
    try:
        beliefs.directory.opening_key(partner, at=now)
    except (NoAddresseeKeyError, UnknownPartnerError):
        return False
    return True


def _candidate(row: AudienceRow, own: Verdict, is_asked: bool, *, has_key: bool) -> Candidate:  # noqa: FBT001 - a fact
    ours = set(own.released) if is_asked else set()
    theirs = set(row.permitted)
    places = sorted({*own.released, *(one.cid for one in own.withheld)}, key=lambda cid: int(cid[1:]))
    return Candidate(
        partner=row.partner,
        via=row.via,
        grants=tuple(cid for cid in places if cid in ours & theirs),
        withheld=tuple(
            _withheld(cid, row, own, is_asked=is_asked, by=_denier(cid in ours, cid in theirs))
            for cid in places
            if cid not in ours & theirs
        ),
        duties=own.duties,
        has_key=has_key,
    )


def _denier(ours: bool, theirs: bool) -> Denier:  # noqa: FBT001 - two facts
    if ours:
        return "hub"
    return "originator" if theirs else "both"


def _withheld(cid: str, row: AudienceRow, own: Verdict, *, is_asked: bool, by: Denier) -> Withheld:
    """Explain by our own verdict where we deny, for that is believed; else by the hub's word."""
    if not is_asked:
        return Withheld(cid, by, NOT_ASKED, (), "")
    reasons: Sequence[WithheldReason] = row.withheld
    if by != "hub":
        reasons = [
            WithheldReason(cid=one.cid, reason=one.reason, rules=tuple(one.rules), near_miss=one.near_miss)
            for one in own.withheld
        ]
    found = next((one for one in reasons if one.cid == cid), None)
    if found is None:
        return Withheld(cid, by, NO_ANSWER, (), "")
    return Withheld(cid, by, found.reason, found.rules, found.near_miss)
