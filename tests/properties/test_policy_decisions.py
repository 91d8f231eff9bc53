"""Decisions, for any facts: they equal plain Cedar on the whole slice, are recomputed bit for bit, and never raise."""

import contextlib
from collections.abc import Sequence
from functools import cache

from hypothesis import given
from hypothesis import strategies as st

from hub.policy.decide import Verdict, decide, recompute
from hub.policy.engine import Action, Cell, Compiled, Store
from hub.policy.entities import candidate, candidate_entity, message_entities
from hub.policy.facts import AddresseeFacts, CompartmentFacts, Inputs, MessageFacts, parse_inputs
from hub.policy.sets import PolicySet, unbundle
from hub.policy.slices import Slice
from hub.protocol.errors import PolicySetError, RecomputationError
from hub.protocol.marks import Caveat, HandlingCode, Tlp
from hub.protocol.vocabulary import (
    LABELS_OF,
    Basis,
    Label,
    MessageKind,
    Offence,
    Priority,
    Purpose,
    Status,
    Verb,
)
from hub.protocol.wire import parse_wire, write_wire
from tests.support.policy import NOW, shipped_files, shipped_set

PARTNERS = sorted(shipped_set().partners)
MOSTLY = st.sampled_from([True, True, True, False])
FAR = 10 * 366 * 86_400  # seconds; reaches beyond every agreement
TERMS = sorted(
    {
        term + second
        for agreement in shipped_set().agreements.values()
        for term in (agreement.begins, agreement.ends)
        for second in (-1, 0, 1)
    }
)

messages = st.builds(
    MessageFacts,
    originator=st.sampled_from([*PARTNERS, "zz-nobody"]),
    mt=st.sampled_from(MessageKind),
    verb=st.sampled_from(Verb),
    status=st.sampled_from(Status),
    tlp=st.sampled_from(Tlp),
    codes=st.sets(st.sampled_from(HandlingCode)).map(sorted).map(tuple),
    caveats=st.sets(st.sampled_from(Caveat), max_size=3).map(sorted).map(tuple),
    retain=st.integers(0, 10**9),
    purpose=st.sampled_from(Purpose),
    offence=st.sampled_from(Offence),
    basis=st.sampled_from(Basis),
    priority=st.sampled_from(Priority),
    topics=st.sets(st.sampled_from(["hs:93", "mode:air", "transit:QA"])).map(sorted).map(tuple),
    operation=st.sampled_from([None, "exercise-lantern", "exercise-lantern", "other"]),
    operation_open=MOSTLY,
    originator_member=MOSTLY,
    operation_exercise=MOSTLY,
    relayed=st.booleans(),
    at=st.just(NOW) | st.sampled_from(TERMS) | st.integers(NOW - FAR, NOW + FAR),
)
addressees = st.builds(
    AddresseeFacts,
    partner=st.sampled_from([*PARTNERS, "zz-nobody"]),
    named=st.booleans(),
    member=MOSTLY,
    suspended=st.sampled_from([False, False, True]),
)
labels = st.lists(st.sampled_from(Label), max_size=8).map(
    lambda found: [CompartmentFacts(cid=f"c{place}", label=label) for place, label in enumerate(found)]
)


def _plain(message: MessageFacts, compartment: CompartmentFacts, to: AddresseeFacts) -> bool:
    """Return whether a compartment goes, by whole slices, one question at a time, and nothing shared."""
    policies = shipped_set()
    originator, partner = policies.partners.get(message.originator), policies.partners.get(to.partner)
    if originator is None or partner is None or compartment.label not in LABELS_OF[message.mt]:
        return False
    for agreement in policies.agreements_between(originator.code, partner.code) or (None,):
        seen = candidate(to, partner, originator, agreement, PARTNERS)
        store = policies.store.plus([candidate_entity("it", seen), *message_entities(message, [compartment.label])])

        def ask(rules: Slice, action: Action, store: Store = store) -> tuple[bool, Sequence[str]]:
            compiled = Compiled(tuple(rules.rules.values()))
            (outcome,) = store.ask(compiled, action, [Cell("it", compartment.label)])
            assert not outcome.fault
            return outcome.permitted, outcome.rules

        released, _ = ask(policies.release_slice(originator.code), "release")
        accepted, _ = ask(policies.accept_slice(partner.code), "accept")
        _, owed = ask(policies.duties, "duty")
        if released and accepted and "DUTY-07" not in owed:  # the one shipped duty that nobody discharges
            return True
    return False


@given(messages, labels, st.lists(addressees, max_size=4))
def test_a_decision_is_what_plain_cedar_says(
    message: MessageFacts, compartments: list[CompartmentFacts], several: list[AddresseeFacts]
) -> None:
    for to, verdict in zip(several, decide(shipped_set(), message, compartments, several), strict=True):
        expected = tuple(one.cid for one in compartments if _plain(message, one, to))
        assert verdict.released == expected


def _check_whole(verdict: Verdict, compartments: list[CompartmentFacts]) -> None:
    assert sorted([*verdict.released, *(one.cid for one in verdict.withheld)]) == sorted(
        one.cid for one in compartments
    )
    assert bool(verdict.released) == bool(verdict.rules) == (verdict.agreement is not None)
    assert all(one.near_miss for one in verdict.withheld)
    assert all(one.rules for one in verdict.withheld if one.reason in {"policy/floor", "policy/no-agreement"})


@given(messages, labels, st.lists(addressees, max_size=6))
def test_a_decision_accounts_for_everything_and_is_recomputed(
    message: MessageFacts, compartments: list[CompartmentFacts], several: list[AddresseeFacts]
) -> None:
    for to, verdict in zip(several, decide(shipped_set(), message, compartments, several), strict=True):
        assert verdict.to == to.partner
        _check_whole(verdict, compartments)
        assert recompute(shipped_set(), verdict.inputs) == verdict


@cache
def _forgetful_set() -> PolicySet:
    return PolicySet.load(shipped_files())


@given(messages, labels, st.lists(addressees, max_size=4))
def test_what_is_remembered_is_what_is_decided_anew(
    message: MessageFacts, compartments: list[CompartmentFacts], several: list[AddresseeFacts]
) -> None:
    remembered = decide(shipped_set(), message, compartments, several)
    forgetful = _forgetful_set()
    forgetful.memory.forget()
    assert decide(forgetful, message, compartments, several) == remembered


@given(messages, labels, addressees)
def test_facts_survive_the_wire(
    message: MessageFacts, compartments: list[CompartmentFacts], to: AddresseeFacts
) -> None:
    assert parse_wire(MessageFacts, write_wire(message)) == message
    inputs = Inputs(v=1, pol="0" * 64, msg=message, cmp=tuple(compartments), to=to)
    assert parse_inputs(write_wire(inputs)) == inputs


@given(st.binary())
def test_arbitrary_inputs_raise_nothing_but_their_error(data: bytes) -> None:
    try:
        parse_inputs(data)
    except RecomputationError:
        return
    raise AssertionError("random bytes are no inputs")


@given(st.binary() | st.dictionaries(st.text(), st.text()).map(lambda table: str(table).replace("'", '"').encode()))
def test_arbitrary_bundles_raise_nothing_but_their_error(data: bytes) -> None:
    with contextlib.suppress(PolicySetError):
        assert isinstance(unbundle(data), dict)
