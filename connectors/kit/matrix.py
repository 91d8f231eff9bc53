"""The delivery matrix of an own message, as the hub tells it, with every addressee's word checked.

Whether a copy waits or was collected is the hub's word; `opened` and `refused` are believed only with the addressee's
signature. Not for: who else was addressed, which addressees never learn. User's view in `docs/trips/send.md`.
"""

from connectors.kit.connector import Connector
from hub.protocol.errors import AnswerError, ValiseError
from hub.protocol.interface import MatrixRow
from hub.protocol.receipt import verify_receipt


async def matrix_of(connector: Connector, mh: str) -> tuple[MatrixRow, ...]:
    """Return one row for each addressee, by code.

    Raises:
        NotFoundError: the hub knows no such message of this agency.
        AnswerError: the answer is about another message, or a row claims a receipt that its addressee did not sign.
        ExchangeError, StaleDirectoryError: the hub cannot be asked, or the directory must be refreshed first.
    """
    matrix = await connector.client.matrix(mh)
    if matrix.mh != mh:
        raise AnswerError("the matrix of another message")
    for row in matrix.rows:
        _check_row(connector, mh, row)
    return matrix.rows


def _check_row(connector: Connector, mh: str, row: MatrixRow) -> None:
    if (row.state in ("opened", "refused")) != (row.receipt is not None):
        raise AnswerError("a state without its receipt")
    if row.receipt is None:
        return
    directory = connector.directory
    try:
        receipt = verify_receipt(row.receipt, directory, now=None).receipt
    except ValiseError as error:
        raise AnswerError(f"receipt: {error.code}") from error
    if (receipt.iss, receipt.mh, receipt.state) != (row.to, mh, row.state):
        raise AnswerError("the receipt of another delivery")
