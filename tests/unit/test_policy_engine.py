"""Cedar's dangers, each shown to fail closed behind `hub/policy/engine.py`."""

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, Final

import pytest

from hub.policy.engine import ENGINE, Cell, Compiled, Outcome, Rule, Schema, Store, parse_rules
from hub.policy.ruling import combine
from hub.protocol.errors import PolicySetError

SCHEMA: Final = Schema(
    "test.cedarschema",
    """
    entity Kind enum ["customs", "police"];
    entity Purpose enum ["alert"];
    entity Addressee = { clearance: Long, kind: Kind, secret?: Bool };
    entity Compartment = { size: Long, name: String };
    action release appliesTo { principal: [Addressee], resource: [Compartment] };
    """,
)
PERMIT: Final = '@id("P-1") permit (principal, action == Action::"release", resource);'
BIG: Final = 9_223_372_036_854_775_807


def _entity(of: str, uid: str, **attrs: Any) -> dict[str, Any]:
    return {"uid": {"type": of, "id": uid}, "attrs": attrs, "parents": []}


def _store() -> Store:
    kind = {"__entity": {"type": "Kind", "id": "customs"}}
    return SCHEMA.store(
        [_entity("Addressee", "de", clearance=2, kind=kind), _entity("Compartment", "c0", size=9, name="x")]
    )


def _rules(*texts: str) -> Sequence[Rule]:
    return parse_rules("test.cedar", "\n".join(texts), SCHEMA)


def _ask(rules: Sequence[Rule], addressee: str = "de", compartment: str = "c0", store: Store | None = None) -> Outcome:
    (outcome,) = (store or _store()).ask(Compiled(rules), "release", [Cell(addressee, compartment)])
    return outcome


def test_the_engine_is_the_one_that_decisions_are_recomputed_with() -> None:
    assert f"cedarpy {version('cedarpy')}" == ENGINE


def test_a_plain_permit_permits_and_says_which() -> None:
    assert _ask(_rules(PERMIT)) == Outcome(permitted=True, rules=("P-1",))


@pytest.mark.parametrize("end", ["// the last remark", "\n// one\n  // two", "\n\n", "//"])
def test_a_file_may_end_with_a_remark(end: str) -> None:
    assert [(rule.id, rule.line) for rule in _rules(PERMIT + end)] == [("P-1", 1)]
    assert _rules(end.strip()) == ()


def test_a_forbid_beats_a_permit_and_all_that_forbid_are_named() -> None:
    forbids = [f'@id("F-{n}") forbid (principal, action, resource) when {{ resource.size > {n} }};' for n in (1, 2, 99)]
    assert _ask(_rules(PERMIT, *forbids)) == Outcome(permitted=False, rules=("F-1", "F-2"))


@pytest.mark.parametrize(("addressee", "compartment"), [("nobody", "c0"), ("de", "c9"), ("nobody", "c9")])
def test_who_and_what_is_not_in_the_store_is_a_fault(addressee: str, compartment: str) -> None:
    """Cedar itself says Allow to a permit-all about things that do not exist."""
    outcome = _ask(_rules(PERMIT), addressee, compartment)
    assert not outcome.permitted
    assert "not in the store" in outcome.fault


def test_a_forbid_that_overflows_is_a_fault() -> None:
    """It passes validation, and Cedar says Allow and reports the error in its diagnostics."""
    overflow = f'@id("F-1") forbid (principal, action, resource) when {{ resource.size + {BIG} > 0 }};'
    outcome = _ask(_rules(PERMIT, overflow))
    assert not outcome.permitted
    assert "overflow" in outcome.fault


def test_an_entity_without_its_attribute_is_a_fault() -> None:
    """Added without the schema, as a message's entities are: the rule that reads it is skipped by Cedar."""
    store = _store().plus([_entity("Addressee", "bare")])
    forbid = '@id("F-1") forbid (principal, action, resource) when { principal.clearance < 2 };'
    outcome = _ask(_rules(PERMIT, forbid), "bare", store=store)
    assert not outcome.permitted
    assert "clearance" in outcome.fault


def test_no_rules_permit_nothing() -> None:
    assert _ask(()) == Outcome(permitted=False, rules=())


def test_one_id_twice_is_refused() -> None:
    rules = _rules(PERMIT, '@id("P-1")\nforbid (principal, action, resource);')
    with pytest.raises(PolicySetError, match=r"test.cedar:2: the id 'P-1' stands at test.cedar:1 already"):
        Compiled(rules)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("// one\n\npermit (principal action);", r"test.cedar:3: .*unexpected token `action`"),
        ("\n\nforbit (principal, action, resource);", r"test.cedar:3: .*did you mean 'forbid'"),
        (
            "permit (principal, action, resource)\nwhen { principal.clearence > 1 };",
            r"test.cedar:2: .*clearence.*did you mean 'clearance'",
        ),
        (
            f'{PERMIT}\n\n// a; b\nforbid (principal, action, resource)\nwhen {{ principal.kind == Kind::"polise" }};',
            r"test.cedar:5: .*did you mean 'police'",
        ),
        ('permit (principal, action == Action::"relaese", resource);', r"test.cedar:1: .*did you mean 'release'"),
        ('permit (principal, action, resource) when { resource.name in ["x"] };', r"test.cedar:1: "),
        ("permit (principal, action, resource) when { principal.secret };", r"test.cedar:1: .*optional attribute"),
        ("permit (principal == ?principal, action, resource);", r"test.cedar:1: templates"),
        ('permit (principal, action, resource) when { "open', r"test.cedar:1: "),
    ],
)
def test_a_bad_rule_is_refused_with_its_place(text: str, expected: str) -> None:
    with pytest.raises(PolicySetError, match=expected):
        parse_rules("test.cedar", text, SCHEMA)


def test_a_bad_schema_is_refused() -> None:
    with pytest.raises(PolicySetError, match=r"s.cedarschema:2: .*Lng.*did you mean 'Long'"):
        Schema("s.cedarschema", "entity A = {\n  size: Lng,\n  other: Long };")


@pytest.mark.parametrize("kind", ["custms", ""])
def test_an_entity_that_is_not_of_the_schema_is_refused(kind: str) -> None:
    entity = _entity("Addressee", "x", clearance=1, kind={"__entity": {"type": "Kind", "id": kind}})
    with pytest.raises(PolicySetError, match="do not fit the schema"):
        SCHEMA.store([entity])


def test_an_entity_cannot_be_replaced() -> None:
    with pytest.raises(PolicySetError, match="entities"):
        _store().plus([_entity("Addressee", "de", clearance=9)])


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([], Outcome(permitted=False, rules=())),
        ([Outcome(True, ("P",)), Outcome(False, ())], Outcome(True, ("P",))),  # noqa: FBT003 - permitted
        ([Outcome(True, ("P",)), Outcome(False, ("F",))], Outcome(False, ("F",))),  # noqa: FBT003
        ([Outcome(True, ("P",)), Outcome(False, (), "f")], Outcome(False, (), "f")),  # noqa: FBT003
        ([Outcome(False, ("F",)), Outcome(False, (), "f")], Outcome(False, (), "f")),  # noqa: FBT003
    ],
)
def test_parts_of_a_slice_are_put_together_as_the_engine_would(outcomes: list[Outcome], expected: Outcome) -> None:
    assert combine(outcomes) == expected
