"""The trip of a large message over a bad line: in chunks, from wherever the last one ended, then as any other.

An upload is known by the digest of the whole, so that a connector that lost everything but the message finds it again.
Not for: where chunks are kept (`hub/store/spool.py`). User's view in `docs/trips/upload.md`.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final, Protocol

from hub.broker.exchange import Exchange
from hub.broker.submit import submit
from hub.protocol.encoding import encode_b64url
from hub.protocol.envelope import MAX_SUBMISSION
from hub.protocol.errors import (
    BusyError,
    DigestError,
    NotFoundError,
    OverQuotaError,
    StaleDirectoryError,
    StoreError,
    TooLargeError,
    UnknownPolicySetError,
    UploadOffsetError,
    ValiseError,
)
from hub.protocol.hazmat import sha256

MAX_CHUNK: Final = 4 * 1024 * 1024  # bytes
MAX_UPLOADS: Final = 8  # of one partner at once; finished ones make room
MAX_SPOOLED: Final = 4 * MAX_SUBMISSION  # bytes that the unfinished uploads of one partner may come to
LIFETIME: Final = 86_400  # seconds from the beginning of an upload
_AGAIN: Final = (BusyError, StaleDirectoryError, StoreError, UnknownPolicySetError)  # the same may pass later


@dataclass(frozen=True, slots=True)
class Upload:
    """One upload: what it will be, how much of it is here, until when (Unix seconds), and its accept or None."""

    partner: str
    digest: str
    size: int
    received: int
    expires: int
    accept: bytes | None = None


class Spool(Protocol):
    """Where uploads are kept until they are complete. What was appended is durable; nobody but the hub may read it.

    Every method raises `StoreError` when the disk fails; a chunk then counts as not received.
    """

    def turn(self) -> AbstractAsyncContextManager[None]:
        """Return what only one can be in at a time, so that two that begin do not both take the room for one."""

    async def uploads(self, partner: str) -> Sequence[Upload]:
        """Return a partner's uploads."""

    async def begin(self, partner: str, digest: str, *, size: int, expires: int) -> Upload:
        """Begin an upload; it has nothing yet."""

    async def append(self, upload: Upload, data: bytes) -> Upload:
        """Append a chunk where `upload` ends.

        Raises:
            UploadOffsetError: it ends elsewhere by now; the error's facts say where.
        """

    async def read(self, upload: Upload) -> bytes:
        """Return all that was received."""

    async def finish(self, upload: Upload, accept: bytes) -> None:
        """Keep the accept in the place of the chunks."""

    async def remove(self, upload: Upload) -> None:
        """Forget an upload; one that is unknown is forgotten already."""

    async def sweep(self, *, now: int) -> None:
        """Forget what has expired, of all partners."""


async def begin_upload(spool: Spool, partner: str, digest: str, *, size: int, now: int) -> Upload:
    """Return the upload of these bytes: a new one, or the one that was begun before.

    Raises:
        TooLargeError: no message is so large.
        OverQuotaError: the partner has too many uploads, or too large ones, that are not finished.
    """
    if size > MAX_SUBMISSION:
        raise TooLargeError("upload")
    async with spool.turn():
        await spool.sweep(now=now)
        known = await spool.uploads(partner)
        for one in known:
            if one.digest == digest and one.size == size:
                return one
        await _make_room(spool, known, size, now)
        return await spool.begin(partner, digest, size=size, expires=now + LIFETIME)


async def _make_room(spool: Spool, known: Sequence[Upload], size: int, now: int) -> None:
    """Make room for one more: of those that are finished, the oldest are forgotten; what is begun stays.

    Whoever asks for a forgotten accept again must upload again, and gets the same one.
    """
    begun = [one for one in known if one.accept is None]
    if len(begun) >= MAX_UPLOADS or sum(one.size for one in begun) + size > MAX_SPOOLED:
        raise OverQuotaError("uploads", retry_after=max(1, min(one.expires for one in begun) - now))
    finished = sorted((one for one in known if one.accept is not None), key=lambda one: one.expires)
    for one in finished[: max(0, len(known) + 1 - MAX_UPLOADS)]:
        await spool.remove(one)


async def find_upload(spool: Spool, partner: str, digest: str, *, now: int) -> Upload:
    """Return a partner's upload.

    Raises:
        NotFoundError: there is none, or it has expired.
    """
    for one in await spool.uploads(partner):
        if one.digest == digest and one.expires > now:
            return one
    raise NotFoundError("upload")


async def append_chunk(spool: Spool, partner: str, digest: str, data: bytes, *, offset: int, now: int) -> Upload:
    """Append a chunk; return the upload with it.

    Raises:
        NotFoundError: there is no such upload.
        UploadOffsetError: the chunk does not begin where the upload ends; the error's facts say where that is.
        TooLargeError: it goes beyond the size that was told.
    """
    upload = await find_upload(spool, partner, digest, now=now)
    if offset != upload.received:
        raise UploadOffsetError(offset=upload.received)
    if offset + len(data) > upload.size:
        raise TooLargeError("upload")
    return await spool.append(upload, data)


async def submit_upload(exchange: Exchange, spool: Spool, partner: str, digest: str) -> bytes:
    """Submit what was uploaded; return the proven accept (JSON), as `submit` does.

    Raises:
        NotFoundError: there is no such upload.
        UploadOffsetError: it is not complete.
        DigestError: it is not what was announced; it is forgotten.
        ValiseError: as `submit`; it is forgotten, unless the same may pass later.
    """
    upload = await find_upload(spool, partner, digest, now=exchange.clock())
    if upload.accept is not None:
        return upload.accept
    if upload.received != upload.size:
        raise UploadOffsetError(offset=upload.received)
    try:
        data = await spool.read(upload)
        if encode_b64url(sha256(data)) != digest:
            raise DigestError("upload")
        accept = await submit(exchange, partner, data)
    except _AGAIN:
        raise
    except ValiseError:
        await spool.remove(upload)
        raise
    await spool.finish(upload, accept)
    return accept
