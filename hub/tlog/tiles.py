"""C2SP tiles: how a log is served to mirrors and auditors, as files that never change.

Not for: keeping them (`hub/store/`). Implements `docs/protocol/05-log.md` section 4 and c2sp.org/tlog-tiles.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from hub.protocol.errors import LogRangeError

HEIGHT: Final = 8  # levels of the tree that a tile spans
WIDTH: Final = 1 << HEIGHT  # hashes, or entries, of a full tile
MAX_LEVEL: Final = 63  # c2sp.org/tlog-tiles
_PATH: Final = re.compile(r"tile/(entries|0|[1-9][0-9]?)/((?:x[0-9]{3}/){0,5}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?\Z")


@dataclass(frozen=True, slots=True)
class Tile:
    """A tile's place. `level` None means a bundle of entries; `width` is below 256 for a partial one."""

    level: int | None
    number: int
    width: int

    @property
    def path(self) -> str:
        """The path below the log's prefix."""
        digits = f"{self.number:03d}"
        digits = digits.zfill(-(-len(digits) // 3) * 3)
        groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
        number = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
        level = "entries" if self.level is None else str(self.level)
        return f"tile/{level}/{number}" + ("" if self.width == WIDTH else f".p/{self.width}")


def parse_tile_path(path: str) -> Tile:
    """Return the tile that a path names.

    Raises:
        LogRangeError: it names none, or in another spelling than the only one.
    """
    match = _PATH.match(path)
    if not match:
        raise LogRangeError("path")
    level = None if match[1] == "entries" else int(match[1])
    tile = Tile(level, int(match[2].replace("x", "").replace("/", "")), int(match[3]) if match[3] else WIDTH)
    if tile.path != path or tile.width > WIDTH or (level or 0) > MAX_LEVEL:
        raise LogRangeError("path")
    return tile


def write_bundle(entries: Iterable[bytes]) -> bytes:
    """Return a bundle of entries, each after its big-endian uint16 length."""
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def parse_bundle(data: bytes) -> list[bytes]:
    """Return the entries of a bundle.

    Raises:
        LogRangeError: an entry is cut short, or there are more than a tile has.
    """
    entries: list[bytes] = []
    at = 0
    while at < len(data):
        start = at + 2
        at = start + int.from_bytes(data[at:start], "big")
        if at > len(data) or start > len(data) or len(entries) == WIDTH:
            raise LogRangeError("bundle")
        entries.append(data[start:at])
    return entries
