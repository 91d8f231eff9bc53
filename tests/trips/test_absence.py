"""What is not for somebody looks as if it were not there: operations of others, and copies that were withheld whole."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connectors.kit.send import advance
from hub.protocol.errors import NotFoundError, OperationError, UnreachableError
from hub.protocol.interface import AudienceQuestion
from hub.protocol.vocabulary import Label
from tests.support.agency import ScriptedSet, World, line_of, running_world, warning_draft
from tests.support.exchange import NOW


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    async with running_world(tmp_path, monkeypatch) as running:
        yield running


async def test_an_operation_of_others_does_not_exist(world: World) -> None:
    """Neither its members nor its name are told to a partner that is not in it."""
    bureau, police, customs = [await world.open(one) for one in ("int-bureau", "de-police", "fr-customs")]
    await bureau.open_operation(
        "op-canute",
        title="Exercise Canute",
        members=["de-police", "rilo-we"],
        opens=NOW - 60,
        closes=NOW + 86_400,
        exercise=True,
    )
    inside = await police.audience(warning_draft(operation="op-canute"), operation=True)
    assert [one.partner for one in inside.candidates] == ["rilo-we"]
    for name in ("op-canute", "op-nowhere"):
        outline = _question(name)
        with pytest.raises(OperationError) as refused:
            await customs.connector.client.audience(outline)
        assert "op-" not in refused.value.detail


def _question(operation: str) -> AudienceQuestion:
    draft = warning_draft(operation=operation)
    outline = {
        "mt": "warning",
        "verb": "alert",
        "status": draft.status,
        "marks": draft.marks,
        "purpose": draft.purpose,
        "offence": draft.offence,
        "basis": draft.basis,
        "pri": draft.priority,
        "topics": draft.facets(),
        "op": operation,
        "labels": (Label.ACTION,),
    }
    return AudienceQuestion.model_validate(
        {"outline": outline, "to": ("de-police",), "irt": None, "operation": True, "subscribers": False}, strict=False
    )


async def test_what_was_withheld_whole_has_no_proof_for_its_addressee(world: World) -> None:
    customs, police, rilo = [await world.open(one) for one in ("fr-customs", "de-police", "rilo-we")]
    line_of(customs).break_before["/v1/messages"] = 1
    with pytest.raises(UnreachableError):
        await customs.send(warning_draft(), to=["de-police", "rilo-we"])
    world.policies = ScriptedSet(deny={"de-police": frozenset(Label)})  # after it was sealed to both
    (entry,) = await customs.outbox()
    message = (await advance(customs.connector, entry.id)).mh
    assert (await customs.proof(message, "de-police")).receipt is None
    assert (await rilo.proof(message, "rilo-we")).to == "rilo-we"
    for agency, to in ((police, "de-police"), (police, "rilo-we"), (rilo, "de-police"), (rilo, "int-bureau")):
        with pytest.raises(NotFoundError):
            await agency.proof(message, to)
