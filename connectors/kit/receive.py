"""The trip of a message into the agency: collect, keep, confirm, examine, receipt - each step durable.

A copy is kept as it came before the hub may forget it, then verified and opened; what is wrong with it is answered by a
signed receipt that says so, and never stops the next. Not for: showing content (`reading.py`). Implements
`docs/protocol/02-envelope.md` section 7 and `docs/protocol/04-statements.md` section 5; user's view in
`docs/trips/receive.md`.
"""

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from connectors.kit.acts import sign_state
from connectors.kit.alarms import AlarmKind
from connectors.kit.client import MailPiece, parse_proven
from connectors.kit.connector import Connector
from connectors.kit.inbox import Standing
from connectors.kit.purge import kept_for
from connectors.kit.refusals import FINAL, OURS
from hub.host.events import COPY_REFUSED, RECEIPT_DISBELIEVED, RECEIPT_REFUSED
from hub.protocol.copy import OpenedCompartment, VerifiedCopy, open_copy, verify_copy
from hub.protocol.envelope import Proven, parse_copy
from hub.protocol.errors import (
    AnswerError,
    DirectoryError,
    EncodingError,
    EnvelopeError,
    NotFoundError,
    PolicyError,
    SignatureError,
    StaleDirectoryError,
    UnknownKeyError,
    UnknownPartnerError,
    ValiseError,
)
from hub.protocol.interface import MAX_BATCH
from hub.protocol.manifest import parse_manifest
from hub.protocol.receipt import VerifiedReceipt, verify_receipt
from hub.protocol.statements import Expiry, verify_expiry

_LOG: Final = logging.getLogger("valise.connector")
MAIL: Final = 16  # items of one poll
_RECEIPTS: Final = 1_024  # sent in one round; the rest goes with the next


@dataclass(frozen=True, slots=True)
class Received:
    """What one round brought: messages opened (by `mh`, in order), how many copies were refused, how many receipts."""

    opened: tuple[str, ...]
    refused: int
    receipts: int


async def receive_once(connector: Connector, *, wait: int = 0) -> Received:
    """Make one round: collect what waits, for at most `wait` seconds, and see everything through.

    Raises:
        ExchangeError: the hub cannot be reached; what was collected before is kept.
        StoreError: the disk failed; the hub keeps what was not confirmed.
        StaleDirectoryError: the directory must be refreshed first; what was collected is kept.
    """
    pieces = await _collect(connector, wait)
    now = connector.clock()
    copies = [piece.data for piece in pieces if piece.kind == "copy"]
    await connector.inbox.keep(copies, at=now, seqs=[piece.seq for piece in pieces])
    receipts = [await _keep_receipt(connector, piece.data) for piece in pieces if piece.kind == "receipt"]
    for piece in pieces:
        if piece.kind == "expiry":
            await _keep_expiry(connector, piece.data)
    if pieces:
        await connector.client.confirm([piece.seq for piece in pieces])
    opened, refused = await examine_new(connector)
    await send_receipts(connector)
    return Received(opened, refused, sum(receipts))


async def _collect(connector: Connector, wait: int) -> list[MailPiece]:
    try:
        return await connector.client.collect(wait=wait, limit=MAIL)
    except AnswerError:  # sixteen large copies are more than one answer may hold; one always fits
        return await connector.client.collect(wait=0, limit=1)


async def _keep_receipt(connector: Connector, data: bytes) -> bool:
    """Keep a receipt for an own message. The hub has it on record, so a wrong one is noted and let go."""
    now = connector.clock()
    try:
        verified = await _believe(connector, data.decode("ascii", "replace"))
        await connector.outbox.add_receipt(verified, at=now)
    except StaleDirectoryError:
        raise
    except (DirectoryError, EncodingError, EnvelopeError, NotFoundError, SignatureError) as error:
        _LOG.warning(RECEIPT_DISBELIEVED, error.code)
        return False
    about = verified.receipt
    await connector.alarms.clear(AlarmKind.RECEIPT_LATE, about.mh, partner=about.iss, at=now)
    return True


async def _keep_expiry(connector: Connector, data: bytes) -> None:
    """Keep the hub's word that a copy expired; one that does not hold is noted and let go."""
    now = connector.clock()
    try:
        said = await _believe_expiry(connector, parse_proven(data), now)
        await connector.outbox.add_expiry(said.mh, said.to, data, at=said.iat)
    except StaleDirectoryError:
        raise
    except (AnswerError, DirectoryError, EncodingError, EnvelopeError, NotFoundError, SignatureError) as error:
        _LOG.warning(RECEIPT_DISBELIEVED, error.code)
        return
    await connector.alarms.clear(AlarmKind.RECEIPT_LATE, said.mh, partner=said.to, at=now)


async def _believe_expiry(connector: Connector, proven: Proven, now: int) -> Expiry:
    try:
        return verify_expiry(proven, connector.directory, hub=connector.hub, now=now)
    except UnknownKeyError:
        await _look_again(connector)
        return verify_expiry(proven, connector.directory, hub=connector.hub, now=now)


async def _believe(connector: Connector, text: str) -> VerifiedReceipt:
    try:
        return verify_receipt(text, connector.directory, now=None)
    except (UnknownPartnerError, UnknownKeyError):
        await _look_again(connector)
        return verify_receipt(text, connector.directory, now=None)


# --- examine ---------------------------------------------------------------------------------------------------------


async def examine_new(connector: Connector) -> tuple[tuple[str, ...], int]:
    """Examine every new copy; return the messages opened and how many copies were refused.

    Raises:
        StoreError, StaleDirectoryError, ExchangeError: the rest is examined later.
    """
    opened, refused = [], 0
    for digest in await connector.inbox.unexamined():
        frame = await connector.inbox.frame(digest)
        try:
            mh = await _examine(connector, digest, frame)
            opened += [mh] if mh is not None else []
        except OURS:
            raise
        except ValiseError as error:
            _LOG.warning(COPY_REFUSED, error.code)
            await _refuse(connector, digest, frame, error)
            refused += 1
    return tuple(opened), refused


async def _examine(connector: Connector, digest: str, frame: bytes) -> str | None:
    """Return the message that was opened, or None when it had been opened before from another copy."""
    now = connector.clock()
    try:
        copy, _ = await open_frame(connector, frame, at=now)
    except (UnknownPartnerError, UnknownKeyError):
        await _look_again(connector)
        copy, _ = await open_frame(connector, frame, at=now)
    standing = Standing(
        mh=copy.mh,
        kid=parse_manifest(copy.head.m)[1].kid,
        rseq=copy.leaf.rseq,
        manifest=copy.manifest,
        text=copy.head.m,
        keep=kept_for(copy.manifest, copy.decisions),
    )
    released = tuple(disclosure.descriptor.id for disclosure in copy.disclosures)
    receipt = await sign_state(connector, copy.mh, "opened", released=released, decisions=copy.decision_digests)
    fresh = await connector.inbox.mark_opened(digest, standing, receipt, at=now)
    return copy.mh if fresh else None


async def _look_again(connector: Connector) -> None:
    """Refresh the directory: somebody may have enrolled, or have new keys, since our last look.

    Raises:
        StaleDirectoryError: what is published is not to be believed, which says nothing about what was received.
        ExchangeError: the hub cannot be reached.
    """
    try:
        await connector.mirror.refresh()
    except (DirectoryError, PolicyError) as error:
        raise StaleDirectoryError(error.code) from error


async def open_frame(
    connector: Connector, frame: bytes, *, at: int
) -> tuple[VerifiedCopy, Mapping[str, OpenedCompartment]]:
    """Verify a copy as of a time (Unix seconds), and open it.

    Raises:
        ValiseError: a leaf of the encoding, envelope, signature, seal, content or directory family.
    """
    copy = verify_copy(
        frame,
        connector.directory,
        addressee=connector.partner,
        hub=connector.hub,
        federation=connector.federation,
        now=at,
    )
    return copy, await asyncio.to_thread(open_copy, copy, connector.keyring.opener(copy.leaf.kid))


async def _refuse(connector: Connector, digest: str, frame: bytes, error: ValiseError) -> None:
    """Keep the refusal, with a receipt if the copy says at least which message it is.

    A message that was opened from another copy stays receipted as opened, whatever comes under its name later.
    """
    receipt = None
    with contextlib.suppress(EncodingError, EnvelopeError, SignatureError):
        mh = parse_manifest(parse_copy(frame).head.m)[1].digest
        if not await connector.inbox.has_opened(mh):
            receipt = await sign_state(connector, mh, "refused", error=error.code)
    await connector.inbox.mark_refused(digest, error.code, receipt, at=connector.clock())


# --- receipts --------------------------------------------------------------------------------------------------------


async def send_receipts(connector: Connector) -> None:
    """Hand every waiting receipt to the hub, urgent first; one that it refuses for good stays here with the copy.

    Raises:
        ExchangeError, StoreError: the hub cannot be reached or cannot take some of them now; those are sent later.
    """
    waiting = await connector.receipts.waiting(limit=_RECEIPTS)
    later: ValiseError | None = None
    for start in range(0, len(waiting), MAX_BATCH):
        batch = waiting[start : start + MAX_BATCH]
        refusals = await connector.client.send_receipts([one.jws for one in batch])
        for one, refusal in zip(batch, refusals, strict=True):
            if refusal is None:
                await connector.receipts.settle(one.place, "taken")
            elif isinstance(refusal, FINAL):
                _LOG.warning(RECEIPT_REFUSED, refusal.code)
                await connector.receipts.settle(one.place, "refused")
            else:
                later = refusal
    if later is not None:
        raise later
