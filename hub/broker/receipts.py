"""The trip of a receipt: from the addressee that signed it into the record, and on to the originator.

Not for: transport acknowledgement (`collect.py`). Implements `docs/protocol/04-statements.md` section 5; user's view in
`docs/trips/receipts.md`.
"""

from hub.broker.exchange import Exchange
from hub.protocol.errors import WrongOriginatorError
from hub.protocol.receipt import verify_receipt


async def take_receipt(exchange: Exchange, partner: str, text: str) -> None:
    """Record a receipt; the same again changes nothing.

    Raises:
        SignatureError, EnvelopeError, DirectoryError: it is not to be believed.
        WrongOriginatorError: another partner signed it than the one that brings it.
        NotFoundError: nothing of that message was released to this partner.
        ReplayError: another receipt with this identifier was recorded.
    """
    verified = verify_receipt(text, exchange.directory(), now=exchange.clock())
    if verified.receipt.iss != partner:
        raise WrongOriginatorError(partner)
    await exchange.store.add_receipt(verified)
