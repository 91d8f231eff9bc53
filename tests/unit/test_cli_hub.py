"""The hub's commands as an operator types them: exit codes, JSON, files, and the sentence when something is wrong."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import click
import pytest
from click.testing import CliRunner, Result

from hub.cli import exit_code, valise
from hub.protocol import errors
from tests.support.tree import ROOT


@pytest.fixture(autouse=True)
def _passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VALISE_PASSPHRASE", "an exercise only")


def _run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(valise, [str(argument) for argument in arguments], catch_exceptions=True)


def _json(*arguments: str | Path) -> dict[str, object]:
    result = _run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    value: dict[str, object] = json.loads(result.stdout)
    return value


@pytest.fixture
def office(tmp_path: Path) -> Path:
    folder = tmp_path / "office"
    told = _json("exchange", "init", folder, "--name", "lantern", "--country", "FR", "--light-keystores")
    assert told["federation"] == "lantern"
    assert (folder / "root.json").is_file()
    return folder


def _enrol_hub(office: Path, tmp_path: Path) -> Path:
    hub = tmp_path / "hub"
    shared = ("--exchange", "lantern", "--root", office / "root.json", "--directory", office / "public")
    told = _json("hub", "init", hub, "--code", "int-hub", "--name", "Hub", "--light-keystores", *shared)
    request = hub / "int-hub.request"
    assert told["request"] == str(request)
    challenged = _run("partner", "challenge", office, request)
    assert challenged.exit_code == 0
    assert str(told["fingerprint"]) in challenged.stdout, "the officer compares the same fingerprint"
    assert _json("hub", "answer", hub, hub / "int-hub.challenge") == {"answer": str(hub / "int-hub.answer")}
    assert _json("partner", "enrol", office, request) == {"enrolled": ["int-hub"]}
    return hub


def test_a_hub_is_made_and_enrolled(office: Path, tmp_path: Path) -> None:
    hub = _enrol_hub(office, tmp_path)
    record = _json("partner", "show", office, "int-hub")
    assert (record["kind"], record["status"]) == ("hub", "active")
    assert isinstance(record["log_keys"], list)
    assert len(record["log_keys"]) == 2
    assert (hub / "keys.valise").stat().st_mode & 0o077 == 0, "only its owner reads the keystore"
    assert "int-hub#s1" in _run("partner", "show", office, "int-hub").stdout


def test_partners_are_suspended_and_keys_revoked(office: Path, tmp_path: Path) -> None:
    _enrol_hub(office, tmp_path)
    assert _json("partner", "suspend", office, "int-hub") == {"partner": "int-hub", "status": "suspended"}
    assert _json("partner", "show", office, "int-hub")["status"] == "suspended"
    assert _run("partner", "resume", office, "int-hub").exit_code == 0
    revoked = _json("partner", "revoke", office, "int-hub#s1", "--since", "1800000000")
    assert revoked == {"revoked": "int-hub#s1", "since": 1_800_000_000}
    keys = _json("partner", "show", office, "int-hub")["keys"]
    assert isinstance(keys, list)
    assert {key["kid"]: key["revoked_at"] for key in keys}["int-hub#s1"] == 1_800_000_000
    assert isinstance(_run("partner", "show", office, "fr-customs").exception, errors.UnknownPartnerError)


def test_a_policy_set_is_published_and_the_directory_renewed(office: Path, tmp_path: Path) -> None:
    digest = _json("exchange", "policies", office, ROOT / "policies")["policies"]
    assert isinstance(digest, str)
    assert list((office / "public" / "targets" / "policies").glob(f"*.{digest}.json"))
    assert isinstance(_json("exchange", "renew", office)["renewed"], int)
    empty = tmp_path / "empty"
    empty.mkdir()
    assert isinstance(_run("exchange", "policies", office, empty).exception, errors.PolicySetError)


def test_nothing_is_founded_or_made_twice(office: Path, tmp_path: Path) -> None:
    again = _run("exchange", "init", office, "--name", "lantern", "--light-keystores")
    assert isinstance(again.exception, errors.SetupError)
    hub = _enrol_hub(office, tmp_path)
    shared = ("--exchange", "lantern", "--root", office / "root.json", "--directory", office / "public")
    again = _run("hub", "init", hub, "--code", "int-hub", "--name", "Hub", *shared)
    assert isinstance(again.exception, errors.SetupError)


def _process(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hub.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_a_person_gets_a_sentence_a_code_and_an_exit_code(tmp_path: Path) -> None:
    file = tmp_path / "evidence.json"
    file.write_text("{}")
    refused = _process("verify", file, "--anchors", file)
    assert refused.returncode == 6
    assert refused.stdout.startswith("The evidence does NOT hold")
    assert errors.EvidenceFormatError.sentence in refused.stdout
    assert errors.EvidenceFormatError.code in refused.stdout
    assert refused.stderr == ""
    told = json.loads(_process("verify", file, "--anchors", file, "--json").stdout)
    assert told == {
        "holds": False,
        "code": errors.EvidenceFormatError.code,
        "sentence": errors.EvidenceFormatError.sentence,
    }
    missing = _process("verify", tmp_path / "no.json", "--anchors", file)
    assert missing.returncode == 1
    assert "no.json" in missing.stderr
    answer = _process("partner", "enrol", tmp_path, file)
    assert answer.returncode == 1
    assert "Traceback" not in answer.stderr
    usage = _process("verify")
    assert usage.returncode == 2
    assert "Usage:" in usage.stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.SetupError, 1),
        (errors.DeniedError, 3),
        (errors.NotFoundError, 4),
        (errors.UnreachableError, 5),
        (errors.BadSignatureError, 6),
        (errors.ConsistencyError, 6),
    ],
)
def test_exit_codes(error: type[errors.ValiseError], code: int) -> None:
    assert exit_code(error()) == code


def _commands(command: click.Command, context: click.Context) -> Iterator[click.Context]:
    if not isinstance(command, click.Group):
        yield context
        return
    for name in command.list_commands(context):
        below = command.get_command(context, name)
        assert below is not None
        yield from _commands(below, click.Context(below, info_name=name, parent=context))


def test_every_command_has_json() -> None:
    found = list(_commands(valise, click.Context(valise, info_name="valise")))
    assert len(found) > 20
    without = [one.command_path for one in found if "--json" not in [opt for p in one.command.params for opt in p.opts]]
    assert not without


def test_roles_are_shown_get_new_keys_and_another_country(office: Path) -> None:
    before = {one["role"]: one for one in _rows(office)}
    assert {one: (before[one]["keys"], before[one]["threshold"]) for one in ("root", "policies", "timestamp")} == {
        "root": (3, 2),
        "policies": (2, 2),
        "timestamp": (1, 1),
    }
    assert before["timestamp"]["days"] in {6, 7}, "seven days, less what passed since; whole ones"
    assert _json("exchange", "add-country", office, "ES") == {"country": "ES"}
    assert isinstance(_run("exchange", "add-country", office, "ES").exception, errors.EnrolmentError)
    anchor = (office / "public" / "metadata" / "1.root.json").read_bytes()
    for role in ("root", "national-es"):
        told = _json("exchange", "rotate-role", office, role)
        assert (told["role"], told["keys"]) == (role, before.get(role, {"keys": 1})["keys"])
    assert (office / "public" / "metadata" / "2.root.json").exists()
    assert (office / "public" / "metadata" / "1.root.json").read_bytes() == anchor
    assert {one["role"] for one in _rows(office)} == {*before, "national-es"}
    assert isinstance(_run("exchange", "rotate-role", office, "national-de").exception, errors.EnrolmentError)


def _rows(office: Path) -> list[dict[str, Any]]:
    return cast("list[dict[str, Any]]", _json("exchange", "status", office)["roles"])


def test_a_hubs_keys_are_shown_and_rotated(office: Path, tmp_path: Path) -> None:
    hub = _enrol_hub(office, tmp_path)
    shown = _json("keys", hub)
    keys = cast("list[dict[str, Any]]", shown["keys"])
    assert {(key["kid"], key["status"], key["place"]) for key in keys} == {
        ("int-hub#s1", "enrolled", "keystore"),
        ("int-hub#e1", "enrolled", "keystore"),
    }
    ends = cast("list[dict[str, Any]]", shown["ends"])
    assert {one["what"] for one in ends} == {"sign", "open", "log", "log2", "directory"}
    assert shown["expiring"] == []
    made = _json("hub", "rotate", hub, "--use", "log")
    assert made["made"] == ["int-hub#l2", "int-hub#n2"]
    assert _json("partner", "renew", office, hub / "int-hub.request") == {"renewed": ["int-hub"]}
    log_keys = _json("partner", "show", office, "int-hub")["log_keys"]
    assert isinstance(log_keys, list)
    assert len(log_keys) == 4
    text = _run("keys", hub).stdout
    assert "int-hub#s1" in text
    assert "enrolled" in text


def test_a_time_is_unix_seconds_or_has_an_offset(office: Path, tmp_path: Path) -> None:
    _enrol_hub(office, tmp_path)
    told = _json("partner", "compromised", office, "int-hub#s1", "--since", "2026-01-15T08:00:00+00:00")
    assert (told["revoked"], told["since"]) == (["int-hub#s1"], 1_768_464_000)
    for wrong in ("2026-01-15T08:00:00", "yesterday", "4000000000"):
        assert _run("partner", "compromised", office, "int-hub#s1", "--since", wrong).exit_code == 2, wrong
    assert _run("partner", "revoke", office, "int-hub").exit_code == 2, "a whole partner only by `compromised`"
