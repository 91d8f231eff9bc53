"""What a check of `valise doctor` or `fsck` found: a sentence, how bad it is, and what to do about it.

Not for: the checks (`machine.py`, `line.py`, and each program's own). User's page: `docs/how-to/run-a-hub.md`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from hub.protocol.errors import SetupError, ValiseError


class Level(StrEnum):
    """How bad a finding is; only a failure makes a command fail."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check. `check` is its stable name; `remedy` is one sentence, empty where all is well."""

    check: str
    level: Level
    text: str
    remedy: str = ""

    def value(self) -> dict[str, Any]:
        """Return it for `--json`."""
        return asdict(self)


def fine(check: str, text: str) -> Finding:
    """Return that all is well."""
    return Finding(check, Level.OK, text)


def warn(check: str, text: str, remedy: str) -> Finding:
    """Return what should be looked at."""
    return Finding(check, Level.WARNING, text, remedy)


def fail(check: str, text: str, remedy: str) -> Finding:
    """Return what is broken."""
    return Finding(check, Level.FAILURE, text, remedy)


def failed(findings: Iterable[Finding]) -> bool:
    """Whether one of them is a failure."""
    return any(one.level is Level.FAILURE for one in findings)


_NAMED: Final = "Put right what is named here."
_MISSING: Final = "Put the file back; a backup has no passphrase, and the keystore only when that was asked for."


def ask(check: str, question: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """Yield what a check finds; an error of ours or of the machine's ends that check and is its finding."""
    try:
        yield from question()
    except ValiseError as error:
        detail = f" ({error.detail})" if error.detail and error.detail != error.sentence else ""
        remedy = _NAMED if isinstance(error, SetupError) else error.sentence  # its sentence points to the detail
        yield fail(check, f"{error.code}{detail}", remedy)
    except FileNotFoundError as error:
        yield fail(check, f"{error.filename}: {error.strerror}", _MISSING)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        yield fail(check, f"{place}{error.strerror or error}", "Make the file or folder readable for this user.")


_MARKS: Final[Mapping[Level, str]] = MappingProxyType({Level.OK: "ok  ", Level.WARNING: "warn", Level.FAILURE: "FAIL"})


def as_text(findings: Sequence[Finding]) -> str:
    """Return findings as lines for people, each remedy below what it mends."""
    lines = []
    for one in findings:
        lines.append(f"{_MARKS[one.level]}  {one.check:<12} {one.text}")
        if one.remedy:
            lines.append(f"{'':<18} -> {one.remedy}")
    count = sum(one.level is Level.FAILURE for one in findings)
    warned = sum(one.level is Level.WARNING for one in findings)
    return "\n".join([*lines, "", f"{len(findings)} findings: {count} failed, {warned} to look at."])
