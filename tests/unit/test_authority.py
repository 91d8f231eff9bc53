"""The registry office: what it publishes, python-tuf's own client accepts; what it keeps, only its owner reads."""

import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tuf.api.exceptions import DownloadHTTPError
from tuf.ngclient.fetcher import FetcherInterface
from tuf.ngclient.updater import Updater

from hub.authority.exchange import Quorum, RegistryOffice
from hub.authority.files import exclusive
from hub.authority.records import joined
from hub.authority.rolekeys import RoleKeys, RoleSigner
from hub.protocol.enrolment import request_enrolment
from hub.protocol.errors import (
    CodeListError,
    EnrolmentError,
    MissingKeyError,
    NotARenewalError,
    PassphraseError,
    PolicySetError,
    PossessionError,
    SetupError,
    UnknownKeyError,
    UnknownPartnerError,
    UntrustedDirectoryError,
)
from hub.protocol.keyring import OPENING_GRACE, OPENING_LIFETIME, Keyring
from hub.protocol.wire import write_wire
from hub.verify.repository import policies_path, record_path
from hub.verify.trust import TrustedDirectory, verify_directory
from tests.support.office import (
    DAY,
    FAST,
    FEDERATION,
    NOW,
    PASSPHRASE,
    enrol,
    found_office,
    keys_of,
    prove,
    published,
    record_for,
)


@pytest.fixture
def office(tmp_path: Path) -> RegistryOffice:
    return found_office(tmp_path / "exchange")


def believed(office: RegistryOffice, *, now: int = NOW) -> TrustedDirectory:
    return verify_directory(published(office), office.anchor, now=now)


# --- python-tuf's client --------------------------------------------------------------------------------------------


class FolderFetcher(FetcherInterface):
    """Serves a folder as a web server would."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _fetch(self, url: str) -> Iterator[bytes]:
        path = self._folder / url.removeprefix("https://exchange.example/")
        if not path.is_file():
            raise DownloadHTTPError("absent", 404)
        yield path.read_bytes()


def test_python_tufs_client_accepts_what_is_published(tmp_path: Path) -> None:
    now = int(time.time())  # this client reads the wall clock
    office = found_office(tmp_path / "exchange", now=now)
    enrol(office, "fr-customs", "rilo-we", now=now)
    office.publish_policies("first", 1, b"{}", now=now)
    for role in ("root", "targets", "timestamp", "policies", "national-fr"):
        office.replace_keys(role, now=now)
    for folder in ("client", "downloads"):
        (tmp_path / folder).mkdir()
    updater = Updater(
        str(tmp_path / "client"),
        "https://exchange.example/metadata/",
        str(tmp_path / "downloads"),
        "https://exchange.example/targets/",
        fetcher=FolderFetcher(office.public),
        bootstrap=office.anchor,
    )
    updater.refresh()
    ours = believed(office, now=now)
    expected = {record_path(record.partner): write_wire(record) for record in ours.directory.partners()}
    expected |= {policies_path(bundle.digest): bundle.data for bundle in ours.policies}
    assert len(expected) == 3
    for path, data in expected.items():
        info = updater.get_targetinfo(path)
        assert info is not None, path
        assert Path(updater.download_target(info)).read_bytes() == data
    assert updater.get_targetinfo(record_path("de-customs")) is None


# --- founding -------------------------------------------------------------------------------------------------------


def test_a_founded_exchange_is_empty_and_believed(office: RegistryOffice) -> None:
    trusted = believed(office)
    assert trusted.directory.partners() == ()
    assert trusted.directory.federation == office.federation == FEDERATION
    assert set(trusted.seen.files) == {
        "snapshot.json",
        "targets.json",
        "policies.json",
        "exchange.json",
        "national-de.json",
        "national-fr.json",
    }


def test_private_files_are_their_owners(office: RegistryOffice, tmp_path: Path) -> None:
    prove(office, keys_of("fr-customs"))
    folder = tmp_path / "exchange"
    private = [*(folder / "keys").iterdir(), *(folder / "pending").iterdir()]
    assert len(private) == 3 + 3 + 2 + 1 + 1 + 3 + 1
    assert {stat.S_IMODE(path.stat().st_mode) for path in private} == {0o600}
    assert all(b"secret" not in path.read_bytes() for path in (folder / "keys").iterdir())


def test_a_folder_in_use_is_left_alone(office: RegistryOffice, tmp_path: Path) -> None:
    before = published(office)
    with pytest.raises(SetupError):
        found_office(tmp_path / "exchange")
    assert published(office) == before


def test_an_office_must_have_been_founded(tmp_path: Path) -> None:
    with pytest.raises(SetupError):
        RegistryOffice(tmp_path / "nowhere", lambda _: PASSPHRASE)


def test_countries_have_codes(tmp_path: Path) -> None:
    with pytest.raises(CodeListError):
        found_office(tmp_path / "exchange", ["Atlantis"])


def test_a_country_can_join_later(office: RegistryOffice) -> None:
    with pytest.raises(EnrolmentError, match="national-es is not an authority"):
        enrol(office, "es-customs")
    office.add_country("ES", now=NOW)
    enrol(office, "es-customs")
    assert believed(office).directory.partner("es-customs").country == "ES"
    with pytest.raises(EnrolmentError):
        office.add_country("ES", now=NOW)


# --- the roles' keys ------------------------------------------------------------------------------------------------


def reopened(tmp_path: Path, passphrase: str = PASSPHRASE) -> RegistryOffice:
    return RegistryOffice(tmp_path / "exchange", lambda _: passphrase, cost=FAST)


def test_an_office_opens_again(office: RegistryOffice, tmp_path: Path) -> None:
    enrol(reopened(tmp_path), "fr-customs")
    assert believed(office).directory.partner("fr-customs").status == "active"


def test_another_passphrase_signs_nothing(office: RegistryOffice, tmp_path: Path) -> None:
    before = published(office)
    with pytest.raises(PassphraseError):
        reopened(tmp_path, "guess").renew(now=NOW)
    assert published(office) == before


def test_a_quorum_needs_no_more_than_its_threshold(office: RegistryOffice, tmp_path: Path) -> None:
    keys = tmp_path / "exchange/keys"
    (keys / "targets-2.keys").unlink()
    reopened(tmp_path).add_country("ES", now=NOW)
    (keys / "targets-3.keys").unlink()
    before = believed(office).seen
    assert "national-es.json" in before.files
    with pytest.raises(MissingKeyError, match="1 of 2"):
        reopened(tmp_path).add_country("IT", now=NOW)
    assert believed(office).seen == before


def test_quorums_are_chosen_at_the_founding(tmp_path: Path) -> None:
    one = Quorum(1, 1)
    roles = ("root", "targets", "policies", "snapshot", "timestamp")
    office = found_office(tmp_path / "exchange", quorums=dict.fromkeys(roles, one))
    enrol(office, "fr-customs")
    assert believed(office).directory.partner("fr-customs").kind == "customs"


def test_replaced_keys_sign_nothing_any_more(office: RegistryOffice, tmp_path: Path) -> None:
    for role in ("root", "targets", "snapshot", "timestamp", "policies", "national-fr"):
        stolen = sorted((tmp_path / "exchange/keys").glob(f"{role}-*.keys"))
        office.replace_keys(role, now=NOW)
        for path in stolen:
            if role != "root":  # the old root's keys sign once more, for their successor
                path.unlink()
    enrol(office, "fr-customs", "de-customs")
    trusted = believed(office)
    assert trusted.seen.root == 5
    assert len(trusted.directory.partners()) == 2
    with pytest.raises(EnrolmentError):
        office.replace_keys("national-it", now=NOW)


def test_a_signer_comes_from_its_keystore_only(tmp_path: Path) -> None:
    signer = RoleKeys(tmp_path, lambda _: PASSPHRASE, cost=FAST).make("root", 1, now=NOW)[0]
    assert signer.public_key.keytype == "ed25519"
    with pytest.raises(MissingKeyError):
        RoleSigner.from_priv_key_uri("file:root", signer.public_key)


# --- partners -------------------------------------------------------------------------------------------------------


def test_many_partners_are_one_version(office: RegistryOffice) -> None:
    before = believed(office).directory.version
    enrol(office, "fr-customs", "fr-police", "de-customs", "rilo-we")
    after = believed(office).directory
    assert (after.version, len(after.partners())) == (before + 1, 4)


def test_one_bad_proof_publishes_nothing(office: RegistryOffice) -> None:
    good, bad = (prove(office, keys_of(partner)) for partner in ("fr-customs", "de-customs"))
    before = published(office)
    with pytest.raises(PossessionError):
        office.enrol([good, (bad[0], good[1])], now=NOW)
    with pytest.raises(EnrolmentError):
        office.enrol([good, (good[1], bad[1])], now=NOW)
    assert published(office) == before
    assert len(office.enrol([good, bad], now=NOW)) == 2


def test_an_answer_enrols_once(office: RegistryOffice) -> None:
    proof = prove(office, keys_of("fr-customs"))
    office.enrol([proof], now=NOW)
    with pytest.raises(EnrolmentError, match="pending"):
        office.enrol([proof], now=NOW)


def test_an_authority_challenges_its_own_only(office: RegistryOffice) -> None:
    with pytest.raises(EnrolmentError):
        office.challenge(prove(office, keys_of("fr-customs"))[0], country="DE", now=NOW)


def test_suspension_comes_and_goes(office: RegistryOffice) -> None:
    ring = enrol(office, "fr-customs")["fr-customs"]
    office.set_status("fr-customs", "suspended", now=NOW)
    assert believed(office).directory.partner("fr-customs").status == "suspended"
    office.enrol([prove(office, ring.rotate("open", now=NOW + DAY), now=NOW + DAY)], now=NOW + DAY)
    assert office.record("fr-customs").status == "suspended"  # a new enrolment does not end it
    office.set_status("fr-customs", "active", now=NOW)
    assert believed(office).directory.partner("fr-customs").status == "active"


def test_a_revoked_key_stays_revoked(office: RegistryOffice) -> None:
    ring = enrol(office, "fr-customs")["fr-customs"]
    office.revoke("fr-customs#s1", since=NOW + 5, now=NOW + DAY)
    renewed = ring.rotate("sign", now=NOW + DAY)
    office.enrol([prove(office, renewed, now=NOW + DAY)], now=NOW + DAY)
    keys = {key.kid: key for key in believed(office, now=NOW + DAY).directory.partner("fr-customs").keys}
    assert (keys["fr-customs#s1"].status, keys["fr-customs#s1"].revoked_at) == ("revoked", NOW + 5)
    assert keys["fr-customs#s2"].status == "active"


def test_what_is_required_only_grows(office: RegistryOffice) -> None:
    ring = enrol(office, "fr-customs")["fr-customs"]
    office.enrol([prove(office, ring, require=("Ed25519",))], now=NOW)
    assert set(office.record("fr-customs").require) == {"Ed25519", "ML-DSA-65"}


def test_a_key_keeps_its_name(office: RegistryOffice) -> None:
    enrol(office, "fr-customs")
    with pytest.raises(EnrolmentError, match="this name"):
        enrol(office, "fr-customs")  # other keys of the same names


def renewal(office: RegistryOffice, ring: Keyring, *, now: int, **members: Any) -> bytes:
    record = record_for(ring, **members)
    return request_enrolment(record, ring.signers(), federation=office.federation, now=now)


def test_a_renewal_proves_no_opening_key_by_an_old_name(office: RegistryOffice) -> None:
    rings = enrol(office, "fr-customs", "de-customs")
    later = NOW + OPENING_LIFETIME + OPENING_GRACE + DAY
    ended = next(key for key in rings["fr-customs"].entries() if key.use == "open")
    strange = next(key for key in rings["de-customs"].entries() if key.use == "open")
    taken = ended.model_copy(update={"pub": strange.pub, "nbf": later, "exp": later + DAY})
    keys = tuple(taken if key.use == "open" else key for key in rings["fr-customs"].entries())
    with pytest.raises(NotARenewalError, match="proven by opening"):
        office.renew_keys([renewal(office, rings["fr-customs"], now=later, keys=keys)], now=later)
    with pytest.raises(EnrolmentError, match="this name"):
        joined(office.record("fr-customs"), record_for(rings["fr-customs"], keys=keys), now=later)


def test_a_renewal_requires_nothing_new(office: RegistryOffice) -> None:
    """Or the thief of one key would require a second signature that only he can make."""
    ring = keys_of("fr-customs")
    office.enrol([prove(office, ring, require=("Ed25519",))], now=NOW)
    with pytest.raises(NotARenewalError):
        office.renew_keys([renewal(office, ring.rotate("sign2", now=NOW), now=NOW)], now=NOW)
    office.renew_keys([renewal(office, ring.rotate("sign2", now=NOW), now=NOW, require=("Ed25519",))], now=NOW)
    assert office.record("fr-customs").require == ("Ed25519",)


@pytest.mark.parametrize("kid", ["fr-customs#s2", "fr-customs#"])
def test_only_what_is_there_can_be_revoked(office: RegistryOffice, kid: str) -> None:
    enrol(office, "fr-customs")
    with pytest.raises(UnknownKeyError):
        office.revoke(kid, since=NOW, now=NOW)
    for partner in ("fr-police", "es-customs"):
        with pytest.raises(UnknownPartnerError):
            office.set_status(partner, "suspended", now=NOW)


# --- policy sets and upkeep -----------------------------------------------------------------------------------------


def test_policy_sets_follow_one_another(office: RegistryOffice) -> None:
    office.publish_policies("first", 1, b"1", now=NOW)
    office.publish_policies("second", 2, b"2", now=NOW)
    with pytest.raises(PolicySetError):
        office.publish_policies("third", 2, b"3", now=NOW)
    assert [(bundle.digest, bundle.data) for bundle in believed(office).policies] == [("first", b"1"), ("second", b"2")]


def test_what_is_renewed_in_time_never_expires(office: RegistryOffice) -> None:
    enrol(office, "fr-customs")
    for week in range(1, 60):
        office.renew(now=NOW + week * 6 * DAY)
    trusted = believed(office, now=NOW + 60 * 6 * DAY)
    assert trusted.left_out == ()
    assert trusted.seen.root == 2
    assert trusted.directory.partner("fr-customs").name == "Fr-Customs"


def test_only_one_clerk_changes_the_directory(office: RegistryOffice, tmp_path: Path) -> None:
    with exclusive(tmp_path / "exchange"), pytest.raises(SetupError, match="another process"):
        office.renew(now=NOW)


def test_a_stop_before_the_timestamp_changes_nothing(office: RegistryOffice, tmp_path: Path) -> None:
    enrol(office, "fr-customs")
    proof = prove(office, keys_of("fr-police"))
    (tmp_path / "exchange/keys/timestamp-1.keys").rename(tmp_path / "away")
    before = believed(office)
    with pytest.raises(MissingKeyError):
        reopened(tmp_path).enrol([proof], now=NOW)
    assert believed(office).seen == before.seen
    (tmp_path / "away").rename(tmp_path / "exchange/keys/timestamp-1.keys")
    reopened(tmp_path).enrol([proof], now=NOW)
    assert believed(office).directory.partner("fr-police").status == "active"


def test_a_damaged_folder_is_noticed(office: RegistryOffice, tmp_path: Path) -> None:
    (office.public / "metadata/1.root.json").write_bytes(b"{}")
    with pytest.raises(UntrustedDirectoryError):
        reopened(tmp_path)
