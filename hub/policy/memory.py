"""What a policy set remembers between messages: verdicts that follow from equal views, and nothing else.

A verdict depends on the set, on what the rules can tell apart of message and addressee, and on the compartments; so it
is remembered under just these, without the addressee's name and the inputs. It is begun anew when it is full. Not for:
making a verdict (`decide.py`). Implements `docs/protocol/06-decisions.md` section 4, step 4.
"""

from collections.abc import Callable, Hashable
from typing import Final, Generic, TypeVar

MAX_VERDICTS: Final = 65_536  # about 1 kB each; 400 partners under 160 different views of messages
MAX_CLASSES: Final = 65_536

_Standings = TypeVar("_Standings", bound=Hashable)
_Verdict = TypeVar("_Verdict")


class Memory(Generic[_Standings, _Verdict]):
    """Classes of addressees that no rule can tell apart, and the verdict on each class by view of the message."""

    def __init__(self) -> None:
        self._class_of: Final[dict[Hashable, int]] = {}
        self._numbers: Final[dict[_Standings, int]] = {}
        self._standings: Final[list[_Standings]] = []
        self._verdicts: Final[dict[Hashable, dict[int, _Verdict]]] = {}
        self._kept = 0

    def forget(self) -> None:
        """Begin anew."""
        for table in (self._class_of, self._numbers, self._standings, self._verdicts):
            table.clear()
        self._kept = 0

    def class_of(self, addressee: Hashable, stand: Callable[[], _Standings]) -> int:
        """Return the class of an addressee; `stand` tells how it stands when it is first met."""
        number = self._class_of.get(addressee)
        if number is None:
            standings = stand()
            number = self._numbers.setdefault(standings, len(self._standings))
            if number == len(self._standings):
                self._standings.append(standings)
            self._class_of[addressee] = number
        return number

    def standings(self, number: int) -> _Standings:
        """Return how the addressees of a class stand."""
        return self._standings[number]

    def make_room(self) -> None:
        """Begin anew if it is full; between two messages, because numbers of classes are then given out again."""
        if self._kept > MAX_VERDICTS or len(self._class_of) > MAX_CLASSES:
            self.forget()

    def known(self, view: Hashable) -> dict[int, _Verdict]:
        """Return the verdicts by class under a view of the message and its compartments."""
        return self._verdicts.get(view, {})

    def keep(self, view: Hashable, number: int, verdict: _Verdict) -> None:
        """Remember a verdict."""
        self._verdicts.setdefault(view, {})[number] = verdict
        self._kept += 1
