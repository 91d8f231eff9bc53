"""What is read out of the store's tables: rows become what the ports promise.

Not for: writing (`ledger.py`) or the log's tree (`log.py`). Implements `docs/protocol/04-statements.md` section 6.
"""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from hub.broker.ports import Delivery, KnownMessage, RecordedEntry
from hub.protocol.jws import parse_jws
from hub.protocol.operation import OPERATION_TYP, Operation, VerifiedOperation
from hub.protocol.receipt import DeliveryState, further, parse_receipt
from hub.protocol.subscription import SUBSCRIPTION_TYP, Subscription, VerifiedSubscription
from hub.protocol.wire import parse_wire
from hub.store.mailbox import Handed, MailReader
from hub.store.packing import unpack_all, unpack_numbers
from hub.store.runs import KeptRun, Runs
from hub.store.schema import cids_in

_MESSAGE: Final = "mh, iss, kid, seq, thread, irt, operation, marks, manifest, accepted_at"


class Queries:
    """The questions that one connection answers; `sign_batch` fills in for a signature that is not yet kept."""

    def __init__(self, db: sqlite3.Connection, sign_batch: Callable[[bytes], str], handed: Handed) -> None:
        self.db: Final = db
        self.runs: Final = Runs(db, sign_batch)
        self.mail: Final = MailReader(db, self.runs, handed)

    def find(self, mh: str) -> KnownMessage | None:
        """Return an accepted message by its digest."""
        row = self.db.execute(f"SELECT {_MESSAGE} FROM messages WHERE mh = ?", (mh,)).fetchone()  # noqa: S608 - constants
        return KnownMessage(*row) if row else None

    def find_submissions(self, iss: str, jtis: Sequence[str]) -> Mapping[str, KnownMessage]:
        """Return accepted messages by their originator and identifiers."""
        sql = f"SELECT jti, {_MESSAGE} FROM messages WHERE iss = ? AND jti = ?"  # noqa: S608 - constants
        rows = [self.db.execute(sql, (iss, jti)).fetchone() for jti in jtis]
        return {row[0]: KnownMessage(*row[1:]) for row in rows if row}

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
        return [
            (concerned or None, run.entry(offset))
            for run in self._runs_about(mh)
            for offset, concerned in enumerate(run.concerned)
        ]

    def _runs_about(self, mh: str) -> list[KeptRun]:
        row = self.db.execute("SELECT id FROM messages WHERE mh = ?", (mh,)).fetchone()
        return self.runs.of(row[0]) if row else []

    def accept_of(self, message: int) -> bytes:
        """Return the proven accept of a message by its row; an accept is the first entry about it."""
        (first,) = self.db.execute("SELECT min(first) FROM entries WHERE message = ?", (message,)).fetchone()
        return self.runs.payloads_at(first).proven(0)

    def has_released(self, message: int, to: str) -> bool:
        """Return whether the latest decision of a message, by its row, for one addressee released anything to it.

        Two columns tell: what writes asks this for every receipt, and must not unpack what is there for all others.
        """
        sql = (
            "SELECT concerned, released FROM entries WHERE message = ? AND kind IN ('accept', 'decision') "
            "ORDER BY first DESC"
        )
        for concerned, released in self.db.execute(sql, (message,)):
            codes = unpack_all(concerned)
            if to.encode() in codes:
                return bool(unpack_numbers(released)[codes.index(to.encode())])
        return False

    def _decision_for(self, message: int, to: str) -> tuple[KeptRun, int] | None:
        """Return the latest decision of a message, by its row, for one addressee: its run and its place there."""
        found = None
        for run in self.runs.of(message):
            if run.said.decides and to in run.concerned:
                found = run, run.concerned.index(to)
        return found

    def inputs_of(self, mh: str, to: str) -> bytes | None:
        """Return the inputs of the latest decision for one addressee."""
        row = self.db.execute("SELECT id FROM messages WHERE mh = ?", (mh,)).fetchone()
        found = self._decision_for(row[0], to) if row else None
        return found[0].inputs[found[1]] if found else None

    def deliveries(self, mh: str) -> Sequence[Delivery]:
        """Return the delivery matrix of a message, by addressee."""
        row = self.db.execute("SELECT id FROM messages WHERE mh = ?", (mh,)).fetchone()
        if row is None:
            return []
        runs = self.runs.of(row[0])
        receipts = self._receipts_about(row[0], runs)
        decided = {
            to: (run, offset) for run in runs if run.said.decides for offset, to in enumerate(run.concerned) if to
        }
        expired = {run.concerned[0]: run.said.proven(0) for run in runs if run.said.kind == "expiry"}
        return [self._delivery(to, *decided[to], receipts.get(to, ()), expired.get(to, b"")) for to in sorted(decided)]

    def _receipts_about(self, message: int, runs: Sequence[KeptRun]) -> dict[str, list[str]]:
        """Return the receipts of each addressee, in the order in which they were recorded."""
        texts = {run.first: run.said.payloads[0].decode("ascii") for run in runs if run.said.kind == "receipt"}
        found: dict[str, list[str]] = {}
        sql = "SELECT iss, entry FROM receipts WHERE message = ? ORDER BY entry"
        for iss, entry in self.db.execute(sql, (message,)):
            found.setdefault(iss, []).append(texts[entry])
        return found

    def _delivery(self, to: str, run: KeptRun, offset: int, receipts: Sequence[str], expiry: bytes) -> Delivery:
        released, explanation = run.released[offset], run.explanations[offset]
        if not released:
            return Delivery(to, (), "withheld", None, None, explanation)
        at = self._collected_at(to, run.numbers[offset])
        state: DeliveryState = "collected" if at is not None else "expired" if expiry else "waiting"
        first: str | None = None
        later: dict[tuple[str, str | None], str] = {}
        for text in receipts:
            said = parse_receipt(text)
            if said.state not in ("opened", "refused"):
                later.setdefault((said.state, said.act), text)
            elif first is None or parse_receipt(first).state != "opened":
                first = text
            state = further(state, said.state)
        return Delivery(to, cids_in(released), state, at, first, explanation, tuple(later.values()), expiry)

    def _collected_at(self, partner: str, number: int) -> int | None:
        """Return when an item was taken out of a mailbox."""
        row = self.db.execute(
            "SELECT last, at FROM collected WHERE partner = (SELECT id FROM partners WHERE code = ?) AND first <= ? "
            "ORDER BY first DESC LIMIT 1",
            (partner, number),
        ).fetchone()
        return row[1] if row and number <= row[0] else None

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
