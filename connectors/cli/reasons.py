"""The words for what was released and withheld: plain sentences for codes, labels for places.

Not for: deciding anything. User's page: `docs/reference/commands.md`.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Protocol

from connectors.cli.output import Grid, counted
from connectors.kit.audience import Audience, Candidate

SENTENCES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "policy/floor": "a rule of the exchange forbids it",
        "policy/no-agreement": "no agreement in force covers it",
        "policy/not-permitted": "the originator's rules do not permit it",
        "policy/not-accepted": "the addressee's own rules do not take it",
        "policy/duty": "it comes with a duty that the addressee cannot discharge",
        "policy/fault": "a rule could not be evaluated",
        "originator/not-wrapped": "the originator did not seal it to this addressee",
        "originator/not-asked": "the hub names an addressee that nobody asked for",
        "hub/no-answer": "the hub says nothing about this addressee",
    }
)
_VIA: Final[Mapping[str, str]] = MappingProxyType(
    {"named": "named", "operation": "operation", "topic": "subscribed", "answer": "is answered"}
)


class Reasoned(Protocol):
    """A withheld compartment as originators see it: from our own policy set, or from the hub's."""

    @property
    def cid(self) -> str:
        """Its place."""

    @property
    def reason(self) -> str:
        """The code."""

    @property
    def rules(self) -> tuple[str, ...]:
        """The rules that withhold it."""

    @property
    def near_miss(self) -> str:
        """The sentence that explains it, if there is one."""


def sentence(code: str) -> str:
    """Return a reason code in words."""
    return SENTENCES.get(code, code)


def label_at(cid: str, labels: Sequence[str]) -> str:
    """Return the label of the compartment at a place, or the place where it is not known."""
    place = int(cid[1:])
    return labels[place] if place < len(labels) else cid


def labels_at(cids: Iterable[str], labels: Sequence[str]) -> list[str]:
    """Return the labels at several places."""
    return [label_at(cid, labels) for cid in cids]


def withheld_value(one: Reasoned, labels: Sequence[str]) -> dict[str, Any]:
    """Return a withheld compartment for `--json`."""
    return {
        "compartment": label_at(one.cid, labels),
        "reason": one.reason,
        "rules": list(one.rules),
        "near_miss": one.near_miss,
    }


def withheld_text(withheld: Iterable[Reasoned], labels: Sequence[str]) -> str:
    """Return why compartments are withheld, one line for each reason: `identity, travel: sentence`."""
    together: dict[str, list[str]] = defaultdict(list)
    for one in withheld:
        together[_why(one)].append(label_at(one.cid, labels))
    return "\n".join(f"{', '.join(where)}: {why}" for why, where in together.items())


def _why(one: Reasoned) -> str:
    """Return the sentence; a near miss names its rule already."""
    if one.near_miss or not one.rules:
        return one.near_miss or sentence(one.reason)
    return f"{sentence(one.reason)} ({', '.join(one.rules)})"


# --- audiences -------------------------------------------------------------------------------------------------------


def audience_value(audience: Audience, labels: Sequence[str], leave_out: Sequence[str]) -> list[dict[str, Any]]:
    """Return the candidates for `--json`."""
    return [
        {
            "to": one.partner,
            "via": one.via,
            "gets": labels_at(_got(one, leave_out), labels),
            "withheld": [withheld_value(other, labels) | {"by": other.by} for other in one.withheld],
            "duties": list(one.duties),
            "has_key": one.has_key,
            "left_out": one.partner in leave_out,
        }
        for one in audience.candidates
    ]


def audience_grid(audience: Audience, labels: Sequence[str], leave_out: Sequence[str]) -> Grid:
    """Return the candidates as a table."""
    rows = [
        (one.partner, _VIA[one.via], _gets(one, labels, leave_out), withheld_text(one.withheld, labels))
        for one in audience.candidates
    ]
    return Grid(("addressee", "why", "gets", "withheld"), rows)


def audience_summary(audience: Audience, leave_out: Sequence[str]) -> str:
    """Return how many get what, in one sentence."""
    shares = Counter(_share(one, leave_out) for one in audience.candidates)
    parts = [f"{word} to {shares[word]}" for word in ("everything", "a part", "nothing") if shares[word]]
    policies = "" if audience.agrees else "; the hub decides by another policy set, so only what both permit is sealed"
    return f"{counted(len(audience.candidates), 'addressee')}: {', '.join(parts) or 'nobody is addressed'}{policies}"


def _got(one: Candidate, leave_out: Sequence[str]) -> Sequence[str]:
    return one.grants if one.has_key and one.partner not in leave_out else ()


def _share(one: Candidate, leave_out: Sequence[str]) -> str:
    if not _got(one, leave_out):
        return "nothing"
    return "a part" if one.withheld else "everything"


def _gets(one: Candidate, labels: Sequence[str], leave_out: Sequence[str]) -> str:
    if one.partner in leave_out:
        return "left out"
    if one.grants and not one.has_key:
        return "nothing: it has no valid key"
    share = _share(one, leave_out)
    return ", ".join(labels_at(one.grants, labels)) if share == "a part" else share
