"""The published folder: where each of its files lies, and how large it may be.

It is a TUF repository with consistent snapshots: `metadata/` and `targets/`. Not for: writing it (`hub/authority`) or
believing it (`trust.py`). Implements `docs/protocol/09-directory.md` section 2.
"""

from dataclasses import dataclass
from typing import Final

from hub.protocol.directory import country_of

MAX_ROOT: Final = 512_000  # bytes; this and the next three are ngclient's limits
MAX_TIMESTAMP: Final = 16_384
MAX_SNAPSHOT: Final = 2_000_000
MAX_TARGETS: Final = 5_000_000
MAX_FILE: Final = 4 * 1024 * 1024  # bytes of one target; a policy set is the largest
MAX_ROOT_ROTATIONS: Final = 256  # in one walk, as ngclient
TIMESTAMP: Final = "metadata/timestamp.json"  # the one file that changes under its name


def record_path(partner: str) -> str:
    """Return where a partner's record is published."""
    return f"partners/{country_of(partner).lower()}/{partner}.json"


def policies_path(digest: str) -> str:
    """Return where a policy set is published."""
    return f"policies/{digest}.json"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A published file that the walk needs next; `path` is below the repository's folder, `limit` is in bytes."""

    path: str
    limit: int


@dataclass(frozen=True, slots=True)
class Scope:
    """Which partners' records and which policy sets (by digest) are wanted: what a piece of evidence needs."""

    partners: frozenset[str]
    policies: frozenset[str]

    def paths(self) -> frozenset[str]:
        """Return where these are published."""
        return frozenset({*map(record_path, self.partners), *map(policies_path, self.policies)})
