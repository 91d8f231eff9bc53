"""What is read out of the store's tables: rows become what the ports promise.

Not for: writing (`ledger.py`) or the log's tree (`log.py`). Implements `docs/protocol/04-statements.md` section 6.
"""

import sqlite3
from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import Final

from hub.broker.ports import Delivery, KnownMessage, MailCopy, MailItem, MailReceipt, RecordedEntry
from hub.protocol.hazmat import DIGEST
from hub.protocol.jws import parse_jws
from hub.protocol.operation import OPERATION_TYP, Operation, VerifiedOperation
from hub.protocol.statements import ACCEPT_TYP, DECISION_TYP, write_proven
from hub.protocol.subscription import SUBSCRIPTION_TYP, Subscription, VerifiedSubscription
from hub.protocol.wire import parse_wire
from hub.store.schema import BODIES, cids_in, places_in

TYP_OF: Final = MappingProxyType({"accept": ACCEPT_TYP, "decision": DECISION_TYP})  # the entries that are statements
_MAX_ANSWER: Final = 16 * 1024 * 1024  # bytes of ciphertext read at once for one mailbox; one copy may have 32 MiB

_MESSAGE: Final = "mh, iss, kid, seq, thread, irt, operation, marks, manifest, accepted_at"
_Way = tuple[int | None, bytes | None, str | None, bytes | None]  # place, path, signature, signed payload
_ENTRY: Final = "number, kind, salt, entries.payload, place, path, jws, batches.payload"


class Queries:
    """The questions that one connection answers; `sign_batch` fills in for a signature that is not yet kept."""

    def __init__(self, db: sqlite3.Connection, sign_batch: Callable[[bytes], str]) -> None:
        self.db: Final = db
        self._sign: Final = sign_batch

    def find(self, mh: str) -> KnownMessage | None:
        """Return an accepted message by its digest."""
        row = self.db.execute(f"SELECT {_MESSAGE} FROM messages WHERE mh = ?", (mh,)).fetchone()  # noqa: S608 - constants
        return KnownMessage(*row) if row else None

    def find_submission(self, iss: str, jti: str) -> KnownMessage | None:
        """Return an accepted message by its originator and identifier."""
        sql = f"SELECT {_MESSAGE} FROM messages WHERE iss = ? AND jti = ?"  # noqa: S608 - constants
        row = self.db.execute(sql, (iss, jti)).fetchone()
        return KnownMessage(*row) if row else None

    def messages_of(self, iss: str, operation: str | None, limit: int, before: str | None) -> Sequence[KnownMessage]:
        """Return an originator's latest messages, newest first."""
        rules, values = ["iss = ?"], [iss]
        if operation is not None:
            rules, values = [*rules, "operation = ?"], [*values, operation]
        if before is not None:
            rules, values = [*rules, "id < (SELECT id FROM messages WHERE mh = ?)"], [*values, before]
        chosen = " AND ".join(rules)
        sql = f"SELECT {_MESSAGE} FROM messages WHERE {chosen} ORDER BY id DESC LIMIT ?"  # noqa: S608 - constants
        return [KnownMessage(*row) for row in self.db.execute(sql, (*values, limit))]

    def entries_of(self, mh: str) -> Sequence[tuple[str | None, RecordedEntry]]:
        """Return all entries about a message, oldest first, each with the addressee that it concerns."""
        rows = self.db.execute(
            f"SELECT code, {_ENTRY} FROM entries LEFT JOIN batches ON batches.id = batch "  # noqa: S608 - constants
            "LEFT JOIN partners ON partners.id = partner "
            "WHERE message = (SELECT id FROM messages WHERE mh = ?) ORDER BY number",
            (mh,),
        )
        return [(code, self._recorded(*row)) for code, *row in rows]

    def accept_of(self, message: int) -> bytes:
        """Return the proven accept of a message by its row."""
        row = self.db.execute(
            f"SELECT {_ENTRY} FROM entries JOIN batches ON batches.id = batch "  # noqa: S608 - constants
            "WHERE message = ? AND partner IS NULL AND kind = 'accept'",
            (message,),
        ).fetchone()
        return self._recorded(*row).proven

    def _recorded(self, number: int, kind: str, salt: bytes, payload: bytes, *way: *_Way) -> RecordedEntry:
        return RecordedEntry(number, kind, salt, payload, self._proven(kind, payload, way))

    def _proven(self, kind: str, payload: bytes, way: _Way) -> bytes:
        """Return a statement with its way to the signed root, as `Batch.prove` writes it; nothing for the others."""
        place, path, jws, batch = way
        if place is None or path is None or batch is None:
            return b""
        nodes = [path[start : start + DIGEST] for start in range(0, len(path), DIGEST)]
        return write_proven(TYP_OF[kind], payload, place, nodes, jws or self._sign(batch))

    def inputs_of(self, mh: str, to: str) -> bytes | None:
        """Return the inputs of the latest decision for one addressee."""
        row = self.db.execute(
            "SELECT inputs FROM entries WHERE message = (SELECT id FROM messages WHERE mh = ?) "
            "AND partner = (SELECT id FROM partners WHERE code = ?) AND kind = 'decision' ORDER BY number DESC LIMIT 1",
            (mh, to),
        ).fetchone()
        return row[0] if row else None

    def deliveries(self, mh: str) -> Sequence[Delivery]:
        """Return the delivery matrix of a message, by addressee."""
        rows = self.db.execute(
            "SELECT code, released, state, collected_at, receipts.payload, entries.explanation "
            "FROM entries JOIN deliveries ON decision = entries.number JOIN partners ON partners.id = entries.partner "
            "LEFT JOIN entries AS receipts ON receipts.number = receipt "
            "WHERE entries.message = (SELECT id FROM messages WHERE mh = ?) ORDER BY code",
            (mh,),
        )
        return [
            Delivery(to, cids_in(released), state, at, receipt and receipt.decode("ascii"), explanation)
            for to, released, state, at, receipt, explanation in rows
        ]

    def waiting(self, partner: str, limit: int) -> Sequence[MailItem]:
        """Return what waits for a partner, urgent first, as far as it fits into one answer."""
        rows = self.db.execute(
            "SELECT mail.seq, released, part, messages.id, mh, manifest, second, "
            "kind, entries.payload, place, path, jws, batches.payload "
            "FROM mail JOIN entries ON number = entry JOIN messages ON messages.id = message "
            "LEFT JOIN batches ON batches.id = batch "
            "WHERE mail.partner = (SELECT id FROM partners WHERE code = ?) ORDER BY routine, mail.seq LIMIT ?",
            (partner, limit),
        )
        items: list[MailItem] = []
        size = 0
        for seq, released, part, message, mh, manifest, second, kind, payload, *way in rows:
            if part is None:
                items.append(MailReceipt(seq, mh, payload.decode("ascii")))
                continue
            disclosures, blobs = self._bodies(message, released)
            size += sum(map(len, blobs))
            if items and size > _MAX_ANSWER:
                break
            decision = self._proven(kind, payload, way)
            items.append(MailCopy(seq, mh, manifest, second, disclosures, part, decision, blobs))
        return items

    def _bodies(self, message: int, released: int) -> tuple[tuple[str, ...], tuple[bytes, ...]]:
        numbers = [message * BODIES + place for place in places_in(released)]
        rows = [
            self.db.execute("SELECT disclosure, blob FROM bodies WHERE id = ?", (one,)).fetchone() for one in numbers
        ]
        return tuple(row[0] for row in rows), tuple(row[1] for row in rows)

    def has_mail(self, partner: str) -> bool:
        """Return whether anything waits for a partner."""
        sql = "SELECT EXISTS (SELECT * FROM mail WHERE partner = (SELECT id FROM partners WHERE code = ?))"
        return bool(self.db.execute(sql, (partner,)).fetchone()[0])

    def operation(self, name: str) -> VerifiedOperation | None:
        """Return one operation."""
        row = self.db.execute("SELECT jws FROM operations WHERE name = ?", (name,)).fetchone()
        return _recall_operation(row[0]) if row else None

    def operations(self) -> Sequence[VerifiedOperation]:
        """Return all operations, by name."""
        return [_recall_operation(text) for (text,) in self.db.execute("SELECT jws FROM operations ORDER BY name")]

    def subscriptions(self) -> Sequence[VerifiedSubscription]:
        """Return all active subscriptions, by partner."""
        rows = self.db.execute("SELECT jws FROM subscriptions WHERE active ORDER BY partner")
        return [_recall_subscription(text) for (text,) in rows]

    def checkpoint(self) -> str | None:
        """Return the latest signed checkpoint."""
        row = self.db.execute("SELECT note FROM checkpoints ORDER BY size DESC LIMIT 1").fetchone()
        return row[0] if row else None


def _recall_operation(text: str) -> VerifiedOperation:
    """Believed again without its key: only what was verified was recorded, and keys expire while operations last."""
    return VerifiedOperation(parse_wire(Operation, parse_jws(text, typ=OPERATION_TYP).payload), text)


def _recall_subscription(text: str) -> VerifiedSubscription:
    return VerifiedSubscription(parse_wire(Subscription, parse_jws(text, typ=SUBSCRIPTION_TYP).payload), text)
