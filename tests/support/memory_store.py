"""A store in memory that polices the ports' contract and fails when it is told to, for tests of the trips.

Not for: speed, size or restarts. It fails on the spot when a mailbox would get what the record does not know.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace

from hub.broker.ports import (
    START,
    Acceptance,
    DecisionEntry,
    Delivery,
    KnownMessage,
    MailCopy,
    MailItem,
    MailMark,
    MailNotice,
    MailReceipt,
    OfferedMessage,
    OwnMessage,
    RecordedEntry,
)
from hub.policy.facts import is_offered
from hub.protocol.errors import (
    DecisionChainError,
    ForkError,
    LogRangeError,
    NotFoundError,
    ReplayError,
    StoreError,
    ValiseError,
)
from hub.protocol.hazmat import random_bytes
from hub.protocol.merkle import leaf_hash, levels, node_hash, path_in, root_of
from hub.protocol.operation import VerifiedOperation
from hub.protocol.receipt import DeliveryState, VerifiedReceipt, further, parse_receipt
from hub.protocol.release import ReleasedCopy
from hub.protocol.statements import ACCEPT_TYP, DECISION_TYP, EXPIRY_TYP, Batch
from hub.protocol.strictjson import write_json
from hub.protocol.submission import VerifiedEnvelope
from hub.protocol.subscription import VerifiedSubscription
from hub.protocol.vocabulary import Priority
from hub.protocol.wire import write_wire
from hub.tlog.entry import SALT, commit, write_entry
from hub.tlog.tiles import WIDTH, write_bundle


class PolicedError(DecisionChainError, AssertionError):
    """The caller broke the contract: a mailbox would get what was not decided and recorded."""


@dataclass
class _Mail:
    seq: int
    routine: bool
    entry: RecordedEntry
    mh: str
    copy: ReleasedCopy | None
    notice: bool = False


@dataclass
class _Message:
    envelope: VerifiedEnvelope
    known: KnownMessage
    accept: RecordedEntry
    inputs: dict[str, bytes] = field(default_factory=dict)
    deliveries: dict[str, Delivery] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)


class MemoryStore:
    """All ports in dictionaries.

    Attributes:
        fail_before: how many of the coming writes fail and are not kept.
        fail_after: how many of the coming writes fail although they are kept.
        transactions: how many writes were kept.
    """

    def __init__(
        self, *, federation: str, hub: str, sign_batch: Callable[[bytes], str], clock: Callable[[], int]
    ) -> None:
        self._federation, self._hub, self._sign, self._clock = federation, hub, sign_batch, clock
        self.fail_before = self.fail_after = self.transactions = 0
        self._messages: dict[str, _Message] = {}
        self._entries: list[tuple[str, str | None, RecordedEntry]] = []  # about which message, which addressee
        self._leaves: list[bytes] = []
        self._commitments: list[bytes] = []
        self._denied: set[str] = set()
        self._receipts: dict[tuple[str, str], str] = {}
        self._mail: dict[str, list[_Mail]] = {}
        self._last: dict[str, int] = {}
        self._bells: dict[str, asyncio.Event] = {}
        self._operations: dict[str, VerifiedOperation] = {}
        self._subscriptions: dict[str, VerifiedSubscription] = {}
        self._checkpoints: dict[int, str] = {}
        self._collected: dict[str, list[int]] = {}  # when each item was taken, by partner

    @contextmanager
    def _write(self) -> Iterator[None]:
        if self.fail_before:
            self.fail_before -= 1
            raise StoreError("failed before the write was kept")
        yield
        self.transactions += 1
        if self.fail_after:
            self.fail_after -= 1
            raise StoreError("failed after the write was kept")

    # --- the record ---

    async def find(self, *, mh: str) -> KnownMessage | None:
        """See `Record.find`."""
        return self._messages[mh].known if mh in self._messages else None

    async def find_submissions(self, *, iss: str, jtis: Sequence[str]) -> Mapping[str, KnownMessage]:
        """See `Record.find_submissions`."""
        own = {one.envelope.manifest.jti: one.known for one in self._all() if one.known.iss == iss}
        return {jti: own[jti] for jti in jtis if jti in own}

    async def commit(self, acceptance: Acceptance) -> bytes:
        """See `Record.commit`."""
        with self._write():
            known = self._messages.get(acceptance.envelope.mh)
            if known is not None:
                return known.accept.proven
            return self._accept(acceptance)

    async def commit_many(self, acceptances: Sequence[Acceptance]) -> list[bytes | ValiseError]:
        """See `Record.commit_many`."""
        outcomes: list[bytes | ValiseError] = []
        for acceptance in acceptances:
            try:
                outcomes.append(await self.commit(acceptance))
            except ValiseError as error:
                outcomes.append(error)
        return outcomes

    def check_writing(self) -> None:
        """See `Record.check_writing`; nothing here can end."""

    def _accept(self, acceptance: Acceptance) -> bytes:
        envelope = acceptance.envelope
        manifest = envelope.manifest
        _police(acceptance)
        self._check_sequence(envelope)
        if any((one.known.iss, one.envelope.manifest.jti) == (manifest.iss, manifest.jti) for one in self._all()):
            raise ReplayError(manifest.jti)
        at = self._clock()
        after = max((one.known.seq for one in self._all() if one.known.kid == envelope.kid), default=None)
        statements = [(ACCEPT_TYP, acceptance.accept(after))]
        statements += [(DECISION_TYP, decision.payload) for decision in acceptance.decisions]
        batch = Batch(statements, federation=self._federation, hub=self._hub, at=at)
        jws = self._sign(batch.payload)
        accept = self._append("accept", statements[0][1], envelope.mh, None, batch.prove(0, jws))
        message = _Message(envelope, _known(envelope, at), accept)
        self._messages[envelope.mh] = message
        copies = {copy.to: copy for copy in acceptance.copies}
        for place, decision in enumerate(acceptance.decisions, 1):
            entry = self._append("decision", decision.payload, envelope.mh, decision.to, batch.prove(place, jws))
            self._deliver(message, decision, entry, copies.get(decision.to))
        self._drop_blobs(message)
        return accept.proven

    def _all(self) -> list[_Message]:
        return list(self._messages.values())

    def _check_sequence(self, envelope: VerifiedEnvelope) -> None:
        manifest = envelope.manifest
        of_key = {one.known.seq: one for one in self._all() if one.known.kid == envelope.kid}
        other = of_key.get(manifest.seq)
        before = of_key.get(manifest.seq - 1)
        if other is None and before is not None and manifest.prev not in (None, before.known.mh):
            other = before
        if other is None:
            return
        if envelope.mh not in self._denied:
            self._denied.add(envelope.mh)
            evidence = {"v": 1, "code": ForkError.code, "recorded": other.known.manifest, "refused": envelope.jws}
            self._append("denial", write_json(evidence), other.known.mh, None, b"")
        raise ForkError(envelope.kid)

    def _append(self, kind: str, payload: bytes, mh: str, to: str | None, proven: bytes) -> RecordedEntry:
        entry = RecordedEntry(len(self._entries), kind, random_bytes(SALT), payload, proven)
        logged = write_entry(kind, commit(entry.salt, payload))
        self._entries.append((mh, to, entry))
        self._commitments.append(logged)
        self._leaves.append(leaf_hash(logged))
        return entry

    def _deliver(
        self, message: _Message, decision: DecisionEntry, entry: RecordedEntry, copy: ReleasedCopy | None
    ) -> None:
        released = copy.released if copy else ()
        state: DeliveryState = "waiting" if copy else "withheld"
        message.inputs[decision.to] = decision.inputs
        message.deliveries[decision.to] = Delivery(decision.to, released, state, None, None, decision.explanation)
        if copy:
            routine = message.envelope.manifest.pri is not Priority.URGENT
            for cid in released:
                message.blobs[cid] = message.envelope.blobs[int(cid[1:])]
            self._post(decision.to, routine, entry, message.known.mh, copy)

    def _post(
        self,
        partner: str,
        routine: bool,  # noqa: FBT001
        entry: RecordedEntry,
        mh: str,
        copy: ReleasedCopy | None,
        *,
        notice: bool = False,
    ) -> None:
        if (mh, partner if copy else entry) not in {(about, to if copy else one) for about, to, one in self._entries}:
            raise PolicedError("mail that is not recorded")
        self._last[partner] = self._last.get(partner, 0) + 1
        self._mail.setdefault(partner, []).append(_Mail(self._last[partner], routine, entry, mh, copy, notice))
        if partner in self._bells:
            self._bells.pop(partner).set()

    def _drop_blobs(self, message: _Message) -> None:
        waiting = [mail.copy for box in self._mail.values() for mail in box if mail.mh == message.known.mh]
        needed = {cid for copy in waiting if copy for cid in copy.released}
        message.blobs = {cid: blob for cid, blob in message.blobs.items() if cid in needed}

    async def add_receipt(self, verified: VerifiedReceipt) -> None:
        """See `Record.add_receipt`."""
        receipt = verified.receipt
        with self._write():
            known = self._receipts.get((receipt.iss, receipt.jti))
            if known == verified.jws:
                return
            if known is not None:
                raise ReplayError(receipt.jti)
            message = self._messages.get(receipt.mh)
            delivery = message.deliveries.get(receipt.iss) if message else None
            if message is None or delivery is None or not delivery.released:
                raise NotFoundError(receipt.mh)
            self._receipts[receipt.iss, receipt.jti] = verified.jws
            entry = self._append("receipt", verified.jws.encode(), receipt.mh, receipt.iss, b"")
            message.deliveries[receipt.iss] = _after(delivery, verified)
            self._post(message.known.iss, True, entry, receipt.mh, None)  # noqa: FBT003

    async def expire(self, *, now: int, limit: int, write: Callable[[str, str, int], bytes]) -> int:
        """See `Record.expire`."""
        due = [
            (partner, mail)
            for partner, box in self._mail.items()
            for mail in box
            if mail.copy and self._messages[mail.mh].envelope.manifest.exp <= now
        ][:limit]
        if due:
            with self._write():
                self._expire(due, write)
        return len(due)

    def _expire(self, due: list[tuple[str, _Mail]], write: Callable[[str, str, int], bytes]) -> None:
        statements = [
            (EXPIRY_TYP, write(mail.mh, partner, self._messages[mail.mh].envelope.manifest.exp))
            for partner, mail in due
        ]
        batch = Batch(statements, federation=self._federation, hub=self._hub, at=self._clock())
        jws = self._sign(batch.payload)
        for place, (partner, mail) in enumerate(due):
            message = self._messages[mail.mh]
            proven = batch.prove(place, jws)
            entry = self._append("expiry", statements[place][1], mail.mh, partner, proven)
            self._mail[partner].remove(mail)
            row = message.deliveries[partner]
            state: DeliveryState = "expired" if row.state == "waiting" else row.state
            message.deliveries[partner] = replace(row, state=state, expiry=proven)
            self._drop_blobs(message)
            self._post(message.known.iss, True, entry, mail.mh, None, notice=True)  # noqa: FBT003

    async def own_messages(self, kid: str, *, after: int, limit: int) -> Sequence[OwnMessage]:
        """See `Record.own_messages`."""
        own = sorted(
            (one for one in self._all() if one.known.kid == kid and one.known.seq > after),
            key=lambda one: one.known.seq,
        )
        return [OwnMessage(one.known.seq, one.known.manifest, one.accept.proven, tuple(one.deliveries)) for one in own][
            :limit
        ]

    async def highest(self, kid: str) -> int | None:
        """See `Record.highest`."""
        return max((one.known.seq for one in self._all() if one.known.kid == kid), default=None)

    async def offered(self, *, since: int, limit: int) -> Sequence[OfferedMessage]:
        """See `Record.offered`."""
        newest = [one for one in self._all() if one.known.accepted_at >= since][::-1][:limit]
        found = [(one.known.iss, [data for data in one.inputs.values() if is_offered(data)]) for one in newest]
        return [OfferedMessage(iss, inputs[0]) for iss, inputs in found if inputs]

    async def entries_of(self, mh: str) -> Sequence[tuple[str | None, RecordedEntry]]:
        """See `Record.entries_of`."""
        return [(to, entry) for about, to, entry in self._entries if about == mh]

    async def inputs_of(self, mh: str, to: str) -> bytes | None:
        """See `Record.inputs_of`."""
        return self._messages[mh].inputs.get(to) if mh in self._messages else None

    async def deliveries(self, mh: str) -> Sequence[Delivery]:
        """See `Record.deliveries`."""
        rows = self._messages[mh].deliveries.values() if mh in self._messages else ()
        return sorted(rows, key=lambda row: row.to)

    async def messages_of(
        self, *, iss: str, operation: str | None, limit: int, before: str | None = None
    ) -> Sequence[KnownMessage]:
        """See `Record.messages_of`."""
        every = [one.known for one in self._all()]
        if before is not None:
            every = every[: next(place for place, known in enumerate(every) if known.mh == before)]
        own = [known for known in every if known.iss == iss and operation in (None, known.operation)]
        return own[::-1][:limit]

    # --- mailboxes ---

    async def waiting(self, partner: str, *, limit: int, after: MailMark = START) -> Sequence[MailItem]:
        """See `Mailboxes.waiting`."""
        return [self._item(partner, mail) for mail in self._box(partner, after)[:limit]]

    def _box(self, partner: str, after: MailMark) -> list[_Mail]:
        box = sorted(self._mail.get(partner, []), key=lambda mail: (mail.routine, mail.seq))
        return [mail for mail in box if mail.seq > after[mail.routine]]

    def _item(self, partner: str, mail: _Mail) -> MailItem:
        if mail.notice:
            return MailNotice(mail.seq, mail.mh, mail.entry.proven)
        if mail.copy is None:
            return MailReceipt(mail.seq, mail.mh, mail.entry.payload.decode())
        if (mail.mh, partner, mail.entry) not in self._entries or mail.entry.kind != "decision":
            raise PolicedError("delivered without a recorded decision")
        message, released = self._messages[mail.mh], mail.copy.released
        texts = {one.descriptor.id: one.text for one in message.envelope.disclosures}
        return MailCopy(
            seq=mail.seq,
            urgent=not mail.routine,
            mh=mail.mh,
            manifest=message.known.manifest,
            second=message.envelope.second,
            disclosures=tuple(texts[cid] for cid in released),
            part=mail.copy.part,
            decision=mail.entry.proven,
            blobs=tuple(message.blobs[cid] for cid in released),
        )

    async def confirm(self, partner: str, seqs: Sequence[int], *, at: int) -> None:
        """See `Mailboxes.confirm`."""
        with self._write():
            box = self._mail.get(partner, [])
            self._mail[partner] = [mail for mail in box if mail.seq not in seqs]
            taken = [mail for mail in box if mail.seq in seqs]
            self._collected.setdefault(partner, []).extend([at] * len(taken))
            for mail in taken:
                if mail.copy:
                    message = self._messages[mail.mh]
                    row = message.deliveries[partner]
                    state = "collected" if row.state == "waiting" else row.state
                    message.deliveries[partner] = replace(row, state=state, collected_at=row.collected_at or at)
                    self._drop_blobs(message)

    async def collected(self, partner: str) -> int:
        """See `Mailboxes.collected`."""
        return len(self._collected.get(partner, ()))

    async def last_collected(self, partner: str) -> int | None:
        """See `Mailboxes.last_collected`."""
        return max(self._collected.get(partner, ()), default=None)

    async def wait(self, partner: str, *, seconds: float, after: MailMark = START) -> None:
        """See `Mailboxes.wait`."""
        if not self._box(partner, after):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._bells.setdefault(partner, asyncio.Event()).wait(), seconds)

    # --- groups ---

    async def put_operation(self, verified: VerifiedOperation) -> None:
        """See `Groups.put_operation`."""
        with self._write():
            known = self._operations.setdefault(verified.operation.op, verified)
            if known.operation != verified.operation:
                raise ReplayError(verified.operation.op)

    async def operation(self, name: str) -> VerifiedOperation | None:
        """See `Groups.operation`."""
        return self._operations.get(name)

    async def operations(self) -> Sequence[VerifiedOperation]:
        """See `Groups.operations`."""
        return list(self._operations.values())

    async def put_subscription(self, verified: VerifiedSubscription) -> None:
        """See `Groups.put_subscription`."""
        with self._write():
            known = self._subscriptions.get(verified.subscription.iss)
            if known is None or known.subscription.iat <= verified.subscription.iat:
                self._subscriptions[verified.subscription.iss] = verified

    async def subscriptions(self) -> Sequence[VerifiedSubscription]:
        """See `Groups.subscriptions`."""
        return [verified for verified in self._subscriptions.values() if verified.subscription.active]

    # --- the log ---

    async def log_size(self) -> int:
        """See `LogReader.log_size`."""
        return len(self._leaves)

    async def log_root(self, size: int) -> bytes:
        """See `LogReader.log_root`."""
        return root_of(levels(self._first(size)))

    def _first(self, size: int) -> list[bytes]:
        if not 0 <= size <= len(self._leaves):
            raise LogRangeError(str(size))
        return self._leaves[:size]

    async def inclusion(self, index: int, size: int) -> Sequence[bytes]:
        """See `LogReader.inclusion`."""
        leaves = self._first(size)
        if not 0 <= index < size:
            raise LogRangeError(str(index))
        return path_in(levels(leaves), index)

    async def consistency(self, old: int, new: int) -> Sequence[bytes]:
        """See `LogReader.consistency`."""
        leaves = self._first(new)
        if not 0 <= old <= new:
            raise LogRangeError(str(old))
        return _subproof(old, leaves, is_whole=True) if 0 < old < new else []

    async def tile(self, level: int, number: int, width: int) -> bytes:
        """See `LogReader.tile`."""
        hashes = self._leaves
        for _ in range(8 * level):
            hashes = [node_hash(left, right) for left, right in zip(hashes[::2], hashes[1::2], strict=False)]
        return b"".join(_cut(hashes, number, width))

    async def entry_bundle(self, number: int, width: int) -> bytes:
        """See `LogReader.entry_bundle`."""
        return write_bundle(_cut(self._commitments, number, width))

    async def put_checkpoint(self, size: int, note: str) -> None:
        """See `LogReader.put_checkpoint`."""
        with self._write():
            self._checkpoints[size] = note

    async def checkpoint(self) -> str | None:
        """See `LogReader.checkpoint`."""
        return self._checkpoints[max(self._checkpoints)] if self._checkpoints else None


def _after(row: Delivery, verified: VerifiedReceipt) -> Delivery:
    """Return the row after a receipt: the state only moves forward, and the first receipt of each later kind counts."""
    receipt = verified.receipt
    state = further(row.state, receipt.state)
    if receipt.state in ("opened", "refused"):
        settled = row.receipt is not None and parse_receipt(row.receipt).state == "opened"
        return replace(row, state=state, receipt=row.receipt if settled else verified.jws)
    known = {(one.state, one.act) for one in map(parse_receipt, row.later)}
    fresh = () if (receipt.state, receipt.act) in known else (verified.jws,)
    return replace(row, state=state, later=(*row.later, *fresh))


def _police(acceptance: Acceptance) -> None:
    decided = [decision.to for decision in acceptance.decisions]
    addressees = [copy.to for copy in acceptance.copies]
    if len(set(decided)) != len(decided) or len(set(addressees)) != len(addressees):
        raise PolicedError("an addressee twice")
    if not set(addressees) <= set(decided) or any(copy.mh != acceptance.envelope.mh for copy in acceptance.copies):
        raise PolicedError("a copy without its decision")


def _known(envelope: VerifiedEnvelope, at: int) -> KnownMessage:
    manifest = envelope.manifest
    return KnownMessage(
        mh=envelope.mh,
        iss=manifest.iss,
        kid=envelope.kid,
        seq=manifest.seq,
        thread=manifest.thread,
        irt=manifest.irt,
        operation=manifest.op,
        marks=write_wire(manifest.marks),
        manifest=envelope.jws,
        accepted_at=at,
    )


def _cut(items: list[bytes], number: int, width: int) -> list[bytes]:
    cut = items[number * WIDTH : number * WIDTH + width] if number >= 0 else []
    if not 0 < width <= WIDTH or len(cut) != width:
        raise LogRangeError(f"{number}.{width}")
    return cut


def _subproof(old: int, leaves: list[bytes], *, is_whole: bool) -> list[bytes]:
    """RFC 9162 section 2.1.4.1, word for word."""
    if old == len(leaves):
        return [] if is_whole else [root_of(levels(leaves))]
    k = 1 << (len(leaves) - 1).bit_length() - 1
    if old <= k:
        return [*_subproof(old, leaves[:k], is_whole=is_whole), root_of(levels(leaves[k:]))]
    return [*_subproof(old - k, leaves[k:], is_whole=False), root_of(levels(leaves[:k]))]
