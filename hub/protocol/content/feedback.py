"""The compartments of a feedback: what came of a warning, and what was seen.

Not for: what was seized; that is a message of its own (`seizure.py`). Implements `docs/protocol/08-content.md`
section 7.
"""

from typing import Annotated, Self

from pydantic import Field, model_validator

from hub.protocol.content.codelists import LegalReason, OutcomeCode, RequestedAction
from hub.protocol.content.shape import Content, Few, Moment, Prose, Some, Tally, wrong
from hub.protocol.content.subjects import Item, Person, Place, Route, Vehicle, check_route
from hub.protocol.wire import Digest


class Outcome(Content):
    """The compartment `outcome`: a code for the statistics, what was done, and whether the warning was of use.

    `executed` is the one of the requested actions that was carried out. `minutes` is officers' time. `useful` runs from
    0 (no use) to 3 (decisive). `same_hit_as` is the `mh` of an earlier feedback on the same event.
    """

    code: OutcomeCode
    at: Moment | None = None
    executed: RequestedAction | None = None
    legal_reason: LegalReason | None = None
    legal_text: Prose | None = None
    minutes: Tally | None = None
    useful: Annotated[int, Field(ge=0, le=3)] | None = None
    same_hit_as: Digest | None = None

    @model_validator(mode="after")
    def _gives_its_reason(self) -> Self:
        failed = self.code is OutcomeCode.COULD_NOT_EXECUTE
        if failed and self.legal_reason is None:
            raise wrong("must be given with could-not-execute", member="legal_reason")
        if not failed and self.legal_reason is not None:
            raise wrong("belongs to could-not-execute only", member="legal_reason")
        if failed and self.executed is not None:
            raise wrong("contradicts could-not-execute", member="executed")
        return self


class Answer(Content):
    """The answer to the warning's question of that id."""

    id: Annotated[str, Field(pattern=r"^q[1-9][0-9]?$")]
    text: Prose


class Observation(Content):
    """The compartment `observation`: what was seen (Regulation (EU) 2018/1862 art. 37(1))."""

    located: bool
    place: Place | None = None
    at: Moment | None = None
    reason_of_check: Prose | None = None
    route: Route = ()
    accompanying: Few[Person] = ()
    carried: Some[Item] = ()
    vehicles: Few[Vehicle] = ()
    circumstances: Prose | None = None
    answers: Few[Answer] = ()

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.located and (self.place is None or self.at is None):
            raise wrong("must be given when located", member="at" if self.place else "place")
        if len({answer.id for answer in self.answers}) != len(self.answers):
            raise wrong("two answers have one id", member="answers")
        check_route(self.route)
        return self
