"""Messages named by their beginning, the line that tells what one is about, and the screen of an agency's state."""

from pathlib import Path

import pytest

from connectors.cli.status import _text, look
from connectors.kit.numbers import whole_number
from connectors.kit.summary import summary_of
from hub.protocol.errors import AmbiguousNumberError, NotFoundError, SetupError
from hub.protocol.vocabulary import Label
from tests.support.agency import ScriptedSet, feedback_draft, running_world, warning_draft
from tests.support.exchange import NOW


async def test_a_message_is_named_by_its_beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_world(tmp_path, monkeypatch) as world:
        customs, other = await world.open("fr-customs"), await world.open("de-customs")
        sent = await customs.send(warning_draft(), to=["de-customs"])
        await other.receive_once()
        for agency in (customs, other):
            assert await whole_number(agency.connector, sent.mh[:6]) == sent.mh
            assert await whole_number(agency.connector, sent.mh) == sent.mh
        with pytest.raises(NotFoundError):
            await whole_number(customs.connector, sent.mh[:3])
        with pytest.raises(NotFoundError):
            await whole_number(customs.connector, "%%%%")
        several = {sent.mh[:4] + "x" * 39}
        monkeypatch.setattr(customs.connector.inbox, "beginning", lambda _: _soon(several))
        with pytest.raises(AmbiguousNumberError):
            await whole_number(customs.connector, sent.mh[:4])


async def _soon(value: set[str]) -> set[str]:
    return value


async def test_a_line_tells_what_a_message_is_about(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_world(tmp_path, monkeypatch) as world:
        customs, other = await world.open("fr-customs"), await world.open("de-customs")
        warning = await customs.send(warning_draft(), to=["de-customs"])
        await other.receive_once()
        line = summary_of(await other.read(warning.mh))
        assert line.startswith("inspect consignment: Exercise: weight")
        assert len(line) <= 60
        answer = await other.answer(warning.mh, feedback_draft())
        await customs.receive_once()
        assert " " not in summary_of(await customs.read(answer.mh)), "the outcome's code"


async def test_what_was_withheld_is_not_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_world(tmp_path, monkeypatch) as world:
        world.policies = ScriptedSet(deny={"de-customs": frozenset({Label.ACTION, Label.NARRATIVE})})
        customs, other = await world.open("fr-customs"), await world.open("de-customs")
        warning = await customs.send(warning_draft(), to=["de-customs"])
        await other.receive_once()
        assert summary_of(await other.read(warning.mh)) == "consignment"


async def test_the_screen_of_an_agency(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_world(tmp_path, monkeypatch) as world:
        customs = await world.open("fr-customs")
        await customs.send(warning_draft(), to=["de-customs"])
        folder = tmp_path / "fr-customs"
        (folder / "root.json").write_text("{}")
        (folder / "agency.toml").write_text(
            'partner = "fr-customs"\nfederation = "test-exchange"\nhub = "int-hub"\nhub_url = "http://127.0.0.1:9"\n'
        )
        value = look(folder, now=NOW)
        text = _text(value)
    assert value["outbox"] == {"accepted": 1}
    assert value["hub"] == {"url": "http://127.0.0.1:9", "reachable": False, "code": "exchange/unreachable"}
    assert "cannot be reached" in text
    assert "outbox      1 accepted" in text
    with pytest.raises(SetupError):
        look(tmp_path / "missing", now=NOW)
