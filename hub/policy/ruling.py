"""What the rules say of every candidate and label of one message: release, accept, duties, and why not.

Not for: putting the rulings about one addressee together (`decide.py`). Implements `docs/protocol/06-decisions.md`
section 4, steps 3 to 6.
"""

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from hub.policy.duties import ENFORCED, Duty, DutyKind
from hub.policy.engine import Action, Cell, Outcome
from hub.policy.entities import Candidate, message_entities
from hub.policy.explain import MAX_NEAR_MISS
from hub.policy.facts import MessageFacts
from hub.policy.sets import PolicySet
from hub.policy.slices import Slice
from hub.protocol.errors import PolicySetError
from hub.protocol.vocabulary import LABELS_OF, Label

Reason = Literal[
    "policy/floor",
    "policy/no-agreement",
    "policy/not-permitted",
    "policy/not-accepted",
    "policy/duty",
    "policy/fault",
]
"""Why a compartment is withheld: the floor, no agreement in force, the originator's rules, the addressee's rules, a
duty that nobody discharges, or a rule or fact that could not be evaluated."""

_RANK: Final[Mapping[Reason | None, int]] = {  # a fault counts first, then a release, then what came closest to one
    "policy/fault": 0,
    None: 1,
    "policy/duty": 2,
    "policy/not-accepted": 3,
    "policy/not-permitted": 4,
    "policy/floor": 5,
    "policy/no-agreement": 6,
}
Question = tuple[int, int]  # places of a candidate and of a label in their lists


@dataclass(frozen=True, slots=True)
class Standing:
    """All that distinguishes one addressee under one agreement from others: equal standings get equal rulings."""

    candidate: Candidate
    accept: Slice
    discharges: frozenset[DutyKind]


@dataclass(frozen=True, slots=True)
class Ruling:
    """What the rules say of one label: released with these rules and duties, or withheld for a reason.

    `rules` are the permits that decided or the rules that withhold. `near_miss` is a sentence for people; it is empty
    where no rule forbids, until `Hearing.near_misses` is asked.
    """

    reason: Reason | None
    rules: tuple[str, ...]
    agreement: str | None = None
    duties: tuple[Duty, ...] = ()
    near_miss: str = ""

    @property
    def rank(self) -> tuple[int, int]:
        """Which of the rulings under several agreements counts; the lowest does."""
        return (_RANK[self.reason], len(self.rules) if self.reason else 0)


def combine(outcomes: Sequence[Outcome]) -> Outcome:
    """Return what the parts of a slice say together: a fault or a forbid in any part decides, then a permit."""
    for outcome in outcomes:
        if outcome.fault:
            return outcome
    forbids = {rule for outcome in outcomes if not outcome.permitted for rule in outcome.rules}
    permits = {rule for outcome in outcomes if outcome.permitted for rule in outcome.rules}
    return Outcome(permitted=bool(permits) and not forbids, rules=tuple(sorted(forbids or permits)))


def fault(sentence: str) -> Ruling:
    """Return the ruling where something could not be evaluated."""
    return Ruling("policy/fault", (), near_miss=sentence[:MAX_NEAR_MISS])


class Hearing:
    """One message before the rules. Every question is asked once for all candidates, in one batch for each slice."""

    def __init__(
        self, policies: PolicySet, message: MessageFacts, labels: Sequence[Label], standings: Sequence[Standing]
    ) -> None:
        """Take the message and everybody whom it may concern; the originator must be a partner of the set.

        Attributes:
            rulings: for each standing, in order, the ruling on each label, in order.
        """
        self._policies: Final = policies
        self._message: Final = message
        self._release: Final = policies.release_slice(message.originator)
        self._labels: Final = tuple(labels)
        self._denials: Final[dict[tuple[str, tuple[str, ...]], Ruling]] = {}
        self._standings: Final = tuple(standings)
        candidates = {one: place for place, one in enumerate(dict.fromkeys(one.candidate for one in standings))}
        self._candidates: Final = tuple(candidates)
        self._place: Final = tuple(candidates[one.candidate] for one in standings)
        unfit = [fault(f"a {message.mt} has no compartment {label}") for label in labels]
        self.rulings: Final = [list(unfit) for _ in standings]
        fit = [place for place, label in enumerate(labels) if label in LABELS_OF[message.mt]]
        try:
            crowd = policies.crowd(message.originator, self._candidates)
            self._store: Final = crowd.store.plus(message_entities(message, [labels[place] for place in fit]))
        except PolicySetError as error:
            self.rulings[:] = [[fault(error.detail)] * len(labels) for _ in standings]
        else:
            self._names: Final = [crowd.names[candidate] for candidate in self._candidates]
            self._hear(fit)

    def _hear(self, labels: Sequence[int]) -> None:
        everything = [(candidate, label) for candidate in range(len(self._candidates)) for label in labels]
        released = self._ask(self._release, "release", everything)
        going = [question for question, outcome in released.items() if outcome.permitted]
        owed = self._ask(self._policies.duties, "duty", going)
        groups: dict[Slice, list[int]] = {}
        for place, standing in enumerate(self._standings):
            groups.setdefault(standing.accept, []).append(place)
        for accept, places in groups.items():
            members = {self._place[place] for place in places}
            settled: dict[tuple[object, ...], Ruling] = {}
            accepted = self._ask(accept, "accept", [question for question in going if question[0] in members])
            for place in places:
                for label in labels:
                    asked = (self._place[place], label)
                    if not released[asked].permitted:
                        self.rulings[place][label] = self._not_released(released[asked])
                        continue
                    standing, heard = self._standings[place], (released[asked], accepted[asked], owed[asked])
                    key = (standing.candidate.agreement, standing.discharges, *map(id, heard))
                    if key not in settled:
                        settled[key] = self._accepted(standing, *heard)
                    self.rulings[place][label] = settled[key]

    def _ask(self, rules: Slice, action: Action, asked: Sequence[Question]) -> dict[Question, Outcome]:
        """Return the outcome of each question; each part of the slice is asked once for all it cannot tell apart."""
        answers: list[list[Outcome]] = [[] for _ in asked]
        members = dict.fromkeys(candidate for candidate, _ in asked)
        for part in rules.parts:
            views: dict[Hashable, int] = {}
            view = {one: views.setdefault(part.sees(self._candidates[one]), one) for one in members}
            same = [(view[one], label if part.reads_label else -1) for one, label in asked]
            first = dict(zip(reversed(same), reversed(asked), strict=True))
            outcomes = dict(zip(first, self._store.ask(part.rules, action, self._cells(first.values())), strict=True))
            for answer, key in zip(answers, same, strict=True):
                answer.append(outcomes[key])
        together = {tuple(map(id, answer)): answer for answer in answers}
        combined = {key: combine(answer) for key, answer in together.items()}
        return {question: combined[tuple(map(id, answer))] for question, answer in zip(asked, answers, strict=True)}

    def _cells(self, asked: Iterable[Question]) -> list[Cell]:
        return [Cell(self._names[candidate], self._labels[label]) for candidate, label in asked]

    def _not_released(self, outcome: Outcome) -> Ruling:
        key = (outcome.fault, outcome.rules)
        if key not in self._denials:
            self._denials[key] = self._denial(outcome)
        return self._denials[key]

    def _denial(self, outcome: Outcome) -> Ruling:
        if outcome.fault:
            return fault(outcome.fault)
        rules = [self._policies.rules[name] for name in outcome.rules]
        floor = [rule for rule in rules if rule.path == "hub/floor.cedar"]
        reason: Reason = "policy/floor" if floor else "policy/not-permitted"
        if any(rule.note("reason") == "no-agreement" for rule in floor):
            reason = "policy/no-agreement"
        return Ruling(reason, outcome.rules, near_miss=self._title(outcome.rules))

    def _title(self, rules: Sequence[str]) -> str:
        return f"{rules[0]}: {self._policies.rules[rules[0]].note('title')}" if rules else ""

    def _accepted(self, standing: Standing, released: Outcome, accepted: Outcome, owed: Outcome) -> Ruling:
        if accepted.fault or owed.fault:
            return fault(accepted.fault or owed.fault)
        if not accepted.permitted:
            return Ruling("policy/not-accepted", accepted.rules, near_miss=self._title(accepted.rules))
        duties = {duty: name for name in owed.rules for duty in self._policies.owed[name]}
        for duty, name in duties.items():
            if duty.kind not in standing.discharges & ENFORCED:
                return Ruling("policy/duty", (name,), near_miss=f"{name} needs: somebody who discharges {duty}")
        own = self._duties_of_facts(standing.candidate)
        undone = next((duty for duty in own if duty.kind not in standing.discharges & ENFORCED), None)
        if undone is not None:
            return Ruling("policy/duty", (), near_miss=f"needs: somebody who discharges {undone}")
        rules = tuple(sorted({*released.rules, *accepted.rules}))
        return Ruling(None, rules, standing.candidate.agreement, (*duties, *own))

    def _duties_of_facts(self, candidate: Candidate) -> list[Duty]:
        """Return what is owed without a rule: the message's caveats, and what the agreement itself says."""
        duties = [Duty(DutyKind.CAVEAT, caveat) for caveat in self._message.caveats]
        if candidate.agreement is not None:
            agreement = self._policies.agreements[candidate.agreement]
            if agreement.retention_days is not None:
                duties.append(Duty(DutyKind.RETENTION_DAYS, str(agreement.retention_days)))
            if not agreement.onward:
                duties.append(Duty(DutyKind.NO_ONWARD))
        return duties

    def near_misses(self, wanted: Collection[Question]) -> dict[Question, str]:
        """Return, for denials without a forbidding rule, the permit that came closest and what it still needs.

        Args:
            wanted: places of a standing and of a label.
        """
        found: dict[Question, str] = {}
        questions: dict[tuple[Action, Slice], dict[Question, list[Question]]] = {}
        for standing, label in wanted:
            reason, asked = self.rulings[standing][label].reason, (self._place[standing], label)
            if reason == "policy/not-permitted":
                denied: tuple[Action, Slice] = ("release", self._release)
            elif reason == "policy/not-accepted":
                denied = ("accept", self._standings[standing].accept)
            else:
                continue
            questions.setdefault(denied, {}).setdefault(asked, []).append((standing, label))
        for (action, rules), asked_by in questions.items():
            sentences = self._policies.near_misses(rules).explain(self._store, action, self._cells(asked_by))
            for sentence, askers in zip(sentences, asked_by.values(), strict=True):
                found |= dict.fromkeys(askers, sentence)
        return found
