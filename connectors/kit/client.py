"""The connector's line to its hub: sessions, requests, and answers as typed values or typed errors.

What comes back is unbelieved until a signature in it was checked, which is not done here. Not for: trying again later
(`runner.py`). Implements `docs/reference/api.md`; sessions are `docs/protocol/09-directory.md` section 6.
"""

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar
from urllib.parse import quote

from connectors.kit.line import JSON, Line
from connectors.kit.refusals import error_for
from hub.protocol.encoding import decode_b64url, encode_b64url, lp, parse_frame
from hub.protocol.envelope import MAX_SUBMISSION, Proven
from hub.protocol.errors import (
    AnswerError,
    BusyError,
    EncodingError,
    InternalError,
    LoginKeyError,
    MalformedError,
    NotFoundError,
    TokenExpiredError,
    UploadOffsetError,
    ValiseError,
)
from hub.protocol.hazmat import sha256
from hub.protocol.interface import (
    Accepted,
    AudienceAnswer,
    AudienceQuestion,
    Collected,
    ConsistencyPath,
    DeliveryProof,
    HubFacts,
    MailHead,
    Matrix,
    Problem,
    ReceiptResults,
    Refused,
    SentMessages,
    SignedOperations,
    SignedSubscription,
    StreamedItem,
    SubmitResults,
    UploadState,
    UploadWanted,
)
from hub.protocol.wire import Wire, parse_wire, write_wire

FRAME: Final = "application/vnd.valise.frame"
JOSE: Final = "application/jose"
BYTES: Final = "application/octet-stream"
UPLOAD_FROM: Final = 4 * 1024 * 1024  # bytes; a larger message goes in chunks
CHUNK: Final = 1024 * 1024  # bytes; what a cut line costs at the most
MAX_MAIL: Final = 64  # items of one mailbox frame
_MAX_RESULTS: Final = 32 * 1024 * 1024  # bytes; 64 accepts of up to 100 KiB
_MAX_OPERATIONS: Final = 10_000  # one agency is in; a hub that tells of more does not end its list


class MailPiece(Wire):
    """One item of the mailbox as received: its number there, what it is, and its bytes."""

    seq: int
    kind: str
    data: bytes


_GO_ON: Final = (BusyError, LoginKeyError, TokenExpiredError)  # ends of a stream after which the next one may begin
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_Shape = TypeVar("_Shape", bound=Wire)


@dataclass(frozen=True, slots=True)
class StreamedPiece:
    """One item of the stream, and the mark from which a cut stream goes on after it."""

    mark: str
    piece: MailPiece


class HubClient(Line):
    """One connector's client of one hub; an asynchronous context manager. Safe for concurrent requests."""

    # --- questions ---------------------------------------------------------------------------------------------------

    async def facts(self) -> HubFacts:
        """Return what a stranger may know of the hub.

        Raises:
            ExchangeError: as for every request here: unreachable, refused (the hub's own code), or a bad answer.
        """
        return _read(HubFacts, await self._exchange("GET", "/v1/hub", session=False))

    async def audience(self, question: AudienceQuestion) -> AudienceAnswer:
        """Ask who would get a message."""
        return _read(AudienceAnswer, await self._exchange("POST", "/v1/audience", write_wire(question), JSON))

    async def submit(self, frame: bytes) -> bytes:
        """Upload a sealed message; return the accept (JSON), unverified. Repeating it is harmless.

        A large one goes in chunks; after an error the next call goes on where this one ended.
        """
        if len(frame) > UPLOAD_FROM:
            return await self._upload(frame)
        return await self._exchange("POST", "/v1/messages", frame, FRAME)

    async def submit_many(self, frames: Sequence[bytes]) -> list[bytes | ValiseError]:
        """Upload up to 64 sealed messages; return for each, in order, its accept (JSON), unverified, or its refusal."""
        answer = await self._exchange("POST", "/v1/messages/batch", lp(*frames), FRAME, most=_MAX_RESULTS)
        results = _read(SubmitResults, answer).results
        if len(results) != len(frames):
            raise AnswerError("results")
        return [write_wire(one.accept) if isinstance(one, Accepted) else _refused(one) for one in results]

    async def _upload(self, frame: bytes) -> bytes:
        digest = encode_b64url(sha256(frame))
        wanted = write_wire(UploadWanted(digest=digest, size=len(frame)))
        state = _read(UploadState, await self._exchange("POST", "/v1/uploads", wanted, JSON))
        at, path = state.received, f"/v1/uploads/{digest}"
        for _ in range(2 * len(frame) // CHUNK + 2):  # each chunk once, and once more where the hub says so
            if at >= len(frame):
                break
            try:
                query, chunk = {"offset": str(at)}, frame[at : at + CHUNK]
                state = _read(UploadState, await self._exchange("PATCH", path, chunk, BYTES, query=query))
            except UploadOffsetError as error:  # an answer was lost: the hub has more, or less, than we know
                at = error.facts.get("offset", 0)
            else:
                at = state.received
        return await self._exchange("POST", f"{path}/submit")

    async def sent(self, *, operation: str | None = None, limit: int = 50, cursor: str | None = None) -> SentMessages:
        """Return a page of the hub's list of this originator's messages; `next` is the cursor of the next one."""
        given = {"limit": str(limit), "op": operation, "cursor": cursor}
        query = {name: value for name, value in given.items() if value is not None}
        return _read(SentMessages, await self._exchange("GET", "/v1/messages", query=query))

    async def matrix(self, mh: str) -> Matrix:
        """Return the delivery matrix of an own message."""
        return _read(Matrix, await self._exchange("GET", f"/v1/messages/{_name(mh)}/matrix"))

    async def proof(self, mh: str, to: str) -> DeliveryProof:
        """Return what the hub adds to the evidence of one delivery."""
        path = f"/v1/messages/{_name(mh)}/proof/{_name(to)}"
        return _read(DeliveryProof, await self._exchange("GET", path))

    # --- mailbox -----------------------------------------------------------------------------------------------------

    async def collect(self, *, wait: int, limit: int = 16, after: str | None = None) -> list[MailPiece]:
        """Return what waits in the mailbox, after at most `wait` seconds; nothing leaves it by this."""
        query = {"wait": str(wait), "limit": str(limit)} | ({"after": after} if after is not None else {})
        data = await self._exchange("GET", "/v1/mailbox", query=query, most=2 * MAX_SUBMISSION, patience=wait)
        try:
            head, *bodies = parse_frame(data, max_parts=MAX_MAIL + 1) or [b""]
            items = parse_wire(MailHead, head).items
            if len(items) != len(bodies):
                raise AnswerError("mailbox")
        except (EncodingError, MalformedError) as error:
            raise AnswerError("mailbox") from error
        return [MailPiece(seq=item.seq, kind=item.kind, data=body) for item, body in zip(items, bodies, strict=True)]

    async def confirm(self, seqs: list[int]) -> None:
        """Let the hub forget items of the mailbox; only after they were stored durably here."""
        await self._exchange("POST", "/v1/mailbox/collected", write_wire(Collected(seqs=tuple(seqs))), JSON)

    async def send_receipt(self, jws: str) -> None:
        """Hand over a signed receipt. Repeating it is harmless."""
        await self._exchange("POST", "/v1/receipts", jws.encode("ascii"), JOSE)

    async def send_receipts(self, texts: Sequence[str]) -> list[ValiseError | None]:
        """Hand over up to 64 signed receipts; return for each, in order, its refusal, or None when it is recorded."""
        answer = await self._exchange("POST", "/v1/receipts/batch", lp(*(one.encode("ascii") for one in texts)), FRAME)
        results = _read(ReceiptResults, answer).results
        if len(results) != len(texts):
            raise AnswerError("results")
        return [_refused(one) if isinstance(one, Refused) else None for one in results]

    async def stream(self, *, after: str | None = None) -> AsyncIterator[StreamedPiece]:
        """Yield what comes into the mailbox as it comes, from a mark on (of the last piece that was kept).

        It ends with the session or with the hub; then, or after `UnreachableError`, call it again with the last mark.

        Raises:
            PartnerSuspendedError: this partner was suspended.
            StoreError: the hub cannot read the mailbox; wait before the next call.
        """
        async for event in self._events("/v1/mailbox/stream", after):
            if event.kind == "end":
                ended = _refusal_in(event.data)
                if isinstance(ended, _GO_ON):
                    return
                raise ended
            item = _read(StreamedItem, event.data)
            yield StreamedPiece(event.mark, MailPiece(seq=item.seq, kind=item.kind, data=await self._body_of(item)))

    async def _body_of(self, item: StreamedItem) -> bytes:
        """Return a piece's bytes: of its event, or from the mailbox when it is large."""
        if item.body is not None:
            try:
                return decode_b64url(item.body)
            except EncodingError as error:
                raise AnswerError("stream") from error
        pieces = await self.collect(wait=0, limit=1, after=item.at)
        if [piece.seq for piece in pieces] != [item.seq]:
            raise AnswerError("stream")
        return pieces[0].data

    # --- groups ------------------------------------------------------------------------------------------------------

    async def open_operation(self, jws: str) -> None:
        """Hand over a signed operation. Repeating it is harmless."""
        await self._exchange("POST", "/v1/operations", jws.encode("ascii"), JOSE)

    async def operations(self) -> tuple[str, ...]:
        """Return the signed operations that this partner is in, unverified."""
        found: list[str] = []
        query: dict[str, str] | None = None
        while True:
            page = _read(SignedOperations, await self._exchange("GET", "/v1/operations", query=query))
            found += page.operations
            if page.next is None or not page.operations or len(found) > _MAX_OPERATIONS:
                return tuple(found)
            query = {"cursor": page.next}

    async def subscribe(self, jws: str) -> None:
        """Hand over a signed subscription, which replaces the earlier one."""
        await self._exchange("PUT", "/v1/subscription", jws.encode("ascii"), JOSE)

    async def subscription(self) -> str | None:
        """Return this partner's signed subscription, unverified."""
        return _read(SignedSubscription, await self._exchange("GET", "/v1/subscription")).subscription

    async def ask(
        self, shape: type[_Shape], path: str, *, query: dict[str, str] | None = None, about: Wire | None = None
    ) -> _Shape:
        """Ask a question by GET, or by POST when it is about something that has a shape of its own."""
        if about is None:
            return _read(shape, await self._exchange("GET", path, query=query))
        return _read(shape, await self._exchange("POST", path, write_wire(about), JSON))

    # --- what anybody may read ---------------------------------------------------------------------------------------

    async def file(self, path: str, limit: int) -> bytes:
        """Return one file of the published directory, unverified and of at most `limit` bytes."""
        return await self._exchange("GET", f"/v1/directory/{quote(path)}", session=False, most=limit)

    async def checkpoint(self) -> str:
        """Return the log's latest signed checkpoint, unverified."""
        try:
            return (await self._exchange("GET", "/v1/log/checkpoint", session=False)).decode()
        except UnicodeDecodeError as error:
            raise AnswerError("checkpoint") from error

    async def consistency(self, old: int, new: int) -> list[bytes]:
        """Return the log's proof that its first `new` entries continue its first `old` ones, unverified."""
        query = {"old": str(old), "new": str(new)}
        answer = _read(ConsistencyPath, await self._exchange("GET", "/v1/log/consistency", query=query, session=False))
        try:
            return [decode_b64url(node) for node in answer.path]
        except EncodingError as error:
            raise AnswerError("consistency") from error


def _refused(result: Refused) -> ValiseError:
    leaf = error_for(result.problem.code)
    return leaf("in a batch") if leaf is not None else InternalError("in a batch")


def _refusal_in(data: bytes) -> ValiseError:
    return _refused(Refused(problem=_read(Problem, data)))


def _name(text: str) -> str:
    """Return a message's number or a partner's code as it stands in a path.

    Raises:
        NotFoundError: it is neither, so there can be no such thing.
    """
    if not _NAME.match(text):
        raise NotFoundError(text[:64])
    return text


def _read(shape: type[_Shape], answer: bytes) -> _Shape:
    try:
        return parse_wire(shape, answer, error=AnswerError)
    except EncodingError as error:
        raise AnswerError(shape.__name__) from error


def parse_proven(answer: bytes) -> Proven:
    """Return an unbelieved statement of the hub.

    Raises:
        AnswerError: not of the shape.
    """
    return _read(Proven, answer)
