"""From published files and one trusted root to a believed directory: the only place that makes a `Directory`.

The files are a TUF repository (https://theupdateframework.github.io/specification/v1.0.34/). The walk over it is one
generator without I/O, which says what file it wants next. A hub and a connector drive it over HTTP
(`refresh_directory`), an auditor over the files in the evidence (`verify_directory`), and so all believe by the same
steps, each at its own time. python-tuf's `ngclient` would be a second set of steps: it reads the wall clock, keeps its
state in a folder, and cannot list partners; its data classes and threshold checks are used here, and a test holds that
its `Updater` accepts what we publish. Not for: publishing (`hub/authority`). Implements
`docs/protocol/09-directory.md` section 4.
"""

import re
from collections.abc import Awaitable, Callable, Collection, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from tuf.api.exceptions import LengthOrHashMismatchError
from tuf.api.metadata import DelegatedRole, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp

from hub.protocol.directory import Directory, PartnerRecord, parse_partner_record
from hub.protocol.errors import JsonError, PartnerRecordError, StaleDirectoryError, UntrustedDirectoryError
from hub.protocol.hazmat import sha256
from hub.protocol.wire import Count, Digest, Wire
from hub.verify.metadata import (
    believe,
    check_in_force,
    check_signed,
    check_version,
    digest_online_keys,
    federation_of,
    is_expired,
    parse_metadata,
)
from hub.verify.repository import (
    MAX_FILE,
    MAX_ROOT,
    MAX_ROOT_ROTATIONS,
    MAX_SNAPSHOT,
    MAX_TARGETS,
    MAX_TIMESTAMP,
    TIMESTAMP,
    Scope,
    Wanted,
    record_path,
)

_ROLE_NAME: Final = re.compile(r"[a-z0-9-]{1,64}\Z")
_SHA256: Final = re.compile(r"[0-9a-f]{64}\Z")
_POLICY_SET: Final = re.compile(r"policies/([A-Za-z0-9_-]{1,128})\.json\Z")


class Seen(Wire):
    """What a client remembers between two walks, so that nobody can show it an older directory.

    Attributes:
        root: version of the newest root.
        keys: digest of the keys of timestamp and snapshot; when the root replaces them, the versions below no longer
            bind (TUF 5.3.11: a stolen key may have made versions that its successor never reaches).
        timestamp: version.
        files: version of the snapshot, and of each metadata file that it pins.
    """

    root: Count
    keys: Digest
    timestamp: Count
    files: dict[str, Count]


@dataclass(frozen=True, slots=True)
class PolicyBundle:
    """One policy set as published. The highest `version` is in force; older ones recompute older decisions."""

    digest: str
    version: int
    data: bytes


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An entry that is not believed although the rest is: one authority's lapse stops its own partners only."""

    role: str
    path: str  # empty: the whole role
    code: str  # wire code of the reason


@dataclass(frozen=True, slots=True)
class TrustedDirectory:
    """What a walk leads to. `expires`: Unix seconds at which it must have been refreshed."""

    directory: Directory
    policies: tuple[PolicyBundle, ...]
    left_out: tuple[LeftOut, ...]
    seen: Seen
    expires: int


Walk = Generator[Wanted, bytes | None, TrustedDirectory]
Fetch = Callable[[str, int], Awaitable[bytes | None]]


# --- three ways to walk ---------------------------------------------------------------------------------------------


def verify_directory(
    files: Mapping[str, bytes], anchor: bytes, *, now: int, seen: Seen | None = None, scope: Scope | None = None
) -> TrustedDirectory:
    """Believe a directory from files at hand, by their published paths.

    Args:
        files: `metadata/...` and `targets/...` as published; more than needed does no harm.
        anchor: a root that is trusted already.
        now: Unix seconds at which the directory must have been in force.
        seen: what is remembered of an earlier walk.
        scope: only these partners and policy sets; a directory of an excerpt knows no others.

    Raises:
        UntrustedDirectoryError: not signed as the anchor demands, or altered.
        StaleDirectoryError: expired, older than what was seen, mixed from several versions, or a file is missing.
    """
    walk = walk_directory(anchor, now=now, seen=seen, scope=scope)
    found = None
    try:
        while True:
            found = files.get(walk.send(found).path)
    except StopIteration as end:
        trusted: TrustedDirectory = end.value
        return trusted


async def refresh_directory(
    fetch: Fetch, anchor: bytes, *, now: int, seen: Seen | None, known: Mapping[str, bytes]
) -> tuple[TrustedDirectory, dict[str, bytes]]:
    """Believe the directory as it is published now.

    Args:
        fetch: returns a published file, reading no more than so many bytes, or None when there is no such file.
        anchor: a root that is trusted already.
        now: Unix seconds.
        seen: what is remembered of an earlier walk.
        known: the files of an earlier walk; all but the timestamp carry their version or digest in their name and are
            not fetched again.

    Returns:
        the directory, and exactly the files that it came from, to be kept for the next time and for evidence.

    Raises:
        UntrustedDirectoryError, StaleDirectoryError: as `verify_directory`; what was believed before stays.
    """
    walk = walk_directory(anchor, now=now, seen=seen)
    used: dict[str, bytes] = {}
    found = None
    try:
        while True:
            wanted = walk.send(found)
            found = None if wanted.path == TIMESTAMP else known.get(wanted.path)
            if found is None:
                found = await fetch(wanted.path, wanted.limit)
            if found is not None:
                used[wanted.path] = found
    except StopIteration as end:
        return end.value, used


def excerpt(files: Mapping[str, bytes], scope: Scope, anchor: bytes, *, now: int) -> dict[str, bytes]:
    """Return the files with which somebody believes a few partners' records, and nobody else's.

    A role's metadata still names the other partners of that country.

    Raises:
        UntrustedDirectoryError, StaleDirectoryError: as `verify_directory`.
    """
    recorder = _Recorder(files)
    verify_directory(recorder, anchor, now=now, scope=scope)
    return recorder.used


class _Recorder(Mapping[str, bytes]):
    """Files that remember which of them were asked for."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files
        self.used: dict[str, bytes] = {}

    def __getitem__(self, path: str) -> bytes:
        self.used[path] = self._files[path]
        return self.used[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


# --- the walk -------------------------------------------------------------------------------------------------------


def walk_directory(anchor: bytes, *, now: int, seen: Seen | None = None, scope: Scope | None = None) -> Walk:
    """Ask for one file after the other, and believe.

    Yields:
        the file wanted; the driver sends its bytes, or None when there is none.

    Raises:
        UntrustedDirectoryError, StaleDirectoryError: as `verify_directory`.
    """
    root = yield from _walk_roots(anchor, seen)  # steps 1 and 2
    check_in_force(root, now)  # 3
    keys = digest_online_keys(root)
    past = seen if seen is not None and seen.keys == keys else None
    timestamp = yield from _walk_timestamp(root, past)  # 4
    check_in_force(timestamp, now)
    data = yield from _walk_pinned("snapshot", timestamp.snapshot_meta, MAX_SNAPSHOT)  # 5
    snapshot = _believe_snapshot(data, root, timestamp, past)
    check_in_force(snapshot, now)
    targets = yield from _walk_targets(root, snapshot, Targets.type)  # 6
    check_in_force(targets, now)
    entries = yield from _walk_roles(targets, snapshot, now, None if scope is None else scope.paths())  # 7 and 8
    return TrustedDirectory(
        directory=Directory(
            federation=federation_of(root),
            version=snapshot.version,
            digest=sha256(data).hex(),
            records=entries.records,
        ),
        policies=tuple(sorted(entries.policies, key=lambda bundle: bundle.version)),
        left_out=tuple(entries.left_out),
        seen=Seen(
            root=root.version,
            keys=keys,
            timestamp=timestamp.version,
            files=_versions_of(snapshot),
        ),
        expires=min(int(signed.expires.timestamp()) for signed in (root, timestamp, snapshot, targets)),
    )


def _walk_roots(anchor: bytes, seen: Seen | None) -> Generator[Wanted, bytes | None, Root]:
    """Follow the roots: each is signed by its predecessor and by itself (TUF 5.3)."""
    root = parse_metadata(Root, anchor)
    check_signed(root, root.signed, Root.type)
    for version in range(root.signed.version + 1, root.signed.version + 1 + MAX_ROOT_ROTATIONS):
        data = yield Wanted(f"metadata/{version}.root.json", MAX_ROOT)
        if data is None:
            break
        successor = parse_metadata(Root, _bounded(data, MAX_ROOT))
        check_signed(successor, root.signed, Root.type)
        check_signed(successor, successor.signed, Root.type)
        check_version(successor.signed, version)
        if federation_of(successor.signed) != federation_of(root.signed):
            raise UntrustedDirectoryError("the root changed to another federation")
        root = successor
    if seen is not None and root.signed.version < seen.root:
        raise StaleDirectoryError(f"root {root.signed.version} after {seen.root}")
    if not root.signed.consistent_snapshot:
        raise UntrustedDirectoryError("file names without versions")
    return root.signed


def _walk_timestamp(root: Root, past: Seen | None) -> Generator[Wanted, bytes | None, Timestamp]:
    data = yield from _walk_file(TIMESTAMP, MAX_TIMESTAMP)
    timestamp = believe(Timestamp, data, delegator=root, role=Timestamp.type)
    if past is not None and timestamp.version < past.timestamp:
        raise StaleDirectoryError(f"timestamp {timestamp.version} after {past.timestamp}")
    return timestamp


def _believe_snapshot(data: bytes, root: Root, timestamp: Timestamp, past: Seen | None) -> Snapshot:
    snapshot = believe(Snapshot, data, delegator=root, role=Snapshot.type)
    check_version(snapshot, timestamp.snapshot_meta.version)
    versions = _versions_of(snapshot)
    for name, version in past.files.items() if past is not None else ():
        if versions.get(name, 0) < version:
            raise StaleDirectoryError(f"{name} is older than version {version}, or gone")
    return snapshot


def _versions_of(snapshot: Snapshot) -> dict[str, int]:
    return {name: meta.version for name, meta in snapshot.meta.items()} | {"snapshot.json": snapshot.version}


def _walk_targets(delegator: Root | Targets, snapshot: Snapshot, role: str) -> Generator[Wanted, bytes | None, Targets]:
    pin = snapshot.meta.get(f"{role}.json")
    if pin is None:
        raise StaleDirectoryError(f"the snapshot does not pin {role}")
    data = yield from _walk_pinned(role, pin, MAX_TARGETS)
    targets = believe(Targets, data, delegator=delegator, role=role)
    check_version(targets, pin.version)
    return targets


def _walk_pinned(role: str, pin: MetaFile, limit: int) -> Generator[Wanted, bytes | None, bytes]:
    """Get a metadata file of exactly the version and bytes that another one pins."""
    data = yield from _walk_file(f"metadata/{pin.version}.{role}.json", limit)
    try:
        pin.verify_length_and_hashes(data)
    except LengthOrHashMismatchError as error:
        raise StaleDirectoryError(f"{role}: {error}") from error
    return data


def _walk_file(path: str, limit: int) -> Generator[Wanted, bytes | None, bytes]:
    data = yield Wanted(path, limit)
    if data is None:
        raise StaleDirectoryError(f"there is no {path}")
    return _bounded(data, limit)


def _bounded(data: bytes, limit: int) -> bytes:
    if len(data) > limit:
        raise UntrustedDirectoryError(f"more than {limit} bytes")
    return data


# --- the entries ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Entries:
    records: list[PartnerRecord]
    policies: list[PolicyBundle]
    left_out: list[LeftOut]


def _walk_roles(
    targets: Targets, snapshot: Snapshot, now: int, wanted: Collection[str] | None
) -> Generator[Wanted, bytes | None, _Entries]:
    """Take every role's entries; what a role may not say, or says wrongly, is left out, and the rest stands."""
    entries = _Entries([], [], [])
    roles = _roles_of(targets)
    for role in roles:
        if wanted is not None and not any(role.is_delegated_path(path) for path in wanted):
            continue
        signed = yield from _walk_targets(targets, snapshot, role.name)
        if is_expired(signed, now):
            entries.left_out.append(LeftOut(role.name, "", StaleDirectoryError.code))
            continue
        for path, target in sorted(signed.targets.items()):
            if wanted is not None and path not in wanted:
                continue
            try:
                _check_path(path, target, role, roles)
                data = yield from _walk_target(path, target)
                _add_entry(entries, path, target, data)
            except (_LapseError, PartnerRecordError, JsonError) as lapse:
                entries.left_out.append(LeftOut(role.name, path, lapse.code))
    return entries


class _LapseError(UntrustedDirectoryError):
    """A role signed what it may not, or signed it in a way that says nothing."""


def _check_path(path: str, target: TargetFile, role: DelegatedRole, roles: Iterable[DelegatedRole]) -> None:
    """Check that a path is delegated to this role before any other, and that its file is pinned by digest."""
    first = next((one for one in roles if one.is_delegated_path(path)), None)
    if first is not role or not _SHA256.match(target.hashes.get("sha256", "")) or target.length > MAX_FILE:
        raise _LapseError(path)


def _walk_target(path: str, target: TargetFile) -> Generator[Wanted, bytes | None, bytes]:
    folder, slash, name = path.rpartition("/")
    published = f"targets/{folder}{slash}{target.hashes['sha256']}.{name}"
    data = yield from _walk_file(published, target.length)
    try:
        target.verify_length_and_hashes(data)
    except LengthOrHashMismatchError as error:
        raise UntrustedDirectoryError(f"{published}: {error}") from error
    return data


def _add_entry(entries: _Entries, path: str, target: TargetFile, data: bytes) -> None:
    policies = _POLICY_SET.match(path)
    if policies:
        entries.policies.append(PolicyBundle(digest=policies[1], version=_version_of(target), data=data))
        return
    record = parse_partner_record(data)
    if record_path(record.partner) != path:
        raise _LapseError(f"{record.partner} at {path}")
    entries.records.append(record)


def _version_of(target: TargetFile) -> int:
    version = target.custom.get("version") if isinstance(target.custom, dict) else None
    if not isinstance(version, int):
        raise _LapseError("a policy set without a version")
    return version


def _roles_of(targets: Targets) -> list[DelegatedRole]:
    """Return the delegated roles in the order of their precedence."""
    delegations = targets.delegations
    roles = [] if delegations is None or delegations.roles is None else list(delegations.roles.values())
    if any(not _ROLE_NAME.match(role.name) for role in roles):
        raise UntrustedDirectoryError("a role's name is no file name")
    return roles
