"""A warning there and its feedback back, through a real hub, a published directory and the real policy set.

Agencies are opened from their folders, as the command line opens them: keystores, settings and trusted root on disk.
"""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import pytest
from pydantic import SecretStr

from connectors.kit.agency import Agency
from connectors.kit.files import write_private
from connectors.kit.keystore import write_keystore
from hub.app import RunningHub, running_hub
from hub.authority.exchange import RegistryOffice
from hub.broker.notary import log_signers
from hub.policy.sets import PolicySet, bundle
from hub.protocol.enrolment import answer_challenge, request_enrolment
from hub.protocol.errors import PassphraseError, SetupError, UnreachableError
from hub.protocol.keyring import Keyring
from hub.protocol.vocabulary import Label, PartnerKind
from hub.settings import HubSettings
from tests.support.agency import feedback_draft, warning_draft
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


async def test_a_warning_is_read_answered_and_its_answer_is_read(folders: dict[str, Path]) -> None:
    async with AsyncExitStack() as stack:
        customs, other, police = [
            await stack.enter_async_context(Agency.open(folders[partner], passphrase=WORD))
            for partner in ("fr-customs", "de-customs", "de-police")
        ]
        now = int(time.time())
        await customs.open_operation(
            "exercise-lantern",
            title="Exercise Lantern",
            members=["fr-customs", "de-customs", "de-police"],
            opens=now - 60,
            closes=now + 86_400,
            exercise=True,
        )
        draft = warning_draft(operation="exercise-lantern")
        audience = await customs.audience(draft, to=["de-customs", "de-police"])
        assert audience.agrees
        grants = {row.partner: row.grants for row in audience.candidates}
        assert grants["de-customs"] == ("c0", "c1", "c2")
        assert set(grants["de-police"]) < set(grants["de-customs"]), "the agreement with the police gives less"
        sent = await customs.send(draft, to=["de-customs", "de-police"])
        rows = {row.to: row for row in await customs.matrix(sent.mh)}
        assert {to: row.released for to, row in rows.items()} == grants

        assert (await other.receive_once()).opened == (sent.mh,)
        message = await other.read(sent.mh)
        assert message.content(Label.CONSIGNMENT) is not None
        assert message.manifest.need == ("Ed25519", "ML-DSA-65"), "the directory asks for both signatures"

        assert (await police.receive_once()).opened == (sent.mh,)
        partial = await police.read(sent.mh)
        assert set(partial.compartments) == set(grants["de-police"])
        assert set(partial.withheld) == {"c0", "c1", "c2"} - set(grants["de-police"])

        answer = await other.answer(sent.mh, feedback_draft())
        received = await customs.receive_once()
        assert (received.opened, received.receipts) == ((answer.mh,), 2)
        assert (await customs.read(answer.mh)).content(Label.OUTCOME) is not None
        assert {row.state for row in await customs.matrix(sent.mh)} == {"opened"}
        checkpoint = await customs.connector.log.look(customs.connector.client, customs.connector.directory)
        assert checkpoint.size > 0


async def test_an_operation_and_a_subscription_lead_to_addressees(folders: dict[str, Path]) -> None:
    async with AsyncExitStack() as stack:
        customs, other, bureau, rilo = [
            await stack.enter_async_context(Agency.open(folders[partner], passphrase=WORD))
            for partner in ("fr-customs", "de-customs", "int-bureau", "rilo-we")
        ]
        now = int(time.time())
        opened = await rilo.open_operation(
            "exercise-lantern",
            title="Exercise Lantern",
            members=["fr-customs", "de-customs", "rilo-we"],
            opens=now - 60,
            closes=now + 86_400,
            exercise=True,
        )
        assert [one.op for one in await customs.operations()] == [opened.op]
        assert await bureau.operations() == ()
        await rilo.subscribe(topics=["subject:consignment"])
        assert (await rilo.subscription()) is not None
        draft = warning_draft(operation="exercise-lantern")
        audience = await customs.audience(draft, operation=True, subscribers=True)
        assert {row.partner: row.via for row in audience.candidates} == {
            "de-customs": "operation",
            "rilo-we": "operation",
        }
        sent = await customs.send(draft, operation=True, subscribers=True)
        await other.receive_once()
        await other.answer(sent.mh, feedback_draft())
        await customs.receive_once()
        report = await customs.report("exercise-lantern")
        assert (report.warnings, report.answered, report.unread) == (1, 1, 0)
        assert report.outcomes == {"inspected-negative": 1}


async def test_an_agency_opens_without_its_hub_once_it_believes_something(
    published: tuple[RegistryOffice, dict[str, Keyring]], folders: dict[str, Path]
) -> None:
    async with Agency.open(folders["fr-customs"], passphrase=WORD) as agency:
        believed = agency.connector.directory.digest
    file = folders["fr-customs"] / "agency.toml"
    file.write_text(file.read_text().rpartition("hub_url")[0] + 'hub_url = "http://127.0.0.1:1"\n')
    async with Agency.open(folders["fr-customs"], passphrase=WORD) as agency:
        assert agency.connector.directory.digest == believed
        with pytest.raises(UnreachableError):
            await agency.send(warning_draft(), to=["de-customs"])
        assert [entry.state for entry in await agency.outbox()] == ["waiting"]
    (folders["fr-customs"] / "directory.seen").unlink()
    with pytest.raises(UnreachableError):
        async with Agency.open(folders["fr-customs"], passphrase=WORD):
            pass
    assert published[0].anchor


async def test_a_wrong_folder_is_named(folders: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(PassphraseError):
        async with Agency.open(folders["fr-customs"], passphrase=SecretStr("wrong")):
            pass
    with pytest.raises(SetupError, match="agency"):
        async with Agency.open(tmp_path, passphrase=WORD):
            pass
    keystore = folders["fr-customs"] / "keystore.json"
    keystore.write_bytes((folders["de-customs"] / "keystore.json").read_bytes())
    with pytest.raises(SetupError, match="de-customs"):
        async with Agency.open(folders["fr-customs"], passphrase=WORD):
            pass
    keystore.unlink()
    with pytest.raises(SetupError, match="keystore"):
        async with Agency.open(folders["fr-customs"], passphrase=WORD):
            pass
