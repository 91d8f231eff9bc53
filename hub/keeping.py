"""Keep the hub in order: directory and policy set fresh, read from the published folder; expired copies destroyed.

What was believed before stays until something newer is believed, or until it expires: a folder that nobody signs anew
stops the hub. Not for: believing (`hub/verify/trust.py`). Implements `docs/protocol/09-directory.md` section 5.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from hub.authority.files import write_file
from hub.broker.exchange import Exchange
from hub.broker.expire import expire
from hub.host.events import COPIES_EXPIRED, DIRECTORY_REFUSED, EXPIRY_FAILED
from hub.host.files import PUBLIC
from hub.policy.sets import PolicySet
from hub.protocol.directory import Directory
from hub.protocol.errors import (
    DirectoryError,
    PolicyError,
    SetupError,
    StaleDirectoryError,
    StoreError,
    UnknownPolicySetError,
)
from hub.protocol.wire import parse_wire, write_wire
from hub.verify.published import load_published
from hub.verify.repository import TIMESTAMP
from hub.verify.trust import Seen, TrustedDirectory, refresh_directory

_LOG: Final = logging.getLogger("valise.hub")
_AGAIN: Final = 2  # seconds after which a request looks again at what was not believed


async def expire_for_ever(exchange: Exchange, *, seconds: int) -> None:
    """Destroy uncollected copies that have expired, at once and then every so many seconds."""
    while True:
        try:
            destroyed = await expire(exchange)
        except StoreError as error:
            _LOG.warning(EXPIRY_FAILED, error.code)
        else:
            if destroyed:
                _LOG.info(COPIES_EXPIRED, destroyed)
        await asyncio.sleep(seconds)


class Keeper:
    """The directory and the policy set that the hub believes now.

    What it has seen is remembered in a file, so that a restart cannot be used to show it an older directory.
    """

    def __init__(self, *, repository: Path, anchor: bytes, memory: Path, clock: Callable[[], int]) -> None:
        """Take the published folder, the trusted root, the file to remember in, and the clock (Unix seconds)."""
        self._repository: Final = repository
        self._anchor: Final = anchor
        self._memory: Final = memory
        self._clock: Final = clock
        self._files: Mapping[str, bytes] = {}
        self._believing: Final = asyncio.Lock()
        self._stamp: tuple[int, ...] | None = None
        self._missed: int | None = None  # when what has this stamp was not believed
        self._trusted: TrustedDirectory | None = None
        self._policies: PolicySet | None = None

    def directory(self) -> Directory:
        """Return the directory in force.

        Raises:
            StaleDirectoryError: none was believed yet, or it should have been refreshed by now.
        """
        if self._trusted is None or self._clock() >= self._trusted.expires:
            raise StaleDirectoryError("not refreshed in time")
        return self._trusted.directory

    def policies(self) -> PolicySet:
        """Return the policy set in force.

        Raises:
            UnknownPolicySetError: none was believed yet.
        """
        if self._policies is None:
            raise UnknownPolicySetError("none yet")
        return self._policies

    @property
    def expires(self) -> int | None:
        """When the directory must have been refreshed (Unix seconds); None while none was believed."""
        return None if self._trusted is None else self._trusted.expires

    async def refresh(self) -> None:
        """Believe what is published now.

        Raises:
            DirectoryError: it is not to be believed; what was believed before stays in force.
            PolicyError: the directory is believed, and the policy set before stays in force.
            SetupError: it cannot be read, or what was seen cannot be remembered.
        """
        await self._refresh(changed_only=False)

    async def _refresh(self, *, changed_only: bool) -> None:
        trusted = await self._believe(changed_only=changed_only)
        newest = max(trusted.policies, key=lambda bundle: bundle.version, default=None)
        if newest is not None and (self._policies is None or newest.digest != self._policies.digest):
            self._policies = await asyncio.to_thread(load_published, newest)  # seconds, for a large set

    async def catch_up(self) -> None:
        """Believe what is published now if it changed since the last look, which is asked of the file system only.

        Called before each request is believed, so that what the registry office published before it came counts for
        it: a revocation takes effect on the next message, and a new key is known as soon as anybody can know it. What
        is not believed may still be on its way here, file by file, so it is soon looked at again.
        """
        if not self._is_due(self._published()):
            return
        try:
            await self._refresh(changed_only=True)
        except (DirectoryError, PolicyError, SetupError) as error:
            _LOG.warning(DIRECTORY_REFUSED, error.code)

    async def _believe(self, *, changed_only: bool) -> TrustedDirectory:
        """Believe the directory that is published; the policy set is another step, and hides no revocation."""
        async with self._believing:
            stamp = self._published()  # first: what is published meanwhile is looked at again
            if changed_only and self._trusted is not None and not self._is_due(stamp):  # another request was faster
                return self._trusted
            self._stamp, self._missed = stamp, self._clock()  # also of what is not believed: not every request looks
            seen = self._trusted.seen if self._trusted else await asyncio.to_thread(self._recall)
            trusted, files = await refresh_directory(
                self._fetch, self._anchor, now=self._clock(), seen=seen, known=self._files
            )
            self._files, self._trusted, self._missed = files, trusted, None
            if trusted.seen != seen:
                await asyncio.to_thread(self._remember, trusted.seen)
            return trusted

    def _is_due(self, stamp: tuple[int, ...] | None) -> bool:
        missed = self._missed
        return stamp != self._stamp or (missed is not None and abs(self._clock() - missed) >= _AGAIN)

    def _published(self) -> tuple[int, ...] | None:
        """Return what differs after every publication: the timestamp is written last, under its own name."""
        try:
            found = (self._repository / TIMESTAMP).stat()
        except OSError:
            return None
        return (found.st_ino, found.st_mtime_ns, found.st_size)

    async def keep_fresh(self, *, seconds: int) -> None:
        """Refresh for ever, every so many seconds."""
        while True:
            await asyncio.sleep(seconds)
            try:
                await self.refresh()
            except (DirectoryError, PolicyError, SetupError) as error:
                _LOG.warning(DIRECTORY_REFUSED, error.code)

    async def _fetch(self, path: str, limit: int) -> bytes | None:
        def read() -> bytes | None:
            try:
                with (self._repository / path).open("rb") as file:
                    return file.read(limit + 1)
            except FileNotFoundError:
                return None
            except OSError as error:
                raise SetupError(f"{path} cannot be read: {error.strerror}") from error

        return await asyncio.to_thread(read)

    def _recall(self) -> Seen | None:
        try:
            return parse_wire(Seen, self._memory.read_bytes(), error=SetupError)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise SetupError(f"{self._memory.name} cannot be read: {error.strerror}") from error

    def _remember(self, seen: Seen) -> None:
        write_file(self._memory, write_wire(seen), mode=PUBLIC)
