"""What this agency's officers did with a message, signed: read it, acted on it - each once, and never taken back.

Not for: the first examination (`receive.py`). Implements `docs/protocol/04-statements.md` section 5; user's view in
`docs/trips/receipts.md`.
"""

import asyncio

from connectors.kit.connector import Connector, fresh_id
from connectors.kit.own_receipts import SignedReceipt
from hub.protocol.receipt import Receipt, ReceiptState, sign_receipt
from hub.protocol.vocabulary import Act


async def sign_state(  # noqa: D417 - the class of a receipt says the rest
    connector: Connector,
    mh: str,
    state: ReceiptState,
    *,
    act: Act | None = None,
    error: str | None = None,
    released: tuple[str, ...] = (),
    decisions: tuple[str, ...] = (),
) -> SignedReceipt:
    """Return a receipt with what this agency last saw of the log, signed now.

    Args:
        error: the wire code of a refusal.
        released: the compartments that were opened.
        decisions: the digests of the decisions that came with the copy.

    Raises:
        MissingKeyError: the keystore holds no valid key for signing.
        StoreError: the disk failed.
    """
    now = connector.clock()
    seen = await connector.log.latest()
    receipt = Receipt(
        v=1,
        fed=connector.federation,
        iss=connector.partner,
        jti=fresh_id(now),
        iat=now,
        mh=mh,
        state=state,
        act=act,
        error=error,
        rel=released,
        dec=decisions,
        cps=(seen,) if seen is not None else (),
    )
    signer = connector.keyring.signer("sign", at=now)
    return SignedReceipt(receipt, await asyncio.to_thread(sign_receipt, receipt, signer))


async def note_read(connector: Connector, mh: str) -> bool:
    """Receipt that an officer had a received message before him; return False when that was receipted before."""
    if any(one.state == "read" for one in await connector.receipts.of(mh)):
        return False
    return await connector.receipts.add(mh, await sign_state(connector, mh, "read"))


async def note_acted(connector: Connector, mh: str, act: Act) -> bool:
    """Receipt what was done about a received message; return False when just that was receipted before.

    Raises:
        NotFoundError: nothing of that name was opened here.
    """
    await connector.inbox.opened(mh)
    if any(one.act == act for one in await connector.receipts.of(mh)):
        return False
    return await connector.receipts.add(mh, await sign_state(connector, mh, "acted", act=act))
