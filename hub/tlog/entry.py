"""What the log holds of an entry of the record: a salted commitment, so that the log may be mirrored by anybody.

Whoever gets the salt and the payload can open it; once they are erased, nobody can. Not for: the record itself
(`hub/store/`). Implements `docs/protocol/05-log.md` section 2.
"""

from typing import Final

from hub.protocol.encoding import lp, parse_frame
from hub.protocol.errors import EntryError, FrameError, InclusionError
from hub.protocol.hazmat import DIGEST, is_same, sha256

SALT: Final = 16  # bytes; 128 bits hide a payload that could be guessed
KINDS: Final = frozenset(
    {
        "accept",
        "decision",
        "denial",
        "directory",
        "expiry",
        "operation",
        "policy",
        "recall",
        "receipt",
        "subscription",
    }
)
_CONTEXT: Final = "valise1 log"
_PARTS: Final = 3  # of the frame: context, kind, commitment


def commit(salt: bytes, payload: bytes) -> bytes:
    """Return the commitment to a payload."""
    return sha256(lp(salt, payload))


def write_entry(kind: str, commitment: bytes) -> bytes:
    """Return the entry that is hashed into the log.

    Raises:
        EntryError: the log has no such kind, or the commitment is not one.
    """
    if kind not in KINDS or len(commitment) != DIGEST:
        raise EntryError(kind)
    return lp(_CONTEXT, kind, commitment)


def parse_entry(entry: bytes) -> tuple[str, bytes]:
    """Return the kind and the commitment of an entry.

    Raises:
        EntryError: not an entry of this version.
    """
    try:
        parts = parse_frame(entry, max_parts=_PARTS)
    except FrameError as error:
        raise EntryError("frame") from error
    if len(parts) != _PARTS or parts[0] != _CONTEXT.encode():
        raise EntryError("context")
    kind, commitment = parts[1].decode("ascii", "replace"), parts[2]
    if kind not in KINDS or len(commitment) != DIGEST:
        raise EntryError("kind or commitment")
    return kind, commitment


def check_opening(entry: bytes, *, kind: str, salt: bytes, payload: bytes) -> None:
    """Check that a log entry is the commitment to this payload.

    Raises:
        InclusionError: it is another's, of another kind, or the salt is not one.
    """
    if kind not in KINDS or len(salt) != SALT or not is_same(entry, write_entry(kind, commit(salt, payload))):
        raise InclusionError("opening")
