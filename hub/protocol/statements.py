"""What a hub states - accept and decision - and how one signature carries many of them.

Statements of one commit are leaves of a small tree under one signed batch root; each party gets its own leaf and path,
never another's (each payload is salted, so a path tells nothing about its neighbours). Not for: what an addressee
states (`receipt.py`). Implements `docs/protocol/04-statements.md` sections 1 to 3.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal, TypeVar

from pydantic import Field

from hub.protocol.directory import Directory
from hub.protocol.encoding import decode_b64url, encode_all_b64url, encode_b64url, lp
from hub.protocol.envelope import Proven
from hub.protocol.errors import (
    BadSignatureError,
    InclusionError,
    KeyNotValidError,
    MalformedError,
    NotYetValidError,
    RevokedKeyError,
    WrongFederationError,
    WrongOriginatorError,
    WrongTypeError,
)
from hub.protocol.hazmat import DIGEST, random_bytes
from hub.protocol.jws import parse_jws, sign_jws, verify_jws
from hub.protocol.keys import Signer
from hub.protocol.manifest import CLOCK_SKEW, SALT, MessageId
from hub.protocol.merkle import leaf_hash, levels, path_in, root_from_path, root_of
from hub.protocol.strictjson import write_json
from hub.protocol.vocabulary import PartnerCode, PartnerKind
from hub.protocol.wire import CompartmentId, Count, Digest, Salt, Time, Wire, parse_wire

ACCEPT_TYP: Final = "valise-accept+jwt"
DECISION_TYP: Final = "valise-decision+jwt"
EXPIRY_TYP: Final = "valise-expiry+jwt"
_BATCH_TYP: Final = "valise-batch+jwt"
_SMALLEST_BATCH: Final = 8  # leaves
NOT_WRAPPED: Final = "originator/not-wrapped"  # the originator itself did not make the compartment openable


class _Statement(Wire):
    """The members that every statement has; `s` hides the payload from whoever sees only its hash."""

    v: Literal[1]
    s: Salt
    fed: Annotated[str, Field(max_length=64)]
    hub: PartnerCode
    mh: Digest
    iat: Time


class Accept(_Statement):
    """'I took this message at this time and will log it.' `after` is the highest `seq` of the key taken before."""

    iss: PartnerCode
    jti: MessageId
    seq: Count
    after: Count | None


class WithheldDigest(Wire):
    """A compartment that was withheld: the digest of its disclosure and the reason code."""

    d: Digest
    rc: Annotated[str, Field(pattern=r"^[a-z]+/[a-z-]+$", max_length=48)]


class Decision(_Statement):
    """What was released to one addressee and what was not, under which policy set and rules.

    `agr` is the agreement relied on, `inp` the digest of the inputs from which the decision is recomputed, `prev` the
    digest of the upstream hub's decision, `sup` that of an earlier decision which this one replaces.
    """

    to: PartnerCode
    pol: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    rules: Annotated[tuple[Annotated[str, Field(max_length=64)], ...], Field(max_length=64)]
    agr: Annotated[str, Field(max_length=256)] | None
    rel: tuple[CompartmentId, ...]
    wh: tuple[WithheldDigest, ...]
    duties: Annotated[tuple[Annotated[str, Field(max_length=128)], ...], Field(max_length=32)]
    inp: Digest
    prev: Digest | None
    sup: Digest | None


class Expiry(_Statement):
    """'Nobody collected this copy before its message expired, and I destroyed it.' `exp` is the manifest's."""

    to: PartnerCode
    exp: Time


class _Batch(Wire):
    v: Literal[1]
    fed: Annotated[str, Field(max_length=64)]
    hub: PartnerCode
    iat: Time
    n: Annotated[Count, Field(ge=1)]
    root: Digest


def fresh_salt() -> str:
    """Return a new value for a statement's `s`."""
    return encode_b64url(random_bytes(SALT))


def _leaf(typ: str, payload: bytes) -> bytes:
    return leaf_hash(lp("valise1 stmt", typ, payload))


class Batch:
    """The statements of one commit and the tree over them.

    Random leaves fill it up to a power of two of at least eight, so that `n` does not tell an addressee how many others
    there are.
    """

    def __init__(self, statements: Sequence[tuple[str, bytes]], *, federation: str, hub: str, at: int) -> None:
        """Take (typ, payload) pairs in the order of the commit; `at` is the time of the commit in Unix seconds."""
        self._statements: Final = tuple(statements)
        leaves = [_leaf(typ, payload) for typ, payload in statements]
        size = max(_SMALLEST_BATCH, 1 << (len(leaves) - 1).bit_length())
        leaves += [random_bytes(DIGEST) for _ in range(size - len(leaves))]
        self._levels: Final = levels(leaves)
        root = encode_b64url(root_of(self._levels))
        #: The bytes to sign; kept with the commit, so that signing again after a crash gives the same signature.
        self.payload: Final = write_json({"v": 1, "fed": federation, "hub": hub, "iat": at, "n": size, "root": root})

    @property
    def nodes(self) -> bytes:
        """All levels of the tree one after the other, leaves first; `path_in_nodes` reads them."""
        return b"".join(node for level in self._levels for node in level)

    def path(self, index: int) -> list[bytes]:
        """Return the path of one statement."""
        return path_in(self._levels, index)

    def prove(self, index: int, batch_jws: str) -> bytes:
        """Return one statement with its path, as the JSON of `Proven`."""
        typ, payload = self._statements[index]
        return write_proven(typ, payload, index, self.path(index), batch_jws)


def path_in_nodes(nodes: bytes, index: int) -> list[bytes]:
    """Return the path of one statement in the kept nodes of a batch; its tree has a power of two of leaves."""
    path, start, width = list[bytes](), 0, (len(nodes) // DIGEST + 1) // 2
    while width > 1:
        at = (start + (index ^ 1)) * DIGEST
        path.append(nodes[at : at + DIGEST])
        start, width, index = start + width, width // 2, index >> 1
    return path


def write_proven(typ: str, payload: bytes, index: int, path: Sequence[bytes], batch_jws: str) -> bytes:
    """Return a statement with its path to a signed batch, as the JSON of `Proven`."""
    nodes = encode_all_b64url(path)
    return write_json({"t": typ, "p": encode_b64url(payload), "i": index, "path": nodes, "b": batch_jws})


def sign_batch(payload: bytes, signer: Signer) -> str:
    """Return the batch root as a signed object."""
    return sign_jws(payload, typ=_BATCH_TYP, signer=signer)


@dataclass(frozen=True, slots=True)
class Believed:
    """A statement whose hub's signature was checked. `digest` is how later statements refer to it."""

    typ: str
    payload: bytes
    hub: str
    at: int

    @property
    def digest(self) -> str:
        """The statement's name: base64url of its leaf hash."""
        return statement_digest(self.typ, self.payload)


def statement_digest(typ: str, payload: bytes) -> str:
    """Return the name by which other statements refer to a statement."""
    return encode_b64url(_leaf(typ, payload))


def verify_statement(proven: Proven, directory: Directory, *, typ: str, now: int | None) -> Believed:
    """Check a hub's statement: type, batch signature by a hub's key valid at that time, path.

    Args:
        proven: the statement as received.
        directory: the believed directory.
        typ: the type that must stand in its place.
        now: Unix seconds for whoever takes it in from outside, who refuses a date in the future and a key that is
            revoked by now, because a thief dates back; None for an auditor, who has the log's word.

    Raises:
        SignatureError, EncodingError, MalformedError, DirectoryError: as they say; never anything else.
    """
    if proven.t != typ:
        raise WrongTypeError(proven.t)
    jws = parse_jws(proven.b, typ=_BATCH_TYP)
    batch = parse_wire(_Batch, jws.payload)
    key = directory.signing_key(jws.kid, iss=batch.hub, at=batch.iat)
    if now is not None and key.revoked_at is not None and key.revoked_at <= now:
        raise RevokedKeyError(f"{jws.kid} since {key.revoked_at}")
    if now is not None and batch.iat > now + CLOCK_SKEW:
        raise KeyNotValidError(f"{jws.kid} at {now}")
    verify_jws(jws, alg=key.alg, public=decode_b64url(key.pub))
    if directory.partner(batch.hub).kind is not PartnerKind.HUB:
        raise WrongOriginatorError(batch.hub)
    if batch.fed != directory.federation:
        raise WrongFederationError(batch.fed)
    payload = decode_b64url(proven.p)
    try:
        root = root_from_path(_leaf(typ, payload), proven.i, batch.n, [decode_b64url(node) for node in proven.path])
    except InclusionError as error:
        raise BadSignatureError("path") from error
    if encode_b64url(root) != batch.root:
        raise BadSignatureError("not in the signed batch")
    return Believed(typ, payload, batch.hub, batch.iat)


def verify_expiry(proven: Proven, directory: Directory, *, hub: str, now: int | None) -> Expiry:
    """Check a hub's word that a copy expired (`verify_statement` has the meaning of `now`).

    Raises:
        SignatureError, EncodingError, EnvelopeError, DirectoryError: it is not that hub's, or not to be believed.
        MalformedError: it is dated before what it is about.
    """
    expiry = read_statement(Expiry, verify_statement(proven, directory, typ=EXPIRY_TYP, now=now), directory)
    if expiry.hub != hub:
        raise WrongOriginatorError(expiry.hub)
    if expiry.iat < expiry.exp:
        raise MalformedError("expired before its time")
    return expiry


_Shape = TypeVar("_Shape", Accept, Decision, Expiry)


def read_statement(shape: type[_Shape], believed: Believed, directory: Directory) -> _Shape:
    """Return the shape of a believed statement.

    Raises:
        MalformedError: not of the shape.
        WrongOriginatorError: it speaks for another hub than the batch that carries it.
        NotYetValidError: it is dated after that batch.
        WrongFederationError: it is of another exchange.
    """
    statement = parse_wire(shape, believed.payload)
    if statement.fed != directory.federation:
        raise WrongFederationError(statement.fed)
    if statement.hub != believed.hub:
        raise WrongOriginatorError(statement.hub)
    if statement.iat > believed.at:
        raise NotYetValidError("stated after it was signed")
    return statement
