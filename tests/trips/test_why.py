"""Why has X not got it: every answer is one of a closed list, and names whose turn it is."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connectors.kit.agency import Agency
from connectors.kit.receive import examine_new, send_receipts
from connectors.kit.why import _SENTENCES, Reason, Side, why_not
from hub.broker.expire import expire
from hub.protocol.errors import DeniedError, UnreachableError
from hub.protocol.interface import WithheldReason
from hub.protocol.vocabulary import Label
from tests.support.agency import (
    ScriptedSet,
    World,
    line_of,
    mirror_of,
    running_world,
    warning_draft,
    with_partner,
)
from tests.trips.test_expire import exchange_of

EVERYTHING = frozenset(Label)
MONTH = 30 * 86_400


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    async with running_world(tmp_path, monkeypatch) as running:
        yield running


async def _why(agency: Agency, mh: str, partner: str = "de-customs") -> tuple[str, Side]:
    reason = await why_not(agency.connector, mh, partner)
    assert reason.sentence.endswith(".")
    return reason.code, reason.side


def test_every_reason_names_its_side() -> None:
    for code in _SENTENCES:
        assert Reason(code).side in Side
        assert Reason(code).sentence
    page = (Path(__file__).parents[2] / "docs/trips/why.md").read_text("utf-8")
    assert [code for code in _SENTENCES if f"| `{code}` | {Reason(code).side} |" not in page] == []


async def test_how_far_it_came_and_whose_turn_it_is(world: World) -> None:
    customs, other = await world.open(), await world.open("de-customs")
    line_of(customs).break_before["/v1/messages"] = 1
    with pytest.raises(UnreachableError):
        await customs.send(warning_draft(), to=["de-customs"])
    (entry,) = await customs.outbox()
    assert await _why(customs, entry.id) == ("not-uploaded", Side.OURS)
    waits = await why_not(customs.connector, entry.mh or "", "de-customs")
    assert (waits.detail, waits.at) == ("exchange/unreachable", world.now)
    sent = await customs.send(warning_draft(), to=["de-customs"])
    unseen = await why_not(customs.connector, sent.mh, "de-customs")
    assert (unseen.code, unseen.at) == ("waiting-not-collected", None), "never here"
    world.now += 1_000
    await line_of(other).collect(wait=0)
    seen = await why_not(customs.connector, sent.mh, "de-customs")
    assert seen.at == world.now - world.now % 3_600, "to the hour"
    pieces = await line_of(other).collect(wait=0)
    await line_of(other).confirm([piece.seq for piece in pieces])
    assert await _why(customs, sent.mh) == ("collected-no-receipt", Side.THEIRS)
    await other.connector.inbox.keep([piece.data for piece in pieces], at=world.now)
    await examine_new(other.connector)
    await send_receipts(other.connector)
    assert await _why(customs, sent.mh) == ("has-it", Side.NOBODY)
    assert await _why(customs, sent.mh, "de-police") == ("not-addressed", Side.OURS)
    assert await _why(customs, sent.mh, "zz-nobody") == ("unknown-partner", Side.OURS)


async def test_what_was_refused_expired_or_withheld(world: World) -> None:
    customs, other = await world.open(), await world.open("de-customs")
    world.policies = ScriptedSet("a" * 64, {"de-police": EVERYTHING})
    mirror_of(customs).policies = ScriptedSet("c" * 64)
    with pytest.raises(DeniedError):
        await customs.send(warning_draft(), to=["de-police"])
    (denied,) = await customs.outbox()
    assert await _why(customs, denied.id, "de-police") == ("given-up", Side.OURS)
    sent = await customs.send(warning_draft(), to=["de-customs", "rilo-we"])
    (piece,) = await line_of(other).collect(wait=0)
    await other.connector.inbox.keep([piece.data[:-1] + bytes([piece.data[-1] ^ 1])], at=world.now)
    await examine_new(other.connector)
    await send_receipts(other.connector)
    refused = await why_not(customs.connector, sent.mh, "de-customs")
    assert (refused.code, refused.detail) == ("refused-by-addressee", "envelope/digest-mismatch")
    world.now += MONTH
    await expire(exchange_of(world))
    assert await _why(customs, sent.mh, "rilo-we") == ("expired-undelivered", Side.THEIRS)


@pytest.mark.parametrize(
    ("reason", "code", "side"),
    [
        ("policy/not-permitted", "withheld-by-our-rules", Side.OURS),
        ("policy/not-accepted", "withheld-by-their-rules", Side.THEIRS),
        ("policy/duty", "withheld-by-their-rules", Side.THEIRS),
        ("policy/no-agreement", "withheld-by-agreement", Side.BETWEEN),
        ("policy/floor", "withheld-by-exchange", Side.HUBS),
        ("policy/fault", "withheld-by-exchange", Side.HUBS),
        ("originator/not-wrapped", "not-wrapped", Side.OURS),
    ],
)
async def test_what_policy_withheld_names_whose_rule_it_was(
    world: World, monkeypatch: pytest.MonkeyPatch, reason: str, code: str, side: Side
) -> None:
    customs = await world.open()
    sent = await customs.send(warning_draft(), to=["de-customs"])
    honest = await line_of(customs).matrix(sent.mh)
    withheld = (WithheldReason(cid="c0", reason=reason, rules=("R-1",), near_miss=""),)
    row = honest.rows[0].model_copy(update={"state": "withheld", "released": (), "withheld": withheld})
    told = honest.model_copy(update={"rows": (row,)})

    async def matrix(_mh: str) -> object:
        return told

    monkeypatch.setattr(line_of(customs), "matrix", matrix)
    assert await _why(customs, sent.mh) == (code, side)


async def test_a_partner_that_cannot_receive(world: World) -> None:
    customs = await world.open()
    sent = await customs.send(warning_draft(), to=["de-customs"])
    directory = mirror_of(customs).directory
    mirror_of(customs).directory = with_partner(directory, "de-customs", status="suspended")
    assert await _why(customs, sent.mh) == ("suspended", Side.THEIRS)
    mirror_of(customs).directory = with_partner(directory, "de-police", keys=())
    assert await _why(customs, sent.mh, "de-police") == ("no-valid-key", Side.THEIRS)
