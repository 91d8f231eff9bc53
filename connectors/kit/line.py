"""The connector's line to its hub: TLS, sessions, requests, and what a refused one raises.

Not for: what is asked (`client.py`) nor trying again later (`runner.py`). Implements `docs/reference/api.md`; sessions
are `docs/protocol/09-directory.md` section 6.
"""

import asyncio
import contextlib
import io
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from types import MappingProxyType, TracebackType
from typing import Final, Self

import aiohttp

from connectors.kit.events import EventReader, StreamEvent
from connectors.kit.refusals import error_for
from connectors.kit.tls import line_error
from hub.protocol.errors import (
    AnswerError,
    BusyError,
    ClockError,
    EncodingError,
    InternalError,
    MalformedError,
    UnauthenticatedError,
    UnreachableError,
    ValiseError,
)
from hub.protocol.interface import Problem, Token
from hub.protocol.keys import Signer
from hub.protocol.session import SessionKey, make_assertion
from hub.protocol.strictjson import write_json
from hub.protocol.wire import parse_wire

JSON: Final = "application/json"
_CONNECT: Final = 10  # seconds to reach the hub
_IDLE: Final = 10  # seconds that a line is kept for the next request; less than hubs keep it
_SILENCE: Final = 60.0  # seconds without a sign of life after which a stream is given up; hubs give one every 15
_ANSWER: Final = 60  # seconds for the largest upload and its answer
MAX_ANSWER: Final = 8 * 1024 * 1024  # bytes; the largest JSON answer is an audience of 1,024
_DIGITS: Final = 12
_FACTS: Final = MappingProxyType({"retry_after": "Retry-After", "offset": "Upload-Offset", "time": "Valise-Time"})
_REFUSED: Final = 300  # HTTP statuses from here on; a redirection is not followed
_UNAVAILABLE: Final = frozenset({429, 502, 503, 504})


class Line:
    """One connector's line to one hub; an asynchronous context manager. Safe for concurrent requests."""

    def __init__(  # noqa: D417 - the class says the rest
        self,
        url: str,
        *,
        federation: str,
        partner: str,
        hub: str,
        signer: Callable[[], Signer],
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
        most: int = MAX_ANSWER,
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

    async def _events(self, path: str, after: str | None) -> AsyncIterator[StreamEvent]:
        """Yield the events of a stream until the hub ends it.

        Raises:
            UnreachableError: the line was cut, or was silent for too long.
        """
        token = self._token or await self._log_in(None)
        reader = EventReader()
        for attempt in (1, 2):
            headers = self._headers("GET", path, b"", token, None) | ({"Last-Event-ID": after} if after else {})
            try:
                async with self._asked("GET", path, b"", headers, silence=_SILENCE) as response:
                    async for chunk in response.content.iter_any():
                        for event in reader.feed(chunk):
                            yield event
                    return
            except ClockError:
                raise
            except UnauthenticatedError:
                if attempt > 1:
                    raise
                token = await self._log_in(token)

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
            assertion = await asyncio.to_thread(self._assert, now)  # the key may lie on a token
            body = write_json({"assertion": assertion})
            proof = self._key.prove(method="POST", url=self._url + path, body=body, token=None, now=now)
            answer = await self._request("POST", path, body, {"DPoP": proof, "Content-Type": JSON})
            self._token = parse_wire(Token, answer, error=AnswerError).access_token
            return self._token

    def _assert(self, now: int) -> str:
        return make_assertion(
            federation=self._federation,
            partner=self._partner,
            hub=self._hub,
            thumbprint=self._key.thumbprint,
            signer=self._signer(),
            now=now,
        )

    async def _request(
        self,
        method: str,
        path: str,
        body: bytes,
        headers: dict[str, str],
        *,
        query: dict[str, str] | None = None,
        most: int = MAX_ANSWER,
        patience: int = 0,
    ) -> bytes:
        async with self._asked(method, path, body, headers, query=query, patience=patience) as response:
            return await _bounded(response, most)

    @contextlib.asynccontextmanager
    async def _asked(
        self,
        method: str,
        path: str,
        body: bytes,
        headers: dict[str, str],
        *,
        query: dict[str, str] | None = None,
        patience: int = 0,
        silence: float | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Make one request and yield its answer, unread; `silence` bounds the pauses in it instead of the whole."""
        if self._http is None:
            raise UnreachableError("the client is closed")
        total = None if silence is not None else _ANSWER + patience
        try:
            async with self._http.request(
                method,
                self._url + path,
                params=query,
                data=io.BytesIO(body) if body else None,
                headers=headers,
                timeout=aiohttp.ClientTimeout(total=total, connect=_CONNECT, sock_read=silence),
                allow_redirects=False,
            ) as response:
                if response.status >= _REFUSED:
                    raise self._refusal(response.status, await _bounded(response, MAX_ANSWER), _facts(response))
                yield response
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise line_error(error) from error

    def _refusal(self, status: int, answer: bytes, facts: Mapping[str, int]) -> ValiseError:
        """Return the error that the hub names; what is no problem document comes from something before the hub."""
        try:
            leaf = error_for(parse_wire(Problem, answer).code)  # no text of a hub's reaches a screen
        except (EncodingError, MalformedError):
            leaf = None
        if leaf is None:
            return BusyError(str(status)) if status in _UNAVAILABLE else InternalError(str(status))
        if issubclass(leaf, ClockError) and "time" in facts:
            ahead = self._clock() - facts["time"]
            return leaf(f"this clock is {abs(ahead)} s {'ahead of' if ahead > 0 else 'behind'} the hub's", **facts)
        return leaf(f"answered by the hub with {status}", **facts)


async def _bounded(response: aiohttp.ClientResponse, most: int) -> bytes:
    answer = bytearray()
    async for chunk in response.content.iter_any():
        answer += chunk
        if len(answer) > most:
            raise AnswerError(f"more than {most} bytes")
    return bytes(answer)


def _facts(response: aiohttp.ClientResponse) -> dict[str, int]:
    """Return the numbers that a refusal tells: when to ask again, where an upload is, the hub's time."""
    told = {name: response.headers.get(header, "") for name, header in _FACTS.items()}
    return {
        name: int(text) for name, text in told.items() if text.isascii() and text.isdigit() and len(text) <= _DIGITS
    }
