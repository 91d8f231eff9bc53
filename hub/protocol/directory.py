"""Who the partners are and which keys speak for them: the record of one partner, and the believed directory of all.

Not for: how a directory comes to be believed (`hub/verify/trust.py`, the only place that makes one) nor how a partner
gets into it (`enrolment.py`). Implements `docs/protocol/09-directory.md` sections 1 and 2.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from hub.protocol.encoding import decode_b64url
from hub.protocol.errors import (
    Base64Error,
    KeyNotValidError,
    NoAddresseeKeyError,
    PartnerRecordError,
    PartnerSuspendedError,
    RevokedKeyError,
    UnknownKeyError,
    UnknownPartnerError,
    WrongOriginatorError,
)
from hub.protocol.hazmat import ED25519_PUBLIC, MLDSA65_PUBLIC, SEAL_PUBLIC
from hub.protocol.vocabulary import COUNTRIES, INTERNATIONAL, Country, PartnerCode, PartnerKind
from hub.protocol.wire import Time, Wire, parse_wire

MAX_KEYS: Final = 64  # keys of one partner: monthly opening keys for two years, and all signature keys with them
MAX_NAME: Final = 120  # characters of a partner's name
_KID: Final = r"^[a-z0-9-]{1,32}#[a-z][1-9][0-9]{0,3}$"
_VKEY: Final = r"^[!-*,-~]{1,255}\+[0-9a-f]{8}\+[A-Za-z0-9+/=]{1,4096}$"  # C2SP signed-note, "verifier keys"

Use = Literal["sign", "sign2", "open"]
SignatureAlg = Literal["Ed25519", "ML-DSA-65"]
PublicAlg = Literal["Ed25519", "ML-DSA-65", "HPKE-9-KE"]
KeyId = Annotated[str, Field(pattern=_KID)]
VerifierKey = Annotated[str, Field(pattern=_VKEY)]
PartnerName = Annotated[str, Field(min_length=1, max_length=MAX_NAME)]

ALG_OF: Final[Mapping[Use, PublicAlg]] = MappingProxyType(
    {"sign": "Ed25519", "sign2": "ML-DSA-65", "open": "HPKE-9-KE"}
)
_LENGTH_OF: Final[Mapping[PublicAlg, int]] = MappingProxyType(
    {"Ed25519": ED25519_PUBLIC, "ML-DSA-65": MLDSA65_PUBLIC, "HPKE-9-KE": SEAL_PUBLIC}
)


class KeyEntry(Wire):
    """One public key of a partner; `pub` is base64url of the raw key, times are Unix seconds, `exp` is exclusive."""

    kid: KeyId
    use: Use
    alg: PublicAlg
    pub: str
    nbf: Time
    exp: Time
    status: Literal["active", "revoked"] = "active"
    revoked_at: Time | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        try:
            length = len(decode_b64url(self.pub))
        except Base64Error:
            length = 0
        if self.alg != ALG_OF[self.use] or length != _LENGTH_OF[self.alg]:
            raise ValueError(f"{self.kid}: not a key of this use and algorithm")
        if self.nbf >= self.exp or (self.status == "revoked") != (self.revoked_at is not None):
            raise ValueError(f"{self.kid}: its times or its status contradict each other")
        return self

    def is_valid(self, *, at: int) -> bool:
        """Whether the key may be used at a time."""
        return self.nbf <= at < self.exp and (self.revoked_at is None or at < self.revoked_at)


class PartnerRecord(Wire):
    """What an authority says of one partner: one file of the directory.

    `require` are the signature algorithms without which nothing of this partner is accepted. `log_keys` are the
    C2SP verifier keys of the log that a partner of kind hub keeps. `exercise` marks partners that exist for exercises.
    """

    v: Literal[1] = 1
    partner: PartnerCode
    name: PartnerName
    kind: PartnerKind
    country: Country
    status: Literal["active", "suspended"] = "active"
    require: Annotated[tuple[SignatureAlg, ...], Field(min_length=1, max_length=2)] = ("Ed25519",)
    keys: Annotated[tuple[KeyEntry, ...], Field(max_length=MAX_KEYS)]
    log_keys: Annotated[tuple[VerifierKey, ...], Field(max_length=4)] = ()
    exercise: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if country_of(self.partner) != self.country:
            raise ValueError(f"the code {self.partner} does not belong to {self.country}")
        kids = [key.kid for key in self.keys]
        if len(set(kids)) != len(kids) or any(kid.partition("#")[0] != self.partner for kid in kids):
            raise ValueError("a key is named twice or for another partner")
        if len(set(self.require)) != len(self.require):
            raise ValueError("an algorithm is required twice")
        is_hub = self.kind is PartnerKind.HUB
        if is_hub and self.country != INTERNATIONAL:  # no national authority makes a hub, whose statements bind all
            raise ValueError("a hub is enrolled by the exchange, under a code of no country")
        if self.log_keys and not is_hub:
            raise ValueError("only a hub keeps a log")
        return self


def parse_partner_record(data: bytes) -> PartnerRecord:
    """Return an unbelieved record.

    Raises:
        JsonError: not strict JSON.
        PartnerRecordError: another shape, or its members contradict each other.
    """
    return parse_wire(PartnerRecord, data, error=PartnerRecordError)


def country_of(partner: str) -> str:
    """Return the country that a partner's code stands for: its first group, or `ZZ` when that is no country."""
    prefix = partner.partition("-")[0].upper()
    return prefix if prefix in COUNTRIES else INTERNATIONAL


class Directory:
    """All partners of one federation, believed: only `hub/verify/trust.py` makes one. It never changes.

    Attributes:
        federation: the exchange's name, from the trusted root.
        version: grows with every change; an evidence file's excerpt has the version of the whole.
        digest: hex SHA-256 of the signed snapshot that pins every file it came from.
    """

    def __init__(self, *, federation: str, version: int, digest: str, records: Iterable[PartnerRecord]) -> None:
        self.federation: Final = federation
        self.version: Final = version
        self.digest: Final = digest
        self._records: Final = {record.partner: record for record in records}
        self._keys: Final = {key.kid: key for record in self._records.values() for key in record.keys}

    def __repr__(self) -> str:
        return f"Directory({self.federation!r}, version={self.version}, partners={len(self._records)})"

    def partner(self, code: str) -> PartnerRecord:
        """Return one partner's record.

        Raises:
            UnknownPartnerError: there is none.
        """
        try:
            return self._records[code]
        except KeyError:
            raise UnknownPartnerError(code[:64]) from None

    def partners(self) -> tuple[PartnerRecord, ...]:
        """Return all records, by code."""
        return tuple(record for _, record in sorted(self._records.items()))

    def check_active(self, partner: str) -> None:
        """Refuse to take in anything of a suspended partner; what it signed before stays what it was.

        Raises:
            UnknownPartnerError: there is no such partner.
            PartnerSuspendedError: it is suspended.
        """
        if self.partner(partner).status != "active":
            raise PartnerSuspendedError(partner)

    def signing_key(self, kid: str, *, iss: str, at: int, use: Literal["sign", "sign2"] = "sign") -> KeyEntry:
        """Return the key under which `iss` signed something at a time.

        Whoever takes a signature in from outside bounds `at` (a manifest's `iat`) by its own clock: the thief of a
        revoked key dates back.

        Args:
            kid: the key that the object names.
            iss: the partner that the object names.
            at: Unix seconds of signing.
            use: first or second signature.

        Raises:
            UnknownPartnerError: `iss` is no partner.
            UnknownKeyError: no such key, or it is for another use.
            WrongOriginatorError: the key is another partner's.
            RevokedKeyError: revoked by then.
            KeyNotValidError: too early, or too late.
        """
        self.partner(iss)
        key = self._keys.get(kid)
        if key is None or key.use != use:
            raise UnknownKeyError(kid[:64])
        if kid.partition("#")[0] != iss:  # a record holds no key of another name
            raise WrongOriginatorError(f"{kid} is not of {iss}")
        if key.revoked_at is not None and key.revoked_at <= at:
            raise RevokedKeyError(f"{kid} since {key.revoked_at}")
        if not key.is_valid(at=at):
            raise KeyNotValidError(f"{kid} at {at}")
        return key

    def has_valid(self, kid: str, *, pub: str, at: int) -> bool:
        """Whether a key of this name and this public key (base64url) may be used at a time."""
        key = self._keys.get(kid)
        return key is not None and key.pub == pub and key.is_valid(at=at)

    def opening_key(self, partner: str, *, at: int, kid: str | None = None) -> KeyEntry:
        """Return the key to seal to: the newest that is valid, or the one named when that is valid.

        Whether a suspended partner gets anything is policy's to say, not asked here.

        Raises:
            UnknownPartnerError: there is no such partner.
            NoAddresseeKeyError: it has no (such) valid key.
        """
        keys = self.partner(partner).keys if kid is None else self._named(partner, kid)
        valid = [key for key in keys if key.use == "open" and key.is_valid(at=at)]
        if not valid:
            raise NoAddresseeKeyError(kid or partner)
        return max(valid, key=lambda key: (key.nbf, key.exp, key.kid))

    def _named(self, partner: str, kid: str) -> tuple[KeyEntry, ...]:
        """Return a partner's key of this name, if it has one; a record holds no key of another partner's name."""
        self.partner(partner)
        key = self._keys.get(kid)
        return (key,) if key is not None and kid.partition("#")[0] == partner else ()
