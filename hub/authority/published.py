"""The published folder, as the registry office reads and extends it: one change is one version of the whole.

Not for: believing it (`hub/verify/trust.py`). Implements `docs/protocol/09-directory.md` section 2.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tuf.api.metadata import Metadata, MetaFile, Role, Root, Snapshot, T, TargetFile, Targets, Timestamp

from hub.authority.files import read_file, write_file
from hub.authority.rolekeys import RoleKeys
from hub.host.files import PUBLIC
from hub.protocol.keyring import DAY
from hub.verify.metadata import parse_metadata

LIFETIMES: Final = {
    Timestamp.type: 7 * DAY,  # how long a frozen directory can go unnoticed
    Snapshot.type: 30 * DAY,
    Root.type: 366 * DAY,
    Targets.type: 366 * DAY,  # of the delegated roles, too
}
"""Seconds after which metadata must have been signed again."""


class Published:
    """A TUF repository with consistent snapshots. Its timestamp, written last, switches to a new version of all."""

    def __init__(self, folder: Path, keys: RoleKeys) -> None:
        """Take the folder and the keys to sign with."""
        self._folder: Final = folder
        self._keys: Final = keys

    @property
    def anchor(self) -> bytes:
        """The first root: what partners get on a safe way, and what everything else hangs on."""
        return read_file(self._metadata("1.root"))

    def root(self) -> Root:
        """Return the newest root.

        Raises:
            SetupError: there is none.
        """
        paths = (self._folder / "metadata").glob("*.root.json")
        version = max((int(path.name.partition(".")[0]) for path in paths), default=1)
        return parse_metadata(Root, read_file(self._metadata(f"{version}.root"))).signed

    def timestamp(self) -> Timestamp:
        """Return the timestamp in force."""
        return parse_metadata(Timestamp, read_file(self._metadata(Timestamp.type))).signed

    def snapshot(self) -> Snapshot:
        """Return the snapshot in force."""
        version = self.timestamp().snapshot_meta.version
        return parse_metadata(Snapshot, read_file(self._metadata(f"{version}.snapshot"))).signed

    def targets(self, role: str = Targets.type) -> Targets:
        """Return what a role says now."""
        version = self.snapshot().meta[f"{role}.json"].version
        return parse_metadata(Targets, read_file(self._metadata(f"{version}.{role}"))).signed

    def read_target(self, path: str, target: TargetFile) -> bytes:
        """Return a published file."""
        return read_file(self._target(path, target))

    def publish_root(self, root: Root, *, now: int) -> None:
        """Sign and write a root, by its own keys and by those of its predecessor.

        Raises:
            MissingKeyError, KeystoreError: not enough keystores are here, or they do not open.
        """
        roles = [root.roles[Root.type]]
        if root.version > 1:
            roles.append(self.root().roles[Root.type])
        self._write(f"{root.version}.root", Root.type, root, roles, now)

    def publish(self, changed: Mapping[str, Targets], files: Mapping[str, bytes], *, now: int) -> None:
        """Publish the next version of the directory.

        Args:
            changed: what roles say from now on; their versions and times are set here.
            files: new files by target path; `changed` pins them already.
            now: Unix seconds.

        Raises:
            MissingKeyError, KeystoreError: not enough keystores are here, or they do not open; nothing is published.
        """
        root = self.root()
        snapshot, timestamp = self._in_force()
        delegator = changed[Targets.type] if Targets.type in changed else self.targets()
        for role, targets in changed.items():
            previous = snapshot.meta.get(f"{role}.json")
            targets.version = previous.version + 1 if previous else 1
            delegated = root.roles[role] if role == Targets.type else delegator.get_delegated_role(role)
            written = self._write(f"{targets.version}.{role}", role, targets, [delegated], now)
            snapshot.meta[f"{role}.json"] = MetaFile.from_data(targets.version, written, ["sha256"])
        for path, data in files.items():
            write_file(self._target(path, TargetFile.from_data(path, data, ["sha256"])), data, mode=PUBLIC)
        name = f"{snapshot.version}.snapshot"
        written = self._write(name, Snapshot.type, snapshot, [root.roles[Snapshot.type]], now)
        timestamp.snapshot_meta = MetaFile.from_data(snapshot.version, written, ["sha256"])
        self._write(Timestamp.type, Timestamp.type, timestamp, [root.roles[Timestamp.type]], now)

    def renew_timestamp(self, *, now: int) -> None:
        """Sign again that the version in force is the newest, before the timestamp expires."""
        timestamp = self.timestamp()
        timestamp.version += 1
        self._write(Timestamp.type, Timestamp.type, timestamp, [self.root().roles[Timestamp.type]], now)

    def _in_force(self) -> tuple[Snapshot, Timestamp]:
        """Return the next snapshot and timestamp, still saying what those in force say."""
        if not self._metadata(Timestamp.type).exists():
            return Snapshot(version=1, meta={}), Timestamp(version=1)
        snapshot, timestamp = self.snapshot(), self.timestamp()
        snapshot.version += 1
        timestamp.version += 1
        return snapshot, timestamp

    def _write(self, name: str, role: str, signed: T, delegated: Sequence[Role], now: int) -> bytes:
        """Sign with the keys of each delegated role and write; return the bytes."""
        signed.expires = datetime.fromtimestamp(now + LIFETIMES.get(role, LIFETIMES[Targets.type]), UTC)
        metadata = Metadata(signed)
        for by in delegated:
            for signer in self._keys.signers(role, by.keyids, by.threshold):
                metadata.sign(signer, append=True)
        data = metadata.to_bytes()
        write_file(self._metadata(name), data, mode=PUBLIC)
        return data

    def _metadata(self, name: str) -> Path:
        return self._folder / "metadata" / f"{name}.json"

    def _target(self, path: str, target: TargetFile) -> Path:
        folder, _, name = path.rpartition("/")
        return self._folder / "targets" / folder / f"{target.hashes['sha256']}.{name}"
