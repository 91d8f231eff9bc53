"""The audience tree: an addressee can prove that it was addressed, without learning who else was.

Not for: who may be addressed (`hub/policy/`). Implements `docs/protocol/02-envelope.md` section 4.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import ConfigDict, Field, RootModel

from hub.protocol.encoding import decode_b64url, encode_all_b64url, encode_b64url
from hub.protocol.errors import AudienceError, InclusionError, MalformedError
from hub.protocol.hazmat import DIGEST, random_bytes, shuffle
from hub.protocol.manifest import SALT
from hub.protocol.merkle import leaf_hash, levels, path_in, root_of, verify_inclusion
from hub.protocol.strictjson import write_json
from hub.protocol.vocabulary import PartnerCode
from hub.protocol.wire import CompartmentId, Count, Digest, Salt, Wire, parse_wire

MAX_ADDRESSEES: Final = 1_024
SMALLEST_TREE: Final = 8  # leaves; so that one addressee looks like up to eight
PAD: Final = DIGEST  # bytes of a random leaf that fills the tree

Via = Literal["named", "operation", "topic", "answer"]


class Leaf(Wire):
    """What the originator signed about one addressee.

    `via` says how it came to be addressed, `rseq` counts the originator's messages to it (a gap shows a lost one), `kw`
    is the digest of its sealed key and `w` the digest of each wrapped compartment key.
    """

    to: PartnerCode
    via: Via
    kid: Annotated[str, Field(max_length=64)]
    rseq: Annotated[Count, Field(ge=1)]
    kw: Digest
    w: Annotated[dict[CompartmentId, Digest], Field(min_length=1)]


class _SaltedLeaf(RootModel[tuple[Salt, Leaf]]):
    model_config = ConfigDict(frozen=True, strict=True)


def write_leaf(leaf: Mapping[str, object]) -> bytes:
    """Return a freshly salted leaf entry; `leaf` has the members of `Leaf`."""
    return write_json([encode_b64url(random_bytes(SALT)), leaf])


def parse_leaf(entry: bytes) -> Leaf:
    """Return an unbelieved leaf.

    Raises:
        JsonError, MalformedError: not of the shape.
    """
    return parse_wire(_SaltedLeaf, entry).root[1]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a leaf stands in the audience tree: enough to check it alone."""

    index: int
    size: int
    path: tuple[bytes, ...]


class AudienceTree:
    """The tree over leaf entries and random padding, in an order that tells nothing."""

    def __init__(self, entries: Sequence[bytes]) -> None:
        """Build the tree over entries in the order given."""
        self._levels = levels([leaf_hash(entry) for entry in entries])
        self.size: Final = len(entries)

    @property
    def root(self) -> bytes:
        """The root that the manifest carries as `rr`."""
        return root_of(self._levels)

    def place(self, index: int) -> Place:
        """Return the path of one leaf."""
        return Place(index, self.size, tuple(path_in(self._levels, index)))

    def paths(self) -> list[tuple[str, ...]]:
        """Return every leaf's path as it travels (base64url), in order; each node becomes text once for all.

        For a tree that is padded as `check_size` wants it: every node then has a sibling.
        """
        texts = [encode_all_b64url(level) for level in self._levels[:-1]]
        return [
            tuple([level[(index >> height) ^ 1] for height, level in enumerate(texts)]) for index in range(self.size)
        ]


def fill_audience(entries: Sequence[bytes]) -> list[bytes]:
    """Return the entries and random padding up to a power of two of at least eight, shuffled."""
    size = max(SMALLEST_TREE, 1 << (len(entries) - 1).bit_length())
    filled = [*entries, *(random_bytes(PAD) for _ in range(size - len(entries)))]
    shuffle(filled)
    return filled


def check_size(size: int) -> None:
    """Refuse a tree that is not padded as it must be.

    Raises:
        AudienceError: not a power of two between 8 and 1,024.
    """
    if not SMALLEST_TREE <= size <= MAX_ADDRESSEES or size & (size - 1):
        raise AudienceError("size")


def check_leaf(entry: bytes, place: Place, root: str) -> None:
    """Check that a leaf entry belongs to the audience that the originator signed.

    Raises:
        AudienceError: it does not.
    """
    check_size(place.size)
    if len(entry) == PAD:
        raise MalformedError("padding in a leaf's place")
    try:
        verify_inclusion(leaf_hash(entry), place.index, place.size, place.path, decode_b64url(root))
    except InclusionError as error:
        raise AudienceError from error
