"""An exercise on disk: a real registry office, its hub and agencies in folders, with keystores that open fast.

Everything that a process needs is in the folders, so a test may run hub and agencies itself, or as programs and kill
them. Not for: what `valise` commands do to get there (the demo) or scripted policy (`tests/support/agency.py`).
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from pydantic import SecretStr

from connectors.kit.agency import Agency
from hub.authority.exchange import RegistryOffice
from hub.broker.notary import log_signers
from hub.host.files import write_private
from hub.host.keystore import write_keystore
from hub.policy.sets import PolicySet, bundle
from hub.protocol.enrolment import answer_challenge, request_enrolment
from hub.protocol.keyring import Keyring
from hub.protocol.vocabulary import PartnerKind
from tests.support.office import FAST, FEDERATION, PASSPHRASE, prove, record_for
from tests.support.tree import ROOT

HUB: Final = "int-hub"
WORD: Final = SecretStr(PASSPHRASE)
OPERATION: Final = "exercise-lantern"  # the one that the agreements of this repository name
PARTNERS: Final[Mapping[str, PartnerKind]] = MappingProxyType(
    {
        "fr-customs": PartnerKind.CUSTOMS,
        "de-customs": PartnerKind.CUSTOMS,
        "de-police": PartnerKind.POLICE,
        "int-bureau": PartnerKind.BUREAU,
        "rilo-we": PartnerKind.RILO,
    }
)


@dataclass(frozen=True)
class Exercise:
    """The folders of one exercise."""

    folder: Path
    anchor: bytes

    @property
    def hub(self) -> Path:
        """The hub's folder, with `hub.toml`."""
        return self.folder / HUB

    @property
    def database(self) -> Path:
        """The hub's SQLite file."""
        return self.hub / "hub.db"

    def agency(self, partner: str) -> Path:
        """An agency's folder, with `agency.toml`."""
        return self.folder / partner

    def place_agencies(self, hub_url: str, *, poll_seconds: int = 0) -> None:
        """Tell the agencies where the hub is."""
        for partner in PARTNERS:
            self.agency(partner).joinpath("agency.toml").write_text(
                f'partner = "{partner}"\nfederation = "{FEDERATION}"\nhub = "{HUB}"\nhub_url = "{hub_url}"\n'
                f"poll_seconds = {poll_seconds}\n"
            )


def found_exercise(folder: Path, *, port: int = 0) -> Exercise:
    """Found an exchange with one hub and the `PARTNERS`, and this repository's policy set in force."""
    now = int(time.time())
    office = RegistryOffice.found(
        folder / "office", lambda _: PASSPHRASE, federation=FEDERATION, countries=["FR", "DE"], now=now, cost=FAST
    )
    rings = {partner: Keyring.generate(partner, now=now, second_signature=True) for partner in PARTNERS}
    office.enrol([prove(office, ring, now=now, kind=PARTNERS[partner]) for partner, ring in rings.items()], now=now)
    files = policy_files()
    office.publish_policies(PolicySet.load(files).digest, 1, bundle(files), now=now)
    exercise = Exercise(folder, office.anchor)
    exercise.hub.mkdir()
    write_keystore(exercise.hub / "keys.valise", enrolled_hub(office, now), WORD, cost=FAST)
    write_private(exercise.hub / "root.json", office.anchor)
    write_private(exercise.hub / "word", PASSPHRASE.encode())
    exercise.hub.joinpath("hub.toml").write_text(
        f'hub = "{HUB}"\nfederation = "{FEDERATION}"\nport = {port}\nrepository = "{office.public}"\n'
        'passphrase_file = "word"\n'
    )
    for partner, ring in rings.items():
        exercise.agency(partner).mkdir()
        write_keystore(exercise.agency(partner) / "keystore.json", ring, WORD, cost=FAST)
        write_private(exercise.agency(partner) / "root.json", office.anchor)
    return exercise


async def open_exercise(agency: Agency, *members: str) -> None:
    """Open the operation in which the agreements let exercise traffic flow; its coordinator and members."""
    now = int(time.time())
    await agency.open_operation(
        OPERATION,
        title="Exercise Lantern",
        members=[*(members or ("fr-customs", "de-customs"))],
        opens=now - 60,
        closes=now + 86_400,
        exercise=True,
    )


def enrolled_hub(office: RegistryOffice, now: int) -> Keyring:
    """Enrol the hub and return its keys."""
    ring = Keyring.generate(HUB, now=now, second_signature=False, log=True)
    log = {key.text: signer for key, signer in log_signers(ring, FEDERATION, at=now)}
    record = record_for(ring, kind=PartnerKind.HUB, require=("Ed25519",), log_keys=tuple(log))
    request = request_enrolment(record, {**ring.signers(), **log}, federation=FEDERATION, now=now)
    challenge = office.challenge(request, country=record.country, now=now)
    office.enrol([(request, answer_challenge(request, challenge, {**ring.signers(), **log}, ring.openers()))], now=now)
    return ring


def policy_files() -> dict[str, bytes]:
    """Return the policy set of this repository: what an exchange's operator publishes."""
    folder = ROOT / "policies"
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and (path.suffix in {".cedar", ".toml", ".cedarschema"} or path.name == "VERSION")
    }


def everybody_but(*partners: str) -> Sequence[str]:
    """Return the other partners."""
    return tuple(partner for partner in PARTNERS if partner not in partners)
