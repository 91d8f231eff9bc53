"""Answers messages about persons from a police force's own register.

A person is found by a document (number and issuer), or by the surname with the whole date of birth; anything less is
left to officers, because a name alone accuses the wrong person. Not for: fuzzy names. User's view in
`docs/trips/receive.md`.
"""

import asyncio
import unicodedata
from collections.abc import Sequence
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from connectors.kit.agency import Agency
from connectors.kit.answering import feedback_to, may_be_answered
from connectors.kit.reading import OpenedMessage
from connectors.kit.register import read_register
from connectors.kit.runner import Reply
from hub.protocol.content.codelists import OutcomeCode, RequestedAction
from hub.protocol.content.feedback import Observation, Outcome
from hub.protocol.content.shape import Content, Few, Line, Moment, PartialDate, Prose, Tally, wrong
from hub.protocol.content.subjects import Document, Identity, Item, Person, Place
from hub.protocol.vocabulary import Label

_DAY: Final = len("YYYY-MM-DD")


class Encounter(Content):
    """A person whom the force met: by what the person is known, where and when, and what was done."""

    surname: Line | None = None
    born: PartialDate | None = None
    documents: Few[Document] = ()
    place: Place
    at: Moment
    outcome: OutcomeCode = OutcomeCode.LET_PASS
    executed: RequestedAction | None = None
    reason_of_check: Prose | None = None
    circumstances: Prose | None = None
    carried: Few[Item] = ()
    minutes: Tally | None = None
    useful: Annotated[int, Field(ge=0, le=3)] | None = None

    @model_validator(mode="after")
    def _can_be_found(self) -> Self:
        if not self.documents and (self.surname is None or self.born is None):
            raise wrong("give a document, or a surname and a date of birth", member="surname")
        return self


async def answer_as_police(agency: Agency, message: OpenedMessage) -> Sequence[Reply]:
    """Answer a message from the agency's register; see `read_register` for errors."""
    if not may_be_answered(message.manifest):
        return ()
    register = await asyncio.to_thread(read_register, agency.settings.register_file, Encounter)
    return answers_to(message, register)


def answers_to(message: OpenedMessage, register: Sequence[Encounter]) -> list[Reply]:
    """Return the answers of a police force to a warning: a feedback to the originator, or none.

    That nobody was found is answered only where the originator asked this force by name.
    """
    identity = message.content(Label.IDENTITY)
    if not isinstance(identity, Identity):
        return []
    for encounter in register:
        if any(is_same_person(person, encounter) for person in identity.persons):
            return [Reply(feedback_to(message.manifest, outcome_of(encounter), observation_of(encounter)))]
    if message.via == "named":
        return [Reply(feedback_to(message.manifest, Outcome(code=OutcomeCode.INSPECTED_NEGATIVE)))]
    return []


def is_same_person(person: Person, encounter: Encounter) -> bool:
    """Return whether a document agrees, or surname and whole date of birth do."""
    known = {(document.number, document.issuer) for document in encounter.documents}
    if any((document.number, document.issuer) in known for document in person.documents):
        return True
    if person.surname is None or encounter.surname is None or person.born is None:
        return False
    is_whole = len(person.born) == _DAY
    return is_whole and person.born == encounter.born and _folded(person.surname) == _folded(encounter.surname)


def outcome_of(encounter: Encounter) -> Outcome:
    """Return what was done."""
    return Outcome(
        code=encounter.outcome,
        at=encounter.at,
        executed=encounter.executed,
        minutes=encounter.minutes,
        useful=encounter.useful,
    )


def observation_of(encounter: Encounter) -> Observation:
    """Return what was seen."""
    return Observation(
        located=True,
        place=encounter.place,
        at=encounter.at,
        reason_of_check=encounter.reason_of_check,
        circumstances=encounter.circumstances,
        carried=encounter.carried,
    )


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()
