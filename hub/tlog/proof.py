"""C2SP log proofs: one text that shows offline that an entry is in a log, and who cosigned that.

Not for: a whole delivery, of which log proofs are a part (`docs/protocol/11-evidence.md`). Implements
`docs/protocol/05-log.md` section 9 and c2sp.org/tlog-proof.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hub.protocol.errors import NoteError
from hub.protocol.hazmat import DIGEST
from hub.protocol.merkle import MAX_PATH, verify_inclusion
from hub.tlog.checkpoint import Checkpoint, verify_checkpoint, verify_cosignatures
from hub.tlog.note import MAX_NOTE, NoteKey, decode_b64, encode_b64

MAX_EXTRA: Final = 64 * 1024  # bytes; an opening of a record entry fits
_MAX_TEXT: Final = MAX_NOTE + 2 * MAX_EXTRA  # characters; base64 makes 4 of 3, the rest is for the path
_FIRST: Final = "c2sp.org/tlog-proof@v1"
_INDEX: Final = re.compile(r"index (0|[1-9][0-9]{0,18})\Z")


@dataclass(frozen=True, slots=True)
class LogProof:
    """A log proof, unbelieved.

    Attributes:
        index: the entry's.
        path: the inclusion path, lowest sibling first.
        checkpoint: the signed note, as the log wrote it.
        extra: what the application put beside it; nothing vouches for it. Empty: no such line.
    """

    index: int
    path: tuple[bytes, ...]
    checkpoint: str
    extra: bytes = b""


def write_proof(proof: LogProof) -> str:
    """Return the text of a proof."""
    extra = [f"extra {encode_b64(proof.extra)}"] if proof.extra else []
    lines = [_FIRST, *extra, f"index {proof.index}", *map(encode_b64, proof.path), "", proof.checkpoint]
    return "\n".join(lines)


def parse_proof(text: str) -> LogProof:
    """Return an unbelieved proof; the checkpoint in it is not even parsed.

    Raises:
        NoteError: not of the format, or larger than a proof can be.
    """
    if len(text) > _MAX_TEXT:
        raise NoteError("size")
    head, separator, checkpoint = text.partition("\n\n")
    first, *lines = head.split("\n")
    if first != _FIRST or not separator:
        raise NoteError("proof")
    extra = b""
    if lines and lines[0].startswith("extra "):
        extra = decode_b64(lines.pop(0).removeprefix("extra "))
        if not 0 < len(extra) <= MAX_EXTRA:
            raise NoteError("extra")
    index = _INDEX.match(lines[0]) if lines else None
    if not index or len(lines) > 1 + MAX_PATH:
        raise NoteError("index or path")
    path = tuple(decode_b64(line) for line in lines[1:])
    if any(len(node) != DIGEST for node in path):
        raise NoteError("path")
    return LogProof(int(index[1]), path, checkpoint, extra)


def verify_proof(
    proof: LogProof, leaf: bytes, *, log_keys: Sequence[NoteKey], witnesses: Sequence[NoteKey] = (), quorum: int = 0
) -> Checkpoint:
    """Check that a leaf hash is in the log; return the checkpoint that it is under.

    Args:
        proof: the proof.
        leaf: the leaf hash of the entry, which the caller computes from the entry itself (step 1).
        log_keys: the log's keys, all of which must have signed.
        witnesses: the witnesses' keys.
        quorum: how many witnesses must have cosigned.

    Raises:
        NoteError: it does not hold a checkpoint.
        NoteSignatureError: the checkpoint is not signed by the log, or not by enough witnesses.
        InclusionError: the path does not lead to its root.
    """
    checkpoint = verify_checkpoint(proof.checkpoint, log_keys)  # step 2
    verify_cosignatures(proof.checkpoint, witnesses, quorum=quorum)  # step 3
    verify_inclusion(leaf, proof.index, checkpoint.size, proof.path, checkpoint.root)  # step 4
    return checkpoint
