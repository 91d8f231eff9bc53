"""The single checks of TUF metadata on which the walk of `trust.py` rests.

Of python-tuf only data classes and threshold checks are used. Not for: the order of the checks. Implements
`docs/protocol/09-directory.md` section 4.
"""

from datetime import UTC, datetime
from typing import Final

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, Signed, Snapshot, T, Targets, Timestamp

from hub.protocol.encoding import encode_b64url
from hub.protocol.errors import StaleDirectoryError, UntrustedDirectoryError
from hub.protocol.hazmat import sha256
from hub.protocol.strictjson import write_json

FEDERATION: Final = "valise-federation"  # member of the root that names the exchange


def parse_metadata(kind: type[T], data: bytes) -> Metadata[T]:
    """Return unbelieved metadata of a kind.

    Raises:
        UntrustedDirectoryError: not TUF metadata, or of another kind.
    """
    try:
        metadata = Metadata[T].from_bytes(data)
    except RepositoryError as error:
        raise UntrustedDirectoryError(f"{kind.type}: {error}") from error
    if not isinstance(metadata.signed, kind):
        raise UntrustedDirectoryError(f"{metadata.signed.type} in the place of {kind.type}")
    return metadata


def check_signed(metadata: Metadata[T], delegator: Root | Targets, role: str) -> None:
    """Check that enough of the keys which the delegator names for a role signed the metadata.

    Raises:
        UntrustedDirectoryError: too few did, or there is no such role.
    """
    try:
        delegator.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
    except (RepositoryError, ValueError) as error:
        raise UntrustedDirectoryError(f"{role}: {error}") from error


def believe(kind: type[T], data: bytes, *, delegator: Root | Targets, role: str) -> T:
    """Return what a role signed.

    Raises:
        UntrustedDirectoryError: it did not, or not that.
    """
    metadata = parse_metadata(kind, data)
    check_signed(metadata, delegator, role)
    return metadata.signed


def check_version(signed: Signed, version: int) -> None:
    """Check that metadata has the version that its place promises.

    Raises:
        StaleDirectoryError: it has another.
    """
    if signed.version != version:
        raise StaleDirectoryError(f"{signed.type} {signed.version} in the place of {version}")


def is_expired(signed: Signed, now: int) -> bool:
    """Whether metadata is no longer in force; `now` in Unix seconds."""
    return signed.is_expired(datetime.fromtimestamp(now, UTC))


def check_in_force(signed: Signed, now: int) -> None:
    """Check that metadata has not expired.

    Raises:
        StaleDirectoryError: it has.
    """
    if is_expired(signed, now):
        raise StaleDirectoryError(f"{signed.type} expired at {signed.expires}")


def federation_of(root: Root) -> str:
    """Return the federation's name, which the root carries as a member of its own (TUF section 4.2 allows that).

    Raises:
        UntrustedDirectoryError: it carries none.
    """
    federation = root.unrecognized_fields.get(FEDERATION)
    if not isinstance(federation, str) or not federation:
        raise UntrustedDirectoryError("the root names no federation")
    return federation


def digest_online_keys(root: Root) -> str:
    """Return a digest that changes when the root gives timestamp or snapshot other keys."""
    keys = [sorted(root.roles[role].keyids) for role in (Timestamp.type, Snapshot.type)]
    return encode_b64url(sha256(write_json(keys)))
