"""Keep what the connector believes fresh: the directory and the policy set in force, as the hub publishes them.

The hub only carries the files; they are believed by the trusted root. They are kept on disk, so that a connector
starts without its hub, and so is what was seen, so that a restart cannot be used to show an older directory. Not for:
believing (`hub/verify/trust.py`). Implements `docs/protocol/09-directory.md` section 5.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from hub.host.files import read_private, write_private
from hub.policy.sets import PolicySet
from hub.protocol.directory import Directory
from hub.protocol.encoding import lp, parse_frame
from hub.protocol.errors import (
    EncodingError,
    EnvelopeError,
    NotFoundError,
    SetupError,
    StaleDirectoryError,
    UnknownPolicySetError,
    UntrustedDirectoryError,
)
from hub.protocol.wire import parse_wire, write_wire
from hub.verify.published import load_published
from hub.verify.trust import Seen, TrustedDirectory, refresh_directory, verify_directory

_MAX_MEMORY: Final = 256 * 1024 * 1024  # bytes; every partner's record and every policy set of years
_MAX_PARTS: Final = 200_000


@dataclass(frozen=True, slots=True)
class Beliefs:
    """What the connector believes at one moment: who the partners are, which rules are in force, and until when.

    `expires` is Unix seconds; None where it does not end.
    """

    directory: Directory
    policies: PolicySet
    expires: int | None = None


class Mirror(Protocol):
    """Where the trips get their beliefs from; each trip asks anew, so a change takes effect between two messages."""

    def beliefs(self) -> Beliefs:
        """Return what is believed now.

        Raises:
            StaleDirectoryError: nothing is believed yet, or it should have been refreshed by now.
        """

    async def refresh(self) -> None:
        """Believe what is published now.

        Raises:
            ExchangeError: the hub cannot be reached.
            DirectoryError, PolicyError: it is not to be believed; what was believed before stays.
        """

    def files(self) -> Mapping[str, bytes]:
        """Return the published files that the beliefs came from, by path, for evidence."""


class HubMirror:
    """A `Mirror` of what one hub publishes."""

    def __init__(
        self,
        fetch: Callable[[str, int], Awaitable[bytes]],
        *,
        anchor: bytes,
        memory: Path,
        federation: str,
        clock: Callable[[], int],
    ) -> None:
        """Take the way to a published file, the trusted root, the file to remember in, and the clock (Unix seconds)."""
        self._fetch_file: Final = fetch
        self._anchor: Final = anchor
        self._memory: Final = memory
        self._federation: Final = federation
        self._clock: Final = clock
        self._refreshing: Final = asyncio.Lock()
        self._files: Mapping[str, bytes] = {}
        self._seen: Seen | None = None
        self._expires = 0
        self._beliefs: Beliefs | None = None

    def beliefs(self) -> Beliefs:
        """Return what is believed now.

        Raises:
            StaleDirectoryError: nothing is believed yet, or it should have been refreshed by now.
        """
        if self._beliefs is None or self._clock() >= self._expires:
            raise StaleDirectoryError("not refreshed in time")
        return self._beliefs

    async def recall(self) -> None:
        """Believe what was kept by an earlier run, if that is still in force.

        Raises:
            SetupError: the file cannot be read, or was altered.
            UntrustedDirectoryError: the trusted root is another one than it was.
        """
        if not self._memory.exists():
            return
        seen, files = _parse_memory(await asyncio.to_thread(read_private, self._memory, limit=_MAX_MEMORY))
        self._seen, self._files = seen, files
        with contextlib.suppress(StaleDirectoryError):  # then it must be refreshed before anything is done
            self._believe(verify_directory(files, self._anchor, now=self._clock(), seen=seen))

    async def refresh(self) -> None:
        """Believe what the hub publishes now, and remember it.

        Raises:
            ExchangeError: the hub cannot be reached.
            DirectoryError, PolicyError: it is not to be believed; what was believed before stays.
        """
        async with self._refreshing:
            trusted, files = await refresh_directory(
                self._fetch, self._anchor, now=self._clock(), seen=self._seen, known=self._files
            )
            self._believe(trusted)
            if files != self._files or trusted.seen != self._seen:
                await asyncio.to_thread(write_private, self._memory, _write_memory(trusted.seen, files))
            self._seen, self._files = trusted.seen, files

    def files(self) -> Mapping[str, bytes]:
        """Return the published files that the beliefs came from, by path, for evidence."""
        return self._files

    def _believe(self, trusted: TrustedDirectory) -> None:
        if trusted.directory.federation != self._federation:
            raise UntrustedDirectoryError(f"of the exchange {trusted.directory.federation}")
        newest = max(trusted.policies, key=lambda bundle: bundle.version, default=None)
        if newest is None:
            raise UnknownPolicySetError("none is published")
        if self._beliefs is not None and self._beliefs.policies.digest == newest.digest:
            policies = self._beliefs.policies
        else:
            policies = load_published(newest)
        self._expires, self._beliefs = trusted.expires, Beliefs(trusted.directory, policies, trusted.expires)

    async def _fetch(self, path: str, limit: int) -> bytes | None:
        try:
            return await self._fetch_file(path, limit)
        except NotFoundError:
            return None


def recall_trusted(memory: Path, anchor: bytes, *, now: int) -> TrustedDirectory | None:
    """Return what an earlier run believed, if it did, without believing or fetching anything anew.

    Raises:
        SetupError: the file cannot be read, or was altered.
        StaleDirectoryError, UntrustedDirectoryError: it is no longer in force, or the trusted root is another one.
    """
    if not memory.exists():
        return None
    seen, files = _parse_memory(read_private(memory, limit=_MAX_MEMORY))
    return verify_directory(files, anchor, now=now, seen=seen)


def _write_memory(seen: Seen, files: Mapping[str, bytes]) -> bytes:
    return lp(write_wire(seen), *(part for path, data in files.items() for part in (path, data)))


def _parse_memory(data: bytes) -> tuple[Seen, dict[str, bytes]]:
    try:
        head, *parts = parse_frame(data, max_parts=_MAX_PARTS) or [b""]
        paths = [path.decode() for path in parts[::2]]
        return parse_wire(Seen, head), dict(zip(paths, parts[1::2], strict=True))
    except (EncodingError, EnvelopeError, ValueError) as error:
        raise SetupError("the file of the believed directory is damaged; delete it, it is fetched again") from error
