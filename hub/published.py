"""Believe the published directory once, as a hub would, and remember nothing: for commands beside a running hub.

Not for: the running hub, which remembers (`keeping.py`). Implements `docs/protocol/09-directory.md` section 5.
"""

from hub.protocol.errors import SetupError
from hub.protocol.wire import parse_wire
from hub.settings import HubSettings
from hub.verify.trust import Seen, TrustedDirectory, refresh_directory


async def believe_published(settings: HubSettings, *, now: int) -> TrustedDirectory:
    """Return the directory as this hub would believe it at a time (Unix seconds).

    Raises:
        StaleDirectoryError, UntrustedDirectoryError: it would not.
        SetupError: what was seen cannot be read.
        OSError: a file cannot be read.
    """

    async def fetch(path: str, limit: int) -> bytes | None:
        try:
            with (settings.repository / path).open("rb") as file:
                return file.read(limit + 1)
        except FileNotFoundError:
            return None

    memory = settings.database.with_suffix(".seen")
    seen = parse_wire(Seen, memory.read_bytes(), error=SetupError) if memory.exists() else None
    trusted, _ = await refresh_directory(fetch, settings.trusted_root.read_bytes(), now=now, seen=seen, known={})
    return trusted
