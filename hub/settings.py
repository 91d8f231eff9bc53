"""The settings of a hub: one closed class, read from one TOML file; an unknown key stops the start.

Not for: connectors (`connectors/kit/settings.py`). Reference page: `docs/reference/settings.md`, generated from here.
"""

import os
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from hub.host.files import read_private
from hub.host.settings import read_toml
from hub.protocol.errors import SetupError

SETTINGS_FILE: Final = "hub.toml"
PASSPHRASE: Final = "VALISE_PASSPHRASE"  # noqa: S105 - the variable's name
PIN: Final = "VALISE_PIN"
_MAX_SECRET: Final = 4_096  # bytes


class HubSettings(BaseModel):
    """What a hub needs to know. Relative paths start at the folder of the settings file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hub: Annotated[str, Field(description="The hub's partner code in the directory, for example `zz-hub`.")]
    federation: Annotated[str, Field(description="The exchange's name; messages of another one are refused.")]
    host: Annotated[str, Field(description="The address to listen on; loopback unless a proxy stands before it.")] = (
        "127.0.0.1"
    )
    port: Annotated[int, Field(ge=0, le=65_535, description="The port to listen on; 0 takes a free one.")] = 8420
    public_url: Annotated[
        str | None, Field(description="The address that connectors use, if it is not `http://host:port`.")
    ] = None
    database: Annotated[Path, Field(description="The SQLite file with the record, the log and the mailboxes.")] = Path(
        "hub.db"
    )
    repository: Annotated[Path, Field(description="The folder of the published directory (a TUF repository).")] = Path(
        "directory"
    )
    trusted_root: Annotated[Path, Field(description="The root metadata that this hub trusts from the start.")] = Path(
        "root.json"
    )
    keystore: Annotated[Path, Field(description="The hub's keystore.")] = Path("keys.valise")
    passphrase_file: Annotated[
        Path | None, Field(description=f"A file with the keystore's passphrase, if `{PASSPHRASE}` is not set.")
    ] = None
    admin_host: Annotated[
        str, Field(description="The address that metrics and health are told on; never one that partners reach.")
    ] = "127.0.0.1"
    admin_port: Annotated[
        int | None,
        Field(ge=0, le=65_535, description="The port for metrics and health; 0 takes a free one. Without it: none."),
    ] = None
    disk_floor_mib: Annotated[
        int, Field(ge=0, description="MiB of free disk below which the hub says that it is not ready.")
    ] = 512
    pkcs11_module: Annotated[
        Path | None, Field(description="The PKCS#11 library of the token on which the hub's signing key lies, if any.")
    ] = None
    pkcs11_token: Annotated[str | None, Field(description="The label of that token.")] = None
    pin_file: Annotated[Path | None, Field(description=f"A file with the token's PIN, if `{PIN}` is not set.")] = None
    refresh_seconds: Annotated[
        int, Field(ge=1, le=3_600, description="How often the hub looks for a new directory or policy set.")
    ] = 10
    tls_certificate: Annotated[
        Path | None, Field(description="The hub's certificate with its chain (PEM), if the hub ends TLS (1.3) itself.")
    ] = None
    tls_key: Annotated[Path | None, Field(description="The private key of `tls_certificate` (PEM).")] = None
    tls_client_ca: Annotated[
        Path | None, Field(description="Authorities of client certificates (PEM); without it, none is asked for.")
    ] = None
    tls_client_certificates: Annotated[
        Literal["required", "optional"],
        Field(description="With `tls_client_ca`: whether a connector without a certificate is turned away."),
    ] = "required"
    connections_per_address: Annotated[
        int, Field(ge=0, description="Lines that one address may hold; 0 behind a proxy, which counts them itself.")
    ] = 256
    expiry_seconds: Annotated[
        int, Field(ge=1, le=86_400, description="How often uncollected copies that expired are destroyed, in seconds.")
    ] = 60
    requests_per_minute: Annotated[
        int, Field(ge=0, description="Requests that one partner may make in a minute; 0, here and below: no limit.")
    ] = 6_000
    messages_per_minute: Annotated[
        int, Field(ge=0, description="Messages that one partner may hand over in a minute.")
    ] = 3_000
    messages_per_day: Annotated[int, Field(ge=0, description="Messages that one partner may hand over in a day.")] = (
        500_000
    )
    bytes_per_day: Annotated[int, Field(ge=0, description="Bytes that one partner may send in a day.")] = 50 * 1024**3
    concurrent_requests: Annotated[
        int, Field(ge=0, description="Requests of one partner that may be open at once, polls and streams apart.")
    ] = 64
    waiting_polls: Annotated[
        int, Field(ge=0, description="Long polls and streams that one partner may hold open at once.")
    ] = 16
    logins_per_minute: Annotated[
        int,
        Field(ge=0, description="Log-ins from one address in a minute; behind a proxy, all come from its address."),
    ] = 300

    @model_validator(mode="after")
    def _tls_is_whole(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key belong together")
        if self.tls_client_ca is not None and self.tls_certificate is None:
            raise ValueError("tls_client_ca is for a hub with tls_certificate")
        return self

    @classmethod
    def read(cls, file: Path) -> Self:
        """Return the settings in a TOML file.

        Raises:
            SetupError: the file is missing or not TOML, or a key is unknown, missing or of another type.
        """
        settings = read_toml(file, cls)
        if settings.public_url is None:
            return settings
        return settings.model_copy(update={"public_url": settings.public_url.rstrip("/")})

    def passphrase(self) -> SecretStr:
        """Return the keystore's passphrase from the environment or the passphrase file.

        Raises:
            SetupError: neither is there, or others may read the file.
        """
        return _secret(PASSPHRASE, "passphrase_file", self.passphrase_file)

    def pin(self) -> SecretStr:
        """Return the token's PIN from the environment or the PIN file.

        Raises:
            SetupError: neither is there, or others may read the file.
        """
        return _secret(PIN, "pin_file", self.pin_file)


def _secret(variable: str, setting: str, file: Path | None) -> SecretStr:
    given = os.environ.get(variable)
    if given:
        return SecretStr(given)
    if file is None:
        raise SetupError(f"set {variable} or {setting}")
    try:
        return SecretStr(read_private(file, limit=_MAX_SECRET).decode().strip())
    except UnicodeDecodeError as error:
        raise SetupError(f"{file.name}: not UTF-8") from error
