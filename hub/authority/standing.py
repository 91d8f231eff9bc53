"""How each role of a directory stands: its keys, whose keystores are here, and when what it signed ends.

Not for: changing anything (`exchange.py`). User's page: `docs/how-to/rotate-keys.md`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tuf.api.metadata import Role, Root, Signed, Snapshot, Targets, Timestamp

from hub.authority.published import Published
from hub.authority.rolekeys import RoleKeys


@dataclass(frozen=True, slots=True)
class RoleStanding:
    """One role: how many keys it has, how many must sign, how many keystores lie here; `expires` in Unix seconds."""

    role: str
    keys: int
    threshold: int
    here: int
    expires: int


def role_standings(folder: Path) -> Sequence[RoleStanding]:
    """Return the roles of an office's folder, the root first; no passphrase is asked for.

    Raises:
        SetupError: there is no office in the folder.
        UntrustedDirectoryError: what lies there is damaged.
    """
    return list(_standings(folder))


def _standings(folder: Path) -> Iterator[RoleStanding]:
    published = Published(folder / "public", RoleKeys(folder / "keys", lambda _: ""))
    root, targets = published.root(), published.targets()

    def standing(name: str, role: Role, signed: Signed) -> RoleStanding:
        here = len(list((folder / "keys").glob(f"{name}-*.keys")))
        return RoleStanding(name, len(role.keyids), role.threshold, here, int(signed.expires.timestamp()))

    yield standing(Root.type, root.roles[Root.type], root)
    yield standing(Timestamp.type, root.roles[Timestamp.type], published.timestamp())
    yield standing(Snapshot.type, root.roles[Snapshot.type], published.snapshot())
    yield standing(Targets.type, root.roles[Targets.type], targets)
    delegated = targets.delegations.roles if targets.delegations is not None else None
    for name, role in (delegated or {}).items():
        yield standing(name, role, published.targets(name))
