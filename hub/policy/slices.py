"""Slices: the rules that are evaluated together, taken apart by what they read so that nothing is asked twice.

A rule's answer depends on nothing but the facts it reads, and these stand in its syntax tree. Most rules do not read
the compartment and few read everything about the addressee, so a broadcast has far fewer different questions than
cells. Not for: which rules belong to which slice (`sets.py`). Implements `docs/protocol/06-decisions.md` section 4,
step 4.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from hub.policy.engine import Compiled, Rule, by_id, children, pst
from hub.policy.entities import FIELD_OF, Candidate

_PARENTS: Final = "parents"  # the groups and the partner that an addressee is in
_ALL: Final = frozenset(FIELD_OF) | {_PARENTS}
LABEL: Final = "label"  # stands for all that one compartment has of its own


class Part:
    """Rules of a slice that read alike.

    Attributes:
        rules: as the engine takes them.
        reads: attributes of the addressee that any of them reads.
        reads_label: whether any of them reads the compartment.
    """

    def __init__(self, rules: Sequence[Rule], reads: frozenset[str], *, reads_label: bool) -> None:
        """Take rules and what they read together."""
        self.rules: Final = Compiled(rules)
        self.reads: Final = reads
        self.reads_label: Final = reads_label
        self._fields: Final = tuple(FIELD_OF[name] for name in sorted(reads & FIELD_OF.keys()))
        self._parents: Final = _PARENTS in reads

    def sees(self, candidate: Candidate) -> Hashable:
        """Return all that the rules can see of an addressee; they answer for two with equal views alike."""
        seen = tuple([getattr(candidate, name) for name in self._fields])
        return (candidate.partner, candidate.groups, seen) if self._parents else seen


class Slice:
    """Rules that are evaluated together.

    Attributes:
        rules: by id, in the order given.
        partners: the partner codes that they name.
        parts: the same rules, by what they read: the compartment or not, the agreement or not.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        """Take rules.

        Raises:
            PolicySetError: two have one id, or the engine does not take them.
        """
        self.rules: Final[Mapping[str, Rule]] = by_id(rules)
        self.partners: Final = named_partners(rules)
        groups: dict[tuple[bool, bool], list[tuple[Rule, frozenset[str]]]] = {}
        for rule in rules:
            reads = frozenset(_reads(rule))
            groups.setdefault((LABEL in reads, "agreement" in reads), []).append((rule, reads))
        self.parts: Final = tuple(
            Part(
                [rule for rule, _ in group],
                frozenset[str]().union(*(reads for _, reads in group)) - {LABEL},
                reads_label=reads_label,
            )
            for (reads_label, _), group in sorted(groups.items(), key=lambda item: item[0])
        )


def named_partners(rules: Iterable[Rule]) -> frozenset[str]:
    """Return the codes of the partners that rules name."""
    return _named(rules, "Partner")


def named_agreements(rules: Iterable[Rule]) -> frozenset[str]:
    """Return the ids of the agreements that rules name."""
    return _named(rules, "Agreement")


def _named(rules: Iterable[Rule], kind: str) -> frozenset[str]:
    named = pst.entity_uids(tuple(rule.tree for rule in rules))
    return frozenset(uid.id for uid in named if uid.type.basename == kind)


def _reads(rule: Rule) -> Iterator[str]:
    """Yield the attributes of the addressee that a rule reads, and `label` if it reads the compartment."""
    if not isinstance(rule.tree.principal, pst.ScopeAny):
        yield _PARENTS
    for clause in rule.tree.clauses:
        yield from reads_in(clause.expr)


def reads_in(node: object) -> Iterator[str]:
    """Yield what an expression reads; a use that is not understood counts as reading everything."""
    match node:
        case pst.GetAttr(base=pst.Var(name="principal"), attr=attr):
            yield attr
        case pst.HasAttr(base=pst.Var(name="principal"), attrs=attrs):
            yield attrs[0]
        case pst.BinaryOp(op="in", left=pst.Var(name="principal"), right=right):
            yield _PARENTS
            yield from reads_in(right)
        case pst.GetAttr(base=pst.Var(name="resource"), attr="message"):
            pass
        case pst.Var(name="principal"):
            yield from _ALL
        case pst.Var(name="resource"):
            yield LABEL
        case _:
            for child in children(node):
                yield from reads_in(child)
