"""The README's ten lines, run as they stand against a real hub; only the agency's folder is another."""

import re
import time
from pathlib import Path

import pytest
from pydantic import SecretStr

from connectors.kit.agency import Agency
from hub.protocol.strictjson import write_json
from tests.support.agency import warning_draft
from tests.support.office import PASSPHRASE
from tests.support.tree import ROOT

BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)


def _write_draft(folder: Path) -> None:
    draft = warning_draft(operation="exercise-lantern")
    (folder / "warning.json").write_bytes(write_json(draft.model_dump(mode="json", exclude_none=True)))


async def test_the_ten_lines_send_a_warning(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = BLOCK.search((ROOT / "README.md").read_text("utf-8"))
    assert source is not None
    assert "demo/agencies/fr-customs" in source[1]
    program = source[1].replace("demo/agencies/fr-customs", str(folders["fr-customs"]))
    program = program.replace("asyncio.run(main())", "")
    now = int(time.time())
    async with Agency.open(folders["rilo-we"], passphrase=SecretStr(PASSPHRASE)) as liaison:
        await liaison.open_operation(
            "exercise-lantern",
            title="Exercise Lantern",
            members=["fr-customs", "de-customs", "de-police", "int-bureau", "rilo-we"],
            opens=now - 60,
            closes=now + 86_400,
            exercise=True,
        )
    monkeypatch.chdir(folders["fr-customs"])
    _write_draft(folders["fr-customs"])
    monkeypatch.setenv("VALISE_PASSPHRASE", PASSPHRASE)
    lines: dict[str, object] = {}
    exec(compile(program, "README.md", "exec"), lines)  # noqa: S102 - our own README
    main = lines["main"]
    assert callable(main)
    await main()
    told = dict(line.split() for line in capsys.readouterr().out.splitlines())
    assert told == {"de-customs": "waiting", "de-police": "waiting", "int-bureau": "waiting", "rilo-we": "waiting"}
