"""The ports through which the trips reach durable storage, and the guarantees that every store gives.

Each store (SQLite, later Redis) and the policing fake of the tests pass one contract suite (`tests/contract/`). Not
for: how anything is stored (`hub/store/`). Implements `docs/protocol/04-statements.md` section 6.

Guarantees of every method that writes: when it returns, the write is durable; it is atomic; it is idempotent as its
text says; when it raises `StoreError`, the write may or may not have been kept, and the caller calls it again with the
same arguments.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from hub.protocol.errors import ValiseError
from hub.protocol.operation import VerifiedOperation
from hub.protocol.receipt import DeliveryState, VerifiedReceipt
from hub.protocol.release import ReleasedCopy
from hub.protocol.submission import VerifiedEnvelope
from hub.protocol.subscription import VerifiedSubscription


@dataclass(frozen=True, slots=True)
class DecisionEntry:
    """One decision to record.

    `payload` is the statement; `inputs` the exact bytes from which it is recomputed; `explanation` is for the
    originator and the auditor only (JSON list of {cid, reason, rules, near_miss}).
    """

    to: str
    payload: bytes
    inputs: bytes
    explanation: bytes


@dataclass(frozen=True, slots=True)
class Acceptance:
    """One message with all that is decided about it, recorded in one atomic step: nothing of it or everything.

    `accept` writes the accept's payload when told the highest sequence number recorded of the key before (None: there
    is none). Only the atomic step knows that number, so the store calls it there, perhaps more than once: it must be
    pure. `decisions` are one for each addressee, denials included; `copies` those that are released.
    """

    envelope: VerifiedEnvelope
    accept: Callable[[int | None], bytes]
    decisions: tuple[DecisionEntry, ...]
    copies: tuple[ReleasedCopy, ...]


@dataclass(frozen=True, slots=True)
class KnownMessage:
    """What is kept of an accepted message for as long as the hub lives."""

    mh: str
    iss: str
    kid: str
    seq: int
    thread: str
    irt: str | None
    operation: str | None
    marks: bytes
    manifest: str
    accepted_at: int


@dataclass(frozen=True, slots=True)
class RecordedEntry:
    """One entry of the record with what is needed to open its commitment in the log.

    `proven` is the JSON of `Proven` for a hub's statement, and empty for what a partner signed (`payload` is then the
    JWS as bytes).
    """

    index: int
    kind: str
    salt: bytes
    payload: bytes
    proven: bytes


class MailMark(NamedTuple):
    """How far a mailbox was read: the numbers of the last urgent and of the last routine item.

    Urgent items overtake routine ones, so one number would not do; within each kind the numbers only grow.
    """

    urgent: int
    routine: int


START: Final = MailMark(0, 0)


@dataclass(frozen=True, slots=True)
class MailCopy:
    """A waiting copy in its pieces; `write_copy` joins them."""

    seq: int
    urgent: bool
    mh: str
    manifest: str
    second: str | None
    disclosures: tuple[str, ...]
    part: bytes
    decision: bytes
    blobs: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class MailReceipt:
    """A receipt on its way to the originator of the message that it is about; it is always routine."""

    seq: int
    mh: str
    jws: str


@dataclass(frozen=True, slots=True)
class MailNotice:
    """The hub's word, on its way to the originator, that a copy of its message expired uncollected (`Proven`, JSON)."""

    seq: int
    mh: str
    proven: bytes


MailItem = MailCopy | MailReceipt | MailNotice


@dataclass(frozen=True, slots=True)
class Delivery:
    """One row of a message's delivery matrix.

    `collected` means that the addressee's connector acknowledged the transfer; from `opened` and `refused` on, states
    are the addressee's signed word: `receipt` says that it opened or refused, `later` are the first of each that say
    read, acted (of each act) and purged. `expiry` is our statement that the copy expired (`Proven`, JSON), or empty.
    Times are Unix seconds or None.
    """

    to: str
    released: tuple[str, ...]
    state: DeliveryState
    collected_at: int | None
    receipt: str | None
    explanation: bytes
    later: tuple[str, ...] = ()
    expiry: bytes = b""


@dataclass(frozen=True, slots=True)
class OwnMessage:
    """A message as its originator is told of it after losing its memory: its own words, our accept, the addressees."""

    seq: int
    manifest: str
    accept: bytes
    to: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OfferedMessage:
    """A message that its originator offered to a group: members of an operation, or whoever subscribed.

    `inputs` are those of one decision about somebody who was not named; they hold the facts about the message.
    """

    iss: str
    inputs: bytes


class Record(Protocol):
    """The append-only record, with its log: what was accepted, decided and receipted."""

    async def find(self, *, mh: str) -> KnownMessage | None:
        """Return an accepted message by its digest."""

    async def find_submissions(self, *, iss: str, jtis: Sequence[str]) -> Mapping[str, KnownMessage]:
        """Return those accepted messages of an originator that have one of these identifiers, by identifier."""

    async def commit(self, acceptance: Acceptance) -> bytes:
        """Record message, accept, decisions and copies in one atomic, durable step; return the proven accept (JSON).

        Idempotent by `mh`: the same message again returns the same accept and changes nothing.

        Raises:
            ForkError: (kid, seq) is taken by another message, or `prev` names another than the one recorded at
                `seq` - 1; both manifests are recorded as a `denial` entry first, once for each refused message.
            ReplayError: (iss, jti) is taken by another message.
            DecisionChainError: a copy is of another message, twice for one addressee, or without its decision.
            StoreError: the write may or may not have been kept.
        """

    async def commit_many(self, acceptances: Sequence[Acceptance]) -> list[bytes | ValiseError]:
        """Commit several messages in the order given, each as `commit` would; return what it returns or raises.

        One that fails does not touch the others. They may share a transaction.
        """

    def check_writing(self) -> None:
        """Check that what writes is at work.

        Raises:
            StoreStoppedError: it has ended, and no write will succeed any more.
        """

    async def add_receipt(self, verified: VerifiedReceipt) -> None:
        """Record a receipt and put it into the mailbox of the message's originator. Idempotent by (iss, jti).

        States only move forward (`further`): no receipt takes back what an earlier one says.

        Raises:
            NotFoundError: the message is unknown here or was not released to the receipt's issuer.
            ReplayError: (iss, jti) is taken by another receipt.
        """

    async def expire(self, *, now: int, limit: int, write: Callable[[str, str, int], bytes]) -> int:
        """Destroy waiting copies whose messages have expired, at most about `limit` at once; return how many.

        For each, one durable step: the copy leaves the mailbox, what `write` returns for (mh, addressee, `exp`) becomes
        an entry of kind `expiry`, the delivery is `expired`, and the statement is posted to the originator. A copy
        expires once, so calling again is harmless.

        Raises:
            StoreError: some of it may or may not have been kept.
        """

    async def own_messages(self, kid: str, *, after: int, limit: int) -> Sequence[OwnMessage]:
        """Return the messages accepted under a signing key with a number above `after`, in order."""

    async def highest(self, kid: str) -> int | None:
        """Return the highest number accepted under a signing key."""

    async def offered(self, *, since: int, limit: int) -> Sequence[OfferedMessage]:
        """Return the newest messages accepted at or after a time that went to others than named partners, newest first.

        At most `limit` messages are looked at.
        """

    async def entries_of(self, mh: str) -> Sequence[tuple[str | None, RecordedEntry]]:
        """Return all entries about a message, oldest first, each with the addressee that it concerns (or None)."""

    async def inputs_of(self, mh: str, to: str) -> bytes | None:
        """Return the recorded inputs of the latest decision for one addressee."""

    async def deliveries(self, mh: str) -> Sequence[Delivery]:
        """Return the delivery matrix of a message, by addressee."""

    async def messages_of(
        self, *, iss: str, operation: str | None, limit: int, before: str | None = None
    ) -> Sequence[KnownMessage]:
        """Return an originator's latest messages, newest first, optionally of one operation.

        Only those accepted before the message `before` (its `mh`), which is accepted: so pages stay as they are,
        whatever comes meanwhile.
        """


class Mailboxes(Protocol):
    """Copies and receipts that wait for a partner."""

    async def waiting(self, partner: str, *, limit: int, after: MailMark = START) -> Sequence[MailItem]:
        """Return what waits, urgent before routine, then oldest first. Reading changes nothing (at-least-once).

        At most `limit` items, and fewer when they are large; none only when nothing waits after the mark.
        """

    async def confirm(self, partner: str, seqs: Sequence[int], *, at: int) -> None:
        """Take items out of the mailbox for good; unknown numbers are ignored, so repeating is harmless.

        A ciphertext leaves the hub with the last copy that needs it.
        """

    async def collected(self, partner: str) -> int:
        """Return how many items have been taken out of a partner's mailbox by its connector, ever."""

    async def last_collected(self, partner: str) -> int | None:
        """Return when a partner's connector last took something out of its mailbox (Unix seconds)."""

    async def wait(self, partner: str, *, seconds: float, after: MailMark = START) -> None:
        """Return when something may wait for the partner after the mark, at the latest after `seconds`."""


class Groups(Protocol):
    """Operations and subscriptions."""

    async def put_operation(self, verified: VerifiedOperation) -> None:
        """Record an operation; the same again changes nothing.

        Raises:
            ReplayError: another operation of this name is recorded.
        """

    async def operation(self, name: str) -> VerifiedOperation | None:
        """Return one operation."""

    async def operations(self) -> Sequence[VerifiedOperation]:
        """Return all operations."""

    async def put_subscription(self, verified: VerifiedSubscription) -> None:
        """Record a subscription; it replaces the partner's earlier one unless that is newer (`iat`)."""

    async def subscriptions(self) -> Sequence[VerifiedSubscription]:
        """Return the latest subscription of every partner that has an active one."""


class LogReader(Protocol):
    """The transparency log over the record, as the notary and auditors read it."""

    async def log_size(self) -> int:
        """Return the number of durable entries."""

    async def log_root(self, size: int) -> bytes:
        """Return the root over the first `size` entries."""

    async def inclusion(self, index: int, size: int) -> Sequence[bytes]:
        """Return an inclusion path.

        Raises:
            LogRangeError: outside the log.
        """

    async def consistency(self, old: int, new: int) -> Sequence[bytes]:
        """Return a consistency path.

        Raises:
            LogRangeError: outside the log.
        """

    async def tile(self, level: int, number: int, width: int) -> bytes:
        """Return a tile's hashes (C2SP tlog-tiles).

        Raises:
            LogRangeError: outside the log.
        """

    async def entry_bundle(self, number: int, width: int) -> bytes:
        """Return a bundle of log entries - commitments, no openings.

        Raises:
            LogRangeError: outside the log.
        """

    async def put_checkpoint(self, size: int, note: str) -> None:
        """Keep a signed checkpoint; one for each size, the last wins: the same root, signed by other keys."""

    async def checkpoint(self) -> str | None:
        """Return the latest signed checkpoint."""


class Store(Record, Mailboxes, Groups, LogReader, Protocol):
    """All ports together: what one hub needs."""
