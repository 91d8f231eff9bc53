"""Answers warnings from the arrivals of the national customs system.

An arrival with a number of the warning is answered with its outcome, and with a seizure report when something was
taken; a warning that leads through this country and of which nothing arrived is answered not-arrived; any other is left
alone. Answers go to the originator and to subscribers. Not for: deciding what to do about a warning; officers did, and
the register says so. User's view in `docs/trips/receive.md`.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from connectors.customs.arrivals import Arrival, numbers_in
from connectors.kit.agency import Agency
from connectors.kit.answering import feedback_to, may_be_answered, seizure_after
from connectors.kit.reading import OpenedMessage
from connectors.kit.register import read_register
from connectors.kit.runner import Reply
from connectors.kit.send import Addressing
from hub.protocol.content.codelists import LegRole, OutcomeCode
from hub.protocol.content.feedback import Observation, Outcome
from hub.protocol.content.seizure import Seizure
from hub.protocol.content.subjects import Conveyance, Identity, Place
from hub.protocol.content.warning import Action, Consignment
from hub.protocol.directory import country_of
from hub.protocol.vocabulary import Label

_TO: Final = Addressing(subscribers=True)


async def answer_as_customs(agency: Agency, message: OpenedMessage) -> Sequence[Reply]:
    """Answer a message from the agency's register; see `read_register` for errors."""
    if not may_be_answered(message.manifest):
        return ()
    arrivals = await asyncio.to_thread(read_register, agency.settings.register_file, Arrival)
    return answers_to(message, arrivals, country=country_of(agency.settings.partner))


def answers_to(message: OpenedMessage, arrivals: Sequence[Arrival], *, country: str) -> list[Reply]:
    """Return the answers of a country's customs to a warning: none, one feedback, or a feedback and a seizure.

    The first arrival that the warning names counts.
    """
    consignment, conveyance = message.content(Label.CONSIGNMENT), message.content(Label.CONVEYANCE)
    goods = consignment if isinstance(consignment, Consignment) else None
    transport = conveyance if isinstance(conveyance, Conveyance) else None
    named = numbers_in(goods, transport)
    arrival = next((one for one in arrivals if one.numbers() & named), None)
    if arrival is not None:
        return _found(message, arrival)
    if transport is not None and leads_through(transport, country):
        return [Reply(feedback_to(message.manifest, Outcome(code=OutcomeCode.NOT_ARRIVED)), _TO)]
    return []


def leads_through(conveyance: Conveyance, country: str) -> bool:
    """Return whether a route reaches a country; where it begins, nothing arrives."""
    return any(leg.country == country and leg.role is not LegRole.ORIGIN for leg in conveyance.route)


def _found(message: OpenedMessage, arrival: Arrival) -> list[Reply]:
    feedback = feedback_to(message.manifest, outcome_of(arrival), observation_of(arrival, message))
    replies = [Reply(feedback, _TO)]
    if arrival.taken is not None:
        annex = Identity(persons=arrival.taken.persons) if arrival.taken.persons else None
        replies.append(Reply(seizure_after(message.manifest, seizure_of(arrival, message), annex), _TO))
    return replies


def outcome_of(arrival: Arrival) -> Outcome:
    """Return what came of a warning, from the arrival that it led to."""
    return Outcome(
        code=arrival.outcome,
        at=arrival.at,
        legal_reason=arrival.legal_reason,
        minutes=arrival.minutes,
        useful=arrival.useful,
    )


def observation_of(arrival: Arrival, message: OpenedMessage) -> Observation | None:
    """Return what was seen, and answers to the questions that the warning asks; None when there is nothing to say."""
    action = message.content(Label.ACTION)
    asked = {question.id for question in action.questions} if isinstance(action, Action) else set()
    answers = tuple(answer for answer in arrival.answers if answer.id in asked)
    if arrival.outcome is OutcomeCode.NOT_ARRIVED or not (answers or arrival.remark):
        return None
    place = Place(country=arrival.location[:2], locode=arrival.location, name=arrival.office)
    return Observation(located=True, place=place, at=arrival.at, circumstances=arrival.remark, answers=answers)


def seizure_of(arrival: Arrival, message: OpenedMessage) -> Seizure:
    """Return the report of what was taken from an arrival, caused by this warning.

    Raises:
        ValueError: nothing was taken.
    """
    taken = arrival.taken
    if taken is None:
        raise ValueError("nothing was taken")
    return Seizure(
        seizure_id=taken.seizure_id,
        event_reference=taken.event_reference,
        at=arrival.at,
        office=arrival.office,
        location=arrival.location,
        direction=taken.direction,
        detection=taken.detection,
        caused_by=(message.mh,),
        status=taken.status,
        goods=taken.goods,
        firearms=taken.firearms,
        cash=taken.cash,
        containers=_known(arrival.container),
        parcels=_known(arrival.parcel),
        air_waybills=_known(arrival.air_waybill),
        bills_of_lading=_known(arrival.bill_of_lading),
        concealment=taken.concealment,
        arrests=taken.arrests,
    )


def _known(number: str | None) -> tuple[str, ...]:
    return () if number is None else (number,)
