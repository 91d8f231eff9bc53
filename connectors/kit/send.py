"""The trip of a message out of the agency: hand over, ask, seal, upload, keep the accept - each step durable.

A draft is kept before anything else is done. From then on `advance` takes a message one step further whenever it is
called, after whatever crash, and neither loses it nor sends it twice. Not for: when to try again (`runner.py`).
Implements `docs/protocol/02-envelope.md` section 6 on the originator's side; user's view in `docs/trips/send.md`.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from connectors.kit.accepts import expected_after, know_hub_key, verify_accept
from connectors.kit.acts import note_acted
from connectors.kit.at_rest import put_away, take_out
from connectors.kit.audience import Audience, Candidate, resolve_audience
from connectors.kit.connector import Connector, fresh_id
from connectors.kit.outbox import HandedOver, Numbers, OutboxEntry, SealedMessage
from connectors.kit.refusals import FINAL, error_for
from connectors.kit.resealing import has_other_keys
from connectors.kit.standing import catch_up_once
from connectors.kit.threads import Reference
from hub.host.events import SEALED_AGAIN
from hub.host.live_keys import second_signer
from hub.protocol.audience import MAX_ADDRESSEES
from hub.protocol.content import Draft
from hub.protocol.directory import Directory, KeyEntry
from hub.protocol.encoding import decode_b64url, lp, parse_frame
from hub.protocol.envelope import SubmissionHead
from hub.protocol.errors import (
    BusyError,
    DeniedError,
    InternalError,
    KeyNotValidError,
    NoAddresseeKeyError,
    NoOpeningKeyError,
    SetupError,
    StoreError,
    ValiseError,
)
from hub.protocol.interface import AudienceQuestion, MessageOutline
from hub.protocol.manifest import MAX_COMPARTMENTS, MAX_REFERENCES, MessageId, parse_manifest
from hub.protocol.marks import join
from hub.protocol.sealing import Addressee, Compartment, Mapper, seal
from hub.protocol.statements import Accept
from hub.protocol.vocabulary import Act, MessageKind, PartnerCode, Priority, Status, Verb
from hub.protocol.wire import Digest, Wire, parse_wire, write_wire

_LOG: Final = logging.getLogger("valise.connector")
_OUTDATED: Final = (KeyNotValidError, NoAddresseeKeyError)  # of a sealed message: our key or an addressee's has ended
BROADCAST: Final = 32  # addressees; more are sealed in the pool, where there is one
_TRIES: Final = 8  # of sealing, when another process of this agency takes the numbers in between
_CHUNK: Final = 16  # HPKE operations that a process of the pool takes at a time


class Outgoing(Wire):
    """What is to be sent and to whom, as kept from the hand-over on; the compartments' bytes lie beside it."""

    v: Literal[1] = 1
    jti: MessageId
    thread: MessageId
    question: AudienceQuestion
    refs: Annotated[tuple[Digest, ...], Field(max_length=MAX_REFERENCES)]
    formats: Annotated[tuple[str, ...], Field(min_length=1, max_length=MAX_COMPARTMENTS)]
    leave_out: Annotated[tuple[PartnerCode, ...], Field(max_length=MAX_ADDRESSEES)]


@dataclass(frozen=True, slots=True)
class Addressing:
    """To whom a draft goes: named partners, an operation's members, subscribers, the originator of what it answers.

    `leave_out` are partners that shall get nothing although they would be addressed otherwise, such as one without a
    valid key.
    """

    to: Sequence[str] = ()
    operation: bool = False
    subscribers: bool = False
    leave_out: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that the hub accepted; `accept` is its signed word, verified."""

    id: str
    mh: str
    accept: Accept


# --- hand over -------------------------------------------------------------------------------------------------------


def compose(
    connector: Connector,
    draft: Draft,
    addressing: Addressing,
    *,
    verb: Verb = Verb.ALERT,
    answers: Reference | None = None,
    replaces: Reference | None = None,
    identifier: str | None = None,
) -> tuple[Outgoing, list[bytes]]:
    """Return a draft with its addressees and references, ready to be handed over, and the compartments' bytes.

    An answer or update stays in its thread and operation, and its marks are at least as strict as its source's. With an
    `identifier` that the caller made from what it hands over, the same is handed over once however often it comes.

    Raises:
        SetupError: it is meant in earnest and the connector is set up for exercises.
        UnknownPartnerError: the directory knows no partner of a code that is named, be it to leave it out.
    """
    for code in (*addressing.to, *addressing.leave_out):
        connector.directory.partner(code)
    status = draft.status
    if connector.mode == "exercise" and status is Status.ACTUAL:
        raise SetupError("mode is 'exercise'; set the draft's status to exercise, or the connector's mode to live")
    sources = [source for source in (answers, replaces) if source is not None]
    body = draft.body()
    outline = MessageOutline(
        mt=kind_of(draft),
        verb=verb,
        status=status,
        marks=join(draft.marks, *(source.manifest.marks for source in sources)),
        purpose=draft.purpose,
        offence=draft.offence,
        basis=draft.basis,
        pri=draft.priority,
        topics=draft.facets(),
        op=sources[0].manifest.op if sources else draft.operation,
        labels=tuple(label for label, _, _ in body),
    )
    jti = identifier or fresh_id(connector.clock())
    outgoing = Outgoing(
        jti=jti,
        thread=sources[0].manifest.thread if sources else jti,
        question=AudienceQuestion(
            outline=outline,
            to=tuple(sorted(set(addressing.to))),
            irt=answers.mh if answers else None,
            operation=addressing.operation,
            subscribers=addressing.subscribers,
        ),
        refs=(replaces.mh,) if replaces else (),
        formats=tuple(fmt for _, fmt, _ in body),
        leave_out=tuple(sorted(set(addressing.leave_out))),
    )
    return outgoing, [data for _, _, data in body]


def kind_of(draft: Draft) -> MessageKind:
    """Return which of the three messages a draft is."""
    kind: MessageKind = getattr(draft, "kind")  # noqa: B009 - every kind of draft has it, their parent does not
    return kind


async def hand_over(
    connector: Connector, messages: Sequence[tuple[Outgoing, Sequence[bytes]]], *, handled: str | None = None
) -> list[str]:
    """Keep messages durably, sealed to our own key; return their identifiers. From here on they are not lost.

    Args:
        connector: this agency.
        messages: as `compose` returned them.
        handled: the received message that they all answer, which is marked as handled in the same step.

    Raises:
        StoreError: the disk failed; hand the same over again.
        NoOpeningKeyError: the keystore holds no key for opening.
    """
    key = _own_key(connector)
    drafts = [_put_away(one, blobs, key) for one, blobs in messages]
    await connector.outbox.hand_over(drafts, at=connector.clock(), handled=handled)
    for one, _ in messages:
        await _note_answered(connector, one)
    return [one.id for one in drafts]


def _put_away(outgoing: Outgoing, blobs: Sequence[bytes], key: KeyEntry) -> HandedOver:
    outline = outgoing.question.outline
    draft = put_away(lp(write_wire(outgoing), *blobs), key)
    return HandedOver(outgoing.jti, draft, outline.pri is Priority.URGENT, outline.marks.retain)


async def _note_answered(connector: Connector, outgoing: Outgoing) -> None:
    """Answering is acting: the originator of what is answered gets a receipt of it, too."""
    answered = outgoing.question.irt
    if answered is not None and await connector.inbox.has_opened(answered):
        seized = outgoing.question.outline.mt is MessageKind.SEIZURE
        await note_acted(connector, answered, Act.SEIZED if seized else Act.ANSWERED)


def _own_key(connector: Connector) -> KeyEntry:
    own = [entry for entry in connector.keyring.entries() if entry.use == "open"]
    if not own:
        raise NoOpeningKeyError(connector.partner)
    return max(own, key=lambda entry: entry.nbf)


def open_draft(entry: OutboxEntry, connector: Connector) -> tuple[Outgoing, list[Compartment]]:
    """Return what was handed over.

    Raises:
        NoOpeningKeyError: the key that it was put away under was destroyed.
        OpenError, EncodingError, MalformedError: it was altered.
    """
    head, *blobs = parse_frame(take_out(entry.draft, connector.keyring), max_parts=MAX_COMPARTMENTS + 1)
    outgoing = parse_wire(Outgoing, head)
    labels = outgoing.question.outline.labels
    return outgoing, [Compartment(*one) for one in zip(labels, outgoing.formats, blobs, strict=True)]


# --- one step further ------------------------------------------------------------------------------------------------


async def advance(connector: Connector, identifier: str) -> Sent:
    """Take a message as far as it goes: seal it if it is waiting, upload it until its accept is kept.

    Calling it again is harmless at any point.

    Raises:
        NotFoundError: there is no such message.
        ValiseError: one of `FINAL` when it was given up for good and is marked so; any other when it stays where it is
            and may be advanced later.
    """
    entry = await connector.outbox.entry(identifier)
    if entry.state == "refused":
        raise _refusal_of(entry)
    try:
        if entry.state == "waiting":
            await catch_up_once(connector)  # before a number is given: this store may be an old backup
            await _seal(connector, await connector.outbox.entry(identifier))
            entry = await connector.outbox.entry(identifier)
        if entry.state == "sealed":
            await _upload(connector, entry)
            entry = await connector.outbox.entry(identifier)
    except _OUTDATED as error:
        if entry.state != "sealed":
            await connector.outbox.refuse(identifier, error.code, found=entry.state)
            raise
        if not await has_other_keys(connector, entry):
            await connector.outbox.stay(identifier, error.code, at=connector.clock())
            raise BusyError(f"the hub says {error.code}, and there are no other keys") from error
        return await advance(connector, await _hand_over_again(connector, entry, error))
    except FINAL as error:
        await connector.outbox.refuse(identifier, error.code, found=entry.state)
        raise
    except ValiseError as error:
        await connector.outbox.stay(identifier, error.code, at=connector.clock())
        raise
    return _sent(connector, entry)


async def _hand_over_again(connector: Connector, entry: OutboxEntry, error: ValiseError) -> str:
    """Give up a message whose keys ended while it lay sealed, and hand its draft over as a new one.

    The hub refused it for good, so it will never be accepted; its number stays used, and a message of its own name and
    number takes its place. Only other keys lead here: whom it is for and what is in it stay as the officer wrote them.
    """
    outgoing, compartments = open_draft(entry, connector)
    fresh = fresh_id(connector.clock())
    thread = fresh if outgoing.thread == outgoing.jti else outgoing.thread
    renewed = outgoing.model_copy(update={"jti": fresh, "thread": thread})
    draft = _put_away(renewed, [one.data for one in compartments], _own_key(connector))
    await connector.outbox.hand_over_again(entry.id, draft, error.code, at=connector.clock())
    _LOG.warning(SEALED_AGAIN, entry.id, fresh, error.code)
    return fresh


async def _seal(connector: Connector, entry: OutboxEntry) -> None:
    if entry.state != "waiting":  # taken over from the hub, or by another process of this agency
        return
    outgoing, compartments = open_draft(entry, connector)
    audience = await resolve_audience(connector, outgoing.question)
    chosen = check_audience(audience, outgoing.leave_out)
    async with connector.sealing:
        for _ in range(_TRIES):
            if await _seal_once(connector, outgoing, compartments, chosen):
                return
            if (await connector.outbox.entry(entry.id)).state != "waiting":
                return
    raise BusyError("another process of this agency takes the numbers")


def check_audience(audience: Audience, leave_out: Sequence[str] = ()) -> list[Candidate]:
    """Return whom to seal to.

    A subscriber without a valid key is passed over, for nobody chose it; anybody else must be left out knowingly.

    Raises:
        NoAddresseeKeyError: an addressee has no valid key; nothing was sealed.
        DeniedError: nothing may go to anybody.
    """
    permitted = [one for one in audience.candidates if one.grants and one.partner not in leave_out]
    keyless = [one.partner for one in permitted if not one.has_key and one.via != "topic"]
    if keyless:
        raise NoAddresseeKeyError(", ".join(keyless))
    chosen = [one for one in permitted if one.has_key]
    if not chosen:
        raise DeniedError("nobody may get any of it" if audience.candidates else "nobody is addressed")
    return chosen


async def _seal_once(
    connector: Connector, outgoing: Outgoing, compartments: list[Compartment], chosen: list[Candidate]
) -> bool:
    """Seal with the next numbers, and keep the result unless they were taken meanwhile."""
    now, directory = connector.clock(), connector.directory
    signer = connector.keyring.signer("sign", at=now)
    second = second_signer(connector.keyring, directory, at=now)
    numbers = await connector.outbox.next_numbers(signer.kid, [one.partner for one in chosen])
    run: Mapper = map
    if connector.pool is not None and len(chosen) > BROADCAST:
        run = partial(connector.pool.map, chunksize=_CHUNK)
    frame = await asyncio.to_thread(
        seal,
        _header(connector, outgoing, numbers, now),
        compartments,
        [_addressee(one, directory, numbers, now) for one in chosen],
        signer=signer,
        second=second,
        run=run,
    )
    return await connector.outbox.keep_sealed(outgoing.jti, numbers, _sealed(frame, outgoing.question.outline.op))


def _sealed(frame: bytes, operation: str | None) -> SealedMessage:
    head = parse_frame(frame, max_parts=MAX_COMPARTMENTS + 1)[0]
    manifest = parse_wire(SubmissionHead, head).m
    return SealedMessage(parse_manifest(manifest)[1].digest, operation, manifest, head, frame)


def _header(connector: Connector, outgoing: Outgoing, numbers: Numbers, now: int) -> dict[str, Any]:
    outline = outgoing.question.outline
    return {
        **{name: getattr(outline, name) for name in MessageOutline.model_fields if name != "labels"},
        "fed": connector.federation,
        "iss": connector.partner,
        "jti": outgoing.jti,
        "seq": numbers.seq,
        "prev": numbers.prev,
        "iat": now,
        "exp": now + connector.lifetime,
        "thread": outgoing.thread,
        "irt": outgoing.question.irt,
        "refs": outgoing.refs,
        "rk": None,
    }


def _addressee(candidate: Candidate, directory: Directory, numbers: Numbers, now: int) -> Addressee:
    key = directory.opening_key(candidate.partner, at=now)
    return Addressee(
        partner=candidate.partner,
        via=candidate.via,
        kid=key.kid,
        public=decode_b64url(key.pub),
        rseq=numbers.rseqs[candidate.partner],
        grants=frozenset(int(cid[1:]) for cid in candidate.grants),
    )


async def _upload(connector: Connector, entry: OutboxEntry) -> None:
    if entry.frame is None:
        raise StoreError("a sealed message without its bytes")
    answer = await connector.client.submit(entry.frame)
    await know_hub_key(connector, answer)
    accept = verify_accept(connector, entry, answer)
    await connector.outbox.keep_accept(entry.id, answer, expected_after(connector, entry, accept))


def _sent(connector: Connector, entry: OutboxEntry) -> Sent:
    if entry.state == "refused":  # by another process of this agency, meanwhile
        raise _refusal_of(entry)
    if entry.accept is None or entry.mh is None:
        raise BusyError(entry.state)
    return Sent(entry.id, entry.mh, verify_accept(connector, entry, entry.accept))


def _refusal_of(entry: OutboxEntry) -> ValiseError:
    leaf = error_for(entry.code or "")
    return leaf("given up before") if leaf else InternalError(entry.code or "")
