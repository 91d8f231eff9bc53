"""The registry office of an exchange: it is founded once, and then enrols, suspends, revokes and publishes policy sets.

Every change is a new version of the whole directory, signed by the role that it is delegated to. Not for: checking
what a partner sends (`hub/protocol/enrolment.py`) or what a client gets (`hub/verify/trust.py`). Implements
`docs/protocol/09-directory.md` sections 2 and 7.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal, Self

from tuf.api.metadata import DelegatedRole, Delegations, Role, Root, Snapshot, TargetFile, Targets, Timestamp

from hub.authority.files import exclusive, read_file, write_file
from hub.authority.published import Published
from hub.authority.records import joined, requiring_second, revoked
from hub.authority.rolekeys import Passphrases, RoleKeys
from hub.host.files import PRIVATE
from hub.protocol.directory import PartnerRecord, country_of, parse_partner_record
from hub.protocol.enrolment import (
    Pending,
    authority_of,
    challenge_enrolment,
    check_renewal,
    check_request,
    record_of,
    request_digest,
    verify_enrolment,
)
from hub.protocol.errors import (
    EnrolmentError,
    NotARenewalError,
    PolicySetError,
    SetupError,
    UnknownPartnerError,
)
from hub.protocol.keyring import DAY, Cost
from hub.protocol.vocabulary import INTERNATIONAL, check_country
from hub.protocol.wire import parse_wire, write_wire
from hub.verify.metadata import FEDERATION, federation_of
from hub.verify.repository import policies_path, record_path

POLICIES_ROLE: Final = "policies"
RENEW_BEFORE: Final = 60 * DAY  # seconds: time to bring the keepers of the root's keys together


@dataclass(frozen=True, slots=True)
class Quorum:
    """How many keys a role has, and how many of them must sign."""

    keys: int
    threshold: int


QUORUMS: Final[Mapping[str, Quorum]] = MappingProxyType(
    {
        Root.type: Quorum(3, 2),
        Targets.type: Quorum(3, 2),  # it says who speaks for a country
        POLICIES_ROLE: Quorum(2, 2),  # no single person changes who gets what
        Snapshot.type: Quorum(1, 1),
        Timestamp.type: Quorum(1, 1),
    }
)
"""The default of each role; a country's role has one key, the country's."""

_ONE: Final = Quorum(1, 1)


class RegistryOffice:
    """One exchange's office, in a folder: `keys/` and `pending/` are private, `public/` is what everybody reads."""

    def __init__(self, folder: Path, passphrases: Passphrases, *, cost: Cost | None = None) -> None:
        """Open an office that was founded.

        Args:
            folder: where it lies.
            passphrases: is asked for a keystore's passphrase when its key is first needed.
            cost: of new keystores.

        Raises:
            SetupError: there is no office in the folder.
            UntrustedDirectoryError: what lies there is damaged.
        """
        self._folder: Final = folder
        self._keys: Final = RoleKeys(folder / "keys", passphrases, cost=cost)
        self._published: Final = Published(self.public, self._keys)
        self.federation: Final = federation_of(self._published.root())

    @classmethod
    def found(
        cls,
        folder: Path,
        passphrases: Passphrases,
        *,
        federation: str,
        countries: Collection[str],
        now: int,
        quorums: Mapping[str, Quorum] = QUORUMS,
        cost: Cost | None = None,
    ) -> Self:
        """Found an exchange: make the roles' keys, and publish an empty directory.

        Args:
            folder: a new or empty folder.
            passphrases: returns a passphrase for each new keystore.
            federation: the exchange's name; it is part of the root for ever.
            countries: whose authorities enrol partners; the exchange itself enrols those of no country.
            now: Unix seconds.
            quorums: keys and threshold of the roles.
            cost: of the keystores.

        Raises:
            SetupError: the folder is in use, or cannot be written.
            CodeListError: a country's code is none.
        """
        if folder.exists() and any(folder.iterdir()):
            raise SetupError(f"{folder.name} is not empty")
        keys = RoleKeys(folder / "keys", passphrases, cost=cost)
        published = Published(folder / "public", keys)
        root = Root(consistent_snapshot=True, unrecognized_fields={FEDERATION: federation})
        for role in (Root.type, Targets.type, Snapshot.type, Timestamp.type):
            root.roles[role].threshold = quorums[role].threshold
            for signer in keys.make(role, quorums[role].keys, now=now):
                root.add_key(signer.public_key, role)
        published.publish_root(root, now=now)
        targets = Targets(delegations=Delegations({}, {}))
        _delegate(targets, keys, POLICIES_ROLE, policies_path("*"), quorum=quorums[POLICIES_ROLE], now=now)
        changed: dict[str, Targets] = {Targets.type: targets, POLICIES_ROLE: Targets()}
        for country in sorted({*map(check_country, countries), INTERNATIONAL}):
            role = authority_of(country)
            _delegate(targets, keys, role, f"partners/{country.lower()}/*.json", now=now)
            changed[role] = Targets()
        published.publish(changed, {}, now=now)
        return cls(folder, passphrases, cost=cost)

    @property
    def public(self) -> Path:
        """The folder to serve."""
        return self._folder / "public"

    @property
    def anchor(self) -> bytes:
        """The first root, which partners and auditors get on a safe way."""
        return self._published.anchor

    def add_country(self, country: str, *, now: int) -> None:
        """Let one more country's authority enrol partners.

        Raises:
            CodeListError: no country's code.
            EnrolmentError: it does so already.
        """
        role = authority_of(check_country(country))
        with exclusive(self._folder):
            targets = self._published.targets()
            if role in self._roles():
                raise EnrolmentError(f"{role} exists")
            _delegate(targets, self._keys, role, f"partners/{country.lower()}/*.json", now=now)
            self._published.publish({Targets.type: targets, role: Targets()}, {}, now=now)

    # --- partners ---------------------------------------------------------------------------------------------------

    def challenge(self, request: bytes, *, country: str, now: int) -> bytes:
        """Check an enrolment request as a country's authority and return the challenge to send back.

        Raises:
            EnrolmentError, WeakKeyError, PossessionError: as `challenge_enrolment`.
        """
        authority = authority_of(country)
        if authority not in self._roles():
            raise EnrolmentError(f"{authority} is not an authority of this exchange")
        challenge, pending = challenge_enrolment(request, federation=self.federation, authority=authority, now=now)
        write_file(self._pending(pending.request), write_wire(pending), mode=PRIVATE)
        return challenge

    def enrol(self, proofs: Sequence[tuple[bytes, bytes]], *, now: int) -> tuple[PartnerRecord, ...]:
        """Publish the records of partners that proved their keys, all in one version.

        A partner that is in the directory already keeps its older keys there, and its revoked keys stay revoked.

        Args:
            proofs: each partner's request and answer.
            now: Unix seconds.

        Raises:
            EnrolmentError, PossessionError: as `verify_enrolment`, or none is pending; nothing is published.
        """
        records: dict[str, PartnerRecord] = {}
        with exclusive(self._folder):
            pending = [self._pending(request_digest(request)) for request, _ in proofs]
            for (request, answer), path in zip(proofs, pending, strict=True):
                if not path.exists():
                    raise EnrolmentError("no such challenge is pending")
                kept = parse_wire(Pending, read_file(path), error=EnrolmentError)
                record = verify_enrolment(request, answer, kept, now=now).record
                records[record.partner] = self._with_history(record, now)
            self._publish_records(records.values(), now)
            for path in pending:
                path.unlink()
        return tuple(records.values())

    def vouching(self, request: bytes, *, country: str, now: int) -> tuple[str, ...]:
        """Return the enrolled keys that vouch for a request; whose request it is needs no other proof then.

        Raises:
            NotARenewalError: none do.
            EnrolmentError, WeakKeyError, PossessionError: as `check_request`.
        """
        return self._renewal(request, country, now)[1]

    def renew_keys(self, requests: Sequence[bytes], *, now: int) -> tuple[PartnerRecord, ...]:
        """Publish new signature keys for which enrolled keys vouch, all in one version, without challenge or answer.

        An opening key cannot show by signing that it is held, so a new one takes the longer way.

        Raises:
            NotARenewalError: nobody vouches, or there is a new opening key; nothing is published.
            EnrolmentError, WeakKeyError, PossessionError: as `check_request`.
        """
        records: dict[str, PartnerRecord] = {}
        with exclusive(self._folder):
            for request in requests:
                record, _ = self._renewal(request, record_of(request).country, now)
                known = {(key.kid, key.pub) for key in self.record(record.partner).keys}
                unproven = [key.kid for key in record.keys if key.use == "open" and (key.kid, key.pub) not in known]
                if unproven:
                    raise NotARenewalError(f"{', '.join(unproven)}: to open is proven by opening; challenge it")
                records[record.partner] = self._with_history(record, now)
            self._publish_records(records.values(), now)
        return tuple(records.values())

    def _renewal(self, request: bytes, country: str, now: int) -> tuple[PartnerRecord, tuple[str, ...]]:
        record = check_request(request, federation=self.federation, authority=authority_of(country), now=now)
        try:
            return record, check_renewal(record, self.record(record.partner), now=now)
        except UnknownPartnerError as error:
            raise NotARenewalError(f"{record.partner} is not enrolled") from error

    def record(self, partner: str) -> PartnerRecord:
        """Return what the directory says of a partner.

        Raises:
            UnknownPartnerError: nothing.
        """
        path, role = record_path(partner), authority_of(country_of(partner))
        target = self._published.targets(role).targets.get(path) if role in self._roles() else None
        if target is None:
            raise UnknownPartnerError(partner[:64])
        return parse_partner_record(self._published.read_target(path, target))

    def set_status(self, partner: str, status: Literal["active", "suspended"], *, now: int) -> None:
        """Suspend a partner, or end that.

        Raises:
            UnknownPartnerError: there is none.
        """
        with exclusive(self._folder):
            record = self.record(partner)
            self._publish_records([record.model_copy(update={"status": status})], now)

    def require_second(self, partner: str, *, now: int) -> PartnerRecord:
        """Accept nothing of a partner any more without a second signature (ML-DSA-65). It cannot be taken back.

        Raises:
            UnknownPartnerError: there is none.
            EnrolmentError: it has no valid key for it, so that nothing of it would be accepted.
        """
        with exclusive(self._folder):
            required = requiring_second(self.record(partner), now=now)
            self._publish_records([required], now)
        return required

    def revoke(self, name: str, *, since: int, now: int) -> tuple[str, ...]:
        """Revoke a key, or all of a partner, from a time on: when it was stolen, which is before that was noticed.

        Args:
            name: a kid, or a partner's code for every key that it has, as when its keystore was copied.
            since: Unix seconds.
            now: Unix seconds.

        Returns:
            The kids.

        Raises:
            UnknownPartnerError, UnknownKeyError: there is no such key.
        """
        with exclusive(self._folder):
            record, kids = revoked(self.record(name.partition("#")[0]), name, since=since)
            self._publish_records([record], now)
        return kids

    def _with_history(self, record: PartnerRecord, now: int) -> PartnerRecord:
        try:
            return joined(self.record(record.partner), record, now=now)
        except UnknownPartnerError:
            return record

    def _publish_records(self, records: Iterable[PartnerRecord], now: int) -> None:
        changed: dict[str, Targets] = {}
        files: dict[str, bytes] = {}
        for record in records:
            path, data = record_path(record.partner), write_wire(record)
            parse_partner_record(data)  # whatever was changed, what is published has the published shape
            role = authority_of(record.country)
            targets = changed.setdefault(role, self._published.targets(role))
            targets.targets[path] = TargetFile.from_data(path, data, ["sha256"])
            files[path] = data
        self._published.publish(changed, files, now=now)

    # --- policy sets ------------------------------------------------------------------------------------------------

    def publish_policies(self, digest: str, version: int, data: bytes, *, now: int) -> None:
        """Put a policy set in force; those before it stay published, so that older decisions can be recomputed.

        Args:
            digest: the set's name, as decisions cite it.
            version: higher than that of the set in force.
            data: the bundle.
            now: Unix seconds.

        Raises:
            PolicySetError: the version is not higher.
        """
        path = policies_path(digest)
        with exclusive(self._folder):
            targets = self._published.targets(POLICIES_ROLE)
            newest = max((target.custom["version"] for target in targets.targets.values()), default=0)
            if version <= newest:
                raise PolicySetError(f"version {version} after {newest}")
            target = TargetFile.from_data(path, data, ["sha256"])
            target.unrecognized_fields["custom"] = {"version": version}
            targets.targets[path] = target
            self._published.publish({POLICIES_ROLE: targets}, {path: data}, now=now)

    # --- upkeep -----------------------------------------------------------------------------------------------------

    def renew(self, *, now: int) -> None:
        """Sign again what is in force: snapshot and timestamp always, a role or the root when it would soon expire."""
        with exclusive(self._folder):
            root = self._published.root()
            if _is_due(root, now):
                root.version += 1
                self._published.publish_root(root, now=now)
            roles = {role: self._published.targets(role) for role in (Targets.type, *self._roles())}
            due = {role: targets for role, targets in roles.items() if _is_due(targets, now)}
            self._published.publish(due, {}, now=now)

    def replace_keys(self, role: str, *, now: int) -> None:
        """Give a role new keys, as many as it has: after a theft, or when a person leaves.

        Clients follow at once: what the old keys sign from now on counts for nothing.

        Raises:
            EnrolmentError: there is no such role.
            MissingKeyError: not enough keystores are here of whoever names the role's keys.
        """
        with exclusive(self._folder):
            root, targets = self._published.root(), self._published.targets()
            changed = {Targets.type: targets} if role in (Targets.type, *self._roles()) else {}
            if role in root.roles:
                self._replace(root, root.roles[role], role, now)
                root.version += 1
                self._published.publish_root(root, now=now)
            elif role in self._roles():
                self._replace(targets, targets.get_delegated_role(role), role, now)
                changed[role] = self._published.targets(role)
            else:
                raise EnrolmentError(f"no role {role[:64]}")
            self._published.publish(changed, {}, now=now)

    def _replace(self, delegator: Root | Targets, named: Role, role: str, now: int) -> None:
        old = list(named.keyids)
        for signer in self._keys.make(role, len(old), now=now):
            delegator.add_key(signer.public_key, role)
        for keyid in old:
            delegator.revoke_key(keyid, role)

    def _roles(self) -> tuple[str, ...]:
        delegations = self._published.targets().delegations
        return () if delegations is None or delegations.roles is None else tuple(delegations.roles)

    def _pending(self, digest: str) -> Path:
        return self._folder / "pending" / f"{digest}.json"


def _delegate(targets: Targets, keys: RoleKeys, role: str, path: str, *, quorum: Quorum = _ONE, now: int) -> None:
    """Delegate a path pattern to a role with new keys; it alone answers for it (terminating)."""
    delegations = targets.delegations
    if delegations is None or delegations.roles is None:
        raise SetupError("the directory delegates nothing")
    delegations.roles[role] = DelegatedRole(role, [], quorum.threshold, terminating=True, paths=[path])
    for signer in keys.make(role, quorum.keys, now=now):
        targets.add_key(signer.public_key, role)


def _is_due(signed: Root | Targets, now: int) -> bool:
    return signed.expires.timestamp() < now + RENEW_BEFORE
