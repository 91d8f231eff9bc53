"""What a connector is told before it starts: one closed class, read from `agency.toml` in the agency's folder.

Not for: secrets; the passphrase comes from the environment or from a file that only its owner reads. Implements
`docs/reference/settings.md` (connector).
"""

import os
from pathlib import Path
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from connectors.kit.deadlines import Terms
from connectors.kit.link_settings import LOOPBACK, DropSettings, MailSettings, WebhookSettings
from hub.host.files import read_private
from hub.host.settings import read_toml
from hub.protocol.errors import SetupError
from hub.protocol.vocabulary import PartnerCode

Adapter = Literal["customs", "police", "interpol", "none"]

SETTINGS_FILE: Final = "agency.toml"
PASSPHRASE_VARIABLE: Final = "VALISE_PASSPHRASE"  # noqa: S105 - where it is, not what it is
PIN_VARIABLE: Final = "VALISE_PIN"
_MAX_PASSPHRASE: Final = 4_096  # bytes


class ConnectorSettings(BaseModel):
    """The settings of one connector. Paths are relative to the agency's folder."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    partner: Annotated[PartnerCode, Field(description="This agency's partner code.")]
    federation: Annotated[
        str,
        Field(min_length=1, max_length=64, description="The name of the exchange; messages of another are refused."),
    ]
    hub: Annotated[PartnerCode, Field(description="The hub's partner code in the directory.")]
    hub_url: Annotated[str, Field(description="The hub's address; https, or http on this machine only.")]
    mode: Annotated[
        Literal["exercise", "live"],
        Field(description="'exercise' refuses to send anything as actual; 'live' sends what the draft says."),
    ] = "exercise"
    adapter: Annotated[
        Adapter, Field(description="Which program answers messages by itself; 'none' leaves all to the officers.")
    ] = "none"
    register_file: Annotated[
        Path, Field(description="The national register that the adapter looks things up in, or writes to.")
    ] = Path("register.jsonl")
    keystore: Annotated[Path, Field(description="The file of this agency's keys.")] = Path("keystore.json")
    store: Annotated[Path, Field(description="The file of outbox and inbox.")] = Path("agency.sqlite")
    directory: Annotated[Path, Field(description="The file that remembers the believed directory.")] = Path(
        "directory.seen"
    )
    root: Annotated[
        Path, Field(description="The trusted root of the directory, got from the exchange's authority on a safe way.")
    ] = Path("root.json")
    passphrase_file: Annotated[
        Path | None,
        Field(
            description="A file with the keystore's passphrase that only its owner may read; else VALISE_PASSPHRASE."
        ),
    ] = None
    pkcs11_module: Annotated[
        Path | None, Field(description="The PKCS#11 library of the token on which the signing key lies, if any.")
    ] = None
    pkcs11_token: Annotated[str | None, Field(description="The label of that token.")] = None
    pin_file: Annotated[
        Path | None, Field(description="A file with the token's PIN that only its owner may read; else VALISE_PIN.")
    ] = None
    ca_file: Annotated[
        Path | None, Field(description="Certificates that vouch for the hub, where the system's do not.")
    ] = None
    client_certificate: Annotated[
        Path | None, Field(description="This connector's certificate (PEM), for a hub that wants one.")
    ] = None
    client_key: Annotated[Path | None, Field(description="The private key of `client_certificate` (PEM).")] = None
    poll_seconds: Annotated[int, Field(ge=0, le=30, description="How long one long poll waits, in seconds.")] = 25
    refresh_seconds: Annotated[
        int, Field(ge=1, le=86_400, description="How often directory and policy set are refreshed, in seconds.")
    ] = 300
    lifetime_days: Annotated[
        int, Field(ge=1, le=120, description="Days after which an uncollected message is no longer opened.")
    ] = 30
    admin_host: Annotated[
        str, Field(description="The address that metrics are told on; never one that others reach.")
    ] = "127.0.0.1"
    admin_port: Annotated[
        int | None, Field(ge=0, le=65_535, description="The port for metrics; 0 takes a free one. Without it: none.")
    ] = None
    receipt_hours: Annotated[
        int, Field(ge=1, le=2_400, description="Hours after which a routine message without a receipt is an alarm.")
    ] = 24
    urgent_receipt_minutes: Annotated[
        int, Field(ge=1, le=10_080, description="Minutes after which an urgent message without a receipt is an alarm.")
    ] = 60
    proof_minutes: Annotated[
        int, Field(ge=1, le=1_440, description="Minutes in which the hub must prove that it logged a message.")
    ] = 10
    watch_seconds: Annotated[
        int, Field(ge=1, le=3_600, description="How often deadlines and retention are looked at, in seconds.")
    ] = 30
    sealing_processes: Annotated[
        int,
        Field(ge=0, le=64, description="Processes that seal to more than 32 addressees; 0 seals in the connector."),
    ] = 0

    drop: Annotated[DropSettings | None, Field(description="The drop folder; see `[drop]`.")] = None
    webhook: Annotated[WebhookSettings | None, Field(description="The webhook; see `[webhook]`.")] = None
    mail: Annotated[MailSettings | None, Field(description="The notice by mail; see `[mail]`.")] = None

    @field_validator("hub_url")
    @classmethod
    def _is_safe(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("not an http(s) address")
        if parts.scheme == "http" and parts.hostname not in LOOPBACK:
            raise ValueError("http is for a hub on this machine only; use https")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _is_no_hub(self) -> Self:
        if self.partner == self.hub:
            raise ValueError("partner and hub are the same")
        if (self.client_certificate is None) != (self.client_key is None):
            raise ValueError("client_certificate and client_key belong together")
        return self


def read_settings(folder: Path) -> ConnectorSettings:
    """Return the settings in `agency.toml` of an agency's folder, with absolute paths.

    Raises:
        SetupError: there is no such file, it is not TOML, or a key or value is wrong; the detail names it.
    """
    return read_toml(folder.absolute() / SETTINGS_FILE, ConnectorSettings)


def terms_of(settings: ConnectorSettings) -> Terms:
    """Return after how long what does not come is late."""
    return Terms(
        urgent=60 * settings.urgent_receipt_minutes,
        routine=3_600 * settings.receipt_hours,
        proof=60 * settings.proof_minutes,
    )


def read_passphrase(settings: ConnectorSettings) -> SecretStr:
    """Return the keystore's passphrase: of the environment, else of `passphrase_file`.

    Raises:
        SetupError: there is none, or others than its owner may read the file.
    """
    return _secret(PASSPHRASE_VARIABLE, "passphrase_file", settings.passphrase_file)


def read_pin(settings: ConnectorSettings) -> SecretStr:
    """Return the token's PIN: of the environment, else of `pin_file`.

    Raises:
        SetupError: there is none, or others than its owner may read the file.
    """
    return _secret(PIN_VARIABLE, "pin_file", settings.pin_file)


def _secret(variable: str, setting: str, file: Path | None) -> SecretStr:
    given = os.environ.get(variable)
    if given:
        return SecretStr(given)
    if file is None:
        raise SetupError(f"set {variable}, or {setting} in {SETTINGS_FILE}")
    try:
        return SecretStr(read_private(file, limit=_MAX_PASSPHRASE).decode().rstrip("\r\n"))
    except UnicodeDecodeError as error:
        raise SetupError(f"{file}: not UTF-8") from error
