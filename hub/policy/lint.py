"""What a rule must keep to beyond being valid Cedar, checked when a policy set is loaded.

Each check closes a way in which a rule could silently mean nothing or something else. Not for: style, which changes no
decision. Implements `docs/protocol/06-decisions.md` section 3.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Final

from hub.policy.duties import parse_duties
from hub.policy.engine import Action, Rule, Schema, children, pst
from hub.protocol.errors import CodeListError, PolicySetError
from hub.protocol.vocabulary import check_topic, nearest

NOTES: Final = ("id", "title", "legal", "review")  # every rule has them
_OPTIONAL: Final = ("duty", "reason")
REASONS: Final = ("no-agreement",)  # a floor rule whose denial has a reason of its own
_ARITHMETIC: Final = frozenset({"add", "sub", "mul", "neg"})
_COMPARED: Final = frozenset({"eq", "not_eq", "contains", "contains_all", "contains_any"})
_NAMELESS: Final = frozenset({"Addressee", "Compartment", "Message"})  # their ids are made up for each decision
_GROUPS: Final = frozenset({"Group", "Partner"})  # what an addressee or an originator can be in


def check_rules(rules: Sequence[Rule], schema: Schema, *, prefix: str, action: Action, floor: bool = False) -> None:
    """Check all rules of one file.

    Args:
        rules: as parsed.
        schema: the set's.
        prefix: what each id begins with.
        action: the one action that they are about.
        floor: they may only forbid.

    Raises:
        PolicySetError: a rule does not keep to it; names file, line and the nearest right word.
    """
    for rule in rules:
        _check_notes(rule, prefix, action)
        _check_effect(rule, action, floor=floor)
        for node in _walk(rule.tree):
            _check_node(rule, node, schema)


def _walk(node: object) -> Iterator[object]:
    yield node
    for child in children(node):
        yield from _walk(child)


def _check_notes(rule: Rule, prefix: str, action: Action) -> None:
    for name in rule.tree.annotations:
        if name not in (*NOTES, *_OPTIONAL):
            raise PolicySetError(f"{rule.at}: @{name} is not an annotation{nearest(name, (*NOTES, *_OPTIONAL))}")
    for name in NOTES:
        if not rule.note(name):
            raise PolicySetError(f"{rule.at}: the rule has no @{name}")
    if not re.fullmatch(rf"{re.escape(prefix)}[0-9]{{2,3}}", rule.id):
        raise PolicySetError(f"{rule.at}: the id {rule.id!r} is not '{prefix}' and two or three digits")
    try:
        date.fromisoformat(rule.note("review"))
    except ValueError:
        raise PolicySetError(f"{rule.at}: @review is not a day, such as 2027-06-30") from None
    if rule.note("reason") and rule.note("reason") not in REASONS:
        raise PolicySetError(f"{rule.at}: @reason is none of {', '.join(REASONS)}")
    _check_duty(rule, action)


def _check_duty(rule: Rule, action: Action) -> None:
    if (action == "duty") != ("duty" in rule.tree.annotations):
        raise PolicySetError(f"{rule.at}: @duty belongs to every rule of hub/duties.cedar, and to no other")
    if action == "duty":
        try:
            parse_duties(rule.note("duty"))
        except PolicySetError as error:
            raise PolicySetError(f"{rule.at}: {error.detail}") from None


def _check_effect(rule: Rule, action: Action, *, floor: bool) -> None:
    if floor and rule.tree.effect != "forbid":
        raise PolicySetError(f"{rule.at}: the floor only forbids; a permit belongs to a partner or a baseline")
    if action == "duty" and rule.tree.effect != "permit":
        raise PolicySetError(f"{rule.at}: a duty is owed (permit), it cannot forbid")
    if not isinstance(rule.tree.principal, pst.ScopeAny | pst.ScopeIn) or not isinstance(
        rule.tree.resource, pst.ScopeAny
    ):
        raise PolicySetError(f"{rule.at}: the scope is 'principal' or 'principal in ...', and 'resource'")
    scope = rule.tree.action
    if not isinstance(scope, pst.ActionEq) or scope.entity.id != action:
        raise PolicySetError(f'{rule.at}: the rule must say action == Action::"{action}"')


def _check_node(rule: Rule, node: object, schema: Schema) -> None:
    match node:
        case pst.BinaryOp(op=op) | pst.UnaryOp(op=op) if op in _ARITHMETIC:
            raise PolicySetError(f"{rule.at}: no arithmetic in a rule; an overflow would skip it")
        case pst.StringLit(value=text):
            try:
                check_topic(text)
            except CodeListError as error:
                raise PolicySetError(
                    f"{rule.at}: {text!r}: the only words in plain quotes are topics; {error}"
                ) from None
        case pst.EntityUid(type=kind) if kind.basename in _NAMELESS:
            raise PolicySetError(f"{rule.at}: a rule cannot name a {kind.basename}; say what it is, or who it is in")
        case pst.BinaryOp(op="in", right=right):
            _check_groups(rule, right)
        case pst.BinaryOp(op=op, left=left, right=right) if op in _COMPARED:
            _check_types(rule, left, right, schema)
        case _:
            pass


def _literals(node: object) -> Iterator[pst.EntityUid]:
    """Yield the entities that an operand names: it alone, or as members of a set."""
    for one in node.elements if isinstance(node, pst.Set) else (node,):
        if isinstance(one, pst.EntityLit):
            yield one.value


def _check_groups(rule: Rule, right: object) -> None:
    """Refuse to ask whether something is in what nothing is ever in."""
    for uid in _literals(right):
        if uid.type.basename not in _GROUPS:
            raise PolicySetError(f"{rule.at}: nothing is ever in {uid}, which is neither a group nor a partner")


def _check_types(rule: Rule, left: object, right: object, schema: Schema) -> None:
    """Refuse a comparison of words of two lists: it can never hold, and the engine does not say so."""
    for compared, other in ((left, right), (right, left)):
        for one in compared.elements if isinstance(compared, pst.Set) else (compared,):
            if isinstance(one, pst.Var) and any(True for _ in _literals(other)):
                raise PolicySetError(f"{rule.at}: {one.name} has no name to compare; ask what it is in, or has")
        if not isinstance(compared, pst.GetAttr):
            continue
        types = schema.types.get(compared.attr, frozenset())
        for uid in _literals(other):
            if uid.type.basename not in types:
                raise PolicySetError(
                    f"{rule.at}: {uid} is never {compared.attr!r}, which is of {' or '.join(sorted(types))}"
                )
