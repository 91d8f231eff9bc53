"""A registry office in a temporary folder, and partners that enrol with it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from hub.authority.exchange import QUORUMS, Quorum, RegistryOffice
from hub.protocol.directory import PartnerRecord, country_of
from hub.protocol.enrolment import answer_challenge, request_enrolment
from hub.protocol.keyring import Cost, Keyring
from hub.protocol.vocabulary import PartnerKind

NOW: Final = 1_800_000_000  # Unix seconds
DAY: Final = 86_400
FEDERATION: Final = "exercise"
PASSPHRASE: Final = "correct horse battery staple"
FAST: Final = Cost(memory_kib=8, passes=1)


def found_office(
    folder: Path, countries: Sequence[str] = ("FR", "DE"), *, now: int = NOW, quorums: Mapping[str, Quorum] = QUORUMS
) -> RegistryOffice:
    """Found an exchange whose keystores all have one passphrase."""
    return RegistryOffice.found(
        folder,
        lambda _: PASSPHRASE,
        federation=FEDERATION,
        countries=countries,
        now=now,
        quorums=quorums,
        cost=FAST,
    )


def keys_of(partner: str, *, now: int = NOW) -> Keyring:
    """Return fresh keys of all three uses."""
    return Keyring.generate(partner, now=now, second_signature=True)


def record_for(ring: Keyring, **members: Any) -> PartnerRecord:
    """Return the record that a partner asks for; its kind is customs unless another is given."""
    default = {
        "partner": ring.partner,
        "name": ring.partner.title(),
        "kind": PartnerKind.CUSTOMS,
        "country": country_of(ring.partner),
        "require": ("Ed25519", "ML-DSA-65"),
        "keys": ring.entries(),
    }
    return PartnerRecord(**default | members)


def prove(office: RegistryOffice, ring: Keyring, *, now: int = NOW, **members: Any) -> tuple[bytes, bytes]:
    """Go through request, challenge and answer, and return request and answer."""
    record = record_for(ring, **members)
    request = request_enrolment(record, ring.signers(), federation=office.federation, now=now)
    challenge = office.challenge(request, country=record.country, now=now)
    return request, answer_challenge(request, challenge, ring.signers(), ring.openers())


def enrol(office: RegistryOffice, *partners: str, now: int = NOW) -> dict[str, Keyring]:
    """Enrol partners, all in one version, and return their keys."""
    rings = {partner: keys_of(partner, now=now) for partner in partners}
    office.enrol([prove(office, ring, now=now) for ring in rings.values()], now=now)
    return rings


def published(office: RegistryOffice) -> dict[str, bytes]:
    """Return everything that the office publishes, by path."""
    return {
        path.relative_to(office.public).as_posix(): path.read_bytes()
        for path in office.public.rglob("*")
        if path.is_file()
    }
