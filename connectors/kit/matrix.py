"""The delivery matrix of an own message, as the hub tells it, with every addressee's word checked.

Whether a copy waits or was collected is the hub's word; that it expired is the hub's signed word; from `opened` and
`refused` on a state is believed only with the addressee's signature. Not for: who else was addressed, which addressees
never learn. User's view in `docs/trips/matrix.md`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from connectors.kit.connector import Connector
from connectors.kit.questions import ask_operation_matrix
from hub.protocol.errors import AnswerError, NotFoundError, ValiseError
from hub.protocol.interface import Matrix, MatrixRow
from hub.protocol.receipt import DeliveryState, VerifiedReceipt, further, verify_receipt
from hub.protocol.statements import Expiry, verify_expiry


@dataclass(frozen=True, slots=True)
class CheckedRow:
    """One addressee's row, all of it checked: what the hub says, the receipts in order, and that it expired."""

    row: MatrixRow
    receipts: tuple[VerifiedReceipt, ...]
    expiry: Expiry | None

    @property
    def purged_at(self) -> int | None:
        """When the addressee's connector destroyed its copy (Unix seconds, its clock), or None."""
        return self.at("purged")

    def at(self, state: str) -> int | None:
        """Return when a state was receipted first (Unix seconds, the addressee's clock), or None."""
        return next((one.receipt.iat for one in self.receipts if one.receipt.state == state), None)


async def matrix_of(connector: Connector, mh: str) -> tuple[MatrixRow, ...]:
    """Return one row for each addressee, by code; see `checked_matrix` for errors."""
    return tuple(one.row for one in await checked_matrix(connector, mh))


async def checked_matrix(connector: Connector, mh: str) -> tuple[CheckedRow, ...]:
    """Return one checked row for each addressee, by code; the receipts in it are kept here.

    Raises:
        NotFoundError: the hub knows no such message of this agency.
        AnswerError: the answer is about another message, or a row claims what was not signed.
        ExchangeError, StaleDirectoryError: the hub cannot be asked, or the directory must be refreshed first.
    """
    return await _checked(connector, await connector.client.matrix(mh), mh)


async def operation_matrices(connector: Connector, operation: str) -> Sequence[tuple[str, tuple[CheckedRow, ...]]]:
    """Return the checked matrices of this agency's latest messages of an operation, newest first.

    Raises:
        OperationError: this agency is in no operation of that name.
        AnswerError, ExchangeError, StaleDirectoryError: as `checked_matrix`.
    """
    answer = await ask_operation_matrix(connector.client, operation)
    if answer.operation != operation:
        raise AnswerError("the matrix of another operation")
    return [(matrix.mh, await _checked(connector, matrix, matrix.mh)) for matrix in answer.matrices]


async def _checked(connector: Connector, matrix: Matrix, mh: str) -> tuple[CheckedRow, ...]:
    if matrix.mh != mh:
        raise AnswerError("the matrix of another message")
    rows = tuple(_check_row(connector, mh, row) for row in matrix.rows)
    for one in rows:
        await _keep(connector, one)
    return rows


def _check_row(connector: Connector, mh: str, row: MatrixRow) -> CheckedRow:
    texts = (() if row.receipt is None else (row.receipt,)) + row.later
    receipts = tuple(_check_receipt(connector, mh, row, text) for text in texts)
    expiry = _check_expiry(connector, mh, row)
    said = [one.receipt.state for one in receipts]
    first = said[0] in ("opened", "refused") if row.receipt is not None else True
    if not first or any(one in ("opened", "refused") for one in said[1:]):
        raise AnswerError("receipts out of their places")
    if row.state != _state(row, said, expired=expiry is not None):
        raise AnswerError("a state without its receipt")
    return CheckedRow(row, receipts, expiry)


def _state(row: MatrixRow, receipts: Sequence[str], *, expired: bool) -> DeliveryState:
    """Return the state that follows from what is signed, and from the hub's word about the transfer."""
    state: DeliveryState = "waiting" if row.released else "withheld"
    if row.released and row.collected_at is not None:
        state = "collected"
    elif row.released and expired:
        state = "expired"
    for one in receipts:
        if one in ("opened", "refused", "read", "acted"):
            state = further(state, one)  # type: ignore[arg-type]
    return state


def _check_receipt(connector: Connector, mh: str, row: MatrixRow, text: str) -> VerifiedReceipt:
    directory = connector.directory
    try:
        verified = verify_receipt(text, directory, now=None)
    except ValiseError as error:
        raise AnswerError(f"receipt: {error.code}") from error
    if (verified.receipt.iss, verified.receipt.mh) != (row.to, mh):
        raise AnswerError("the receipt of another delivery")
    return verified


def _check_expiry(connector: Connector, mh: str, row: MatrixRow) -> Expiry | None:
    if row.expiry is None:
        return None
    directory = connector.directory
    try:
        expiry = verify_expiry(row.expiry, directory, hub=connector.hub, now=None)
    except ValiseError as error:
        raise AnswerError(f"expiry: {error.code}") from error
    if (expiry.to, expiry.mh) != (row.to, mh):
        raise AnswerError("the expiry of another delivery")
    return expiry


async def _keep(connector: Connector, checked: CheckedRow) -> None:
    """Keep what may never have come by the mailbox: it was collected before this store was restored."""
    now = connector.clock()
    try:
        for verified in checked.receipts:
            await connector.outbox.add_receipt(verified, at=now)
    except NotFoundError:  # an own message that this store does not know; `standing.py` takes it over
        return
