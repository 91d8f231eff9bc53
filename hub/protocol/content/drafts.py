"""Drafts: a whole message as an officer or a program writes it, which checks itself before anything is sealed.

Not for: addressees, threads and references; those are given when a draft is sent. Implements
`docs/protocol/08-content.md` section 10.
"""

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, model_validator

from hub.protocol.content.codelists import LegRole, OutcomeCode
from hub.protocol.content.compartments import (
    ATTACHMENT_FORMATS,
    JSON_FORMAT,
    MAX_ATTACHMENT,
    check_attachment,
    write_compartment,
)
from hub.protocol.content.counting import statistics_of
from hub.protocol.content.feedback import Observation, Outcome
from hub.protocol.content.seizure import Seizure, Statistics
from hub.protocol.content.shape import Content, coded, parse_content, wrong
from hub.protocol.content.subjects import Conveyance, Goods, Identity, Leg, Narrative
from hub.protocol.content.warning import Action, Biometrics, CompanyList, Consignment, Financial, Travel
from hub.protocol.encoding import decode_b64url
from hub.protocol.errors import Base64Error, CodeListError, ContentError
from hub.protocol.marks import Marks
from hub.protocol.strictjson import parse_json
from hub.protocol.vocabulary import (
    MAX_TOPICS,
    Basis,
    Label,
    MessageKind,
    Offence,
    Priority,
    Purpose,
    Status,
    Subject,
    Topic,
    TransportMode,
    nearest,
)

MAX_DRAFT: Final = 48 * 1024 * 1024  # bytes; the ciphertext of one message at its largest, in base64url
MAX_DRAFT_ATTACHMENTS: Final = 16
Operation = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=48)]


class DraftAttachment(Content):
    """An attachment in a draft: its media type and its bytes in base64url."""

    fmt: Annotated[str, coded(ATTACHMENT_FORMATS, "the media types for attachments")]
    data: Annotated[str, Field(min_length=1, max_length=MAX_ATTACHMENT * 4 // 3 + 4)]

    @property
    def plaintext(self) -> bytes:
        """The bytes themselves."""
        return decode_b64url(self.data)

    @model_validator(mode="after")
    def _is_an_attachment(self) -> Self:
        try:
            check_attachment(self.fmt, len(self.plaintext))
        except (Base64Error, ContentError) as error:
            raise wrong(f"not an attachment: {error.sentence}", member="data") from None
        return self


class Compartments(Content):
    """The compartments of a draft by their labels; each kind of message has its own."""

    def given(self) -> Iterator[tuple[Label, Content]]:
        """Yield the compartments that were written, in the order of the labels of that kind."""
        for label in type(self).model_fields:
            content = getattr(self, label)
            if content is not None:
                yield Label(label), content


class Draft(Content):
    """What every draft has; its three kinds follow. `topics` are derived from the content unless they are given."""

    kind: MessageKind
    marks: Marks
    purpose: Purpose
    offence: Offence
    basis: Basis
    topics: Annotated[tuple[Topic, ...], Field(max_length=MAX_TOPICS)] | None = None
    priority: Priority = Priority.ROUTINE
    status: Status = Status.ACTUAL
    operation: Operation | None = None
    compartments: Compartments
    attachments: Annotated[tuple[DraftAttachment, ...], Field(max_length=MAX_DRAFT_ATTACHMENTS)] = ()

    def _written(self) -> Iterable[tuple[Label, Content]]:
        return self.compartments.given()

    def _derived_topics(self) -> Iterable[str]:
        return ()

    def body(self) -> list[tuple[Label, str, bytes]]:
        """Return the compartments to seal: label, media type and plaintext of each."""
        written = [(label, JSON_FORMAT, write_compartment(content)) for label, content in self._written()]
        return written + [(Label.ATTACHMENT, one.fmt, one.plaintext) for one in self.attachments]

    def facets(self) -> tuple[str, ...]:
        """Return the topics for the manifest, sorted: those given, or the first that the content leads to."""
        topics = self.topics if self.topics is not None else tuple(dict.fromkeys(self._derived_topics()))[:MAX_TOPICS]
        return tuple(sorted(set(topics)))


# --- topics that content leads to -----------------------------------------------------------------------------------


def _of_route(route: Iterable[Leg]) -> Iterator[str]:
    ends = sorted(route, key=lambda leg: leg.role is LegRole.TRANSIT)  # both ends before the transits: they are fewer
    return (f"{leg.role}:{leg.country}" for leg in ends)


def _of_conveyance(conveyance: Conveyance | None) -> Iterator[str]:
    if conveyance is not None:
        yield from (f"mode:{vehicle.mode}" for vehicle in conveyance.vehicles)
        yield from _of_route(conveyance.route)


def _of_goods(goods: Iterable[Goods]) -> Iterator[str]:
    return (f"hs:{line.hs[:2]}" for line in goods if line.hs)


# --- warning -------------------------------------------------------------------------------------------------------


class WarningCompartments(Compartments):
    """What a warning may consist of."""

    action: Action
    consignment: Consignment | None = None
    conveyance: Conveyance | None = None
    identity: Identity | None = None
    company: CompanyList | None = None
    travel: Travel | None = None
    financial: Financial | None = None
    biometrics: Biometrics | None = None
    narrative: Narrative | None = None


class WarningDraft(Draft):
    """A warning before it is sealed."""

    kind: Literal[MessageKind.WARNING]
    compartments: WarningCompartments

    def _derived_topics(self) -> Iterator[str]:
        parts = self.compartments
        yield f"subject:{parts.action.subject}"
        if parts.consignment:
            yield from _of_goods(parts.consignment.goods)
        yield from _of_conveyance(parts.conveyance)
        if parts.travel:
            yield f"mode:{TransportMode.AIR}"
            yield from _of_route(leg for journey in parts.travel.journeys for leg in journey.route)

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        parts = self.compartments
        if self.priority is Priority.URGENT and parts.action.urgency_reason is None:
            raise wrong("an urgent warning says why", member="action.urgency_reason")
        persons = len(parts.identity.persons) if parts.identity else 0
        named = {sample.person for sample in parts.biometrics.samples} if parts.biometrics else set()
        named |= {number for journey in parts.travel.journeys for number in journey.persons} if parts.travel else set()
        if named and max(named) >= persons:
            raise wrong("travel or biometrics name a person that is not there", member="identity.persons")
        return self


# --- feedback ------------------------------------------------------------------------------------------------------


class FeedbackCompartments(Compartments):
    """What a feedback may consist of."""

    outcome: Outcome
    observation: Observation | None = None
    identity: Identity | None = None
    narrative: Narrative | None = None


class FeedbackDraft(Draft):
    """A feedback before it is sealed; which warning it answers is given when it is sent."""

    kind: Literal[MessageKind.FEEDBACK]
    compartments: FeedbackCompartments

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        seen = self.compartments.observation
        if seen and seen.located and self.compartments.outcome.code is OutcomeCode.NOT_ARRIVED:
            raise wrong("contradicts the outcome not-arrived", member="observation.located")
        return self


# --- seizure -------------------------------------------------------------------------------------------------------


class SeizureCompartments(Compartments):
    """What a seizure may consist of. `statistics` is made from the others; when written, it must say the same."""

    seizure: Seizure
    statistics: Statistics | None = None
    identity: Identity | None = None
    conveyance: Conveyance | None = None
    narrative: Narrative | None = None


class SeizureDraft(Draft):
    """A seizure before it is sealed."""

    kind: Literal[MessageKind.SEIZURE]
    compartments: SeizureCompartments

    def _statistics(self) -> Statistics:
        return statistics_of(self.compartments.seizure, self.compartments.conveyance)

    def _written(self) -> Iterable[tuple[Label, Content]]:
        return self.compartments.model_copy(update={"statistics": self._statistics()}).given()

    def _derived_topics(self) -> Iterator[str]:
        seizure = self.compartments.seizure
        if seizure.cash:
            yield f"subject:{Subject.CASH}"
        yield from _of_goods(seizure.goods)
        if seizure.firearms:
            yield "hs:93"
        if seizure.mode:
            yield f"mode:{seizure.mode}"
        yield from _of_conveyance(self.compartments.conveyance)
        yield from _of_route(seizure.route)

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        written = self.compartments.statistics
        if written is not None and written != self._statistics():
            raise wrong("says other figures than the seizure; leave it out, it is made from it", member="statistics")
        return self


# --- from bytes ----------------------------------------------------------------------------------------------------

_DRAFTS: Final[tuple[type[WarningDraft | FeedbackDraft | SeizureDraft], ...]] = (
    WarningDraft,
    FeedbackDraft,
    SeizureDraft,
)


def _kind(value: Any) -> MessageKind:  # noqa: ANN401 - anything may have been written
    written = str(value.get("kind", "")) if isinstance(value, dict) else ""
    try:
        return MessageKind(written)
    except ValueError:
        hint = nearest(written[:64], list(MessageKind))
        raise CodeListError(f"kind: one of {', '.join(MessageKind)}{hint}", field="kind") from None


def parse_draft(data: bytes) -> WarningDraft | FeedbackDraft | SeizureDraft:
    """Return a draft that has checked itself. White space round it, as editors leave it, does no harm.

    Raises:
        JsonError: not strict JSON.
        ContentError: a field is missing or wrong, or a leaf of it: CodeListError, CheckDigitError. `field` says where,
            beginning with the compartment's label.
    """
    data = data.strip()
    shape = _DRAFTS[list(MessageKind).index(_kind(parse_json(data)))]
    try:
        return parse_content(shape, data, most=MAX_DRAFT)
    except ContentError as error:
        field = error.field.removeprefix("compartments.")
        raise type(error)(error.detail.removeprefix("compartments."), field=field) from None
