"""What travels: the submission that an originator uploads, and the copy that one addressee receives.

Both are one length-prefixed frame: a JSON head, then the ciphertexts, so that a ciphertext is never re-encoded. Nothing
here is believed; `submission.py` and `copy.py` check. Implements `docs/protocol/02-envelope.md` sections 3 and 5.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from hub.protocol.audience import MAX_ADDRESSEES, Place
from hub.protocol.encoding import decode_b64url, lp, parse_frame
from hub.protocol.errors import FrameError, TooLargeError
from hub.protocol.manifest import MAX_COMPARTMENTS
from hub.protocol.strictjson import write_json
from hub.protocol.wire import CompartmentId, Count, Digest, Wire, parse_wire

MAX_CIPHERTEXT: Final = 32 * 1024 * 1024  # bytes of all compartments of a message
MAX_HEAD: Final = 8 * 1024 * 1024  # bytes; 1,024 addressees with 32 wraps each take 6.7 MB
MAX_SUBMISSION: Final = MAX_CIPHERTEXT + MAX_HEAD + 4 * (MAX_COMPARTMENTS + 1)

_Text = Annotated[str, Field(max_length=512 * 1024)]
_Disclosures = Annotated[tuple[Annotated[str, Field(max_length=2_048)], ...], Field(max_length=MAX_COMPARTMENTS)]
_Wraps = Annotated[dict[CompartmentId, Annotated[str, Field(max_length=64)]], Field(max_length=MAX_COMPARTMENTS)]


class Slot(Wire):
    """One place of the audience tree: an addressee's leaf `l`, sealed key `k` and wraps `w`; or only random padding."""

    l: Annotated[str, Field(max_length=8_192)]  # noqa: E741 - the wire's name
    k: Annotated[str, Field(max_length=2_048)] | None = None
    w: _Wraps | None = None


class SubmissionHead(Wire):
    """The head of a submission: manifest `m`, second signature `s2`, disclosures `d` and audience `a` in tree order."""

    v: Literal[1]
    m: _Text
    s2: Annotated[str, Field(max_length=8_192)] | None
    d: _Disclosures
    a: Annotated[tuple[Slot, ...], Field(max_length=MAX_ADDRESSEES)]


class Part(Wire):
    """What of a message is one addressee's alone: its leaf, the leaf's place, its sealed key and the released wraps."""

    l: Annotated[str, Field(max_length=8_192)]  # noqa: E741 - the wire's name
    i: Count
    n: Count
    path: Annotated[tuple[Digest, ...], Field(max_length=10)]  # log2 of 1,024 leaves
    k: Annotated[str, Field(max_length=2_048)]
    w: _Wraps

    @property
    def place(self) -> Place:
        """Where the leaf stands."""
        return Place(self.i, self.n, tuple(decode_b64url(node) for node in self.path))


class Proven(Wire):
    """A statement of a hub with its way to a signed batch root (`statements.py`)."""

    t: Annotated[str, Field(max_length=64)]
    p: Annotated[str, Field(max_length=64 * 1024)]
    i: Count
    path: Annotated[tuple[Digest, ...], Field(max_length=32)]
    b: Annotated[str, Field(max_length=4_096)]


class CopyHead(Wire):
    """The head of a copy: what all addressees see, this one's part, and the hubs' decisions, first hub first."""

    v: Literal[1]
    m: _Text
    s2: Annotated[str, Field(max_length=8_192)] | None
    d: _Disclosures
    part: Part
    dec: Annotated[tuple[Proven, ...], Field(min_length=1, max_length=8)]


@dataclass(frozen=True, slots=True)
class Submission:
    """An unbelieved submission: the head and the ciphertexts in the order of the disclosures."""

    head: SubmissionHead
    blobs: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Copy:
    """An unbelieved copy: the head and the released ciphertexts in the order of the released disclosures."""

    head: CopyHead
    blobs: tuple[bytes, ...]


def write_submission(
    *,
    manifest: str,
    second: str | None,
    disclosures: Sequence[str],
    slots: Sequence[Mapping[str, Any]],
    blobs: Sequence[bytes],
) -> bytes:
    """Return the frame that an originator uploads. `slots` are the members of `Slot`, in tree order."""
    head = {"v": 1, "m": manifest, "s2": second, "d": list(disclosures), "a": list(slots)}
    return lp(write_json(head), *blobs)


def parse_submission(data: bytes) -> Submission:
    """Return an unbelieved submission.

    Raises:
        TooLargeError: a limit is exceeded; checked before anything is parsed.
        FrameError, EncodingError, MalformedError: not of the shape.
    """
    head, blobs = _parse(data)
    shape = parse_wire(SubmissionHead, head)
    if len(blobs) != len(shape.d):
        raise FrameError("blobs")
    return Submission(shape, blobs)


def write_part(
    *, leaf: str, index: int, size: int, path: Sequence[str], sealed: str, wraps: Mapping[str, str]
) -> bytes:
    """Return one addressee's own part of a copy, as kept in its mailbox until delivery; all texts as they travel."""
    return write_json({"l": leaf, "i": index, "n": size, "path": path, "k": sealed, "w": wraps})


def write_copy(
    *,
    manifest: str,
    second: str | None,
    disclosures: Sequence[str],
    part: bytes,
    decisions: Sequence[bytes],
    blobs: Sequence[bytes],
) -> bytes:
    """Return the frame that an addressee receives. `part` and `decisions` are JSON already and are not parsed again."""
    common = write_json({"v": 1, "m": manifest, "s2": second, "d": list(disclosures)})
    head = common[:-1] + b',"part":' + part + b',"dec":[' + b",".join(decisions) + b"]}"
    return lp(head, *blobs)


def parse_copy(data: bytes) -> Copy:
    """Return an unbelieved copy.

    Raises:
        TooLargeError: a limit is exceeded; checked before anything is parsed.
        FrameError, EncodingError, MalformedError: not of the shape.
    """
    head, blobs = _parse(data)
    shape = parse_wire(CopyHead, head)
    if len(blobs) != len(shape.d):
        raise FrameError("blobs")
    return Copy(shape, blobs)


def _parse(data: bytes) -> tuple[bytes, tuple[bytes, ...]]:
    if len(data) > MAX_SUBMISSION:
        raise TooLargeError("frame")
    head, *blobs = parse_frame(data, max_parts=MAX_COMPARTMENTS + 1) or [b""]
    if len(head) > MAX_HEAD or sum(map(len, blobs)) > MAX_CIPHERTEXT:
        raise TooLargeError("head or ciphertexts")
    return head, tuple(blobs)
