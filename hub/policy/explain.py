"""Why a compartment was withheld when no rule forbids it: the permit that came closest, and what it still needs.

The conditions of every permit are asked of the engine one by one, so that an explanation cannot differ from the
decision. Not for: deciding. Implements `docs/protocol/06-decisions.md` section 7.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from hub.policy.engine import Action, Cell, Compiled, Rule, Store, pst
from hub.policy.slices import LABEL, Slice, reads_in

MAX_NEAR_MISS: Final = 400  # characters; the sentence of a decision's explanation

_HUMP: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
_VARIABLES: Final[Mapping[str, str]] = {"principal": "addressee", "resource": "compartment"}
_SAYS: Final[Mapping[str, str]] = {
    "eq": "is", "not_eq": "is not", "less": "is below", "less_eq": "is at most", "greater": "is above",
    "greater_eq": "is at least", "in": "in", "and": "and", "or": "or", "contains": "include",
    "contains_all": "include all of", "contains_any": "include one of",
}  # fmt: skip


class NearMisses:
    """The permits of a slice, taken apart into conditions that can be asked one by one."""

    def __init__(self, rules: Slice) -> None:
        """Take the slice that denied."""
        permits = [rule for rule in rules.rules.values() if rule.tree.effect == "permit"]
        distinct = dict.fromkeys(condition for rule in permits for condition in _conditions(rule))
        names = {condition: f"condition-{place}" for place, condition in enumerate(distinct)}
        self._needs: Final = {rule.id: [names[condition] for condition in _conditions(rule)] for rule in permits}
        self._words: Final = {name: say(condition) for condition, name in names.items()}
        # what is about the compartment weighs more: a permit for other compartments is not near
        self._fixed: Final = frozenset(name for condition, name in names.items() if LABEL in reads_in(condition))
        self._probes: Final = Compiled([_probe(name, condition) for condition, name in names.items()])

    def explain(self, store: Store, action: Action, cells: Sequence[Cell]) -> list[str]:
        """Return a sentence for each cell, such as `FR-CUSTOMS-OUT-03 needs: addressee in eu-police`."""
        if not self._needs:
            return ["no rule permits anything"] * len(cells)
        return [self._closest(set(outcome.rules)) for outcome in store.ask(self._probes, action, cells)]

    def _closest(self, holds: Collection[str]) -> str:
        missing = {name: [need for need in needs if need not in holds] for name, needs in self._needs.items()}
        name = min(missing, key=lambda one: (len(self._fixed.intersection(missing[one])), len(missing[one]), one))
        sentence = f"{name} needs: {', and '.join(self._words[need] for need in missing[name])}"
        return sentence if len(sentence) <= MAX_NEAR_MISS else sentence[: MAX_NEAR_MISS - 1] + "…"


def _conditions(rule: Rule) -> tuple[pst.Expr, ...]:
    """Return the conditions that must all hold for a permit: of its scope, then of its clauses."""
    found: list[pst.Expr] = []
    scope = rule.tree.principal
    if isinstance(scope, pst.ScopeIn) and isinstance(scope.entity, pst.EntityUid):
        found.append(pst.BinaryOp("in", pst.Var("principal"), pst.EntityLit(scope.entity)))
    for clause in rule.tree.clauses:
        if isinstance(clause, pst.When):
            found += _conjuncts(clause.expr)
        else:
            found += [_negated(expression) for expression in _disjuncts(clause.expr)]
    return tuple(found)


def _conjuncts(expression: pst.Expr) -> list[pst.Expr]:
    if isinstance(expression, pst.BinaryOp) and expression.op == "and":
        return [*_conjuncts(expression.left), *_conjuncts(expression.right)]
    return [expression]


def _disjuncts(expression: pst.Expr) -> list[pst.Expr]:
    if isinstance(expression, pst.BinaryOp) and expression.op == "or":
        return [*_disjuncts(expression.left), *_disjuncts(expression.right)]
    return [expression]


def _negated(expression: pst.Expr) -> pst.Expr:
    return pst.UnaryOp("not", expression)


def _probe(name: str, expression: pst.Expr) -> Rule:
    anything = pst.ScopeAny()
    tree = pst.Template(name, "permit", anything, anything, anything, (pst.When(expression),), pst.FrozenMap())
    return Rule(name, "", 0, tree)


def say(node: pst.Expr) -> str:
    """Return a condition in words."""
    match node:
        case pst.GetAttr(base=base, attr=attr):
            return _say_attribute(base, attr)
        case pst.HasAttr(base=base, attrs=attrs):
            return f"{say(base)} has {_words(attrs[-1])}"
        case pst.UnaryOp(op="not", arg=arg):
            return f"not ({say(arg)})"
        case pst.BinaryOp(op="contains", left=pst.Set() as choice, right=right):
            return f"{say(right)} is one of {say(choice)}"
        case pst.BinaryOp(op=op, left=left, right=right):
            return f"{say(left)} {_SAYS.get(op, op)} {say(right)}"
        case _:
            return _say_value(node)


def _say_value(node: pst.Expr) -> str:
    match node:
        case pst.Var(name=name):
            return _VARIABLES.get(name, name)
        case pst.Set(elements=elements):
            return " / ".join(map(say, elements))
        case pst.EntityLit(value=uid):
            return uid.id
        case pst.StringLit(value=value) | pst.LongLit(value=value) | pst.BoolLit(value=value):
            return str(value)
        case _:
            return f"a condition on {type(node).__name__}"


def _say_attribute(owner: pst.Expr, attr: str) -> str:
    if attr in {"message", "label"}:
        return attr
    short = isinstance(owner, pst.GetAttr) and owner.attr == "agreement"
    base, words = "agreement" if short else say(owner), _words(attr)
    return f"{base} {words}" if words.startswith(("is ", "has ", "allows ")) else f"{base}'s {words}"


def _words(attr: str) -> str:
    return _HUMP.sub(" ", attr).lower()
