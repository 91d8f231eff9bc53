"""The connector's line to its hub: sessions, requests, and answers as typed values or typed errors.

What comes back is unbelieved until a signature in it was checked, which is not done here. Not for: trying again later
(`runner.py`). Implements `docs/reference/api.md`; sessions are `docs/protocol/09-directory.md` section 6.
"""

import asyncio
import io
import re
import ssl
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Final, Self, TypeVar
from urllib.parse import quote

import aiohttp

from connectors.kit.refusals import error_for
from hub.protocol.encoding import decode_b64url, parse_frame
from hub.protocol.envelope import MAX_SUBMISSION, Proven
from hub.protocol.errors import (
    AnswerError,
    BusyError,
    ClockError,
    EncodingError,
    InternalError,
    MalformedError,
    NotFoundError,
    UnauthenticatedError,
    UnreachableError,
    ValiseError,
)
from hub.protocol.interface import (
    AudienceAnswer,
    AudienceQuestion,
    Collected,
    ConsistencyPath,
    DeliveryProof,
    HubFacts,
    MailHead,
    Matrix,
    Problem,
    SentMessages,
    SignedOperations,
    SignedSubscription,
    Token,
)
from hub.protocol.keys import Signer
from hub.protocol.session import SessionKey, make_assertion
from hub.protocol.strictjson import write_json
from hub.protocol.wire import Wire, parse_wire, write_wire

FRAME: Final = "application/vnd.valise.frame"
JOSE: Final = "application/jose"
JSON: Final = "application/json"
MAX_MAIL: Final = 64  # items of one mailbox frame
_CONNECT: Final = 10  # seconds to reach the hub
_IDLE: Final = 10  # seconds that a line is kept for the next request; less than hubs keep it
_ANSWER: Final = 60  # seconds for the largest upload and its answer
_MAX_ANSWER: Final = 8 * 1024 * 1024  # bytes; the largest JSON answer is an audience of 1,024
_TIME_DIGITS: Final = 12
_MAX_OPERATIONS: Final = 10_000  # one agency is in; a hub that tells of more does not end its list
_REFUSED: Final = 300  # HTTP statuses from here on; a redirection is not followed
_UNAVAILABLE: Final = frozenset({429, 502, 503, 504})


class MailPiece(Wire):
    """One item of the mailbox as received: its number there, what it is, and its bytes."""

    seq: int
    kind: str
    data: bytes


_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_Shape = TypeVar("_Shape", bound=Wire)


class HubClient:
    """One connector's client of one hub; an asynchronous context manager. Safe for concurrent requests."""

    def __init__(  # noqa: D417 - the class says the rest
        self,
        url: str,
        *,
        federation: str,
        partner: str,
        hub: str,
        signer: Signer,
        clock: Callable[[], int],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Take the hub's address without a slash at its end, who we are, and the clock (Unix seconds).

        Args:
            tls: trust for the hub's certificate, where the system's is not meant.
        """
        self._url: Final = url
        self._federation: Final = federation
        self._partner: Final = partner
        self._hub: Final = hub
        self._signer: Final = signer
        self._clock: Final = clock
        self._tls: Final = tls
        self._key: Final = SessionKey()
        self._login: Final = asyncio.Lock()
        self._token: str | None = None
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._tls if self._tls is not None else True, keepalive_timeout=_IDLE),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._http is not None:
            await self._http.close()
            self._http = None

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
        """Upload a sealed message; return the accept (JSON), unverified. Repeating it is harmless."""
        return await self._exchange("POST", "/v1/messages", frame, FRAME)

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

    async def collect(self, *, wait: int, limit: int = 16) -> list[MailPiece]:
        """Return what waits in the mailbox, after at most `wait` seconds; nothing leaves it by this."""
        query = {"wait": str(wait), "limit": str(limit)}
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

    # --- how ---------------------------------------------------------------------------------------------------------

    async def _exchange(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        content: str | None = None,
        *,
        query: dict[str, str] | None = None,
        session: bool = True,
        most: int = _MAX_ANSWER,
        patience: int = 0,
    ) -> bytes:
        """Make one request, logging in first where that is needed, and once more where the session has ended."""
        ask = partial(self._request, method, path, body, query=query, most=most, patience=patience)
        if not session:
            return await ask({})
        token = self._token or await self._log_in(None)
        try:
            return await ask(self._headers(method, path, body, token, content))
        except ClockError:
            raise  # a new session would change nothing
        except UnauthenticatedError:
            token = await self._log_in(token)
            return await ask(self._headers(method, path, body, token, content))

    def _headers(self, method: str, path: str, body: bytes, token: str, content: str | None) -> dict[str, str]:
        proof = self._key.prove(method=method, url=self._url + path, body=body, token=token, now=self._clock())
        headers = {"Authorization": f"DPoP {token}", "DPoP": proof}
        return headers | ({"Content-Type": content} if content else {})

    async def _log_in(self, ended: str | None) -> str:
        """Return a token other than the one that has ended; concurrent requests log in once."""
        async with self._login:
            if self._token is not None and self._token != ended:
                return self._token
            now, path = self._clock(), "/v1/session"
            assertion = make_assertion(
                federation=self._federation,
                partner=self._partner,
                hub=self._hub,
                thumbprint=self._key.thumbprint,
                signer=self._signer,
                now=now,
            )
            body = write_json({"assertion": assertion})
            proof = self._key.prove(method="POST", url=self._url + path, body=body, token=None, now=now)
            answer = await self._request("POST", path, body, {"DPoP": proof, "Content-Type": JSON})
            self._token = _read(Token, answer).access_token
            return self._token

    async def _request(
        self,
        method: str,
        path: str,
        body: bytes,
        headers: dict[str, str],
        *,
        query: dict[str, str] | None = None,
        most: int = _MAX_ANSWER,
        patience: int = 0,
    ) -> bytes:
        if self._http is None:
            raise UnreachableError("the client is closed")
        try:
            async with self._http.request(
                method,
                self._url + path,
                params=query,
                data=io.BytesIO(body) if body else None,
                headers=headers,
                timeout=aiohttp.ClientTimeout(total=_ANSWER + patience, connect=_CONNECT),
                allow_redirects=False,
            ) as response:
                answer, status = await _bounded(response, most), response.status
                told = response.headers.get("Valise-Time", "")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise UnreachableError(type(error).__name__) from error
        if status >= _REFUSED:
            refused = _refusal(status, answer)
            raise self._misdated(told) if isinstance(refused, ClockError) else refused
        return answer

    def _misdated(self, told: str) -> ClockError:
        """Return the error that says by how much this machine's clock is wrong, if the hub's is right."""
        if not told.isascii() or not told.isdigit() or len(told) > _TIME_DIGITS:
            return ClockError()
        ahead = self._clock() - int(told)
        return ClockError(f"this clock is {abs(ahead)} s {'ahead of' if ahead > 0 else 'behind'} the hub's")


def _name(text: str) -> str:
    """Return a message's number or a partner's code as it stands in a path.

    Raises:
        NotFoundError: it is neither, so there can be no such thing.
    """
    if not _NAME.match(text):
        raise NotFoundError(text[:64])
    return text


async def _bounded(response: aiohttp.ClientResponse, most: int) -> bytes:
    answer = bytearray()
    async for chunk in response.content.iter_any():
        answer += chunk
        if len(answer) > most:
            raise AnswerError(f"more than {most} bytes")
    return bytes(answer)


def _refusal(status: int, answer: bytes) -> ValiseError:
    """Return the error that the hub names; what is not a problem document comes from something before the hub."""
    try:
        leaf = error_for(parse_wire(Problem, answer).code)  # no text of a hub's reaches a screen
    except (EncodingError, MalformedError):
        leaf = None
    if leaf is not None:
        return leaf(f"answered by the hub with {status}")
    return BusyError(str(status)) if status in _UNAVAILABLE else InternalError(str(status))


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
