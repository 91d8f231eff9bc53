"""A real exchange for trips: a founded office, enrolled partners, the policy set of this repository, a running hub."""

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest
from pydantic import SecretStr

from connectors.kit.files import write_private
from connectors.kit.keystore import write_keystore
from hub.app import RunningHub, running_hub
from hub.authority.exchange import RegistryOffice
from hub.broker.notary import log_signers
from hub.policy.sets import PolicySet, bundle
from hub.protocol.enrolment import answer_challenge, request_enrolment
from hub.protocol.keyring import Keyring
from hub.protocol.vocabulary import PartnerKind
from hub.settings import HubSettings
from tests.support.office import FAST, FEDERATION, PASSPHRASE, prove, record_for
from tests.support.tree import ROOT

HUB: Final = "int-hub"
PARTNERS: Final = {
    "fr-customs": PartnerKind.CUSTOMS,
    "de-customs": PartnerKind.CUSTOMS,
    "de-police": PartnerKind.POLICE,
    "int-bureau": PartnerKind.BUREAU,
    "rilo-we": PartnerKind.RILO,
}
WORD: Final = SecretStr(PASSPHRASE)


def policy_files() -> dict[str, bytes]:
    """Return the policy set of this repository: what a hub's operator publishes."""
    folder = ROOT / "policies"
    names = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    return {
        name.as_posix(): (folder / name).read_bytes()
        for name in names
        if name.suffix in {".cedar", ".toml", ".cedarschema"} or name.name == "VERSION"
    }


def _enrol_hub(office: RegistryOffice, ring: Keyring, now: int) -> None:
    log = {key.text: signer for key, signer in log_signers(ring, FEDERATION, at=now)}
    record = record_for(ring, kind=PartnerKind.HUB, require=("Ed25519",), log_keys=tuple(log))
    request = request_enrolment(record, {**ring.signers(), **log}, federation=FEDERATION, now=now)
    challenge = office.challenge(request, country=record.country, now=now)
    office.enrol([(request, answer_challenge(request, challenge, {**ring.signers(), **log}, ring.openers()))], now=now)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[RegistryOffice, dict[str, Keyring]]:
    """An exchange with its partners enrolled and its policy set in force; made once, since nobody changes it."""
    now = int(time.time())
    office = RegistryOffice.found(
        tmp_path_factory.mktemp("office"),
        lambda _: PASSPHRASE,
        federation=FEDERATION,
        countries=["FR", "DE"],
        now=now,
        cost=FAST,
    )
    rings = {partner: Keyring.generate(partner, now=now, second_signature=True) for partner in PARTNERS}
    office.enrol([prove(office, ring, now=now, kind=PARTNERS[partner]) for partner, ring in rings.items()], now=now)
    rings[HUB] = Keyring.generate(HUB, now=now, second_signature=False, log=True)
    _enrol_hub(office, rings[HUB], now)
    files = policy_files()
    office.publish_policies(PolicySet.load(files).digest, 1, bundle(files), now=now)
    return office, rings


@pytest.fixture
async def hub(published: tuple[RegistryOffice, dict[str, Keyring]], tmp_path: Path) -> AsyncIterator[RunningHub]:
    office, rings = published
    (tmp_path / "hub").mkdir()
    write_keystore(tmp_path / "hub" / "keys", rings[HUB], WORD, cost=FAST)
    write_private(tmp_path / "hub" / "root.json", office.anchor)
    write_private(tmp_path / "hub" / "word", PASSPHRASE.encode())
    settings = HubSettings(
        hub=HUB,
        federation=FEDERATION,
        port=0,
        database=tmp_path / "hub" / "hub.db",
        repository=office.public,
        trusted_root=tmp_path / "hub" / "root.json",
        keystore=tmp_path / "hub" / "keys",
        passphrase_file=tmp_path / "hub" / "word",
    )
    async with running_hub(settings) as running:
        yield running


@pytest.fixture
def folders(published: tuple[RegistryOffice, dict[str, Keyring]], hub: RunningHub, tmp_path: Path) -> dict[str, Path]:
    """The agencies' folders, ready to be opened."""
    office, rings = published
    made = {}
    for partner in PARTNERS:
        folder = made[partner] = tmp_path / partner
        folder.mkdir()
        (folder / "agency.toml").write_text(
            f'partner = "{partner}"\nfederation = "{FEDERATION}"\nhub = "{HUB}"\nhub_url = "{hub.url}"\n'
        )
        write_keystore(folder / "keystore.json", rings[partner], WORD, cost=FAST)
        write_private(folder / "root.json", office.anchor)
    return made
