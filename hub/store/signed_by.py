"""What a key signed, out of the record of a hub that may run meanwhile: for the hour in which a key was stolen.

Content cannot be told, for a hub has none. Not for: believing any of it (`hub/verify`). User's page:
`docs/how-to/respond-to-a-stolen-key.md`.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from hub.protocol.errors import StoreError
from hub.protocol.jws import parse_jws
from hub.protocol.manifest import MANIFEST_TYP, parse_manifest
from hub.protocol.operation import OPERATION_TYP
from hub.protocol.receipt import RECEIPT_TYP, Receipt
from hub.protocol.subscription import SUBSCRIPTION_TYP
from hub.protocol.wire import parse_wire
from hub.store.mailbox import Handed
from hub.store.queries import Queries
from hub.store.schema import typed_errors


@dataclass(frozen=True, slots=True)
class SignedCopy:
    """One addressee's copy: its state, and the time that its receipt names (Unix seconds), if there is one."""

    to: str
    state: str
    receipt_at: int | None


@dataclass(frozen=True, slots=True)
class SignedMessage:
    """One message by its number, when it was accepted (Unix seconds), its operation, and what became of its copies."""

    mh: str
    accepted_at: int
    operation: str | None
    copies: tuple[SignedCopy, ...]


@dataclass(frozen=True, slots=True)
class SignedReceipt:
    """One receipt: of which message, what it says, and the time that its signer wrote into it (Unix seconds)."""

    mh: str
    state: str
    iat: int


@dataclass(frozen=True, slots=True)
class SignedThings:
    """Everything on record under a key; `operations` by name, `subscription` is whether the present one is its."""

    messages: tuple[SignedMessage, ...]
    receipts: tuple[SignedReceipt, ...]
    operations: tuple[str, ...]
    subscription: bool


def signed_by(database: Path, kid: str, *, since: int) -> SignedThings:
    """Return what a partner's key signed since a time (Unix seconds), first or second signature.

    Messages by the time at which they were accepted; receipts by the time that their signer claims.

    Raises:
        StoreError: the store cannot be read.
    """
    with typed_errors(), closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as db:
        queries = Queries(db, _no_signature, Handed())
        return SignedThings(
            messages=tuple(_messages(queries, kid, since)),
            receipts=tuple(_receipts(queries, kid, since)),
            operations=tuple(
                one.operation.op for one in queries.operations() if parse_jws(one.jws, typ=OPERATION_TYP).kid == kid
            ),
            subscription=any(parse_jws(one.jws, typ=SUBSCRIPTION_TYP).kid == kid for one in queries.subscriptions()),
        )


def _no_signature(_payload: bytes) -> str:
    raise StoreError("a batch is not signed yet; ask again")


def _messages(queries: Queries, kid: str, since: int) -> Iterator[SignedMessage]:
    rows = queries.db.execute(
        "SELECT mh, kid, manifest, second, accepted_at, operation FROM messages WHERE iss = ? AND accepted_at >= ? "
        "ORDER BY id",
        (kid.partition("#")[0], since),
    ).fetchall()
    for mh, first, manifest, second, accepted_at, operation in rows:
        if kid in (first, _second_kid(manifest, second)):
            copies = tuple(
                SignedCopy(one.to, one.state, None if one.receipt is None else _receipt(one.receipt).iat)
                for one in queries.deliveries(mh)
            )
            yield SignedMessage(mh, accepted_at, operation, copies)


def _second_kid(manifest: str, second: str | None) -> str | None:
    if second is None:
        return None
    return parse_jws(second, typ=MANIFEST_TYP, payload_segment=parse_manifest(manifest)[1].payload_segment).kid


def _receipts(queries: Queries, kid: str, since: int) -> Iterator[SignedReceipt]:
    about = queries.db.execute(
        "SELECT DISTINCT mh FROM receipts JOIN messages ON messages.id = message WHERE receipts.iss = ? "
        "ORDER BY message",
        (kid.partition("#")[0],),
    ).fetchall()
    for (mh,) in about:
        for _, entry in queries.entries_of(mh):
            if entry.kind != "receipt":
                continue
            text = entry.payload.decode("ascii")
            receipt = _receipt(text)
            if parse_jws(text, typ=RECEIPT_TYP).kid == kid and receipt.iat >= since:
                yield SignedReceipt(mh, receipt.state, receipt.iat)


def _receipt(text: str) -> Receipt:
    return parse_wire(Receipt, parse_jws(text, typ=RECEIPT_TYP).payload)
