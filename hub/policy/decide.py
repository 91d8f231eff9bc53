"""May these copies go there? One verdict for each addressee, from facts and a policy set alone; never an exception.

Not for: where facts come from (`from_message.py`), nor for what becomes of a verdict (`hub/broker`). Implements
`docs/protocol/06-decisions.md` sections 4 and 5.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from hub.policy.duties import merge
from hub.policy.entities import candidate
from hub.policy.facts import AddresseeFacts, CompartmentFacts, MessageFacts, parse_inputs, write_inputs
from hub.policy.memory import Memory
from hub.policy.ruling import Hearing, Reason, Ruling, Standing, fault
from hub.policy.sets import PolicySet
from hub.protocol.errors import RecomputationError, UnknownPolicySetError
from hub.protocol.vocabulary import Label


@dataclass(frozen=True, slots=True)
class Withheld:
    """A compartment that may not go, and why.

    Attributes:
        cid: its place in the manifest.
        reason: one of `Reason`.
        rules: the ids of the rules that withhold it; none where no rule permits.
        near_miss: a sentence for the originator and the auditor: the first rule's title, or the permit that came
            closest and what it still needs.
    """

    cid: str
    reason: Reason
    rules: tuple[str, ...]
    near_miss: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What may go to one addressee.

    Attributes:
        to: the addressee.
        released: the compartments that may go, in order.
        withheld: the others, in order.
        rules: the ids of the permits that decided, sorted; the first 64.
        duties: what is owed for the released compartments together, in canonical spelling, sorted.
        agreement: the agreements relied on, sorted, with ", " between; None when nothing is released.
        inputs: the exact bytes from which this verdict is recomputed; they say nothing about other addressees.
    """

    to: str
    released: tuple[str, ...]
    withheld: tuple[Withheld, ...]
    rules: tuple[str, ...]
    duties: tuple[str, ...]
    agreement: str | None
    inputs: bytes


MAX_RULES: Final = 64  # rules that a decision can cite (04-statements); the inputs lead to all of them
_Standings = tuple[Standing, ...]


def decide(
    policies: PolicySet,
    message: MessageFacts,
    compartments: Sequence[CompartmentFacts],
    addressees: Sequence[AddresseeFacts],
) -> list[Verdict]:
    """Return one verdict for each addressee, in order. Whatever could not be evaluated is withheld as `policy/fault`.

    No verdict depends on who else is an addressee.
    """
    memory: Memory[_Standings, Verdict] = policies.memory
    memory.make_room()
    classes = [_class_of(policies, memory, message.originator, addressee) for addressee in addressees]
    view = (policies.views.of(message), *[(one.cid, one.label) for one in compartments])
    verdicts = dict(memory.known(view))
    unknown = [number for number in dict.fromkeys(classes) if number not in verdicts]
    if unknown:
        standings = {number: memory.standings(number) for number in unknown}
        labels = list(dict.fromkeys(compartment.label for compartment in compartments))
        settled = _settle(policies, message, labels, standings.values())
        for number, several in standings.items():
            rulings = settled[several]
            verdicts[number] = _verdict(compartments, rulings)
            if not any(ruling.reason == "policy/fault" for ruling in rulings.values()):
                memory.keep(view, number, verdicts[number])
    inputs = write_inputs(policies.digest, message, compartments, addressees)
    return [
        _addressed(verdicts[number], addressee.partner, data)
        for addressee, number, data in zip(addressees, classes, inputs, strict=True)
    ]


def _addressed(of_class: Verdict, to: str, inputs: bytes) -> Verdict:
    """Return what `dataclasses.replace` would, in a fifth of the time: there is one for each addressee."""
    return Verdict(
        to=to,
        released=of_class.released,
        withheld=of_class.withheld,
        rules=of_class.rules,
        duties=of_class.duties,
        agreement=of_class.agreement,
        inputs=inputs,
    )


def recompute(policies: PolicySet, inputs: bytes) -> Verdict:
    """Return the verdict that follows from recorded inputs; it equals the one that recorded them, bit for bit.

    Raises:
        UnknownPolicySetError: they were decided under another set.
        RecomputationError: they are not inputs in their only spelling.
    """
    facts = parse_inputs(inputs)
    if facts.pol != policies.digest:
        raise UnknownPolicySetError(facts.pol)
    (verdict,) = decide(policies, facts.msg, facts.cmp, [facts.to])
    if verdict.inputs != inputs:
        raise RecomputationError("another spelling of the inputs")
    return verdict


def _class_of(
    policies: PolicySet, memory: Memory[_Standings, Verdict], originator: str, addressee: AddresseeFacts
) -> int:
    key = (originator, addressee.partner, addressee.named, addressee.member, addressee.suspended)
    return memory.class_of(key, partial(_standings, policies, originator, addressee))


def _standings(policies: PolicySet, code: str, addressee: AddresseeFacts) -> _Standings:
    """Return an addressee once under each agreement with the originator; not at all when either is unknown."""
    originator, partner = policies.partners.get(code), policies.partners.get(addressee.partner)
    if originator is None or partner is None:
        return ()
    accept, discharges = policies.accept_slice(partner.code), frozenset(partner.discharges)
    named = policies.release_slice(originator.code).partners | policies.duties.partners | accept.partners
    agreements = policies.agreements_between(originator.code, partner.code) or (None,)
    return tuple(
        Standing(candidate(addressee, partner, originator, agreement, named), accept, discharges)
        for agreement in agreements
    )


def _settle(
    policies: PolicySet, message: MessageFacts, labels: Sequence[Label], everybody: Collection[_Standings]
) -> Mapping[_Standings, Mapping[Label, Ruling]]:
    """Return the ruling on each label for everybody, explained; equal standings are settled once."""
    unknown = fault(f"the policy set {policies.version} does not know the originator or the addressee")
    settled: dict[_Standings, dict[Label, Ruling]] = {(): dict.fromkeys(labels, unknown)}
    places: dict[Standing, int] = {}
    standings = {several: [places.setdefault(one, len(places)) for one in several] for several in everybody if several}
    if not places:
        return settled
    hearing = Hearing(policies, message, labels, list(places))
    chosen = {several: _choose(hearing, standings[several], len(labels)) for several in standings}
    sentences = hearing.near_misses(
        {
            (standing, place)
            for choice in chosen.values()
            for place, standing in enumerate(choice)
            if not hearing.rulings[standing][place].near_miss
        }
    )
    for several, choice in chosen.items():
        settled[several] = {}
        for place, (label, standing) in enumerate(zip(labels, choice, strict=True)):
            ruling = hearing.rulings[standing][place]
            if (standing, place) in sentences:
                ruling = replace(ruling, near_miss=sentences[standing, place])
            settled[several][label] = ruling
    return settled


def _choose(hearing: Hearing, several: Sequence[int], labels: int) -> list[int]:
    """Return whose ruling counts for each label: a fault under any agreement, else a release, else the nearest to one.

    Where several agreements release, it is the one that releases most of the message, so that a decision cites few.
    """
    by_reach = sorted(several, key=lambda one: -sum(ruling.reason is None for ruling in hearing.rulings[one]))
    return [min(by_reach, key=lambda one: hearing.rulings[one][place].rank) for place in range(labels)]


def _verdict(compartments: Sequence[CompartmentFacts], rulings: Mapping[Label, Ruling]) -> Verdict:
    """Return the verdict on everybody with these rulings; name and inputs are filled in for each."""
    going = [one for one in compartments if rulings[one.label].reason is None]
    released = [rulings[one.label] for one in going]
    withheld = []
    for one in compartments:
        ruling = rulings[one.label]
        if ruling.reason is not None:
            withheld.append(Withheld(one.cid, ruling.reason, ruling.rules, ruling.near_miss))
    agreements = sorted({ruling.agreement for ruling in released if ruling.agreement is not None})
    return Verdict(
        to="",
        released=tuple(one.cid for one in going),
        withheld=tuple(withheld),
        rules=tuple(sorted({rule for ruling in released for rule in ruling.rules})[:MAX_RULES]),
        duties=merge(duty for ruling in released for duty in ruling.duties),
        agreement=", ".join(agreements) or None,
        inputs=b"",
    )
