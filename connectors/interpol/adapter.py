"""Turns warnings into notices in the bureau's own register, each sealed at rest; it acts on none of them.

A notice has the colour of INTERPOL's notice for such a warning. A bureau has no executive powers, and says so when it
is asked by name for more than information. Not for: publishing notices. User's view in `docs/trips/receive.md`.
"""

import asyncio
import os
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Final

from connectors.kit.agency import Agency
from connectors.kit.answering import feedback_to, may_be_answered
from connectors.kit.at_rest import put_away, take_out
from connectors.kit.reading import OpenedMessage
from connectors.kit.register import read_register
from connectors.kit.runner import Reply
from hub.protocol.content.codelists import LegalReason, OutcomeCode, RequestedAction
from hub.protocol.content.feedback import Outcome
from hub.protocol.content.shape import Content, parse_content, write_content
from hub.protocol.content.subjects import Identity, Person
from hub.protocol.content.warning import Action
from hub.protocol.encoding import decode_b64url, encode_b64url
from hub.protocol.errors import SetupError
from hub.protocol.keys import KeyHolder
from hub.protocol.marks import Caveat
from hub.protocol.vocabulary import Label, MessageKind, Offence, PartnerCode, Purpose, Subject
from hub.protocol.wire import Digest, Time

_OWNER_ONLY: Final = 0o600


class Colour(StrEnum):
    """INTERPOL's notices (Rules on the Processing of Data, articles 73 and 82 to 92) and its document database."""

    RED = "red"  # wanted persons
    BLUE = "blue"  # to locate or identify a person
    GREEN = "green"  # a person who may commit offences
    BLACK = "black"  # unidentified bodies
    ORANGE = "orange"  # an imminent danger
    PURPLE = "purple"  # a modus operandi
    DOCUMENT = "document"  # stolen and lost travel documents


_BY_PURPOSE: Final[Mapping[Purpose, Colour]] = MappingProxyType(
    {Purpose.WANTED_PERSONS: Colour.RED, Purpose.IDENTIFY_PERSONS: Colour.BLUE, Purpose.REMAINS: Colour.BLACK}
)
_BY_SUBJECT: Final[Mapping[Subject, Colour]] = MappingProxyType(
    {Subject.MODUS_OPERANDI: Colour.PURPLE, Subject.DOCUMENT: Colour.DOCUMENT}
)


class Notice(Content):
    """One notice; `keep_until` is Unix seconds, from the retention that the originator marked."""

    mh: Digest
    originator: PartnerCode
    colour: Colour
    national_reference: str
    grounds: str
    persons: tuple[Person, ...]
    keep_until: Time


class SealedNotice(Content):
    """A line of the register: the message that it is of, and the notice sealed to the bureau's own key."""

    mh: Digest
    sealed: str


async def answer_as_bureau(agency: Agency, message: OpenedMessage) -> Sequence[Reply]:
    """Register a warning once, and answer what the bureau cannot do.

    Raises:
        SetupError: the register cannot be read or written.
    """
    notice = notice_of(message)
    if notice is not None:
        await asyncio.to_thread(register, agency.settings.register_file, notice, agency.connector.keyring)
    return answers_to(message)


def notice_of(message: OpenedMessage) -> Notice | None:
    """Return the notice that a message becomes; None for what is no warning or must not be stored."""
    action, identity = message.content(Label.ACTION), message.content(Label.IDENTITY)
    manifest = message.manifest
    if manifest.mt is not MessageKind.WARNING or Caveat.NO_STORAGE in manifest.marks.caveats:
        return None
    if not isinstance(action, Action):
        return None
    return Notice(
        mh=message.mh,
        originator=manifest.iss,
        colour=colour_of(manifest.purpose, manifest.offence, action.subject),
        national_reference=action.national_reference,
        grounds=action.grounds,
        persons=identity.persons if isinstance(identity, Identity) else (),
        keep_until=message.received_at + manifest.marks.retain,
    )


def colour_of(purpose: Purpose, offence: Offence, subject: Subject) -> Colour:
    """Return the colour of a notice: by what it is about, then by purpose, then by danger."""
    if subject in _BY_SUBJECT:
        return _BY_SUBJECT[subject]
    if purpose in _BY_PURPOSE:
        return _BY_PURPOSE[purpose]
    return Colour.ORANGE if offence in (Offence.EXPLOSIVES, Offence.TERRORISM) else Colour.GREEN


def answers_to(message: OpenedMessage) -> list[Reply]:
    """Return the bureau's answer: none, or that it has no power to do what it was asked for by name."""
    action = message.content(Label.ACTION)
    if message.via != "named" or not may_be_answered(message.manifest) or not isinstance(action, Action):
        return []
    if action.requested[0] is RequestedAction.INFORMATION_ONLY:
        return []
    outcome = Outcome(
        code=OutcomeCode.COULD_NOT_EXECUTE,
        legal_reason=LegalReason.NO_LEGAL_POWER,
        legal_text="A bureau has no executive powers; the notice is registered for the national bureaus.",
    )
    return [Reply(feedback_to(message.manifest, outcome))]


# --- the register ----------------------------------------------------------------------------------------------------


def register(path: Path, notice: Notice, keyring: KeyHolder) -> None:
    """Append a notice to the register, durably and sealed; one of a message that is there already changes nothing.

    Raises:
        SetupError: the register cannot be read or written.
    """
    if any(one.mh == notice.mh for one in read_register(path, SealedNotice)):
        return
    key = max((entry for entry in keyring.entries() if entry.use == "open"), key=lambda entry: entry.nbf)
    line = SealedNotice(mh=notice.mh, sealed=encode_b64url(put_away(write_content(notice), key)))
    try:
        with open(path, "ab", opener=_open_for_owner) as file:
            file.write(write_content(line) + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise SetupError(f"{path}: {error.strerror}") from error


def notices(path: Path, keyring: KeyHolder) -> tuple[Notice, ...]:
    """Return the notices of a register, opened.

    Raises:
        SetupError: the register cannot be read.
        SealError: a line was altered, or its key was destroyed.
    """
    sealed = (decode_b64url(one.sealed) for one in read_register(path, SealedNotice))
    return tuple(parse_content(Notice, take_out(one, keyring)) for one in sealed)


def _open_for_owner(name: str, flags: int) -> int:
    return os.open(name, flags, _OWNER_ONLY)
