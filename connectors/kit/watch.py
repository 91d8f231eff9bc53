"""Watch over what was sent: was it logged, was it receipted, did everything come that was counted for us?

Each look settles what has come and raises an alarm for what is late. Not for: the alarms themselves (`alarms.py`) or
the log's growth (`log_watch.py`). User's view in `docs/trips/alarms.md`.
"""

from collections.abc import Sequence
from typing import Final

from connectors.kit.alarms import AlarmKind
from connectors.kit.client import parse_proven
from connectors.kit.connector import Connector
from connectors.kit.deadlines import Expected
from connectors.kit.matrix import CheckedRow, checked_matrix
from connectors.kit.why import reason_of_row
from hub.protocol.encoding import decode_b64url
from hub.protocol.errors import (
    DirectoryError,
    EncodingError,
    EnvelopeError,
    EvidenceError,
    EvidenceMismatchError,
    ExchangeError,
    LogError,
    NotFoundError,
    SignatureError,
    StaleDirectoryError,
)
from hub.protocol.statements import DECISION_TYP, Decision, read_statement, verify_statement
from hub.verify.evidence import check_entry

_AT_ONCE: Final = 64  # messages looked at in one round
_GRACE: Final = 900  # seconds: urgent messages overtake routine ones, and mailboxes are emptied in turns


async def watch_once(connector: Connector) -> None:
    """Look once at everything that is expected.

    Raises:
        StoreError: the disk failed.
        StaleDirectoryError: the directory must be refreshed first.
        UnreachableError, BusyError: the hub cannot be asked; what is late by our own clock was raised all the same.
    """
    away: ExchangeError | None = None
    try:
        await prove_accepts(connector)
    except ExchangeError as error:
        away = error
    try:
        await _look_at_overdue(connector)
    except ExchangeError as error:
        away = error
    await _look_for_gaps(connector)
    if away is not None:
        raise away


# --- proofs of the log -----------------------------------------------------------------------------------------------


async def prove_accepts(connector: Connector) -> None:
    """Fetch and check the log's proof of every accept that has none yet.

    Raises:
        ExchangeError, StaleDirectoryError: the hub cannot be asked, or the directory must be refreshed first.
    """
    for mh in await connector.deadlines.unproven(limit=_AT_ONCE):
        now = connector.clock()
        try:
            await _prove(connector, mh)
        except StaleDirectoryError:
            raise
        except (EncodingError, EvidenceError, LogError, NotFoundError, SignatureError) as error:
            await connector.alarms.sound(AlarmKind.PROOF_WRONG, mh, partner=connector.hub, reason=error.code, at=now)
            continue
        await connector.deadlines.settle("log-proof", mh, at=now)
        for kind in (AlarmKind.PROOF_LATE, AlarmKind.PROOF_WRONG):
            await connector.alarms.clear(kind, mh, partner=connector.hub, at=now)


async def _prove(connector: Connector, mh: str) -> None:
    """Check that the accept that we hold is in a log which continues all that we saw of it."""
    entry = await connector.outbox.message(mh)
    addressees = await connector.deadlines.addressees(mh)
    if entry.accept is None or not addressees:
        raise EvidenceMismatchError("no accept")
    before = await connector.log.latest()
    proof = await connector.client.proof(mh, addressees[0])
    if decode_b64url(proof.accept.payload) != decode_b64url(parse_proven(entry.accept).p):
        raise EvidenceMismatchError("the logged accept is another")
    checkpoint = await connector.log.believe(
        connector.client, connector.directory, before, proof.checkpoint, now=connector.clock()
    )
    check_entry("accept", proof.accept, checkpoint)


# --- what is late ----------------------------------------------------------------------------------------------------


async def _look_at_overdue(connector: Connector) -> None:
    now = connector.clock()
    away: ExchangeError | None = None
    by_message: dict[str, list[Expected]] = {}
    for one in await connector.deadlines.overdue(now=now, limit=1_024):
        by_message.setdefault(one.mh, []).append(one)
    for mh, late in by_message.items():
        rows: Sequence[CheckedRow] | None = None
        if away is None and any(one.kind == "receipt" for one in late):
            try:
                rows = await checked_matrix(connector, mh)
            except ExchangeError as error:
                away = error
        for one in late:
            await _sound(connector, one, rows, now)
    if away is not None:
        raise away


async def _sound(connector: Connector, late: Expected, rows: Sequence[CheckedRow] | None, now: int) -> None:
    """Raise the alarm, unless the hub's answer shows that the receipt is here by now or that none will come."""
    if late.kind == "log-proof":
        await connector.alarms.sound(AlarmKind.PROOF_LATE, late.mh, partner=connector.hub, at=now)
        return
    row = next((one for one in rows or () if one.row.to == late.partner), None)
    if row is not None and (row.receipts or row.expiry is not None or await _is_withheld(connector, row, late.mh)):
        await connector.deadlines.settle("receipt", late.mh, late.partner, at=now)
        await connector.alarms.clear(AlarmKind.RECEIPT_LATE, late.mh, partner=late.partner, at=now)
        return
    reason = reason_of_row(row) if row is not None else None
    code = reason.code if reason is not None else "hub-not-asked"
    await connector.alarms.sound(AlarmKind.RECEIPT_LATE, late.mh, partner=late.partner, reason=code, at=now)


async def _is_withheld(connector: Connector, row: CheckedRow, mh: str) -> bool:
    """Return whether the hub signed that an addressee gets nothing: what it merely says silences no alarm."""
    if row.row.released:
        return False
    directory = connector.directory
    try:
        proven = (await connector.client.proof(mh, row.row.to)).decision.proven
        if proven is None:
            return False
        said = read_statement(Decision, verify_statement(proven, directory, typ=DECISION_TYP, now=None), directory)
    except (DirectoryError, EncodingError, EnvelopeError, ExchangeError, SignatureError):
        return False  # the next look asks again
    return (said.hub, said.mh, said.to, said.rel) == (connector.hub, mh, row.row.to, ())


# --- gaps ------------------------------------------------------------------------------------------------------------


async def _look_for_gaps(connector: Connector) -> None:
    now = connector.clock()
    gaps = await connector.inbox.gaps(since=now - _GRACE)
    found = {(f"{one.start}-{one.stop - 1}", iss) for iss, ranges in gaps.items() for one in ranges}
    for about, partner in sorted(found):
        await connector.alarms.sound(AlarmKind.GAP, about, partner=partner, at=now)
    for alarm in await connector.alarms.raised():
        if alarm.kind is AlarmKind.GAP and (alarm.about, alarm.partner) not in found:
            await connector.alarms.clear(AlarmKind.GAP, alarm.about, partner=alarm.partner, at=now)
