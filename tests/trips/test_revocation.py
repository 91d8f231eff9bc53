"""A revocation takes effect on the next request: messages, sessions, long polls, and copies that wait already."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connectors.kit.agency import Agency
from hub.app import RunningHub
from hub.protocol.errors import (
    EnrolmentError,
    LoginKeyError,
    NotARenewalError,
    NotEnrolledError,
    PartnerSuspendedError,
    RevokedKeyError,
    UnauthenticatedError,
)
from tests.support.agency import warning_draft
from tests.support.commands import called
from tests.support.exercise import OPERATION, Exercise, open_exercise
from tests.support.office import PASSPHRASE

KID = "fr-customs#s1"


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VALISE_PASSPHRASE", PASSPHRASE)


@pytest.fixture
async def french(folders: dict[str, Path]) -> AsyncIterator[Agency]:
    async with Agency.open(folders["rilo-we"]) as coordinator, Agency.open(folders["fr-customs"]) as agency:
        await open_exercise(coordinator, "fr-customs", "de-customs", "rilo-we")
        yield agency


@pytest.fixture
async def german(folders: dict[str, Path]) -> AsyncIterator[Agency]:
    async with Agency.open(folders["de-customs"]) as agency:
        yield agency


async def sealed(agency: Agency) -> bytes:
    """Return an own message's bytes as they were uploaded."""
    uploaded: list[bytes] = []
    submit = agency.connector.client.submit

    async def caught(frame: bytes) -> bytes:
        uploaded.append(frame)
        raise UnauthenticatedError("held back")

    agency.connector.client.submit = caught  # type: ignore[method-assign]
    with pytest.raises(UnauthenticatedError):
        await agency.send(warning_draft(operation=OPERATION), to=["de-customs"])
    agency.connector.client.submit = submit  # type: ignore[method-assign]
    return uploaded[0]


async def test_the_next_message_of_a_revoked_key_is_refused(
    exercise: Exercise, hub: RunningHub, french: Agency, german: Agency
) -> None:
    """Sealed before, uploaded after - and the thief dates it back: neither helps. No refresh, no restart in between."""
    office = exercise.folder / "office"
    frame = await sealed(french)
    await called("partner", "revoke", office, KID)
    with pytest.raises(UnauthenticatedError):
        await french.connector.client.submit(frame)
    assert hub.exchange.directory().partner("fr-customs").keys[0].status == "revoked"
    with pytest.raises(NotEnrolledError):
        await _sign_with_new_beliefs(french)
    assert (await german.receive_once()).opened == ()


async def _sign_with_new_beliefs(agency: Agency) -> None:
    await agency.connector.mirror.refresh()
    agency.connector.keyring.signer(at=agency.connector.clock())


async def test_a_session_ends_with_its_key_and_another_key_begins_a_new_one(
    exercise: Exercise, french: Agency, german: Agency
) -> None:
    """The session of the old key is refused at once; the connector logs in with the new one and goes on."""
    office = exercise.folder / "office"
    frame = await sealed(french)
    made = await called("connector", "rotate", exercise.agency("fr-customs"), "--use", "sign")
    await called("partner", "renew", office, made["request"])
    client, token = french.connector.client, french.connector.client._token
    assert token is not None
    await called("partner", "revoke", office, KID)
    with pytest.raises(LoginKeyError):
        await client._request(
            "GET", "/v1/subscription", b"", client._headers("GET", "/v1/subscription", b"", token, None)
        )
    await french.connector.mirror.refresh()
    with pytest.raises(RevokedKeyError):
        await client.submit(frame)
    sent = await french.send(warning_draft(operation=OPERATION), to=["de-customs"])
    assert (await german.receive_once()).opened == (sent.mh,)
    assert (await german.read(sent.mh)).manifest.iss == "fr-customs"


async def test_a_long_poll_that_waits_hands_nothing_to_a_suspended_partner(
    exercise: Exercise, hub: RunningHub, french: Agency, german: Agency
) -> None:
    office, polling, suspended = exercise.folder / "office", asyncio.Event(), asyncio.Event()

    async def wait(_partner: str, *, seconds: float, **_given: object) -> None:
        polling.set()
        await asyncio.wait_for(suspended.wait(), timeout=seconds)

    hub.exchange.store.wait = wait  # type: ignore[method-assign,assignment]
    poll = asyncio.create_task(german.receive_once(wait=20))
    await asyncio.wait_for(polling.wait(), timeout=30)
    sent = await french.send(warning_draft(operation=OPERATION), to=["de-customs"])
    await called("partner", "suspend", office, "de-customs")
    suspended.set()
    with pytest.raises(PartnerSuspendedError):
        await poll
    assert await german.inbox() == []
    await called("partner", "resume", office, "de-customs")
    assert (await german.receive_once()).opened == (sent.mh,), "it still waits"


async def test_an_addressee_refuses_what_came_in_after_the_theft(
    exercise: Exercise, french: Agency, german: Agency
) -> None:
    """A copy that waits already is refused once the addressee knows, and the originator gets the signed refusal."""
    office = exercise.folder / "office"
    await french.send(warning_draft(operation=OPERATION), to=["de-customs"])
    told = await called("partner", "compromised", office, KID, "--since", str(int(time.time()) - 60))
    assert told["revoked"] == [KID]
    assert told["left"] == ["fr-customs#e1", "fr-customs#m1"], "the agency must know each of these"
    assert KID in told["ask"][0]
    await german.connector.mirror.refresh()
    received = await german.receive_once()
    assert (received.opened, received.refused) == ((), 1)
    (entry,) = await german.inbox()
    assert (entry.state, entry.code) == ("refused", "signature/key-revoked")


async def test_the_record_tells_what_a_stolen_key_signed_and_who_opened_it(
    exercise: Exercise, french: Agency, german: Agency
) -> None:
    """A forged message is on the hub's record and not in the agency's outbox; receipts are told as well."""
    before = str(int(time.time()) - 60)
    sent = await french.send(warning_draft(operation=OPERATION), to=["de-customs"])
    await german.receive_once()
    await french.receive_once()
    forged = await sealed(french)
    await french.connector.client.submit(forged)
    hub = await called("hub", "signed-by", exercise.hub, KID, "--since", before)
    assert hub["messages"][0]["mh"] == sent.mh
    assert [[copy["state"] for copy in one["copies"]] for one in hub["messages"]] == [["opened"], ["waiting"]]
    assert hub["messages"][0]["copies"][0]["receipt_at"] >= int(before)
    for kid in ("fr-customs#m1", "fr-customs#s2"):
        again = await called("hub", "signed-by", exercise.hub, kid, "--since", before)
        assert len(again["messages"]) == (2 if kid == "fr-customs#m1" else 0), "second signatures count as well"
    own = await called("connector", "signed-by", exercise.agency("fr-customs"), KID, "--since", before)
    assert [one["opened_by"] for one in own["messages"]] == [["de-customs"], []]
    theirs = await called("connector", "signed-by", exercise.agency("de-customs"), KID, "--since", before)
    assert [(one["mh"], one["opened_by"]) for one in theirs["messages"]] == [(sent.mh, ["de-customs"])]
    receipts = await called("hub", "signed-by", exercise.hub, "de-customs#s1", "--since", before)
    assert [(one["mh"], one["state"]) for one in receipts["receipts"]] == [(sent.mh, "opened")]
    later = await called("hub", "signed-by", exercise.hub, KID, "--since", str(int(time.time()) + 60))
    assert later["messages"] == []


async def test_a_revoked_key_vouches_for_nothing(exercise: Exercise, french: Agency) -> None:
    office = exercise.folder / "office"
    made = await called("connector", "rotate", exercise.agency("fr-customs"), "--use", "sign")
    await called("partner", "revoke", office, KID)
    with pytest.raises(NotARenewalError):
        await called("partner", "renew", office, made["request"])
    (challenged,) = (await called("partner", "challenge", office, made["request"]))["challenges"]
    assert challenged["vouching"] == [], "the office must compare the fingerprint"
    assert french.connector.partner == "fr-customs"


async def test_a_theft_only_ever_turns_out_to_be_older(exercise: Exercise) -> None:
    office, now = exercise.folder / "office", int(time.time())
    for since, in_force in ((now - 60, now - 60), (now - 600, now - 600), (now, now - 600)):
        await called("partner", "compromised", office, "fr-customs", "--since", str(since))
        keys = (await called("partner", "show", office, "fr-customs"))["keys"]
        assert {key["revoked_at"] for key in keys} == {in_force}, "every key of the partner"
    with pytest.raises(EnrolmentError, match="ML-DSA-65"):
        await called("partner", "require", office, "fr-customs", "--second")
