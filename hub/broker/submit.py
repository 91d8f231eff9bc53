"""The trip of a message into the hub: verify, decide, record, accept - in that order, for every message.

Not for: handing copies out (`collect.py`). Implements `docs/protocol/04-statements.md` section 6; user's view in
`docs/trips/submit.md`.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from hub.broker.exchange import Exchange
from hub.broker.operations import operation_of
from hub.broker.ports import Acceptance, DecisionEntry, KnownMessage
from hub.broker.references import check_references
from hub.policy.decide import Verdict, decide
from hub.policy.from_message import addressee_facts, compartment_facts, message_facts, outline_of
from hub.policy.sets import PolicySet
from hub.protocol.encoding import encode_b64url
from hub.protocol.envelope import parse_submission
from hub.protocol.errors import ReplayError, ValiseError
from hub.protocol.hazmat import sha256
from hub.protocol.manifest import parse_manifest
from hub.protocol.operation import Operation
from hub.protocol.release import ReleasedCopy, openable, release, withheld
from hub.protocol.statements import Accept, Decision, fresh_salt
from hub.protocol.strictjson import write_json
from hub.protocol.submission import AddressedPart, VerifiedEnvelope, verify_submission
from hub.protocol.wire import write_wire

_AT_A_TIME: Final = 8  # messages checked or decided before others have their turn; to a hundred each, about 50 ms
_In = TypeVar("_In")
_Out = TypeVar("_Out")


@dataclass(frozen=True, slots=True)
class _Ready:
    """A message that can be decided, with the operation that it names."""

    envelope: VerifiedEnvelope
    operation: Operation | None


async def submit(exchange: Exchange, originator: str, data: bytes) -> bytes:
    """Take a message: the whole pipeline, recorded in one durable step before the accept is signed.

    Args:
        exchange: this hub.
        originator: the partner whose session uploads it.
        data: the frame as received.

    Returns:
        The proven accept (JSON). The same message again gets the same accept, whatever was changed meanwhile.

    Raises:
        ValiseError: a leaf of the encoding, envelope, signature, directory or exchange family; nothing was accepted.
    """
    [outcome] = await submit_many(exchange, originator, [data])
    if isinstance(outcome, ValiseError):
        raise outcome
    return outcome


async def submit_many(exchange: Exchange, originator: str, frames: Sequence[bytes]) -> list[bytes | ValiseError]:
    """Take several messages, recorded together as far as they can be; one that is refused does not touch the others.

    Args:
        exchange: this hub.
        originator: the partner whose session uploads them.
        frames: the frames as received, in the order in which they count: one may answer an earlier one.

    Returns:
        For each frame, in order, its proven accept (JSON) or the error that `submit` would have raised.
    """
    outcomes: dict[int, bytes | ValiseError] = {}
    envelopes: dict[int, VerifiedEnvelope] = {}
    for place, checked in enumerate(await _each(exchange, partial(_verify, exchange, originator), frames)):
        if isinstance(checked, VerifiedEnvelope):
            envelopes[place] = checked
        else:
            outcomes[place] = await _accept_of_same(exchange, originator, frames[place]) or checked
    jtis = [envelope.manifest.jti for envelope in envelopes.values()]
    known = await exchange.store.find_submissions(iss=originator, jtis=jtis) if jtis else {}
    ready: dict[int, _Ready] = {}
    for place, envelope in envelopes.items():
        if ready and _refers(envelope):  # perhaps to one of these: only what is recorded is known
            outcomes |= await _commit(exchange, ready)
            ready = {}
        try:
            earlier = await _accept_before(exchange, envelope, known)
            if earlier is None:
                ready[place] = await _prepare(exchange, envelope, ready.values())
            else:
                outcomes[place] = earlier
        except ValiseError as error:
            outcomes[place] = error
    outcomes |= await _commit(exchange, ready)
    return [outcomes[place] for place in range(len(frames))]


async def _each(exchange: Exchange, work: Callable[[_In], _Out], items: Sequence[_In]) -> list[_Out | ValiseError]:
    """Return what `work` makes of each item, or its error; apart, a few at a time so that others have their turn."""

    def some(few: Sequence[_In]) -> list[_Out | ValiseError]:
        outcomes: list[_Out | ValiseError] = []
        for item in few:
            try:
                outcomes.append(work(item))
            except ValiseError as error:
                outcomes.append(error)
        return outcomes

    outcomes: list[_Out | ValiseError] = []
    for start in range(0, len(items), _AT_A_TIME):
        outcomes += await exchange.apart(partial(some, items[start : start + _AT_A_TIME]))
    return outcomes


async def _accept_before(
    exchange: Exchange, envelope: VerifiedEnvelope, known: Mapping[str, KnownMessage]
) -> bytes | None:
    """Return the accept of the same message, if it was accepted before."""
    earlier = known.get(envelope.manifest.jti)
    if earlier is None:
        return None
    if earlier.mh != envelope.mh:
        raise ReplayError(envelope.manifest.jti)
    return await _accept_of(exchange, envelope.mh)


def _verify(exchange: Exchange, originator: str, frame: bytes) -> VerifiedEnvelope:
    return verify_submission(
        frame, exchange.directory(), originator=originator, federation=exchange.federation, now=exchange.clock()
    )


def _refers(envelope: VerifiedEnvelope) -> bool:
    return envelope.manifest.irt is not None or bool(envelope.manifest.refs)


async def _prepare(exchange: Exchange, envelope: VerifiedEnvelope, before: Iterable[_Ready]) -> _Ready:
    """Return a message with what the record knows of it, so that it can be decided."""
    manifest = envelope.manifest
    await check_references(exchange, manifest)
    for one in before:  # of one batch, and so of one originator
        if one.envelope.manifest.op == manifest.op:
            return _Ready(envelope, one.operation)
    return _Ready(envelope, await operation_of(exchange, manifest.iss, manifest.op))


async def _commit(exchange: Exchange, ready: Mapping[int, _Ready]) -> dict[int, bytes | ValiseError]:
    """Decide what is ready and record it, all together."""
    decided = await _each(exchange, partial(_decide, exchange), list(ready.values()))
    outcomes: dict[int, bytes | ValiseError] = {}
    acceptances: dict[int, Acceptance] = {}
    for place, one in zip(ready, decided, strict=True):
        if isinstance(one, Acceptance):
            acceptances[place] = one
        else:
            outcomes[place] = one
    recorded = await exchange.store.commit_many(list(acceptances.values())) if acceptances else []
    return outcomes | dict(zip(acceptances, recorded, strict=True))


def _decide(exchange: Exchange, ready: _Ready) -> Acceptance:
    """Return what is to be recorded of a message, under the policy set that is in force at this moment."""
    envelope = ready.envelope
    now, policies = exchange.clock(), exchange.policies()
    verdicts = decide_all(exchange, envelope, ready.operation, policies, now)
    decisions = _decisions(exchange, envelope, verdicts, pol=policies.digest, now=now)
    entries = tuple(
        DecisionEntry(decision.to, write_wire(decision), verdict.inputs, _explanation(verdict))
        for decision, (verdict, _) in zip(decisions, verdicts, strict=True)
    )
    accept = partial(_accept, exchange, envelope, fresh_salt(), now)
    return Acceptance(envelope, accept, entries, _release_all(envelope, decisions, verdicts))


async def _accept_of_same(exchange: Exchange, originator: str, data: bytes) -> bytes | None:
    """Return the accept of a message that no longer passes: lifetimes and keys end, what was accepted stays so."""
    try:
        mh = parse_manifest(parse_submission(data).head.m)[1].digest
    except ValiseError:
        return None
    known = await exchange.store.find(mh=mh)
    return await _accept_of(exchange, mh) if known is not None and known.iss == originator else None


async def _accept_of(exchange: Exchange, mh: str) -> bytes:
    return next(entry.proven for _, entry in await exchange.store.entries_of(mh) if entry.kind == "accept")


def decide_all(
    exchange: Exchange, envelope: VerifiedEnvelope, operation: Operation | None, policies: PolicySet, now: int
) -> list[tuple[Verdict, AddressedPart]]:
    """Return policy's verdict on every addressee of an envelope."""
    manifest = envelope.manifest
    labels = [disclosure.descriptor.label for disclosure in envelope.disclosures]
    message = message_facts(outline_of(manifest, labels), manifest.iss, operation, now)
    directory = exchange.directory()
    addressees = [addressee_facts(part.leaf.to, part.leaf.via, operation, directory) for part in envelope.parts]
    verdicts = decide(policies, message, compartment_facts(labels), addressees)
    return list(zip(verdicts, envelope.parts, strict=True))


def _accept(exchange: Exchange, envelope: VerifiedEnvelope, salt: str, now: int, after: int | None) -> bytes:
    accept = Accept(
        v=1,
        s=salt,
        fed=exchange.federation,
        hub=exchange.hub,
        mh=envelope.mh,
        iat=now,
        iss=envelope.manifest.iss,
        jti=envelope.manifest.jti,
        seq=envelope.manifest.seq,
        after=after,
    )
    return write_wire(accept)


def _decisions(
    exchange: Exchange,
    envelope: VerifiedEnvelope,
    verdicts: Sequence[tuple[Verdict, AddressedPart]],
    *,
    pol: str,
    now: int,
) -> list[Decision]:
    """Return the decision on each addressee; equal verdicts share all but salt, addressee and inputs."""
    alike: dict[Hashable, Decision] = {}
    decisions = []
    for verdict, part in verdicts:
        released = openable(part, verdict.released)
        key = (released, verdict.withheld, verdict.rules, verdict.duties, verdict.agreement)
        first = alike.get(key)
        own = {"s": fresh_salt(), "to": part.leaf.to, "inp": encode_b64url(sha256(verdict.inputs))}
        if first is None:
            reasons = {one.cid: one.reason for one in verdict.withheld}
            first = alike[key] = Decision(
                v=1,
                fed=exchange.federation,
                hub=exchange.hub,
                mh=envelope.mh,
                iat=now,
                pol=pol,
                rules=verdict.rules,
                agr=verdict.agreement,
                rel=released,
                wh=withheld(envelope, released, reasons),
                duties=verdict.duties,
                prev=None,
                sup=None,
                **own,
            )
            decisions.append(first)
        else:
            decisions.append(first.model_copy(update=own))
    return decisions


def _release_all(
    envelope: VerifiedEnvelope, decisions: list[Decision], verdicts: list[tuple[Verdict, AddressedPart]]
) -> tuple[ReleasedCopy, ...]:
    return tuple(
        release(envelope, part, decision)
        for decision, (_, part) in zip(decisions, verdicts, strict=True)
        if decision.rel
    )


def _explanation(verdict: Verdict) -> bytes:
    """For the originator and the auditor: each withheld compartment with its rules or near miss."""
    return write_json(
        [
            {"cid": one.cid, "reason": one.reason, "rules": list(one.rules), "near_miss": one.near_miss}
            for one in verdict.withheld
        ]
    )
