"""The connector's settings: what is refused, and that the refusal names what to write instead."""

from pathlib import Path

import pytest
from pydantic import BaseModel

from connectors.kit.link_settings import LINKS
from connectors.kit.settings import ConnectorSettings, read_passphrase, read_settings
from hub.protocol.errors import SetupError

GOOD = """
partner = "fr-customs"
federation = "exercise"
hub = "int-hub"
hub_url = "http://127.0.0.1:8420/"
"""


def _folder(path: Path, text: str) -> Path:
    (path / "agency.toml").write_text(text)
    return path


def test_defaults_are_safe_and_paths_absolute(tmp_path: Path) -> None:
    settings = read_settings(_folder(tmp_path, GOOD))
    assert settings.mode == "exercise"
    assert settings.hub_url == "http://127.0.0.1:8420"
    assert settings.keystore == tmp_path / "keystore.json"
    assert settings.passphrase_file is None


def test_every_setting_is_described() -> None:
    shapes: tuple[type[BaseModel], ...] = (ConnectorSettings, *LINKS.values())
    for shape in shapes:
        assert all(field.description for field in shape.model_fields.values()), shape


def test_paths_in_tables_are_absolute_as_well(tmp_path: Path) -> None:
    settings = read_settings(_folder(tmp_path, GOOD + "[drop]\nfolder = 'files'\ndefaults = { tlp = 'RED' }"))
    assert settings.drop is not None
    assert settings.drop.folder == tmp_path / "files"
    assert settings.webhook is None


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("huburl = 'https://hub.example'", "'huburl'; did you mean 'hub_url'?"),
        ("poll_seconds = 31", "poll_seconds"),
        ("mode = 'earnest'", "mode"),
        ("partner = ", "agency.toml"),
        ("[drop]\nfoldr = 'x'", "'drop.foldr'; did you mean 'folder'?"),
        ("[drop]\nfolder = 'x'\ntime_zone = 'Europe/Pari'", "no time zone is called 'Europe/Pari'"),
        ("[webhook]\nurl = 'http://host.example/'\nsecret_file = 's'", "http is for this machine only"),
        ("[mail]\nhost = 'mail.example'", "mail.sender"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str, told: str) -> None:
    with pytest.raises(SetupError, match="agency") as caught:
        read_settings(_folder(tmp_path, GOOD + line))
    assert told in caught.value.detail


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="agency"):
        read_settings(tmp_path)


@pytest.mark.parametrize("url", ["http://hub.example", "ftp://127.0.0.1", "hub.example", "https://hub.example?a=b"])
def test_an_unsafe_address_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(SetupError, match=r"hub_url: (not an|http)"):
        read_settings(_folder(tmp_path, GOOD.replace("http://127.0.0.1:8420/", url)))


def test_settings_that_do_not_fit_together_are_told_as_people_say_it(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"agency\.toml: client_certificate and client_key belong together"):
        read_settings(_folder(tmp_path, GOOD + '\nclient_key = "x.pem"\n'))


def test_the_passphrase_comes_from_the_environment_or_a_private_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VALISE_PASSPHRASE", raising=False)
    with pytest.raises(SetupError, match="VALISE_PASSPHRASE"):
        read_passphrase(read_settings(_folder(tmp_path, GOOD)))
    settings = read_settings(_folder(tmp_path, GOOD + "passphrase_file = 'secret'"))
    secret = tmp_path / "secret"
    with pytest.raises(SetupError, match="secret"):
        read_passphrase(settings)
    secret.write_text("correct horse \n")
    secret.chmod(0o640)
    with pytest.raises(SetupError, match="chmod 600"):
        read_passphrase(settings)
    secret.chmod(0o600)
    assert read_passphrase(settings).get_secret_value() == "correct horse "
    monkeypatch.setenv("VALISE_PASSPHRASE", "from outside")
    assert read_passphrase(settings).get_secret_value() == "from outside"
    assert "outside" not in repr(read_passphrase(settings))
