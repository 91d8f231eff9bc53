"""What an agency keeps on disk: private files, the keystore, and drafts sealed to the agency itself."""

import stat
from pathlib import Path

import pytest
from pydantic import SecretStr

from connectors.kit.at_rest import put_away, take_out
from hub.host.files import read_private, write_private
from hub.host.keystore import read_keystore, write_keystore
from hub.protocol.errors import CorruptKeystoreError, NoOpeningKeyError, OpenError, PassphraseError, SetupError
from hub.protocol.keyring import Cost, Keyring

NOW = 1_800_000_000
FAST = Cost(memory_kib=8, passes=1)  # a test's keystore protects nothing
WORD = SecretStr("correct horse battery staple")


@pytest.fixture
def keyring() -> Keyring:
    return Keyring.generate("fr-customs", now=NOW, second_signature=False)


def test_a_keystore_is_the_owners_alone_and_comes_back(tmp_path: Path, keyring: Keyring) -> None:
    file = tmp_path / "keystore.json"
    write_keystore(file, keyring, WORD, cost=FAST)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert read_keystore(file, WORD).keys == keyring.keys
    assert [path.name for path in tmp_path.iterdir()] == ["keystore.json"], "nothing is left beside it"


def test_a_keystore_that_others_may_read_is_refused(tmp_path: Path, keyring: Keyring) -> None:
    file = tmp_path / "keystore.json"
    write_keystore(file, keyring, WORD, cost=FAST)
    file.chmod(0o604)
    with pytest.raises(SetupError, match="chmod 600"):
        read_keystore(file, WORD)


def test_a_wrong_passphrase_and_a_damaged_keystore_are_told_apart_where_they_can_be(
    tmp_path: Path, keyring: Keyring
) -> None:
    file = tmp_path / "keystore.json"
    write_keystore(file, keyring, WORD, cost=FAST)
    with pytest.raises(PassphraseError):
        read_keystore(file, SecretStr("wrong"))
    write_private(file, b"{}")
    with pytest.raises(CorruptKeystoreError):
        read_keystore(file, WORD)
    with pytest.raises(SetupError, match="nowhere"):
        read_keystore(tmp_path / "nowhere", WORD)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "file"
    write_private(file, b"old")
    tmp_path.chmod(0o500)
    try:
        write_private(file, b"new")  # root may write anywhere; then the new one is whole
    except SetupError:
        assert file.read_bytes() == b"old"
    else:
        assert file.read_bytes() == b"new"
    finally:
        tmp_path.chmod(0o700)
    with pytest.raises(SetupError, match="more than 2 bytes"):
        read_private(file, limit=2)


def test_a_draft_is_unreadable_without_its_key(keyring: Keyring) -> None:
    key = next(entry for entry in keyring.entries() if entry.use == "open")
    kept = put_away(b"a name", key)
    assert b"a name" not in kept
    assert take_out(kept, keyring) == b"a name"
    assert put_away(b"a name", key) != kept
    with pytest.raises(NoOpeningKeyError):
        take_out(kept, Keyring("fr-customs", ()))
    with pytest.raises(OpenError):
        take_out(kept[:-1] + bytes([kept[-1] ^ 1]), keyring)
    for wrong in (b"", b"x", kept[:40]):
        with pytest.raises(OpenError):
            take_out(wrong, keyring)
