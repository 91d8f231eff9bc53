"""One line that tells an officer what a message is about, from what this agency can read of it.

Not for: anything that is kept or sent; it is content. User's view in `docs/trips/receive.md`.
"""

from typing import Final

from connectors.kit.reading import OpenedMessage
from hub.protocol.content.feedback import Outcome
from hub.protocol.content.seizure import Seizure
from hub.protocol.content.subjects import Narrative
from hub.protocol.content.warning import Action
from hub.protocol.vocabulary import Label

_MOST: Final = 60  # characters


def summary_of(message: OpenedMessage) -> str:
    """Return the line; of a message whose telling compartments were withheld, the labels of the others."""
    action, outcome = message.content(Label.ACTION), message.content(Label.OUTCOME)
    seizure, narrative = message.content(Label.SEIZURE), message.content(Label.NARRATIVE)
    if isinstance(action, Action):
        return _short(f"{action.requested[0]} {action.subject}: {action.grounds}")
    if isinstance(seizure, Seizure):
        return _short(f"{seizure.status} at {seizure.office or seizure.location}")
    if isinstance(outcome, Outcome):
        return _short(f"{outcome.code}")
    if isinstance(narrative, Narrative):
        return _short(narrative.text)
    return _short(", ".join(one.label for one in message.compartments.values()))


def _short(text: str) -> str:
    """Return a text on one line, cut where it is too long."""
    line = " ".join(text.split())
    return line if len(line) <= _MOST else line[: _MOST - 1].rstrip() + "…"
