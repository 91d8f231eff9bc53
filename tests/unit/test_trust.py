"""What a walk from a trusted root believes, and what it refuses: TUF's attacks, one by one."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp

from hub.authority.rolekeys import RoleKeys
from hub.protocol.errors import PartnerRecordError, StaleDirectoryError, UnknownPartnerError, UntrustedDirectoryError
from hub.protocol.wire import parse_wire, write_wire
from hub.verify.repository import Scope, record_path
from hub.verify.trust import Seen, TrustedDirectory, excerpt, refresh_directory, verify_directory
from tests.support.office import DAY, FAST, FEDERATION, NOW, PASSPHRASE, enrol, found_office, keys_of, published

Files = dict[str, bytes]


class Exchange:
    """A published directory with three partners and one policy set, and the keys of its roles for the attacks."""

    def __init__(self, folder: Path) -> None:
        self.office: Final = found_office(folder)
        enrol(self.office, "fr-customs", "de-police", "rilo-we")
        self.office.publish_policies("first", 1, b"{}", now=NOW)
        self.anchor: Final = self.office.anchor
        self.keys: Final = RoleKeys(folder / "keys", lambda _: PASSPHRASE, cost=FAST)

    @property
    def files(self) -> Files:
        return published(self.office)

    def believed(self, files: Mapping[str, bytes] | None = None, **given: Any) -> TrustedDirectory:
        return verify_directory(self.files if files is None else files, self.anchor, **({"now": NOW} | given))

    def sign(self, role: str, signed: Any, *, threshold: int = 1, by: str = "") -> bytes:
        """Sign metadata with keys of a role."""
        metadata = Metadata(signed)
        delegations = self.read(Targets, "targets").delegations
        named = self.read(Root, "root").roles.get(by or role)
        if named is None:
            assert delegations is not None
            assert delegations.roles is not None
            named = delegations.roles[by or role]
        for signer in self.keys.signers(by or role, named.keyids, threshold):
            metadata.sign(signer, append=True)
        return metadata.to_bytes()

    def read(self, kind: type[Any], role: str) -> Any:
        path = max(
            (path for path in self.files if path.endswith(f".{role}.json") or path == f"metadata/{role}.json"),
            key=lambda path: (len(path), path),
        )
        signed = Metadata.from_bytes(self.files[path]).signed
        assert isinstance(signed, kind)
        return signed

    def with_role(self, role: str, signed: Targets, files: Files | None = None) -> Files:
        """Publish what a role signs, in the next version, as an office without checks would."""
        signed.version += 1
        return self.pinning({f"{role}.json": (signed.version, self.sign(role, signed))}, files)

    def pinning(self, metadata: Mapping[str, tuple[int, bytes]], files: Files | None = None) -> Files:
        out = {**self.files, **(files or {})}
        snapshot, timestamp = self.read(Snapshot, "snapshot"), self.read(Timestamp, "timestamp")
        for name, (version, data) in metadata.items():
            out[f"metadata/{version}.{name}"] = data
            snapshot.meta[name] = MetaFile.from_data(version, data, ["sha256"])
        snapshot.version += 1
        data = self.sign("snapshot", snapshot)
        out[f"metadata/{snapshot.version}.snapshot.json"] = data
        timestamp.version += 1
        timestamp.snapshot_meta = MetaFile.from_data(snapshot.version, data, ["sha256"])
        out["metadata/timestamp.json"] = self.sign("timestamp", timestamp)
        return out


@pytest.fixture
def exchange(tmp_path: Path) -> Exchange:
    return Exchange(tmp_path / "exchange")


def test_a_published_directory_is_believed(exchange: Exchange) -> None:
    trusted = exchange.believed()
    assert [record.partner for record in trusted.directory.partners()] == ["de-police", "fr-customs", "rilo-we"]
    assert trusted.directory.federation == FEDERATION
    assert [(bundle.digest, bundle.version, bundle.data) for bundle in trusted.policies] == [("first", 1, b"{}")]
    assert trusted.left_out == ()
    assert trusted.expires == NOW + 7 * DAY
    assert parse_wire(Seen, write_wire(trusted.seen)) == trusted.seen


# --- thresholds -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["targets", "policies"])
def test_one_of_two_signatures_is_not_enough(exchange: Exchange, role: str) -> None:
    forged = exchange.with_role(role, exchange.read(Targets, role))
    with pytest.raises(UntrustedDirectoryError, match="1/2"):
        exchange.believed(forged)


def test_one_of_two_root_keys_makes_no_root(exchange: Exchange) -> None:
    root = exchange.read(Root, "root")
    root.version = 2
    one = {**exchange.files, "metadata/2.root.json": exchange.sign("root", root)}
    with pytest.raises(UntrustedDirectoryError, match="1/2"):
        exchange.believed(one)
    two = {**exchange.files, "metadata/2.root.json": exchange.sign("root", root, threshold=2)}
    assert exchange.believed(two).seen.root == 2


def test_one_signature_counts_once(exchange: Exchange) -> None:
    path = next(path for path in exchange.files if path.endswith("targets.json"))
    metadata = json.loads(exchange.files[path])
    metadata["signatures"] = [metadata["signatures"][0]] * 2
    forged = exchange.pinning({"targets.json": (1, json.dumps(metadata).encode())})
    with pytest.raises(UntrustedDirectoryError):
        exchange.believed(forged)


@pytest.mark.parametrize("role", ["snapshot", "timestamp", "national-de", "policies"])
def test_a_role_cannot_sign_for_another(exchange: Exchange, role: str) -> None:
    signed = exchange.read(Targets, "national-fr")
    signed.version += 1
    forged = exchange.pinning({"national-fr.json": (signed.version, exchange.sign(role, signed))})
    with pytest.raises(UntrustedDirectoryError):
        exchange.believed(forged)


def test_the_root_hands_over_to_itself_only(exchange: Exchange, tmp_path: Path) -> None:
    other = found_office(tmp_path / "other")
    with pytest.raises(UntrustedDirectoryError):
        verify_directory(exchange.files, other.anchor, now=NOW)
    with pytest.raises(UntrustedDirectoryError):
        exchange.believed({**exchange.files, "metadata/2.root.json": other.anchor})


@pytest.mark.parametrize("change", [{"version": 3}, {"federation": "other"}, {"federation": None}, {"loose": True}])
def test_a_root_is_the_next_of_the_same_federation(exchange: Exchange, change: dict[str, Any]) -> None:
    root = exchange.read(Root, "root")
    root.version = change.get("version", 2)
    if "federation" in change:
        root.unrecognized_fields["valise-federation"] = change["federation"]
    root.consistent_snapshot = "loose" not in change
    forged = {**exchange.files, "metadata/2.root.json": exchange.sign("root", root, threshold=2)}
    with pytest.raises((UntrustedDirectoryError, StaleDirectoryError)):
        exchange.believed(forged)


# --- time -----------------------------------------------------------------------------------------------------------


def test_a_frozen_directory_is_noticed(exchange: Exchange) -> None:
    exchange.believed(now=NOW + 7 * DAY - 1)
    with pytest.raises(StaleDirectoryError, match="timestamp expired"):
        exchange.believed(now=NOW + 7 * DAY)


@pytest.mark.parametrize(("after", "what"), [(30, "snapshot"), (366, "root")])
def test_each_role_expires(exchange: Exchange, after: int, what: str) -> None:
    timestamp = exchange.read(Timestamp, "timestamp")
    timestamp.version += 1
    timestamp.expires = datetime.fromtimestamp(NOW + 1000 * DAY, UTC)
    files = {**exchange.files, "metadata/timestamp.json": exchange.sign("timestamp", timestamp)}
    with pytest.raises(StaleDirectoryError, match=f"{what} expired"):
        exchange.believed(files, now=NOW + after * DAY)


def test_an_older_directory_is_refused(exchange: Exchange) -> None:
    old = exchange.files
    enrol(exchange.office, "fr-police")
    seen = exchange.believed().seen
    with pytest.raises(StaleDirectoryError):
        exchange.believed(old, seen=seen)
    assert exchange.believed(seen=seen).seen == seen  # the same again is not older


def test_no_part_of_it_may_be_older(exchange: Exchange) -> None:
    """The snapshot's key alone, in wrong hands, brings no revoked key back."""
    seen = exchange.believed().seen
    name = "national-fr.json"
    path = next(path for path in exchange.files if path.endswith(f"1.{name}"))
    with pytest.raises(StaleDirectoryError, match="is older than version 2"):
        exchange.believed(exchange.pinning({name: (1, exchange.files[path])}), seen=seen)


def test_a_role_cannot_disappear(exchange: Exchange) -> None:
    seen = exchange.believed().seen
    with pytest.raises(StaleDirectoryError, match="or gone"):
        exchange.believed(seen=seen.model_copy(update={"files": {**seen.files, "national-es.json": 1}}))
    with pytest.raises(StaleDirectoryError, match="root 1 after 2"):
        exchange.believed(seen=seen.model_copy(update={"root": 2}))


def test_new_keys_recover_from_versions_that_a_thief_made(exchange: Exchange) -> None:
    """TUF 5.3.11: a thief of the timestamp's key signs version 2^31; the root's keepers replace the key."""
    thief = exchange.believed().seen.model_copy(update={"timestamp": 2**31})
    with pytest.raises(StaleDirectoryError):
        exchange.believed(seen=thief)
    exchange.office.replace_keys("timestamp", now=NOW)
    assert exchange.believed(seen=thief).seen.root == 2


# --- mixed and altered files ----------------------------------------------------------------------------------------


def test_files_of_two_versions_do_not_mix(exchange: Exchange) -> None:
    before = exchange.files
    enrol(exchange.office, "fr-police")
    enrol(exchange.office, "fr-coastguard")
    after = exchange.files
    mixed = {**after, "metadata/4.national-fr.json": before["metadata/2.national-fr.json"]}
    with pytest.raises(StaleDirectoryError):
        exchange.believed(mixed)


def test_what_is_in_the_place_of_a_version_has_that_version(exchange: Exchange) -> None:
    """Without digests in the snapshot (TUF lets them be optional) the version inside still has to be right."""
    snapshot, timestamp = exchange.read(Snapshot, "snapshot"), exchange.read(Timestamp, "timestamp")
    snapshot.meta["national-fr.json"] = MetaFile(version=9)
    data = exchange.sign("snapshot", snapshot)
    timestamp.snapshot_meta = MetaFile(version=snapshot.version)
    files = {
        **exchange.files,
        f"metadata/{snapshot.version}.snapshot.json": data,
        "metadata/timestamp.json": exchange.sign("timestamp", timestamp),
        "metadata/9.national-fr.json": exchange.files["metadata/2.national-fr.json"],
    }
    with pytest.raises(StaleDirectoryError, match="in the place of 9"):
        exchange.believed(files)


def test_any_altered_file_is_refused(exchange: Exchange) -> None:
    needed = excerpt(exchange.files, scope("fr-customs", "de-police", "rilo-we"), exchange.anchor, now=NOW)
    assert any("partners/fr" in path for path in needed)
    for path, data in needed.items():
        place = data.index(b"1")
        altered = {**needed, path: data[:place] + b"2" + data[place + 1 :]}
        with pytest.raises((UntrustedDirectoryError, StaleDirectoryError)):
            exchange.believed(altered, scope=scope("fr-customs", "de-police", "rilo-we"))


def test_a_missing_file_is_refused(exchange: Exchange) -> None:
    needed = excerpt(exchange.files, scope("fr-customs"), exchange.anchor, now=NOW)
    for path in needed:
        left = {name: data for name, data in needed.items() if name != path}
        with pytest.raises(StaleDirectoryError):
            exchange.believed(left, scope=scope("fr-customs"))


def test_no_file_is_larger_than_it_may_be(exchange: Exchange) -> None:
    padded = exchange.files["metadata/timestamp.json"] + b" " * 20_000
    with pytest.raises(UntrustedDirectoryError, match="more than"):
        exchange.believed({**exchange.files, "metadata/timestamp.json": padded})


@pytest.mark.parametrize("data", [b"", b"{}", b"[" * 100_000, b"\xff", b'{"signed":{"_type":"targets"}}'])
def test_what_is_no_metadata_is_refused(exchange: Exchange, data: bytes) -> None:
    with pytest.raises(UntrustedDirectoryError):
        exchange.believed({**exchange.files, "metadata/timestamp.json": data})
    with pytest.raises(UntrustedDirectoryError):
        verify_directory(exchange.files, data, now=NOW)


def test_metadata_of_another_kind_is_refused(exchange: Exchange) -> None:
    with pytest.raises(UntrustedDirectoryError, match="in the place of timestamp"):
        exchange.believed({**exchange.files, "metadata/timestamp.json": exchange.files["metadata/1.root.json"]})


# --- an authority's own lapses stop its own partners only -----------------------------------------------------------


def entry(exchange: Exchange, path: str, data: bytes, role: str = "national-fr") -> Files:
    """Let a role sign a file at a path."""
    signed = exchange.read(Targets, role)
    target = TargetFile.from_data(path, data, ["sha256"])
    signed.targets[path] = target
    folder, _, name = path.rpartition("/")
    return exchange.with_role(role, signed, {f"targets/{folder}/{target.hashes['sha256']}.{name}": data})


def record_bytes(exchange: Exchange, partner: str) -> bytes:
    return write_wire(exchange.office.record(partner))


@pytest.mark.parametrize("partner", ["de-police", "de-customs", "rilo-we"])
def test_a_role_signs_nothing_outside_its_paths(exchange: Exchange, partner: str) -> None:
    """France's authority cannot give another country's partner keys of its own."""
    ring = keys_of(partner)
    stolen = exchange.office.record("de-police").model_copy(
        update={"partner": partner, "keys": ring.entries(), "country": "DE" if partner[:2] == "de" else "ZZ"}
    )
    trusted = exchange.believed(entry(exchange, record_path(partner), write_wire(stolen)))
    assert [(one.role, one.path) for one in trusted.left_out] == [("national-fr", record_path(partner))]
    assert trusted.left_out[0].code == UntrustedDirectoryError.code
    known = {record.partner: record for record in trusted.directory.partners()}
    assert known.keys() == {"fr-customs", "de-police", "rilo-we"}
    assert all(record.keys != ring.entries() for record in known.values())


def test_a_record_lies_at_its_own_path(exchange: Exchange) -> None:
    trusted = exchange.believed(entry(exchange, "partners/fr/fr-police.json", record_bytes(exchange, "de-police")))
    assert [one.path for one in trusted.left_out] == ["partners/fr/fr-police.json"]
    assert trusted.directory.partner("de-police").keys == exchange.office.record("de-police").keys


@pytest.mark.parametrize("data", [b"{}", b"not JSON", b""])
def test_a_malformed_record_is_left_out(exchange: Exchange, data: bytes) -> None:
    trusted = exchange.believed(entry(exchange, "partners/fr/fr-police.json", data))
    assert [one.path for one in trusted.left_out] == ["partners/fr/fr-police.json"]
    assert len(trusted.directory.partners()) == 3
    assert exchange.believed(entry(exchange, "partners/fr/fr-police.json", b"{}")).left_out[0].code == (
        PartnerRecordError.code
    )


def test_an_expired_role_takes_only_its_partners_along(exchange: Exchange) -> None:
    signed = exchange.read(Targets, "national-fr")
    signed.expires = datetime.fromtimestamp(NOW, UTC)
    trusted = exchange.believed(exchange.with_role("national-fr", signed))
    assert [(one.role, one.code) for one in trusted.left_out] == [("national-fr", StaleDirectoryError.code)]
    assert [record.partner for record in trusted.directory.partners()] == ["de-police", "rilo-we"]


# --- excerpts -------------------------------------------------------------------------------------------------------


def scope(*partners: str, policies: tuple[str, ...] = ()) -> Scope:
    return Scope(frozenset(partners), frozenset(policies))


def test_an_excerpt_knows_only_whom_it_is_about(exchange: Exchange) -> None:
    about = scope("fr-customs", policies=("first",))
    part = excerpt(exchange.files, about, exchange.anchor, now=NOW)
    trusted = exchange.believed(part, scope=about)
    whole = exchange.believed()
    assert [record.partner for record in trusted.directory.partners()] == ["fr-customs"]
    assert (trusted.directory.version, trusted.directory.digest) == (whole.directory.version, whole.directory.digest)
    assert [bundle.digest for bundle in trusted.policies] == ["first"]
    assert all(name not in path for path in part for name in ("de-police", "national-de", "exchange", "rilo"))
    with pytest.raises(UnknownPartnerError):
        trusted.directory.partner("de-police")


def test_an_excerpt_of_somebody_unknown_is_empty(exchange: Exchange) -> None:
    about = scope("es-customs", policies=("none",))
    assert (
        exchange.believed(excerpt(exchange.files, about, exchange.anchor, now=NOW), scope=about).directory.partners()
        == ()
    )


def test_old_evidence_stays_good_at_its_own_time(exchange: Exchange) -> None:
    part = excerpt(exchange.files, scope("fr-customs"), exchange.anchor, now=NOW)
    exchange.office.revoke("fr-customs#s1", since=NOW + 5, now=NOW + DAY)
    exchange.office.replace_keys("root", now=NOW + DAY)
    exchange.office.replace_keys("timestamp", now=NOW + DAY)
    then = exchange.believed(part, scope=scope("fr-customs")).directory
    later = exchange.believed(now=NOW + DAY).directory
    assert then.partner("fr-customs").keys[0].status == "active"
    assert later.partner("fr-customs").keys[0].status == "revoked"


# --- refreshing -----------------------------------------------------------------------------------------------------


async def test_a_client_fetches_only_what_is_new(exchange: Exchange) -> None:
    asked: list[str] = []

    async def fetch(path: str, limit: int) -> bytes | None:
        asked.append(path)
        return exchange.files[path][: limit + 1] if path in exchange.files else None

    trusted, known = await refresh_directory(fetch, exchange.anchor, now=NOW, seen=None, known={})
    assert set(asked) == {*known, "metadata/2.root.json"}
    asked.clear()
    again, known = await refresh_directory(fetch, exchange.anchor, now=NOW, seen=trusted.seen, known=known)
    assert asked == ["metadata/2.root.json", "metadata/timestamp.json"]
    enrol(exchange.office, "fr-police")
    asked.clear()
    newer, known = await refresh_directory(fetch, exchange.anchor, now=NOW, seen=again.seen, known=known)
    assert len(asked) == 5  # root (none), timestamp, snapshot, France's role, the new record
    assert newer.directory.partner("fr-police").country == "FR"
    assert verify_directory(known, exchange.anchor, now=NOW).directory.digest == newer.directory.digest
