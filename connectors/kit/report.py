"""An operation's statistics over messages: pure figures, no store and no keys.

Counted by the rules that the operation was opened with: an event that two agencies report counts once, parts of
firearms count apart or as firearms, and small cells are suppressed. Not for: adding up reports
(`hub/protocol/content/counting.py`) or finding the messages (`gather.py`). Implements `docs/protocol/08-content.md`
section 9.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from statistics import median_low
from typing import Final

from hub.protocol.content.counting import Totals, group_events, total
from hub.protocol.content.feedback import Outcome
from hub.protocol.content.seizure import Seizure, Statistics
from hub.protocol.manifest import Manifest
from hub.protocol.operation import CountingRules
from hub.protocol.vocabulary import MessageKind, Verb

SUPPRESSED: Final = None  # what stands in a cell that is too small to be shown

Cells = Mapping[str, int | None]


@dataclass(frozen=True, slots=True)
class Item:
    """One message of the operation, with as much of its content as this agency may read."""

    mh: str
    manifest: Manifest
    outcome: Outcome | None = None
    seizure: Seizure | None = None
    statistics: Statistics | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """The figures of one operation; a count of None was suppressed. Times are seconds.

    `answered` are warnings with at least one feedback, `fruitful` those that a seizure names as its cause. `unread` are
    messages whose content cannot be opened here any longer.
    """

    warnings: int | None
    answered: int | None
    fruitful: int | None
    median_answer: int | None
    reports: int | None
    events: int | None
    double_reports: int | None
    firearms: int | None
    firearm_parts: int | None
    ammunition: int | None
    arrests: int | None
    cash_usd: Decimal | None
    cash: Mapping[str, Decimal]
    outcomes: Cells = field(default_factory=dict)
    countries: Cells = field(default_factory=dict)
    detections: Cells = field(default_factory=dict)
    unread: int = 0

    @property
    def feedback_rate(self) -> float | None:
        """The share of warnings that were answered."""
        return _share(self.answered, self.warnings)

    @property
    def yield_rate(self) -> float | None:
        """The share of warnings that led to a seizure."""
        return _share(self.fruitful, self.warnings)


def make_report(items: Iterable[Item], rules: CountingRules, *, unread: int = 0) -> Report:
    """Return the figures over these messages; their order does not matter, and each counts once.

    Of an outcome or a seizure that was updated or cancelled only the last word counts; a warning that was sent counts.
    """
    every = list({item.mh: item for item in items}.values())
    firsts = [item for item in every if item.manifest.mt is MessageKind.WARNING and item.manifest.verb is Verb.ALERT]
    threads = {item.manifest.thread: item.manifest.iat for item in firsts}
    answers = _first_answers(every, threads)
    valid = _valid(every)
    statistics = [item.statistics for item in valid if item.statistics is not None]
    totals = total(statistics)
    small = rules.small_cell
    is_shown = totals.events >= small
    return Report(
        warnings=_cell(len(threads), small),
        answered=_cell(len(answers), small),
        fruitful=_cell(len(_fruitful(valid, every, threads)), small),
        median_answer=median_low(answers.values()) if answers and len(answers) >= small else None,
        reports=_cell(totals.reports, small),
        events=_cell(totals.events, small),
        double_reports=_cell(totals.double_reports, small),
        firearms=_cell(_firearms(totals, rules), small),
        firearm_parts=_cell(totals.firearm_parts, small),
        ammunition=_cell(totals.ammunition, small),
        arrests=_cell(totals.arrests, small),
        cash_usd=totals.cash_usd if is_shown else None,
        cash=totals.cash if is_shown else {},
        outcomes=suppress(Counter(item.outcome.code.value for item in valid if item.outcome), small),
        countries=suppress(Counter(event[0].country for event in group_events(statistics)), small),
        detections=suppress(Counter(event[0].detection.value for event in group_events(statistics)), small),
        unread=unread,
    )


def suppress(counts: Mapping[str, int], small: int) -> Cells:
    """Return a table without its small cells.

    A single suppressed cell could be had from the total, so the smallest of the others goes with it.
    """
    cells: dict[str, int | None] = {name: _cell(count, small) for name, count in sorted(counts.items())}
    hidden = [name for name, count in cells.items() if count is None]
    shown = [name for name, count in cells.items() if count is not None]
    if len(hidden) == 1 and shown:
        cells[min(shown, key=lambda name: (counts[name], name))] = SUPPRESSED
    return cells


def _cell(count: int, small: int) -> int | None:
    return SUPPRESSED if 0 < count < small else count


def _share(part: int | None, whole: int | None) -> float | None:
    return part / whole if part is not None and whole else None


def _firearms(totals: Totals, rules: CountingRules) -> int:
    return totals.firearms_whole + (totals.firearm_parts if rules.firearm_parts == "as-firearms" else 0)


def _first_answers(items: Sequence[Item], threads: Mapping[str, int]) -> dict[str, int]:
    """Return, by thread of a warning, the seconds until its first feedback; a clock that is behind counts as 0."""
    found: dict[str, int] = {}
    for item in items:
        thread = item.manifest.thread
        if item.manifest.mt is MessageKind.FEEDBACK and thread in threads:
            seconds = max(0, item.manifest.iat - threads[thread])
            found[thread] = min(seconds, found.get(thread, seconds))
    return found


def _valid(items: Sequence[Item]) -> list[Item]:
    """Return the messages that no later one of the same originator replaces or cancels."""
    replaced = {(item.manifest.iss, mh) for item in items for mh in item.manifest.refs}
    return [
        item for item in items if (item.manifest.iss, item.mh) not in replaced and item.manifest.verb is not Verb.CANCEL
    ]


def _fruitful(valid: Sequence[Item], items: Sequence[Item], threads: Mapping[str, int]) -> set[str]:
    """Return the threads of warnings that a seizure answers, or names as its cause."""
    thread_of = {item.mh: item.manifest.thread for item in items}
    seizures = [item for item in valid if item.manifest.mt is MessageKind.SEIZURE]
    named = {thread_of.get(mh, "") for item in seizures if item.seizure for mh in item.seizure.caused_by}
    return (named | {item.manifest.thread for item in seizures}) & threads.keys()
