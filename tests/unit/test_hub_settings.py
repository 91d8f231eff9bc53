"""A hub's settings: what is wrong in the file is named, with the nearest key; defaults keep to this machine."""

from pathlib import Path

import pytest

from hub.protocol.errors import SetupError
from hub.settings import HubSettings

NEEDED = 'hub = "int-hub"\nfederation = "lantern"\n'


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("adminport = 1", r"no setting is called 'adminport'; did you mean 'admin_port'\?"),
        ("port = 70000", "port: "),
        ("port = 'x'", "port: "),
        ("disk_floor_mib = -1", "disk_floor_mib: "),
        ("port = ", "hub.toml: "),
        ("hub = 'twice'", "hub.toml: "),
        (f"port = {'9' * 5_000}", "hub.toml: "),
        (f"port = {'[' * 3_000}", "hub.toml: "),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, detail: str) -> None:
    (tmp_path / "hub.toml").write_text(NEEDED + text)
    with pytest.raises(SetupError, match=detail):
        HubSettings.read(tmp_path / "hub.toml")


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    (tmp_path / "hub.toml").write_text('hub = "int-hub"')
    with pytest.raises(SetupError, match="federation"):
        HubSettings.read(tmp_path / "hub.toml")
    with pytest.raises(SetupError, match="No such file"):
        HubSettings.read(tmp_path / "missing.toml")


def test_defaults_keep_to_this_machine(tmp_path: Path) -> None:
    (tmp_path / "hub.toml").write_text(NEEDED)
    settings = HubSettings.read(tmp_path / "hub.toml")
    assert (settings.host, settings.admin_host, settings.admin_port) == ("127.0.0.1", "127.0.0.1", None)
    assert settings.database == tmp_path / "hub.db"
