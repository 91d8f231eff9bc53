"""A message on its way out: refused before sealing where it must be, and never lost or sent twice, whatever breaks."""

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connectors.kit.agency import Agency
from connectors.kit.audience import NO_ANSWER, NOT_ASKED
from connectors.kit.outbox import OutboxEntry
from connectors.kit.reading import read_draft
from connectors.kit.send import Addressing, advance, compose, hand_over
from hub.protocol.envelope import parse_submission
from hub.protocol.errors import (
    AnswerError,
    BusyError,
    DeniedError,
    ExpiredError,
    KeyNotValidError,
    NoAddresseeKeyError,
    OperationError,
    SetupError,
    ThreadError,
    UnknownPartnerError,
    UnreachableError,
)
from hub.protocol.interface import AudienceAnswer
from hub.protocol.manifest import parse_manifest
from hub.protocol.marks import is_at_least_as_strict
from hub.protocol.vocabulary import Label, Verb
from tests.support.agency import (
    ScriptedSet,
    World,
    feedback_draft,
    line_of,
    mirror_of,
    running_world,
    warning_draft,
    with_partner,
)

MESSAGES = "/v1/messages"
AUDIENCE = "/v1/audience"


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    async with running_world(tmp_path, monkeypatch) as running:
        yield running


async def _states(agency: Agency) -> list[tuple[str, str | None]]:
    return [(entry.state, entry.code) for entry in await agency.outbox()]


async def _only(agency: Agency) -> OutboxEntry:
    (entry,) = await agency.outbox()
    return entry


# --- what both permit, and nothing else ------------------------------------------------------------------------------


async def test_a_warning_reaches_whom_it_names(world: World) -> None:
    agency = await world.open()
    sent = await agency.send(warning_draft(), to=["de-customs", "de-police"])
    assert (sent.accept.mh, sent.accept.seq, sent.accept.after) == (sent.mh, 1, None)
    rows = await agency.matrix(sent.mh)
    assert [(row.to, row.state, row.released) for row in rows] == [
        ("de-customs", "waiting", ("c0", "c1", "c2")),
        ("de-police", "waiting", ("c0", "c1", "c2")),
    ]
    assert await _states(agency) == [("accepted", None)]


async def test_where_the_two_sets_disagree_nothing_goes_and_the_cause_is_shown(world: World) -> None:
    world.policies = ScriptedSet("a" * 64, {"de-customs": frozenset({Label.CONSIGNMENT})})
    agency = await world.open()
    mirror_of(agency).policies = ScriptedSet("b" * 64, {"de-customs": frozenset({Label.NARRATIVE, Label.CONSIGNMENT})})
    audience = await agency.audience(warning_draft(), to=["de-customs"])
    assert not audience.agrees
    assert mirror_of(agency).refreshed == 1, "it first looks for a newer set"
    (row,) = audience.candidates
    assert row.grants == ("c0",)
    assert [(one.cid, one.by, one.reason) for one in row.withheld] == [
        ("c1", "both", "policy/scripted"),
        ("c2", "originator", "policy/scripted"),
    ]
    sent = await agency.send(warning_draft(), to=["de-customs"])
    (delivered,) = await agency.matrix(sent.mh)
    assert delivered.released == ("c0",), "a hub cannot release what was never wrapped"


async def test_a_newer_policy_set_is_fetched_before_it_is_asked(world: World) -> None:
    agency = await world.open()
    world.policies = ScriptedSet("a" * 64, {"de-customs": frozenset({Label.NARRATIVE})})
    mirror_of(agency).published = (world.directory, world.policies)
    audience = await agency.audience(warning_draft(), to=["de-customs"])
    assert audience.agrees
    assert audience.candidates[0].grants == ("c0", "c1")
    assert [one.by for one in audience.candidates[0].withheld] == ["both"]


async def test_a_hub_that_only_says_no_is_shown_as_the_cause(world: World) -> None:
    agency = await world.open()
    world.policies = ScriptedSet("a" * 64, {"de-customs": frozenset({Label.NARRATIVE})})
    (row,) = (await agency.audience(warning_draft(), to=["de-customs"])).candidates
    assert [(one.cid, one.by, one.rules, one.near_miss) for one in row.withheld] == [
        ("c2", "hub", ("TEST-01",), "the test says so")
    ]


async def test_a_hub_that_adds_or_passes_over_somebody_is_caught(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    agency = await world.open()
    honest = line_of(agency).audience

    async def lie(question: object) -> AudienceAnswer:
        answer = await honest(question)  # type: ignore[arg-type]  # as asked
        added = answer.rows[0].model_copy(update={"partner": "int-bureau"})
        return answer.model_copy(update={"rows": (added, *answer.rows[1:])})

    monkeypatch.setattr(line_of(agency), "audience", lie)
    audience = await agency.audience(warning_draft(), to=["de-customs", "de-police"])
    reasons = {row.partner: {one.reason for one in row.withheld} for row in audience.candidates}
    assert reasons == {"de-customs": {NO_ANSWER}, "de-police": set(), "int-bureau": {NOT_ASKED}}
    sent = await agency.send(warning_draft(), to=["de-customs", "de-police"])
    assert [row.to for row in await agency.matrix(sent.mh)] == ["de-police"]


# --- refused before sealing ------------------------------------------------------------------------------------------


async def test_an_addressee_without_a_key_is_refused_before_sealing(world: World) -> None:
    world.directory = with_partner(world.directory, "de-police", keys=())
    agency = await world.open()
    with pytest.raises(NoAddresseeKeyError, match="de-police"):
        await agency.send(warning_draft(), to=["de-customs", "de-police"])
    entry = await _only(agency)
    assert (entry.state, entry.code, entry.frame) == ("refused", "seal/no-addressee-key", None)
    assert line_of(agency).heard[MESSAGES] == 0
    assert (await agency.connector.outbox.next_numbers("fr-customs#s1", [])).seq == 1, "no number was spent"
    sent = await agency.send(warning_draft(), to=["de-customs", "de-police"], leave_out=["de-police"])
    assert [row.to for row in await agency.matrix(sent.mh)] == ["de-customs"]


async def test_nothing_is_sealed_when_nobody_may_get_it(world: World) -> None:
    everything = frozenset({Label.ACTION, Label.CONSIGNMENT, Label.NARRATIVE})
    world.policies = ScriptedSet(deny={"de-customs": everything})
    agency = await world.open()
    with pytest.raises(DeniedError):
        await agency.send(warning_draft(), to=["de-customs"])
    with pytest.raises(DeniedError):
        await agency.send(warning_draft())
    assert await _states(agency) == [("refused", "policy/denied")] * 2
    assert line_of(agency).heard[MESSAGES] == 0


async def test_an_exercise_connector_sends_nothing_in_earnest(world: World) -> None:
    agency = await world.open()
    with pytest.raises(SetupError, match="exercise"):
        await agency.send(warning_draft(status="actual"), to=["de-customs"])
    assert await _states(agency) == []


@pytest.mark.parametrize(("to", "leave_out"), [(["xx-customs"], []), (["de-customs"], ["KE-customs"])])
async def test_a_mistyped_partner_is_refused_before_anything_is_kept(
    world: World, to: list[str], leave_out: list[str]
) -> None:
    """Above all one to be left out: the message would go to it."""
    agency = await world.open()
    with pytest.raises(UnknownPartnerError):
        await agency.send(warning_draft(), to=to, leave_out=leave_out)
    assert await _states(agency) == []


async def test_what_no_retry_mends_is_given_up_with_its_code(world: World) -> None:
    agency = await world.open()
    with pytest.raises(OperationError):
        await agency.send(warning_draft(operation="op-unknown"), to=["de-customs"])
    entry = await _only(agency)
    assert (entry.state, entry.code) == ("refused", OperationError.code)
    with pytest.raises(OperationError):
        await advance(agency.connector, entry.id)
    await agency.send(warning_draft(), to=["de-customs"])


async def test_a_sealed_message_that_the_hub_refuses_keeps_its_number_and_the_next_goes(world: World) -> None:
    agency = await world.open()
    line_of(agency).break_before[MESSAGES] = 1
    with pytest.raises(UnreachableError):
        await agency.send(warning_draft(), to=["de-customs"])
    world.now += 40 * 86_400  # beyond its lifetime
    with pytest.raises(ExpiredError):
        await advance(agency.connector, (await _only(agency)).id)
    sent = await agency.send(warning_draft(), to=["de-customs"])
    assert sent.accept.seq == 2
    assert await _states(agency) == [("accepted", None), ("refused", "envelope/expired")]


# --- whatever breaks, whenever ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", ["handed over", "asked", "sealed", "uploaded", "accepted"])
async def test_a_crash_at_any_stage_neither_loses_nor_doubles(world: World, stage: str) -> None:
    """The first process dies at a stage; a new one finds the store as it was left and finishes the work."""
    async with AsyncExitStack() as first_process:
        agency = await world.open(stack=first_process)
        earlier = await agency.send(warning_draft(), to=["de-customs"])
        line = line_of(agency)
        broken = {"asked": (line.break_before, AUDIENCE), "sealed": (line.break_before, MESSAGES)}
        broken["uploaded"] = (line.break_after, MESSAGES)
        if stage in broken:
            counter, path = broken[stage]
            counter[path] = 1
        message = compose(agency.connector, warning_draft(), Addressing(["de-customs"]))
        (identifier,) = await hand_over(agency.connector, [message])
        if stage in broken:
            with pytest.raises(UnreachableError):
                await advance(agency.connector, identifier)
        if stage == "accepted":
            await advance(agency.connector, identifier)
    agency = await world.open()
    before = await agency.connector.outbox.entry(identifier)
    for unfinished in await agency.connector.outbox.unfinished():
        await advance(agency.connector, unfinished)
    sent = await advance(agency.connector, identifier)
    assert (sent.accept.seq, sent.accept.after) == (2, 1)
    assert before.mh in (None, sent.mh), "what was sealed once is what was sent"
    after = await agency.connector.outbox.entry(identifier)
    assert parse_manifest(after.manifest or "")[0].prev == earlier.mh
    hub_list = await line_of(agency).sent()
    assert [one.mh for one in hub_list.messages] == [sent.mh, earlier.mh]
    third = await agency.send(warning_draft(), to=["de-customs"])
    assert third.accept.seq == 3
    receiver = await world.open("de-customs")
    assert len((await receiver.receive_once()).opened) == 3
    assert await receiver.gaps() == {}


async def test_the_same_bytes_are_sent_again(world: World) -> None:
    agency = await world.open()
    line_of(agency).break_after[MESSAGES] = 2
    with pytest.raises(UnreachableError):
        await agency.send(warning_draft(), to=["de-customs"])
    entry = await _only(agency)
    with pytest.raises(UnreachableError):
        await advance(agency.connector, entry.id)
    assert (await _only(agency)).frame == entry.frame
    assert entry.frame is not None
    assert parse_submission(entry.frame).head.m == entry.manifest
    sent = await advance(agency.connector, entry.id)
    assert len((await line_of(agency).sent()).messages) == 1
    assert await advance(agency.connector, entry.id) == sent, "advancing an accepted message changes nothing"


async def test_what_was_accepted_stays_accepted_when_it_no_longer_passes(world: World) -> None:
    """The answer was lost; when the same bytes are sent again, the message has expired meanwhile."""
    agency = await world.open()
    line_of(agency).break_after[MESSAGES] = 1
    with pytest.raises(UnreachableError):
        await agency.send(warning_draft(), to=["de-customs"])
    world.now += agency.connector.lifetime
    entry = await _only(agency)
    sent = await advance(agency.connector, entry.id)
    assert (sent.mh, sent.accept.iat) == (entry.mh, world.now - agency.connector.lifetime)
    assert await _states(agency) == [("accepted", None)]


async def test_messages_that_were_sealed_while_the_hub_was_away_keep_their_order(world: World) -> None:
    agency = await world.open()
    line_of(agency).break_before[MESSAGES] = 3
    for _ in range(3):
        with pytest.raises(UnreachableError):
            await agency.send(warning_draft(), to=["de-customs"])
    for identifier in reversed(await agency.connector.outbox.unfinished()):  # even when they come in another order
        await advance(agency.connector, identifier)
    assert sorted(one.seq for one in (await line_of(agency).sent()).messages) == [1, 2, 3]


async def test_a_hub_with_another_clock_does_not_use_up_numbers(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says that our key has ended, and we have no other: the sealed message waits until one of the two is mended."""
    agency = await world.open()
    honest = line_of(agency).submit
    asked: list[bytes] = []

    async def ended(frame: bytes) -> bytes:
        asked.append(frame)
        assert len(asked) < 3, "again and again"
        raise KeyNotValidError("fr-customs#s1")

    monkeypatch.setattr(line_of(agency), "submit", ended)
    with pytest.raises(BusyError):
        await agency.send(warning_draft(), to=["de-customs"])
    assert await _states(agency) == [("sealed", KeyNotValidError.code)]
    monkeypatch.setattr(line_of(agency), "submit", honest)
    sent = await advance(agency.connector, (await _only(agency)).id)
    assert sent.accept.seq == 1


async def test_an_accept_of_something_else_is_not_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    agency = await world.open()
    first = await agency.send(warning_draft(), to=["de-customs"])
    entry = await agency.connector.outbox.message(first.mh)
    honest = line_of(agency).submit
    for wrong in (entry.accept or b"", b"{}", b'{"t":"x","p":"","i":0,"path":[],"b":""}'):

        async def lie(_frame: bytes, answer: bytes = wrong) -> bytes:
            return answer

        monkeypatch.setattr(line_of(agency), "submit", lie)
        with pytest.raises(AnswerError):
            await agency.send(warning_draft(), to=["de-customs"])
    monkeypatch.setattr(line_of(agency), "submit", honest)
    assert [state for state, _ in await _states(agency)] == ["sealed", "sealed", "sealed", "accepted"]
    for identifier in await agency.connector.outbox.unfinished():
        await advance(agency.connector, identifier)
    assert len((await line_of(agency).sent()).messages) == 4


async def test_a_draft_on_disk_is_sealed_and_its_author_reads_it(world: World, tmp_path: Path) -> None:
    agency = await world.open()
    sent = await agency.send(warning_draft(), to=["de-customs"])
    kept = b"".join(path.read_bytes() for path in (tmp_path / "fr-customs").iterdir())
    assert b"weight does not fit" not in kept
    compartments = read_draft(agency.connector, await agency.connector.outbox.message(sent.mh))
    assert [one.label for one in compartments.values()] == [Label.ACTION, Label.CONSIGNMENT, Label.NARRATIVE]


async def test_a_broadcast_is_sealed_in_the_pool(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.kit.send.BROADCAST", 1)
    agency = await world.open()
    with ThreadPoolExecutor(1, thread_name_prefix="pool") as pool:
        jobs: list[str] = []
        really = pool.map

        def note(*given: Any, **named: Any) -> Any:
            jobs.append(given[0].__name__)
            return really(*given, **named)

        monkeypatch.setattr(pool, "map", note)
        sealing = Agency(agency.settings, replace(agency.connector, pool=pool))
        await sealing.send(warning_draft(), to=["de-customs"])
        assert jobs == []
        sent = await sealing.send(warning_draft(), to=["de-customs", "de-police"])
        assert jobs == ["seal_kek"]
    other = await world.open("de-police")
    assert (await other.receive_once()).opened == (sent.mh,)


# --- references ------------------------------------------------------------------------------------------------------


async def test_an_answer_goes_to_the_originator_under_its_marks(world: World) -> None:
    customs, police = await world.open(), await world.open("de-police")
    sent = await customs.send(warning_draft(), to=["de-police"])
    with pytest.raises(ThreadError):
        await police.answer(sent.mh, feedback_draft())
    await police.receive_once()
    answer = await police.answer(sent.mh, feedback_draft())
    (row,) = await police.matrix(answer.mh)
    assert row.to == "fr-customs"
    assert (await customs.receive_once()).opened == (answer.mh,)
    read = await customs.read(answer.mh)
    warning = (await police.read(sent.mh)).manifest
    assert (read.manifest.irt, read.manifest.thread) == (sent.mh, warning.thread)
    assert is_at_least_as_strict(read.manifest.marks, warning.marks)


async def test_an_update_refers_to_an_own_message(world: World) -> None:
    agency = await world.open()
    sent = await agency.send(warning_draft(), to=["de-customs"])
    update = await agency.replace(sent.mh, warning_draft(), verb=Verb.UPDATE, to=["de-customs"])
    manifest = parse_manifest((await agency.connector.outbox.message(update.mh)).manifest or "")[0]
    assert manifest.refs == (sent.mh,)
    other = await world.open("de-customs")
    await other.receive_once()
    with pytest.raises(ThreadError):
        await other.replace(sent.mh, warning_draft(), verb=Verb.CANCEL, to=["fr-customs"])
    assert await _states(other) == [("refused", "envelope/wrong-reference")]
