"""Checkpoints: what a log states about itself, signed by the log and cosigned by witnesses.

The log signs with Ed25519 over the note and with ML-DSA-44 as a timestamped cosignature, as C2SP recommends. Not for:
where checkpoints come from (`hub/broker/notary.py`). Implements `docs/protocol/05-log.md` sections 6 and 7,
c2sp.org/tlog-checkpoint and c2sp.org/tlog-cosignature.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from hub.protocol.errors import NoteError, NoteSignatureError
from hub.protocol.hazmat import DIGEST
from hub.tlog.note import (
    COSIGNATURE,
    ED25519,
    MAX_NAME,
    Note,
    NoteKey,
    decode_b64,
    encode_b64,
    encode_utf8,
    parse_note,
    write_note,
)

MAX_SIZE: Final = 2**63 - 1  # entries; also the latest time of a cosignature, in seconds (c2sp.org/tlog-cosignature)
_TIME: Final = 8  # bytes of a cosignature's timestamp
_SIZE: Final = re.compile(r"0\Z|[1-9][0-9]{0,18}\Z")
_LINE: Final = re.compile(r"[^\x00-\x1f]+\Z")

Sign = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log's origin, size and root at one moment; believed only through `verify_checkpoint`.

    `extension` are opaque lines that other logs may have; ours has none, since ML-DSA-44 does not sign them.

    Raises:
        NoteError: a part that cannot stand in a checkpoint.
    """

    origin: str
    size: int
    root: bytes
    extension: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not all(_LINE.match(line) for line in (self.origin, *self.extension)):
            raise NoteError("lines")
        if len(encode_utf8(self.origin)) > MAX_NAME or not 0 <= self.size <= MAX_SIZE or len(self.root) != DIGEST:
            raise NoteError("origin, size or root")

    @property
    def text(self) -> str:
        """The note text."""
        return "\n".join((self.origin, str(self.size), encode_b64(self.root), *self.extension, ""))


def parse_checkpoint(text: str) -> tuple[Checkpoint, Note]:
    """Return an unbelieved checkpoint and the note that carries it.

    Raises:
        NoteError: not a signed note, or its text is not a checkpoint.
    """
    note = parse_note(text)
    lines = note.text.split("\n")[:-1]
    if len(lines) < 3 or not _SIZE.match(lines[1]):  # noqa: PLR2004 - origin, size and root
        raise NoteError("checkpoint")
    return Checkpoint(lines[0], int(lines[1]), decode_b64(lines[2]), tuple(lines[3:])), note


def sign_checkpoint(checkpoint: Checkpoint, signers: Sequence[tuple[NoteKey, Sign]], *, at: int) -> str:
    """Return a signed checkpoint.

    Args:
        checkpoint: consistent with every one that this log signed before.
        signers: the log's keys, each with what signs by it; `at` goes into timestamped ones.
        at: the time of signing, Unix seconds.
    """
    return write_note(checkpoint.text, [(key, _sign(checkpoint, key, sign, at)) for key, sign in signers])


def _sign(checkpoint: Checkpoint, key: NoteKey, sign: Sign, at: int) -> bytes:
    signature = sign(_message(checkpoint, key, at))
    return signature if key.type == ED25519 else at.to_bytes(_TIME, "big") + signature


def _message(checkpoint: Checkpoint, key: NoteKey, at: int) -> bytes:
    """Return the bytes that a key of this type signs."""
    if key.type == ED25519:
        return checkpoint.text.encode()
    if key.type == COSIGNATURE:
        return f"cosignature/v1\ntime {at}\n{checkpoint.text}".encode()
    name, origin = key.name.encode(), checkpoint.origin.encode()
    return b"".join(
        (
            b"subtree/v1\n\0",
            bytes([len(name)]) + name,
            at.to_bytes(_TIME, "big"),
            bytes([len(origin)]) + origin,
            bytes(8),  # the subtree starts at the first entry
            checkpoint.size.to_bytes(8, "big"),
            checkpoint.root,
        )
    )


def verify_by(checkpoint: Checkpoint, note: Note, key: NoteKey) -> int | None:
    """Check the signatures of one key on a checkpoint.

    Returns:
        The latest time of signing (0 where the type has none), or None when the key did not sign.

    Raises:
        NoteSignatureError: a line that claims to be this key's is not.
    """
    found = None
    for line in note.signatures_of(key):
        at, signature = (0, line) if key.type == ED25519 else (int.from_bytes(line[:_TIME], "big"), line[_TIME:])
        if at > MAX_SIZE:
            raise NoteSignatureError(key.name)
        key.verify(signature, _message(checkpoint, key, at))
        found = max(at, found or 0)
    return found


def verify_checkpoint(text: str, log_keys: Sequence[NoteKey]) -> Checkpoint:
    """Return a checkpoint that every one of the log's keys signed.

    Raises:
        NoteError: not a checkpoint.
        NoteSignatureError: it is another log's, a key did not sign, or a signature is wrong.
    """
    checkpoint, note = parse_checkpoint(text)
    if not log_keys or any(key.name != checkpoint.origin for key in log_keys):
        raise NoteSignatureError(checkpoint.origin)
    for key in log_keys:
        if verify_by(checkpoint, note, key) is None:
            raise NoteSignatureError(f"not signed by {key.name}, type {key.type}")
    return checkpoint


def verify_cosignatures(text: str, witnesses: Sequence[NoteKey], *, quorum: int) -> dict[str, int]:
    """Return which witnesses cosigned a checkpoint, by name, and when (Unix seconds, the latest of a witness's keys).

    Lines of unknown keys are ignored. Two keys of one name are one witness; whoever configures witnesses answers for
    names that are really different parties.

    Raises:
        NoteError: not a checkpoint.
        NoteSignatureError: fewer than `quorum` cosigned with a time, or a line that claims to be a witness's is not.
    """
    checkpoint, note = parse_checkpoint(text)
    times: dict[str, int] = {}
    for key in witnesses:
        if at := verify_by(checkpoint, note, key):
            times[key.name] = max(at, times.get(key.name, 0))
    if len(times) < quorum:
        raise NoteSignatureError(f"cosigned by {len(times)} of {quorum} witnesses")
    return times


def cosign(checkpoint: Checkpoint, key: NoteKey, sign: Sign, *, at: int) -> str:
    """Return a witness's signature line for a checkpoint whose consistency it has checked (`witness.py`).

    Raises:
        NoteError: the key's type has no timestamp, so it says nothing of when.
    """
    if key.type == ED25519 or not 0 < at <= MAX_SIZE:
        raise NoteError("a cosignature has a time")
    return sign_checkpoint(checkpoint, [(key, sign)], at=at).rpartition("\n\n")[2]
