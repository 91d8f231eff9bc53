"""What `decide` says when something is missing, late, suspended, undone or broken: a deny, never an exception."""

import pytest

from hub.policy.decide import decide, recompute
from hub.policy.duties import Duty, DutyKind, merge, parse_duties
from hub.policy.engine import Cell, Outcome, Store
from hub.policy.sets import PolicySet
from hub.protocol.errors import PolicySetError, RecomputationError, UnknownPolicySetError
from hub.protocol.strictjson import parse_json, write_json
from tests.support.policy import (
    addressee,
    change,
    compartments,
    message,
    permit_everything,
    shipped_files,
    shipped_set,
)

WARNING = compartments("action", "consignment", "conveyance", "identity", "company", "narrative")


@pytest.mark.parametrize(("originator", "to"), [("zz-nobody", "de-customs"), ("fr-customs", "zz-nobody")])
def test_an_unknown_partner_is_a_fault(originator: str, to: str) -> None:
    (verdict,) = decide(shipped_set(), message(originator=originator), WARNING, [addressee(to)])
    assert (verdict.to, verdict.released, verdict.rules, verdict.agreement) == (to, (), (), None)
    assert {one.reason for one in verdict.withheld} == {"policy/fault"}
    assert all("does not know" in one.near_miss for one in verdict.withheld)
    assert recompute(shipped_set(), verdict.inputs) == verdict


def test_a_label_that_the_kind_does_not_have_is_a_fault() -> None:
    facts = message(mt="feedback")
    (verdict,) = decide(shipped_set(), facts, compartments("outcome", "biometrics"), [addressee("de-customs")])
    assert verdict.released == ("c0",)
    (withheld,) = verdict.withheld
    assert (withheld.cid, withheld.reason) == ("c1", "policy/fault")
    assert withheld.near_miss == "a feedback has no compartment biometrics"


def test_no_agreement_at_all() -> None:
    (verdict,) = decide(shipped_set(), message(originator="rilo-we"), WARNING[:1], [addressee("int-bureau")])
    assert {(one.reason, one.rules) for one in verdict.withheld} <= {("policy/floor", ("HUB-13",))}
    files = shipped_files()
    del files["agreements/lantern-results.toml"]
    (verdict,) = decide(PolicySet.load(files), message(originator="rilo-we"), WARNING[:1], [addressee("int-bureau")])
    assert [(one.reason, one.rules) for one in verdict.withheld] == [("policy/no-agreement", ("HUB-10",))]


def test_nothing_to_decide() -> None:
    assert decide(shipped_set(), message(), WARNING, []) == []
    (verdict,) = decide(shipped_set(), message(), [], [addressee("de-customs")])
    assert (verdict.released, verdict.withheld) == ((), ())


def test_one_of_several_agreements_is_enough_and_is_cited() -> None:
    (verdict,) = decide(shipped_set(), message(), WARNING, [addressee("ke-customs")])
    assert verdict.agreement == "fr-ke-cmaa"
    files = shipped_files()
    change(files, "agreements/fr-ke-cmaa.toml", "suspended", value=True)
    (verdict,) = decide(PolicySet.load(files), message(), WARNING, [addressee("ke-customs")])
    assert verdict.agreement == "lantern-plan"
    assert verdict.released == ("c0", "c1", "c2", "c4")
    change(files, "agreements/fr-ke-cmaa.toml", "suspended", value=False)
    change(files, "agreements/fr-ke-cmaa.toml", "compartments", ["identity"])
    (verdict,) = decide(PolicySet.load(files), message(), WARNING, [addressee("ke-customs")])
    assert verdict.agreement == "fr-ke-cmaa, lantern-plan"
    assert verdict.released == ("c0", "c1", "c2", "c3", "c4")


def test_a_verdict_does_not_depend_on_the_others() -> None:
    everybody = [addressee(code) for code in shipped_set().partners]
    together = decide(shipped_set(), message(), WARNING, everybody)
    assert together == [decide(shipped_set(), message(), WARNING, [one])[0] for one in everybody]
    assert together == decide(shipped_set(), message(), WARNING, everybody[::-1])[::-1]


def test_inputs_name_nobody_else() -> None:
    codes = [code for code in shipped_set().partners if code != "fr-customs"]
    for verdict in decide(shipped_set(), message(), WARNING, [addressee(code) for code in codes]):
        assert [code for code in codes if code.encode() in verdict.inputs] == [verdict.to]


# --- near misses ---------------------------------------------------------------------------------------------------


def test_a_near_miss_names_the_permit_and_what_it_needs() -> None:
    facts = message(originator="de-customs", offence="cash")
    (verdict,) = decide(shipped_set(), facts, compartments("financial"), [addressee("nl-customs")])
    assert [one.near_miss for one in verdict.withheld] == ["CUSTOMS-OUT-05 needs: addressee is named"]
    assert verdict.withheld[0].reason == "policy/not-permitted"


def test_a_near_miss_names_a_group() -> None:
    files = shipped_files()
    change(files, "partners/fr-customs/partner.toml", "adopts", [])
    change(files, "agreements/lantern-police.toml", "compartments", ["travel"])
    change(files, "agreements/lantern-police.toml", "pnr", value=True)
    facts = message(offence="terrorism")
    (verdict,) = decide(PolicySet.load(files), facts, compartments("travel"), [addressee("ke-police")])
    assert [one.near_miss for one in verdict.withheld] == ["FR-CUSTOMS-OUT-02 needs: addressee in eu-police"]


def test_a_partner_that_permits_nothing_gives_nothing() -> None:
    files = shipped_files()
    change(files, "partners/de-customs/partner.toml", "adopts", [])
    policies = PolicySet.load(files)
    (verdict,) = decide(policies, message(originator="de-customs"), WARNING[:1], [addressee("fr-customs")])
    assert [(one.reason, one.near_miss) for one in verdict.withheld] == [
        ("policy/not-permitted", "no rule permits anything")
    ]
    (verdict,) = decide(policies, message(), WARNING[:1], [addressee("de-customs")])
    assert [(one.reason, one.near_miss) for one in verdict.withheld] == [
        ("policy/not-accepted", "no rule permits anything")
    ]


def test_an_addressee_refuses_by_its_own_rule() -> None:
    files = shipped_files()
    change(files, "agreements/eu-us-cmaa.toml", "compartments", ["narrative"])
    facts = message(codes=["H1"])
    (verdict,) = decide(PolicySet.load(files), facts, compartments("narrative"), [addressee("us-customs")])
    assert [(one.reason, one.rules) for one in verdict.withheld] == [("policy/not-accepted", ("US-CUSTOMS-IN-01",))]


# --- duties --------------------------------------------------------------------------------------------------------


def test_the_shortest_retention_and_all_caveats_are_owed() -> None:
    facts = message(codes=["H2", "H3"], caveats=["no-storage"])
    (verdict,) = decide(shipped_set(), facts, WARNING, [addressee("ke-customs")])
    assert verdict.duties == ("caveat:no-automated-decision", "caveat:no-storage", "no-onward", "retention-days:30")
    facts = message(status="actual", operation=None, operation_exercise=False, operation_open=False)
    (verdict,) = decide(shipped_set(), facts, WARNING[:1], [addressee("ke-customs")])
    assert verdict.duties == ("no-onward", "retention-days:365")


@pytest.mark.parametrize("discharges", [[], ["retention-days"], ["no-onward", "caveat"]])
def test_a_duty_that_the_addressee_cannot_discharge_withholds(discharges: list[str]) -> None:
    files = shipped_files()
    change(files, "partners/ke-customs/partner.toml", "discharges", discharges)
    (verdict,) = decide(PolicySet.load(files), message(), WARNING, [addressee("ke-customs")])
    assert verdict.released == ()
    assert {one.reason for one in verdict.withheld if one.cid == "c0"} == {"policy/duty"}


@pytest.mark.parametrize("duty", ["human-release:originator", "consult-originator", "answer:hit-only", "mask:dob:year"])
def test_a_duty_without_enforcer_withholds_whatever_a_partner_claims(duty: str) -> None:
    files = shipped_files()
    files["hub/duties.cedar"] = files["hub/duties.cedar"].replace(b'"no-onward"', f'"{duty}"'.encode())
    change(files, "partners/de-customs/partner.toml", "discharges", [str(kind) for kind in DutyKind])
    (verdict,) = decide(PolicySet.load(files), message(codes=["H2"]), WARNING[:1], [addressee("de-customs")])
    (withheld,) = verdict.withheld
    assert (withheld.reason, withheld.rules) == ("policy/duty", ("DUTY-05",))
    assert withheld.near_miss == f"DUTY-05 needs: somebody who discharges {duty}"


def test_duties_merge() -> None:
    owed = [*parse_duties("retention-days:90; caveat:no-storage"), *parse_duties("retention-days:180;no-onward")]
    assert merge(owed) == ("caveat:no-storage", "no-onward", "retention-days:90")
    assert merge([]) == ()
    assert str(Duty(DutyKind.NO_ONWARD)) == "no-onward"


@pytest.mark.parametrize(
    "text",
    ["", "retain:1", "retention-days", "retention-days:0", "retention-days:01", "retention-days:99999", "no-onward:x",
     "human-release", "human-release:anybody", "caveat:", "mask:name", "mask::x", f"mask:{'x' * 200}:year",
     f"retention-days:{'9' * 5_000}"],
)  # fmt: skip
def test_an_unknown_duty_is_refused(text: str) -> None:
    with pytest.raises(PolicySetError):
        parse_duties(text)


# --- faults --------------------------------------------------------------------------------------------------------


def test_a_rule_that_cannot_be_evaluated_is_a_fault_for_its_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Store.ask

    def break_identity(self: Store, rules: object, action: object, cells: list[Cell]) -> list[Outcome]:
        answers = real(self, rules, action, cells)  # type: ignore[arg-type]  # handed on as they came
        broken = Outcome(permitted=False, rules=(), fault="overflow")
        return [broken if cell.compartment == "identity" else one for cell, one in zip(cells, answers, strict=True)]

    shipped_set().memory.forget()
    with monkeypatch.context() as broken_engine:
        broken_engine.setattr(Store, "ask", break_identity)
        (verdict,) = decide(shipped_set(), message(), WARNING, [addressee("de-customs")])
    assert "c3" not in verdict.released
    assert ("c3", "policy/fault") in {(one.cid, one.reason) for one in verdict.withheld}
    (healed,) = decide(shipped_set(), message(), WARNING, [addressee("de-customs")])
    assert "c3" in healed.released, "a fault is not remembered"


def test_facts_that_the_engine_does_not_take_are_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_self: Store, _entities: object) -> Store:
        raise PolicySetError("entities: no")

    monkeypatch.setattr(Store, "plus", refuse)
    (verdict,) = decide(PolicySet.load(shipped_files()), message(), WARNING, [addressee("de-customs")])
    assert verdict.released == ()
    assert {(one.reason, one.near_miss) for one in verdict.withheld} == {("policy/fault", "entities: no")}


def test_what_others_write_changes_nothing() -> None:
    files = shipped_files()
    permit_everything(files, "de-customs", "us-customs")
    loose = PolicySet.load(files)
    to = [addressee("ke-customs"), addressee("ma-customs")]
    before, after = decide(shipped_set(), message(), WARNING, to), decide(loose, message(), WARNING, to)
    assert [(one.released, one.withheld) for one in before] == [(one.released, one.withheld) for one in after]


# --- recomputation -------------------------------------------------------------------------------------------------


def test_another_set_does_not_recompute() -> None:
    (verdict,) = decide(shipped_set(), message(), WARNING, [addressee("ke-customs")])
    files = shipped_files()
    files["VERSION"] = b"2026.12.1\n"
    with pytest.raises(UnknownPolicySetError):
        recompute(PolicySet.load(files), verdict.inputs)


def test_inputs_have_one_spelling() -> None:
    (verdict,) = decide(shipped_set(), message(), WARNING, [addressee("ke-customs")])
    for spoiled in (
        b" " + verdict.inputs,
        verdict.inputs[:-1],
        verdict.inputs.replace(b'"v":1', b'"v":2'),
        verdict.inputs.replace(b'"action"', b'"colour"'),
        write_json(dict(sorted(parse_json(verdict.inputs).items(), reverse=True))),
    ):
        with pytest.raises(RecomputationError):
            recompute(shipped_set(), spoiled)
