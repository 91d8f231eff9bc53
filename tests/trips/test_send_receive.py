"""A warning there and its feedback back, through a real hub, a published directory and the real policy set.

Agencies are opened from their folders, as the command line opens them: keystores, settings and trusted root on disk.
"""

import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import pytest
from pydantic import SecretStr

from connectors.kit.agency import Agency
from hub.protocol.errors import PassphraseError, SetupError, UnreachableError
from hub.protocol.vocabulary import Label
from tests.support.agency import feedback_draft, warning_draft
from tests.support.exchange import criteria
from tests.support.exercise import Exercise
from tests.support.office import PASSPHRASE

WORD: Final = SecretStr(PASSPHRASE)


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
        checkpoint = await customs.connector.log.look(
            customs.connector.client, customs.connector.directory, now=customs.connector.clock()
        )
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
        await rilo.subscribe(want=criteria(topics=("subject:consignment",)))
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
    exercise: Exercise, folders: dict[str, Path]
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
    assert exercise.anchor


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
