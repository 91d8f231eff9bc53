"""The questions that a connector asks its hub, and the answers: the shapes both sides of the HTTP interface share.

Nothing here is signed; what must be believed later travels as statements, receipts and proofs inside. Not for: routes
or status codes (`hub/api/`). Implements `docs/reference/api.md`.
"""

from typing import Annotated, Final, Literal

from pydantic import Field

from hub.protocol.audience import MAX_ADDRESSEES, Via
from hub.protocol.envelope import MAX_SUBMISSION, Proven
from hub.protocol.manifest import MAX_COMPARTMENTS, MAX_TOPICS
from hub.protocol.marks import Marks
from hub.protocol.receipt import DeliveryState
from hub.protocol.vocabulary import (
    Basis,
    Label,
    MessageKind,
    Offence,
    PartnerCode,
    Priority,
    Purpose,
    Status,
    Topic,
    Verb,
)
from hub.protocol.wire import Count, Digest, Time, Wire

MAX_BATCH: Final = 64  # messages or receipts of one request


MAX_LATER: Final = 8  # receipts after the first: one read, one purged, one for each act


class MessageOutline(Wire):
    """What policy needs to know of a message before it is sealed: the manifest's words and the compartments' labels."""

    mt: MessageKind
    verb: Verb
    status: Status
    marks: Marks
    purpose: Purpose
    offence: Offence
    basis: Basis
    pri: Priority
    topics: Annotated[tuple[Topic, ...], Field(max_length=MAX_TOPICS)]
    op: Annotated[str, Field(max_length=48)] | None
    labels: Annotated[tuple[Label, ...], Field(min_length=1, max_length=MAX_COMPARTMENTS)]


class AudienceQuestion(Wire):
    """Who would get this message? `to` names partners, `operation` adds its members, `subscribers` those who asked."""

    outline: MessageOutline
    to: Annotated[tuple[PartnerCode, ...], Field(max_length=MAX_ADDRESSEES)]
    irt: Digest | None
    operation: bool
    subscribers: bool


class WithheldReason(Wire):
    """Why a compartment would be, or was, withheld: for the originator and the auditor, never for the addressee."""

    cid: str
    reason: str
    rules: tuple[str, ...]
    near_miss: str


class AudienceRow(Wire):
    """One candidate: the places of the compartments that it may get, and the reasons for the others."""

    partner: PartnerCode
    via: Via
    permitted: tuple[str, ...]
    withheld: tuple[WithheldReason, ...]
    rules: tuple[str, ...]
    duties: tuple[str, ...]
    agreement: str | None
    has_key: bool


class AudienceAnswer(Wire):
    """All candidates, and the policy set that was asked."""

    pol: str
    rows: tuple[AudienceRow, ...]


class MatrixRow(Wire):
    """What became of one addressee's copy.

    Up to `collected` it is the hub's word; from `opened` and `refused` on, `receipt` and `later` are the addressee's.
    `expiry` is the hub's statement that nobody collected it in time. `seen` is when the addressee's connector was last
    here, rounded down to the hour, and told only while its copy waits; None: not since the hub remembers.
    """

    to: PartnerCode
    released: tuple[str, ...]
    state: DeliveryState
    collected_at: Time | None
    receipt: str | None
    later: Annotated[tuple[str, ...], Field(max_length=MAX_LATER)]
    expiry: Proven | None
    seen: Time | None
    withheld: tuple[WithheldReason, ...]


class Matrix(Wire):
    """The delivery matrix of one message."""

    mh: Digest
    rows: tuple[MatrixRow, ...]


class OperationMatrix(Wire):
    """The delivery matrices of an originator's latest messages in one operation, newest first."""

    operation: str
    matrices: tuple[Matrix, ...]


class OwnRecord(Wire):
    """One message that the hub accepted from this originator: its manifest, the hub's accept, whom it was for."""

    seq: Count
    manifest: Annotated[str, Field(max_length=512 * 1024)]
    accept: Proven
    to: tuple[PartnerCode, ...]


class StandingAnswer(Wire):
    """What the hub knows of a partner, for a connector that may have been restored from an old backup.

    `highest` is the highest number that the hub accepted under the key, or None; `records` are the messages after the
    number that was named, in order and as many as one answer takes. `collected` is how many items have been taken out
    of the partner's mailbox, ever.
    """

    highest: Count | None
    records: tuple[OwnRecord, ...]
    collected: Count


class SentMessage(Wire):
    """One of an originator's accepted messages, as the hub knows it."""

    mh: Digest
    seq: Count
    thread: str
    op: str | None
    accepted_at: Time


class SentMessages(Wire):
    """An originator's messages, newest first; `next` is the cursor of the rest, or null when there is none."""

    messages: tuple[SentMessage, ...]
    next: str | None


class Preview(Wire):
    """How many messages of the last `days` the partner's subscription matched, and how many another would have.

    Only what was offered to a group and what policy would have let the partner have is counted. `whole` is false where
    there were more messages than one question looks at; the newest were.
    """

    days: Count
    old: Count
    new: Count
    whole: bool


class LoggedEntry(Wire):
    """An entry of the record, opened: its place, salt and kind, and what proves it into the checkpoint.

    `payload` is base64url: a statement's payload, or a partner's JWS as bytes. `proven` is set for statements.
    """

    index: Count
    kind: Annotated[str, Field(max_length=24)]
    salt: Annotated[str, Field(max_length=64)]
    payload: Annotated[str, Field(max_length=128 * 1024)]
    proven: Proven | None
    path: Annotated[tuple[Digest, ...], Field(max_length=64)]


class DeliveryProof(Wire):
    """All that the hub adds to the evidence of one delivery."""

    mh: Digest
    to: PartnerCode
    accept: LoggedEntry
    decision: LoggedEntry
    receipt: LoggedEntry | None
    inputs: Annotated[str, Field(max_length=64 * 1024)]
    checkpoint: Annotated[str, Field(max_length=16 * 1024)]


class Collected(Wire):
    """Numbers of mailbox items that a connector has stored durably."""

    seqs: Annotated[tuple[Count, ...], Field(max_length=1_024)]


class MailEntry(Wire):
    """The head of one mailbox item; its bytes follow in the same frame."""

    seq: Count
    kind: Literal["copy", "receipt", "expiry"]


class MailHead(Wire):
    """The first part of a mailbox frame."""

    items: tuple[MailEntry, ...]


class Token(Wire):
    """A session token and how long it is good for, in seconds."""

    access_token: str
    token_type: Literal["DPoP"]
    expires_in: Count


class HubFacts(Wire):
    """What a stranger may know of a hub."""

    v: Literal[1]
    hub: PartnerCode
    federation: str
    protocol: Literal["valise/1"]
    time: Time


# --- signed objects, as they were signed ------------------------------------------------------------------------------


class Login(Wire):
    """An agency's signed assertion for one session key."""

    assertion: str


class SignedOperations(Wire):
    """Operations by name, each the coordinator's JWS; `next` is the cursor of the rest, or null."""

    operations: tuple[str, ...]
    next: str | None


class SignedSubscription(Wire):
    """A partner's own subscription in force, as it signed it."""

    subscription: str | None


class ConsistencyPath(Wire):
    """The log's proof that one size continues another."""

    path: Annotated[tuple[Digest, ...], Field(max_length=64)]


# --- refusals and batches ---------------------------------------------------------------------------------------------


class Problem(Wire):
    """A refusal (RFC 9457): constants of the error with this code, and nothing of the request."""

    type: str
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    code: Annotated[str, Field(max_length=64)]


class ReadyReason(Wire):
    """What is, or soon will be, in the way of accepting a message."""

    code: str
    text: str


class Readiness(Wire):
    """That the next message can be accepted; a warning keeps nobody away."""

    ready: Literal[True]
    warnings: tuple[ReadyReason, ...]


class NotReady(Problem):
    """Why the next message cannot be accepted."""

    reasons: tuple[ReadyReason, ...]
    warnings: tuple[ReadyReason, ...]


class Accepted(Wire):
    """One message of a batch was taken: the hub's signed word."""

    accept: Proven


class Refused(Wire):
    """One item of a batch was refused, for its own reason; the others are not touched by it."""

    problem: Problem


class Taken(Wire):
    """One receipt of a batch is recorded."""

    taken: Literal[True]


class SubmitResults(Wire):
    """What became of each message of a batch, in their order."""

    results: Annotated[tuple[Accepted | Refused, ...], Field(max_length=MAX_BATCH)]


class ReceiptResults(Wire):
    """What became of each receipt of a batch, in their order."""

    results: Annotated[tuple[Taken | Refused, ...], Field(max_length=MAX_BATCH)]


# --- uploads and the stream -------------------------------------------------------------------------------------------


class UploadWanted(Wire):
    """A submission that will come in chunks: its digest and its size in bytes."""

    digest: Digest
    size: Annotated[int, Field(ge=1, le=MAX_SUBMISSION)]


class UploadState(Wire):
    """How many bytes of an upload are on the hub's disk, and when it is forgotten (Unix seconds)."""

    digest: Digest
    size: Count
    received: Count
    expires: Time


class StreamedItem(Wire):
    """One item of the mailbox in the stream: its bytes (base64url), or, when it is large, the mark to fetch it from.

    `GET /v1/mailbox?after=<at>&limit=1` then returns it, unless it was confirmed meanwhile.
    """

    seq: Count
    kind: Literal["copy", "receipt", "expiry"]
    body: str | None
    at: str | None
