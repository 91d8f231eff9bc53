"""The shipped policy set for tests: its files, changed facts, the facts of messages, and its cases.

Not for: expectations; those stand in `policies/cases/` and in the tests.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from datetime import date
from functools import lru_cache
from typing import Any, Final

from hub.policy.facts import AddresseeFacts, CompartmentFacts, MessageFacts
from hub.policy.sets import PolicySet
from hub.protocol.strictjson import write_json
from hub.protocol.vocabulary import Label
from hub.protocol.wire import parse_wire
from tests.support.tree import ROOT

POLICIES: Final = ROOT / "policies"
NOW: Final = 1_798_761_600  # 2027-01-01, Unix seconds
Files = dict[str, bytes]

EVERYTHING: Final = """
@id("{id}")
@title("Everything")
@legal("none")
@review("2030-01-01")
permit (principal, action == Action::"{action}", resource);
"""


@lru_cache(maxsize=1)
def _shipped() -> tuple[tuple[str, bytes], ...]:
    paths = sorted(path for path in POLICIES.rglob("*") if path.is_file())
    return tuple((path.relative_to(POLICIES).as_posix(), path.read_bytes()) for path in paths)


def shipped_files() -> Files:
    """Return the files of `policies/`, to be changed at will."""
    return dict(_shipped())


@lru_cache(maxsize=1)
def shipped_set() -> PolicySet:
    """Return the shipped set, loaded once."""
    return PolicySet.load(shipped_files())


def change(files: Files, path: str, name: str, value: object) -> None:
    """Set one member of a TOML file."""
    text = files[path].decode()
    line = f"{name} = {value.isoformat() if isinstance(value, date) else write_json(value).decode()}"
    found = re.compile(rf"^{name} = (\[[^\]]*\]|[^\n]*)", re.MULTILINE)
    files[path] = (found.sub(line, text) if found.search(text) else f"{line}\n{text}").encode()


def permit_everything(files: Files, *codes: str) -> None:
    """Replace what partners themselves say by: everything goes, everything is taken."""
    for code in codes:
        for direction, short, action in (("outbound", "OUT", "release"), ("inbound", "IN", "accept")):
            rule = EVERYTHING.format(id=f"{code.upper()}-{short}-99", action=action)
            files[f"partners/{code}/{direction}.cedar"] = rule.encode()


def without(files: Files, path: str, rule: str) -> None:
    """Delete one rule from a file."""
    text = files[path].decode()
    start = text.index(f'@id("{rule}")')
    files[path] = (text[:start] + text[text.index(";\n", start) + 2 :]).encode()


def message(**changes: object) -> MessageFacts:
    """Return a French exercise warning, with changes; values are as in JSON."""
    facts: dict[str, object] = {
        "originator": "fr-customs",
        "mt": "warning",
        "verb": "alert",
        "status": "exercise",
        "tlp": "AMBER",
        "codes": ["H0"],
        "caveats": [],
        "retain": 7_776_000,
        "purpose": "customs-control",
        "offence": "firearms",
        "basis": "operation-plan",
        "priority": "routine",
        "topics": ["hs:93"],
        "operation": "exercise-lantern",
        "operation_open": True,
        "originator_member": True,
        "operation_exercise": True,
        "relayed": False,
        "at": NOW,
    }
    return parse_wire(MessageFacts, write_json(facts | changes))


def compartments(*labels: str) -> list[CompartmentFacts]:
    """Return compartments with these labels, in order."""
    return [CompartmentFacts(cid=f"c{place}", label=Label(label)) for place, label in enumerate(labels)]


def addressee(partner: str, *, named: bool = False, member: bool = True, suspended: bool = False) -> AddresseeFacts:
    """Return an addressee; a member of the operation unless told otherwise."""
    return AddresseeFacts(partner=partner, named=named, member=member, suspended=suspended)


def cases(name: str) -> list[dict[str, Any]]:
    """Return the cases of `policies/cases/<name>.toml`, each with the file's defaults filled in."""
    table = tomllib.loads((POLICIES / "cases" / f"{name}.toml").read_text("utf-8"))
    return [table["defaults"] | case for case in table["case"]]


def message_of(case: Mapping[str, Any]) -> MessageFacts:
    """Return the message of a case."""
    facts = {name: case[name] for name in MessageFacts.model_fields}
    return parse_wire(MessageFacts, write_json(facts | {"operation": case["operation"] or None}))


def addressees_of(case: Mapping[str, Any]) -> list[AddresseeFacts]:
    """Return the addressees of a case."""
    codes: Sequence[str] = [case["to"]] if isinstance(case["to"], str) else case["to"]
    return [addressee(code, named=case["named"], member=case["member"], suspended=case["suspended"]) for code in codes]
