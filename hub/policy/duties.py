"""The closed catalogue of duties: how one is written, how several merge, and which can be discharged today.

A duty that nobody can discharge is a reason to withhold. Not for: which rule owes which duty (`decide.py`) nor for
discharging one (`connectors/kit/`). Implements `docs/protocol/06-decisions.md` section 6.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from hub.protocol.errors import PolicySetError
from hub.protocol.marks import DAY, MAX_RETAIN, Caveat
from hub.protocol.vocabulary import nearest

MAX_DUTY: Final = 128  # characters of one duty in a decision (04-statements)


class DutyKind(StrEnum):
    """What is to be done; the text before the first colon."""

    RETENTION_DAYS = "retention-days"
    CAVEAT = "caveat"
    NO_ONWARD = "no-onward"
    HUMAN_RELEASE = "human-release"
    CONSULT_ORIGINATOR = "consult-originator"
    ANSWER = "answer"
    MASK = "mask"


ENFORCED: Final[frozenset[DutyKind]] = frozenset({DutyKind.RETENTION_DAYS, DutyKind.CAVEAT, DutyKind.NO_ONWARD})
"""The duties whose enforcer exists; any other is undischargeable, whatever a partner says of its connector."""

_FIXED: Final = {
    DutyKind.NO_ONWARD: "",
    DutyKind.CONSULT_ORIGINATOR: "",
    DutyKind.HUMAN_RELEASE: "originator",
    DutyKind.ANSWER: "hit-only",
}


@dataclass(frozen=True, slots=True, order=True)
class Duty:
    """One duty; `str` gives its only spelling."""

    kind: DutyKind
    argument: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.argument}" if self.argument else str(self.kind)


def _parse_duty(text: str) -> Duty:
    if len(text) > MAX_DUTY:  # first: a number of thousands of digits cannot be read
        raise PolicySetError(f"a duty has at most {MAX_DUTY} characters")
    name, _, argument = text.strip().partition(":")
    if name not in set(DutyKind):
        raise PolicySetError(f"{name!r} is not a duty{nearest(name, set(DutyKind))}")
    kind = DutyKind(name)
    if kind in _FIXED and argument != _FIXED[kind]:
        raise PolicySetError(f"write '{Duty(kind, _FIXED[kind])}'")
    if kind is DutyKind.CAVEAT and argument not in set(Caveat):
        raise PolicySetError(f"{argument!r} is not a caveat{nearest(argument, set(Caveat))}")
    if kind is DutyKind.RETENTION_DAYS and not _is_days(argument):
        raise PolicySetError(f"write 'retention-days:N' with N from 1 to {MAX_RETAIN // DAY}")
    if kind is DutyKind.MASK and len([part for part in argument.split(":") if part]) != 2:  # noqa: PLR2004 - field:how
        raise PolicySetError("write 'mask:<field>:<how>'")
    return Duty(kind, argument)


def _is_days(text: str) -> bool:
    return text.isascii() and text.isdigit() and str(int(text)) == text and 1 <= int(text) <= MAX_RETAIN // DAY


def parse_duties(text: str) -> tuple[Duty, ...]:
    """Return the duties of a `@duty` annotation: one, or several with semicolons between.

    Raises:
        PolicySetError: one is not in the catalogue; the detail names the nearest that is.
    """
    return tuple(_parse_duty(part) for part in text.split(";"))


def merge(duties: Iterable[Duty]) -> tuple[str, ...]:
    """Return what several duties owe together, sorted: the shortest retention, and the union of all others."""
    owed = set(duties)
    retention = [duty for duty in owed if duty.kind is DutyKind.RETENTION_DAYS]
    if retention:
        owed -= set(retention)
        owed.add(min(retention, key=lambda duty: int(duty.argument)))
    return tuple(sorted(map(str, owed)))
