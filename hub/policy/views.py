"""What the rules of a set can tell apart of a message: two with equal views are ruled on alike.

Most messages of an exchange differ only in what no rule reads, above all in the second at which they are decided. Not
for: what rules see of an addressee (`slices.py`). Implements `docs/protocol/06-decisions.md` section 4, step 4.
"""

from bisect import bisect_right
from collections.abc import Hashable, Iterable, Iterator
from typing import Final

from hub.policy.engine import Rule, children, pst
from hub.policy.entities import MESSAGE_FIELD_OF
from hub.policy.facts import MessageFacts

_ALL: Final = frozenset(MESSAGE_FIELD_OF)
_ALWAYS: Final = frozenset({"originator", "messageKind", "caveats"})  # read by the program itself (`ruling.py`)
_CLOCK: Final = "at"
_TERMS: Final = frozenset({"validFrom", "validUntil"})  # of an agreement, which the set fixes
_ORDERS: Final = frozenset({"less", "less_eq", "greater", "greater_eq"})


class MessageViews:
    """How messages look to the rules of one set.

    Where every rule compares the clock only with terms of agreements, all moments between two terms look alike.
    """

    def __init__(self, rules: Iterable[Rule], moments: Iterable[int]) -> None:
        """Take all rules of the set, and the terms of its agreements in Unix seconds."""
        trees = [clause.expr for rule in rules for clause in rule.tree.clauses]
        reads = {name for tree in trees for name in _reads(tree)}
        clock = _CLOCK in reads and not all(_compares_terms_only(tree) for tree in trees)
        names = (reads | _ALWAYS) - (frozenset() if clock else {_CLOCK})
        self._fields: Final = tuple(MESSAGE_FIELD_OF[name] for name in sorted(names))
        # `<` and `<=` change their answers at a moment and one second after it.
        self._bounds: Final = sorted({bound for moment in moments for bound in (moment, moment + 1)})

    def of(self, message: MessageFacts) -> Hashable:
        """Return a message's view."""
        return bisect_right(self._bounds, message.at), *[getattr(message, field) for field in self._fields]


def _is_message(node: object) -> bool:
    return isinstance(node, pst.GetAttr) and node.attr == "message" and node.base == pst.Var(name="resource")


def _reads(node: object) -> Iterator[str]:
    """Yield the attributes of the message that an expression reads; another use counts as reading everything."""
    match node:
        case pst.GetAttr(base=base, attr=attr) if _is_message(base):
            yield attr
        case pst.HasAttr(base=base, attrs=attrs) if _is_message(base):
            yield attrs[0]
        case pst.GetAttr(base=pst.Var(name="resource"), attr=attr) if attr != "message":
            pass
        case pst.Var(name="resource"):
            yield from _ALL
        case _:
            for child in children(node):
                yield from _reads(child)


def _compares_terms_only(node: object) -> bool:
    """Whether an expression reads the clock only to order it beside a term of an agreement."""
    match node:
        case pst.BinaryOp(op=op, left=left, right=right) if op in _ORDERS and (
            (_is_clock(left) and _is_term(right)) or (_is_term(left) and _is_clock(right))
        ):
            return True
        case pst.GetAttr(base=base) | pst.HasAttr(base=base) if _is_message(base):
            return not _is_clock(node)
        case pst.GetAttr(base=pst.Var(name="resource"), attr=attr) if attr != "message":
            return True
        case pst.Var(name="resource"):  # the message as a whole has the clock in it
            return False
        case _:
            return all(_compares_terms_only(child) for child in children(node))


def _is_clock(node: object) -> bool:
    return isinstance(node, pst.GetAttr) and node.attr == _CLOCK and _is_message(node.base)


def _is_term(node: object) -> bool:
    return isinstance(node, pst.GetAttr) and node.attr in _TERMS
