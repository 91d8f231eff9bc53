"""Keys at work: the newest that keystore and directory both have, from a file that changes while a program runs."""

import itertools
import logging
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pydantic import SecretStr

from hub.host.expiry import Ending, endings_of, expiring, standings
from hub.host.files import write_private
from hub.host.keystore import Keystore, write_keystore
from hub.host.live_keys import LiveKeys, second_signer
from hub.host.rotation import OPENING_OVERLAP, rotate
from hub.host.upkeep import look_after
from hub.protocol.directory import Directory, PartnerRecord
from hub.protocol.errors import (
    ExposedFileError,
    MissingKeyError,
    NoOpeningKeyError,
    NotEnrolledError,
    SetupError,
    StaleDirectoryError,
)
from hub.protocol.keyring import DAY, OPENING_GRACE, OPENING_LIFETIME, SIGNING_LIFETIME, Cost, Keyring, cost_of
from tests.support.office import FAST, NOW, record_for

WORD = SecretStr("correct horse battery staple")


@dataclass
class World:
    """A keystore on disk, and a directory that lists what the test says."""

    path: Path
    ring: Keyring = field(default_factory=lambda: Keyring.generate("fr-customs", now=NOW, second_signature=False))
    records: tuple[PartnerRecord, ...] = ()

    def write(self, ring: Keyring) -> None:
        self.ring = ring
        write_keystore(self.path, ring, WORD, cost=FAST)

    def enrol(self, ring: Keyring, **change: object) -> None:
        self.records = (record_for(ring, require=("Ed25519",)).model_copy(update=change),)

    def directory(self) -> Directory:
        if not self.records:
            raise StaleDirectoryError("none yet")
        return Directory(federation="exercise", version=1, digest="0" * 64, records=self.records)

    def open(self) -> LiveKeys:
        return LiveKeys(Keystore(self.path, WORD, partner="fr-customs"), self.directory)


@pytest.fixture
def world(tmp_path: Path) -> World:
    found = World(tmp_path / "keystore.json")
    found.write(found.ring)
    found.enrol(found.ring)
    return found


def test_a_new_key_signs_when_the_directory_lists_it_and_not_before(world: World) -> None:
    keys = world.open()
    assert keys.signer(at=NOW).kid == "fr-customs#s1"
    world.write(world.ring.rotate("sign", now=NOW))
    assert keys.signer(at=NOW).kid == "fr-customs#s1", "nobody could verify the new one yet"
    assert [key.kid for key in keys.entries()] == ["fr-customs#s1", "fr-customs#e1", "fr-customs#s2"]
    world.enrol(world.ring)
    assert keys.signer(at=NOW).kid == "fr-customs#s2"
    assert keys.signer(at=NOW + 5).sign(b"x") == keys.signer(at=NOW + 5).sign(b"x")


def test_a_key_of_the_same_name_in_another_keystore_does_not_sign(world: World) -> None:
    world.write(Keyring.generate("fr-customs", now=NOW, second_signature=False))
    with pytest.raises(NotEnrolledError, match="fr-customs#s1"):
        world.open().signer(at=NOW)


def test_a_revoked_key_does_not_sign(world: World) -> None:
    older = world.ring
    world.write(older.rotate("sign", now=NOW))
    entries = [
        key.model_copy(update={"status": "revoked", "revoked_at": NOW}) if key.kid == "fr-customs#s2" else key
        for key in world.ring.entries()
    ]
    world.enrol(world.ring, keys=tuple(entries))
    assert world.open().signer(at=NOW).kid == "fr-customs#s1"


def test_without_a_key_or_a_directory_each_has_its_error(world: World) -> None:
    keys = world.open()
    with pytest.raises(MissingKeyError):
        keys.signer(at=NOW + 2 * SIGNING_LIFETIME)
    with pytest.raises(NoOpeningKeyError):
        keys.opener("fr-customs#e9")
    world.records = ()
    with pytest.raises(StaleDirectoryError):
        keys.signer(at=NOW)


def test_a_keystore_that_cannot_be_read_again_changes_nothing(world: World, caplog: pytest.LogCaptureFixture) -> None:
    keys = world.open()
    write_private(world.path, b"{}")
    for _ in range(3):
        assert keys.signer(at=NOW).kid == "fr-customs#s1"
    assert [record.levelno for record in caplog.records] == [logging.WARNING], "told once, not at each use"
    world.write(world.ring.rotate("open", now=NOW))
    assert keys.opener("fr-customs#e2").kid == "fr-customs#e2"


def test_others_may_not_read_it_nor_may_it_be_anothers(world: World) -> None:
    world.path.chmod(0o640)
    with pytest.raises(ExposedFileError):
        world.open()
    world.write(Keyring.generate("de-customs", now=NOW, second_signature=False))
    with pytest.raises(SetupError, match="the keys of de-customs"):
        world.open()


def test_a_change_keeps_the_cost_and_what_another_program_wrote(world: World) -> None:
    store = Keystore(world.path, WORD, partner="fr-customs")
    store.change(lambda ring: ring.rotate("sign", now=NOW))
    after = Keystore(world.path, WORD, partner="fr-customs").change(lambda ring: ring.rotate("open", now=NOW))
    assert [key.kid for key in after.keys][2:] == ["fr-customs#s2", "fr-customs#e2"]
    assert cost_of(world.path.read_bytes()) == FAST != Cost()


def test_the_second_signature_begins_with_its_key_and_must_be_there_when_required(world: World) -> None:
    keys = world.open()
    assert second_signer(keys, world.directory(), at=NOW) is None
    world.enrol(world.ring, require=("Ed25519", "ML-DSA-65"))
    with pytest.raises(MissingKeyError):
        second_signer(keys, world.directory(), at=NOW)
    world.write(world.ring.rotate("sign2", now=NOW))
    with pytest.raises(NotEnrolledError):
        second_signer(keys, world.directory(), at=NOW)
    world.enrol(world.ring)
    found = second_signer(keys, world.directory(), at=NOW)
    assert found is not None
    assert found.kid == "fr-customs#m1", "signed twice before it is required, so that nothing is refused on the day"


def test_opening_keys_made_ahead_overlap(world: World) -> None:
    ring = rotate(world.ring, ["open"], start=NOW, count=12)
    ahead = [key for key in ring.keys if key.use == "open"][1:]
    assert len(ahead) == 12
    assert {after.nbf - before.exp for before, after in itertools.pairwise(ahead)} == {-OPENING_OVERLAP}
    assert all(key.exp - key.nbf == OPENING_LIFETIME for key in ahead)


async def test_opening_keys_are_destroyed_when_their_grace_is_over(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    world.write(world.ring.rotate("open", now=NOW + OPENING_LIFETIME))
    keys = world.open()
    over = NOW + OPENING_LIFETIME + OPENING_GRACE
    await look_after(keys, lambda: endings_of(keys.entries()), clock=lambda: over - 1)
    assert keys.opener("fr-customs#e1").kid == "fr-customs#e1"
    await look_after(keys, lambda: endings_of(keys.entries()), clock=lambda: over)
    with pytest.raises(NoOpeningKeyError):
        keys.opener("fr-customs#e1")
    assert [key.kid for key in Keystore(world.path, WORD, partner="fr-customs").read().keys] == [
        "fr-customs#s1",
        "fr-customs#e2",
    ]
    assert "destroyed 1 opening keys" in caplog.text
    assert "open ends in" in caplog.text


async def test_a_clock_that_no_directory_confirms_destroys_nothing(world: World) -> None:
    keys = world.open()
    world.records = ()  # as a clock months ahead would find it
    over = NOW + OPENING_LIFETIME + OPENING_GRACE
    await look_after(keys, lambda: (), clock=lambda: over)
    assert keys.opener("fr-customs#e1").kid == "fr-customs#e1"


def test_what_ends_soon_is_told_in_the_rhythm_in_which_it_is_renewed(world: World) -> None:
    endings = endings_of(world.ring.entries())
    assert expiring(endings, NOW) == ()
    assert [one.what for one in expiring(endings, NOW + OPENING_LIFETIME - 7 * DAY + 1)] == ["open"]
    later = endings_of(world.ring.rotate("open", now=NOW + 20 * DAY).entries())
    assert expiring(later, NOW + OPENING_LIFETIME - DAY) == (), "the next one is there"
    due = expiring(endings, NOW + SIGNING_LIFETIME - DAY)
    assert [(one.what, one.days(NOW + SIGNING_LIFETIME - DAY)) for one in due][1] == ("sign", 1)
    assert expiring([Ending("directory", NOW + 3 * DAY)], NOW) == ()
    assert expiring([Ending("directory", NOW + DAY)], NOW) == (Ending("directory", NOW + DAY),)


def test_each_key_is_shown_with_what_the_directory_says_of_it(world: World) -> None:
    world.write(world.ring.rotate("sign", now=NOW))
    assert {one.kid: one.status for one in standings(world.ring, world.directory())} == {
        "fr-customs#s1": "enrolled",
        "fr-customs#e1": "enrolled",
        "fr-customs#s2": "not enrolled",
    }
    assert {one.status for one in standings(world.ring, None)} == {"unknown"}
