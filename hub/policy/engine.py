"""Cedar, wrapped so that it fails closed: the only module that imports `cedarpy`.

Cedar skips a rule that it cannot evaluate, decides about things that do not exist, and says so only in its diagnostics;
here each of these is a fault, and a fault is a deny. Not for: what the rules are about (`decide.py`) nor for what is
bad style in one (`lint.py`). Implements `docs/protocol/06-decisions.md` section 4.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Final, Literal

import cedarpy
from cedarpy import pst as pst  # noqa: PLC0414 - handed on: the syntax tree is read by the linter and the explanation

from hub.protocol.errors import PolicySetError
from hub.protocol.strictjson import write_json
from hub.protocol.vocabulary import nearest

ENGINE: Final = "cedarpy 4.12.2"  # whoever recomputes a decision needs this one
Action = Literal["release", "accept", "duty"]
Entity = Mapping[str, Any]

_TOKEN: Final = re.compile(r'//[^\n]*|"(?:[^"\\]|\\.)*"|;|\n')
_ENUM: Final = re.compile(r"entity\s+(\w+)\s+enum\s*\[([^\]]*)\]")
_DECLARED: Final = re.compile(r"(?:entity|type)\s+(\w+)")
_ATTRIBUTE: Final = re.compile(r"^\s*(\w+)\??\s*:\s*(?:Set<(\w+)>|(\w+))", re.MULTILINE)
_WORD: Final = re.compile(r"[\w+-]+")
_WRONG: Final = re.compile(r'`(?:\w+::)?"?([^`"]+)"?`|"([^"`]+)"|(?:type|effect): (\w+)')  # in the engine's messages
_KEYWORDS: Final = frozenset({"permit", "forbid", "when", "unless", "principal", "action", "resource", "in", "has"})
_POLICY_ID: Final = re.compile(r"policy\d+\Z")


class Schema:
    """The typed schema of a policy set.

    Attributes:
        path: the file it came from, for errors.
        words: the closed lists by entity type, such as `Tlp` or `Group`.
        types: for each attribute name the types it has, of its elements if it is a set.
    """

    def __init__(self, path: str, text: str) -> None:
        """Parse a schema.

        Raises:
            PolicySetError: it is not one.
        """
        plain = re.sub(r"//[^\n]*", "", text)
        self.path: Final = path
        self.text: Final = text
        self.words: Final[Mapping[str, tuple[str, ...]]] = {
            name: tuple(re.findall(r'"([^"]*)"', values)) for name, values in _ENUM.findall(plain)
        }
        types: dict[str, frozenset[str]] = {}
        for name, element, single in _ATTRIBUTE.findall(plain):
            types[name] = types.get(name, frozenset()) | {element or single}
        self.types: Final[Mapping[str, frozenset[str]]] = types
        try:
            self._handle: Final = cedarpy.Schema.from_str(text)
        except ValueError as error:
            known = {"Bool", "Long", "Set", "String", *_DECLARED.findall(plain)}
            raise PolicySetError(_at(path, text, 1, str(error), frozenset(known))) from error

    def validate(self, path: str, text: str) -> None:
        """Check rules against the schema.

        Raises:
            PolicySetError: a rule uses what the schema does not have; names file, line and the nearest right word.
        """
        result = cedarpy.validate_policies(text, self._handle)
        if result.validation_passed and not result.errors:
            return
        first = result.errors[0]
        lines = [line for line, _ in _statements(text)]
        index = int(first.policy_id.removeprefix("policy") or 0) if _POLICY_ID.match(first.policy_id) else 0
        known = frozenset(_WORD.findall(self.text))
        raise PolicySetError(_at(path, text, lines[index] if index < len(lines) else 1, first.error, known))

    def store(self, entities: Sequence[Entity]) -> "Store":
        """Return entities, checked against the schema.

        Raises:
            PolicySetError: they are not of the schema (the engine does not say which).
        """
        return Store(_parsed(entities, self._handle), _uids(entities))


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Yield each rule with the line (from 1) on which it starts."""
    line, start, begin = 1, 0, 1
    for token in _TOKEN.finditer(text):
        if token[0] == "\n":
            line += 1
            if not text[start : token.end()].strip() or text[start : token.end()].strip().startswith("//"):
                start, begin = token.end(), line
        elif token[0] == ";":
            yield begin, text[start : token.end()]
            start, begin = token.end(), line
    rest = text[start:].strip()
    if rest and not rest.startswith("//"):  # a file may end with a remark and no line feed
        yield begin, text[start:]


def _at(path: str, text: str, line: int, message: str, known: frozenset[str]) -> str:
    """Return `file:line: message`, moved to the line of the first wrong word, with the nearest right one."""
    hint = ""
    for found in _WRONG.finditer(message):
        word = found[found.lastindex or 0]
        if word in known or _POLICY_ID.match(word):
            continue
        hint = nearest(word, known)
        lines = text.splitlines()
        line = next((at + 1 for at in range(line - 1, len(lines)) if word in lines[at]), line)
        break
    return f"{path}:{line}: {message}{hint}"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule with where it stands: its `@id` and other annotations, and its syntax tree."""

    id: str
    path: str
    line: int
    tree: pst.Template

    @property
    def at(self) -> str:
        """`file:line`."""
        return f"{self.path}:{self.line}"

    def note(self, name: str) -> str:
        """Return an annotation, such as `title`, or nothing."""
        return self.tree.annotations.get(name, "")


def parse_rules(path: str, text: str, schema: Schema) -> tuple[Rule, ...]:
    """Return the rules of one file, in its order, checked against the schema.

    Raises:
        PolicySetError: a syntax error, a template, a construct that the syntax tree has no node for, or what the schema
            does not have.
    """
    lines = [line for line, _ in _statements(text)]
    try:
        tree = cedarpy.policies_to_pst(text)
    except ValueError as error:
        raise PolicySetError(_syntax_error(path, text, error)) from error
    if tree.templates:
        raise PolicySetError(f"{path}:1: templates with ?principal or ?resource are not used here; write the rule out")
    schema.validate(path, text)
    if len(lines) != len(tree.static_policies):
        raise PolicySetError(f"{path}:1: where its rules end cannot be told; write one rule after the other")
    rules = zip(lines, tree.static_policies.values(), strict=True)
    return tuple(Rule(rule.annotations.get("id", ""), path, line, rule) for line, rule in rules)


def _syntax_error(path: str, text: str, error: ValueError) -> str:
    for line, statement in _statements(text):
        try:
            cedarpy.policies_to_pst(statement)
        except ValueError as found:
            return _at(path, text, line, str(found), _KEYWORDS)
    return f"{path}:1: {error}"


@dataclass(frozen=True, slots=True)
class Cell:
    """One question: may this candidate have this compartment? Both are ids of entities in the store."""

    addressee: str
    compartment: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """One answer. `rules` are the ids of all rules that decided, sorted; `fault` says what could not be evaluated."""

    permitted: bool
    rules: tuple[str, ...]
    fault: str = ""


class Store:
    """Entities, and which ones there are: Cedar itself decides happily about what does not exist."""

    def __init__(self, entities: cedarpy.Entities, uids: frozenset[tuple[str, str]]) -> None:
        """Take parsed entities and their (type, id) pairs. Made by `Schema.store`."""
        self._entities: Final = entities
        self._uids: Final = uids

    def plus(self, entities: Sequence[Entity]) -> "Store":
        """Return this store with more entities.

        Raises:
            PolicySetError: they cannot be parsed, or one is there already with other attributes.
        """
        try:
            added = self._entities.with_added_json_str(write_json(entities).decode())
        except ValueError as error:
            raise PolicySetError(f"entities: {error}") from error
        return Store(added, self._uids | _uids(entities))

    def ask(self, rules: "Compiled", action: Action, cells: Sequence[Cell]) -> list[Outcome]:
        """Return the engine's answer to each cell; a fault wherever it is not a plain yes or no."""
        if not cells:
            return []
        operation = {"type": "Action", "id": action}
        requests = [
            {
                "principal": {"type": "Addressee", "id": cell.addressee},
                "action": operation,
                "resource": {"type": "Compartment", "id": cell.compartment},
            }
            for cell in cells
        ]
        results = cedarpy.is_authorized_batch(requests, rules.handle, self._entities)
        return [self._outcome(cell, result, rules) for cell, result in zip(cells, results, strict=True)]

    def _outcome(self, cell: Cell, result: cedarpy.AuthzResult, rules: "Compiled") -> Outcome:
        if ("Addressee", cell.addressee) not in self._uids or ("Compartment", cell.compartment) not in self._uids:
            return _fault("the addressee or the compartment is not in the store")
        diagnostics, decision = result.diagnostics, result.decision
        if diagnostics.errors:
            return _fault(str(diagnostics.errors[0]))
        decided = tuple(sorted(diagnostics.reasons))
        if not rules.ids.issuperset(decided):
            return _fault("decided by a rule that was not asked")
        if decision is cedarpy.Decision.Deny:
            return Outcome(permitted=False, rules=decided)
        if decision is cedarpy.Decision.Allow and decided:
            return Outcome(permitted=True, rules=decided)
        return _fault("the engine gave no decision")


def _fault(sentence: str) -> Outcome:
    return Outcome(permitted=False, rules=(), fault=sentence)


class Compiled:
    """Rules as the engine takes them, with the ids that may decide."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        """Take rules.

        Raises:
            PolicySetError: two have one id, or the engine does not take them.
        """
        trees = by_id(rules)
        self.ids: Final = frozenset(trees)
        self.handle: Final = _handle({name: rule.tree for name, rule in trees.items()})


def by_id(rules: Iterable[Rule]) -> dict[str, Rule]:
    """Return rules by id (the engine itself takes one id twice).

    Raises:
        PolicySetError: two have one id.
    """
    seen: dict[str, Rule] = {}
    for rule in rules:
        if rule.id in seen:
            raise PolicySetError(f"{rule.at}: the id {rule.id!r} stands at {seen[rule.id].at} already")
        seen[rule.id] = rule
    return seen


def _handle(trees: Mapping[str, pst.Template]) -> cedarpy.PolicySet:
    static = pst.FrozenMap({name: replace(tree, id=name) for name, tree in trees.items()})
    try:
        return cedarpy.PolicySet.from_pst(
            pst.PolicySet(templates=pst.FrozenMap(), static_policies=static, template_links=())
        )
    except ValueError as error:
        raise PolicySetError(str(error)) from error


def children(node: object) -> Iterator[object]:
    """Yield what stands directly below a node of a syntax tree."""
    if isinstance(node, tuple):
        yield from node
    elif isinstance(node, dict):
        yield from node.values()
    elif is_dataclass(node):
        yield from (getattr(node, field.name) for field in fields(node))


def _uids(entities: Sequence[Entity]) -> frozenset[tuple[str, str]]:
    return frozenset((entity["uid"]["type"], entity["uid"]["id"]) for entity in entities)


def _parsed(entities: Sequence[Entity], schema: cedarpy.Schema) -> cedarpy.Entities:
    try:
        return cedarpy.Entities.from_json_str(write_json(entities).decode(), schema)
    except ValueError as error:
        raise PolicySetError(f"entities do not fit the schema: {error}") from error
