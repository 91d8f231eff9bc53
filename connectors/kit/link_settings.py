"""What a connector is told about the agency's own systems: drop folder, webhook and mail, one closed table each.

Not for: what they do (`connectors/interop`). Implements `docs/reference/settings.md` (connector).
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from hub.protocol.vocabulary import PartnerCode

LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
DAY_MINUTES: Final = 1_440

Address = Annotated[str, Field(pattern=r"^[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9.-]{3,128}$")]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DropSettings(_Table):
    """The drop folder. Content lies in it in the clear: give it to a disk and to persons that may have it."""

    folder: Annotated[Path, Field(description="Where `in`, `done`, `failed` and `out` are; they are made.")]
    to: Annotated[tuple[PartnerCode, ...], Field(description="Addressees of rows that name none.")] = ()
    members: Annotated[
        bool, Field(description="Rows that do not say so go to all members of their operation as well.")
    ] = False
    subscribers: Annotated[bool, Field(description="Rows that do not say so go to subscribers as well.")] = False
    time_zone: Annotated[
        str | None,
        Field(
            description="IANA name of the zone of dates with times in spreadsheets; without it they are refused.",
            max_length=64,
        ),
    ] = None
    defaults: Annotated[
        Mapping[str, str], Field(description="Column name to value, for cells that are empty or columns left out.")
    ] = {}
    out: Annotated[
        tuple[Literal["json", "csv", "xlsx"], ...],
        Field(description="In which forms received messages are written to `out`; an empty list: not at all."),
    ] = ("json",)

    @field_validator("time_zone")
    @classmethod
    def _is_a_zone(cls, name: str | None) -> str | None:
        try:
            _ = ZoneInfo(name) if name else None
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"no time zone is called '{name}'; write it as 'Europe/Paris'") from error
        return name


class WebhookSettings(_Table):
    """An address of the national system that is told of each event; by default without content."""

    url: Annotated[str, Field(description="Where events are posted; https, or http on this machine only.")]
    secret_file: Annotated[
        Path, Field(description="The signing secret, `whsec_` and base64, in a file that only its owner may read.")
    ]
    content: Annotated[bool, Field(description="Also send the content of received messages.")] = False
    ca_file: Annotated[
        Path | None, Field(description="Certificates that vouch for that address, where the system's do not.")
    ] = None
    timeout_seconds: Annotated[int, Field(ge=1, le=60, description="How long one post may take, in seconds.")] = 10

    @field_validator("url")
    @classmethod
    def _is_safe(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.fragment or parts.username:
            raise ValueError("not an http(s) address")
        if parts.scheme == "http" and parts.hostname not in LOOPBACK:
            raise ValueError("http is for this machine only; use https")
        return url


class MailSettings(_Table):
    """A notice by electronic mail that messages wait: counts and urgency, never anything that they say."""

    host: Annotated[str, Field(min_length=1, max_length=253, description="The mail server.")]
    port: Annotated[int, Field(ge=1, le=65_535, description="Its port.")] = 587
    security: Annotated[
        Literal["starttls", "tls", "none"],
        Field(description="How the line is protected; `none` is for a server on this machine only."),
    ] = "starttls"
    sender: Annotated[Address, Field(description="From whom the notice comes.")]
    to: Annotated[tuple[Address, ...], Field(min_length=1, max_length=16, description="To whom it goes.")]
    user: Annotated[str | None, Field(description="The account, where the server asks for one.")] = None
    password_file: Annotated[
        Path | None, Field(description="Its password, in a file that only its owner may read.")
    ] = None
    ca_file: Annotated[
        Path | None, Field(description="Certificates that vouch for the server, where the system's do not.")
    ] = None
    routine_minutes: Annotated[
        int, Field(ge=0, le=DAY_MINUTES, description="At most one notice of routine messages in so many minutes.")
    ] = 60
    urgent_minutes: Annotated[
        int, Field(ge=0, le=DAY_MINUTES, description="The same for urgent messages; 0 sends one at once.")
    ] = 0

    @model_validator(mode="after")
    def _is_safe(self) -> Self:
        if self.security == "none" and (self.host not in LOOPBACK or self.user):
            raise ValueError("security: 'none' is for a server on this machine that asks for no account")
        if (self.user is None) != (self.password_file is None):
            raise ValueError("user and password_file go together: give both or neither")
        return self


LINKS: Final[Mapping[str, type[_Table]]] = MappingProxyType(
    {"drop": DropSettings, "webhook": WebhookSettings, "mail": MailSettings}
)
"""The tables of `agency.toml`, by name."""
