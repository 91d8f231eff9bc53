"""The shipped set does what its cases say, and each rule of the floor is needed."""

import re
from typing import Any

import pytest

from hub.policy.decide import Verdict, decide, recompute
from hub.policy.sets import PolicySet
from hub.protocol.vocabulary import PartnerKind
from tests.support.policy import (
    POLICIES,
    Files,
    addressees_of,
    cases,
    change,
    compartments,
    message_of,
    permit_everything,
    shipped_files,
    shipped_set,
    without,
)

FLOOR = cases("floor")
LANTERN = cases("lantern")
Case = dict[str, Any]


def _name(case: Case) -> str:
    return f"{case.get('rule', 'released')}-{case['originator']}-{case['to']}"


def _world(case: Case) -> Files:
    """Return the shipped files with the facts that a case changes, and both partners permitting everything."""
    files = shipped_files()
    permit_everything(files, case["originator"], case["to"])
    for folder, name in (("partners", "partner.toml"), ("agreements", "")):
        for key, members in case.get(folder, {}).items():
            for member, value in members.items():
                change(files, f"{folder}/{key}/{name}" if name else f"{folder}/{key}.toml", member, value)
    return files


def _verdict(files: Files, case: Case) -> Verdict:
    (verdict,) = decide(PolicySet.load(files), message_of(case), compartments(case["label"]), addressees_of(case))
    return verdict


@pytest.mark.parametrize("case", FLOOR, ids=_name)
def test_the_floor_withholds_whatever_partners_permit(case: Case) -> None:
    verdict = _verdict(_world(case), case)
    if case.get("released"):
        assert verdict.released == ("c0",)
    else:
        (withheld,) = verdict.withheld
        assert (withheld.rules, withheld.reason) == ((case["rule"],), case.get("reason", "policy/floor"))
        assert withheld.near_miss.startswith(f"{case['rule']}: ")


@pytest.mark.parametrize("case", [case for case in FLOOR if "rule" in case], ids=_name)
def test_without_its_rule_a_case_flips(case: Case) -> None:
    files = _world(case)
    without(files, "hub/floor.cedar", case["rule"])
    assert _verdict(files, case).released == ("c0",)


def test_every_rule_of_the_floor_has_a_case() -> None:
    rules = re.findall(r'@id\("(HUB-\d+)"\)', (POLICIES / "hub" / "floor.cedar").read_text("utf-8"))
    assert len(rules) >= 20
    assert set(rules) == {case["rule"] for case in FLOOR if "rule" in case}


@pytest.mark.parametrize("case", LANTERN, ids=_name)
def test_what_goes_in_the_exercise(case: Case) -> None:
    labels = case["labels"]
    for verdict in decide(shipped_set(), message_of(case), compartments(*labels), addressees_of(case)):
        assert [labels[int(cid[1:])] for cid in verdict.released] == case["gets"], verdict.to
        if "duties" in case:
            assert list(verdict.duties) == case["duties"]
        why = {labels[int(one.cid[1:])]: {one.reason, *one.rules} for one in verdict.withheld}
        for label, expected in case.get("why", {}).items():
            assert expected in why[label], verdict.to
        assert all(one.near_miss for one in verdict.withheld)
        assert recompute(shipped_set(), verdict.inputs) == verdict


def test_the_exchange_has_everybody() -> None:
    kinds = [partner.kind for partner in shipped_set().partners.values()]
    assert len(kinds) >= 31
    assert kinds.count(PartnerKind.CUSTOMS) == 22
    assert kinds.count(PartnerKind.POLICE) == 4
    assert kinds.count(PartnerKind.RILO) == 4
    assert kinds.count(PartnerKind.BUREAU) == 1


def test_thirty_addressees_get_all_some_or_nothing() -> None:
    labels = LANTERN[0]["labels"]
    everybody = [code for code in shipped_set().partners if code != "fr-customs"]
    case = LANTERN[0] | {"to": everybody}
    verdicts = decide(shipped_set(), message_of(case), compartments(*labels), addressees_of(case))
    counts = [len(verdict.released) for verdict in verdicts]
    assert len(counts) == 30
    assert counts.count(6) >= 6
    assert counts.count(0) == 1
    assert set(counts) >= {0, 2, 4, 5, 6}
