"""Believed things are made by their check and nowhere else; that is what makes skipping the check a type error."""

import ast
from typing import Final

import pytest

from tests.support.tree import CODE, Module, check_none, dotted, modules

# Ways round a constructor that leave no call of the class behind.
BYPASSES: Final = frozenset({"object.__new__", "replace", "dataclasses.replace", "copy.replace"})


def _calls(module: Module, name: str) -> list[str]:
    return [
        module.at(node)
        for node in module.nodes
        if isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] == name
    ]


def _home(name: str) -> str:
    """Return the one module that defines a class."""
    homes = [module.name for module in modules(*CODE) for node in module.classes() if node.name == name]
    assert len(homes) == 1, f"{name} is defined in {homes}"
    return homes[0]


@pytest.mark.parametrize("name", ["VerifiedEnvelope", "ReleasedCopy"])
def test_only_the_check_makes_one(name: str) -> None:
    home = _home(name)
    makers = {module.name: found for module in modules() if (found := _calls(module, name))}
    assert set(makers) == {home}
    assert len(makers[home]) == 1, "one function makes it"


def test_only_the_trusted_root_leads_to_a_directory() -> None:
    """Tests of what is below the directory make their own; shipped code gets it from the TUF metadata alone."""
    makers = {module.name for module in modules(*CODE, "benchmarks") if _calls(module, "Directory")}
    assert makers == {"hub/verify/trust.py"}


def test_no_way_leads_round_a_check() -> None:
    found = [
        f"{module.at(node)} {dotted(node.func)}"
        for module in modules(*CODE)
        if not module.name.startswith("hub/policy/")  # it decides before anything is believed or released
        for node in module.nodes
        if isinstance(node, ast.Call)
        and (dotted(node.func) in BYPASSES or dotted(node.func).rpartition(".")[2] == "model_construct")
    ]
    check_none(found)
