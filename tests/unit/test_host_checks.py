"""Each check of `valise doctor`, made to fail; and the whole of it over a hub and an agency."""

import json
import os
import socket
import sqlite3
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import CliRunner, Result

from hub.cli import valise
from hub.doctor import check_store, examine_hub
from hub.host import line, machine
from hub.host.findings import Finding, Level, as_text, ask, fail, failed, fine, warn
from hub.host.line import Answer, check_certificate, check_hub
from hub.protocol.errors import AnswerError, SetupError, StoreError, UnreachableError
from hub.protocol.interface import HubFacts
from hub.protocol.keyring import DAY, Keyring
from tests.support.certificates import Authority
from tests.support.exercise import HUB, Exercise, found_exercise
from tests.support.office import FEDERATION, PASSPHRASE
from tests.support.tree import ROOT

NOW: Final = 1_800_000_000


def only(findings: Iterator[Finding]) -> Finding:
    [one] = findings
    assert (one.level is Level.OK) == (not one.remedy), one
    return one


def levels(findings: Iterator[Finding]) -> dict[str, Level]:
    """Return the worst level of each check."""
    order = list(Level)
    found: dict[str, Level] = {}
    for one in findings:
        found[one.check] = max(found.get(one.check, Level.OK), one.level, key=order.index)
    return found


# --- the machine -----------------------------------------------------------------------------------------------------


def test_an_old_python() -> None:
    assert only(machine.check_python((3, 10))).level is Level.FAILURE
    assert only(machine.check_python()).level is Level.OK


class Disk:
    """What statvfs tells of a disk that is as the test says."""

    f_frsize = 4_096

    def __init__(self, *, free: int = 10**7, files: int = 10**6, read_only: bool = False) -> None:
        self.f_bavail, self.f_favail, self.f_files = free, files, 10**7
        self.f_flag = os.ST_RDONLY if read_only else 0


@pytest.mark.parametrize(
    ("disk", "text"),
    [(Disk(read_only=True), "read-only"), (Disk(free=10), "0.0 GiB free"), (Disk(files=3), "3 files can still")],
)
def test_a_disk_that_is_no_good(disk: Any, text: str, tmp_path: Path) -> None:
    found = only(machine.check_disk(tmp_path, lambda _: disk))
    assert found.level is Level.FAILURE
    assert text in found.text


def test_a_disk_with_room(tmp_path: Path) -> None:
    disk: Any = Disk()
    assert only(machine.check_disk(tmp_path, lambda _: disk)).level is Level.OK


def test_a_disk_that_cannot_sync(tmp_path: Path) -> None:
    def refuse(_: int) -> None:
        raise OSError(5, "Input/output error")

    assert only(machine.check_sync(tmp_path, refuse)).level is Level.FAILURE
    assert only(machine.check_sync(tmp_path / "missing")).level is Level.FAILURE
    assert list(tmp_path.iterdir()) == [], "the probe is taken away"


@pytest.mark.parametrize(("kind", "level"), [("tmpfs", "warning"), ("overlay", "warning"), ("nfs4", "warning")])
def test_a_disk_that_forgets(kind: str, level: str, tmp_path: Path) -> None:
    assert only(machine.check_sync(tmp_path, kind=kind)).level == level
    assert only(machine.check_sync(tmp_path, kind="ext4")).level is Level.OK


def test_the_mount_that_a_folder_lies_on() -> None:
    mounts = "/dev/a / ext4 rw 0 0\ntmpfs /run tmpfs rw 0 0\nx /my\\040disk xfs rw 0 0\n"
    kinds = [machine.kind_of_disk(Path(one), mounts) for one in ("/srv", "/run/x", "/running", "/my disk/y")]
    assert kinds == ["ext4", "tmpfs", "ext4", "xfs"]


def test_clocks() -> None:
    apart = [(40, Level.FAILURE), (-31, Level.FAILURE), (10, Level.WARNING), (1, Level.OK), (0, Level.OK)]
    assert [only(machine.check_clock(NOW + seconds, NOW)).level for seconds, _ in apart] == [one for _, one in apart]
    assert only(machine.check_steps(61.0, 1.0)).level is Level.FAILURE
    assert only(machine.check_steps(1.1, 1.0)).level is Level.OK
    states = [(5, Level.WARNING), (None, Level.WARNING), (0, Level.OK)]
    assert [only(machine.check_synchronised(state)).level for state, _ in states] == [one for _, one in states]
    assert machine.ask_kernel() is None or isinstance(machine.ask_kernel(), int)


def test_a_secret_that_others_may_read(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("x")
    file.chmod(0o640)
    found = only(machine.check_private("keys", file))
    assert (found.level, found.remedy) == (Level.FAILURE, f"chmod 600 {file}")
    file.chmod(0o600)
    assert only(machine.check_private("keys", file)).level is Level.OK
    missing = only(ask("keys", lambda: machine.check_private("keys", tmp_path / "no")))
    assert missing.level is Level.FAILURE
    assert missing.remedy.startswith("Put the file back")


def test_a_remedy_points_to_no_other_line() -> None:
    def unset() -> Iterator[Finding]:
        yield fine("keystore", "is there")
        raise SetupError("set VALISE_PASSPHRASE")

    _, wrong = ask("keystore", unset)
    assert (wrong.text, wrong.remedy) == ("setup/invalid (set VALISE_PASSPHRASE)", "Put right what is named here.")


def test_a_port_in_use_names_its_holder() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        found = only(machine.check_port("127.0.0.1", port, mine=False))
        assert found.level is Level.FAILURE
        assert f"(process {os.getpid()})" in found.remedy
        assert only(machine.check_port("127.0.0.1", port, mine=True)).level is Level.OK
    assert only(machine.check_port("127.0.0.1", port, mine=False)).level is Level.OK
    assert only(machine.check_port("127.0.0.1", 0, mine=False)).level is Level.OK


def test_keys_that_end() -> None:
    ring = Keyring.generate("fr-customs", now=NOW, second_signature=False)
    assert levels(machine.check_keys(ring, now=NOW)) == {"keys": Level.OK}
    assert [one.level for one in machine.check_keys(ring, now=NOW + 25 * DAY)] == [Level.OK, Level.WARNING]
    assert [one.level for one in machine.check_keys(ring, now=NOW + 340 * DAY)] == [Level.WARNING, Level.FAILURE]


# --- the line --------------------------------------------------------------------------------------------------------


def answer(**change: Any) -> Answer:
    facts = {"v": 1, "hub": HUB, "federation": FEDERATION, "protocol": "valise/1", "time": NOW, **change}
    return Answer(HubFacts.model_validate(facts), None)


def test_another_hub_answers() -> None:
    same: Any = {"hub": HUB, "federation": FEDERATION, "now": NOW}
    assert not failed(check_hub(answer(), **same))
    assert failed(check_hub(answer(hub="zz-hub"), **same))
    assert failed(check_hub(answer(federation="other"), **same))
    assert failed(check_hub(answer(time=NOW - 60), **same))


def test_a_certificate_that_ends() -> None:
    days = [(-1, Level.FAILURE), (3, Level.WARNING), (90, Level.OK)]
    found = [only(check_certificate(NOW + left * DAY, now=NOW)).level for left, _ in days]
    assert found == [level for _, level in days]


def test_nobody_answers_and_a_stranger_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    with pytest.raises(UnreachableError):
        line.ask_hub(f"http://127.0.0.1:{port}")


class Stranger(BaseHTTPRequestHandler):
    """A server that is no hub."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>")

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def test_an_answer_that_is_no_hubs() -> None:
    with HTTPServer(("127.0.0.1", 0), Stranger) as server:
        one = threading.Thread(target=server.handle_request)
        one.start()
        with pytest.raises(AnswerError):
            line.ask_hub(f"http://127.0.0.1:{server.server_port}")
        one.join()


# --- findings --------------------------------------------------------------------------------------------------------


def test_an_error_of_ours_is_a_finding_with_its_sentence() -> None:
    def broken() -> Iterator[Finding]:
        yield fine("store", "opens")
        raise StoreError("the file is away")

    first, second = ask("store", broken)
    assert first.level is Level.OK
    assert (second.level, second.remedy) == (Level.FAILURE, StoreError.sentence)
    assert "the file is away" in second.text


def test_findings_as_text() -> None:
    text = as_text([fine("a", "well"), warn("b", "soon", "Do it."), fail("c", "broken", "Mend it.")])
    assert text.splitlines()[2].strip() == "-> Do it."
    assert text.endswith("3 findings: 1 failed, 1 to look at.")


# --- the whole -------------------------------------------------------------------------------------------------------


@pytest.fixture
def exercise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Exercise:
    monkeypatch.setenv("VALISE_PASSPHRASE", PASSPHRASE)
    made = found_exercise(tmp_path)
    made.place_agencies("http://127.0.0.1:9")  # the discard port: nobody answers
    return made


def doctor(folder: Path, *options: str) -> Result:
    return CliRunner().invoke(valise, ["doctor", str(folder), *options])


def test_a_hub_in_order(exercise: Exercise) -> None:
    result = doctor(exercise.hub, "--json")
    assert result.exit_code == 0, result.output
    checks = {one["check"] for one in json.loads(result.stdout)["findings"]}
    assert checks >= {"python", "settings", "disk", "fsync", "keys", "directory", "policies", "standing", "store"}
    assert not exercise.database.exists(), "nothing was changed"
    assert not exercise.database.with_suffix(".seen").exists()


def test_a_hub_out_of_order(exercise: Exercise, monkeypatch: pytest.MonkeyPatch) -> None:
    (exercise.hub / "keys.valise").chmod(0o644)
    monkeypatch.setenv("VALISE_PASSPHRASE", "another")
    exercise.database.write_bytes(b"not a database" * 100)
    found = levels(examine_hub(exercise.hub))
    assert {check for check, level in found.items() if level is Level.FAILURE} == {"keys", "keystore", "store"}
    result = doctor(exercise.hub)
    assert result.exit_code == 1
    assert "chmod 600" in result.stdout


def test_a_hub_whose_directory_is_away_or_altered(exercise: Exercise) -> None:
    public = exercise.folder / "office" / "public"
    timestamp = public / "metadata" / "timestamp.json"
    timestamp.write_bytes(timestamp.read_bytes().replace(b'"version"', b'"Version"', 1))
    assert levels(examine_hub(exercise.hub))["directory"] is Level.FAILURE
    timestamp.unlink()
    assert levels(examine_hub(exercise.hub))["directory"] is Level.FAILURE


def test_a_hub_without_settings(tmp_path: Path) -> None:
    assert levels(examine_hub(tmp_path))["settings"] is Level.FAILURE
    (tmp_path / "hub.toml").write_text('hbu = "x"')
    [one] = [one for one in examine_hub(tmp_path) if one.check == "settings"]
    assert "hub" in one.text
    assert "hub.toml" in one.remedy


def test_a_hub_whose_certificate_ended(exercise: Exercise) -> None:
    pair = Authority(exercise.folder).issue("hub", expired=True)
    with (exercise.hub / "hub.toml").open("a") as settings:
        settings.write(f'tls_certificate = "{pair.certificate}"\ntls_key = "{pair.key}"\n')
    pair.key.chmod(0o644)
    found = [one for one in examine_hub(exercise.hub) if one.check == "certificate"]
    assert [one.level for one in found] == [Level.FAILURE, Level.FAILURE]
    pair.certificate.write_text("nothing")
    [one] = [one for one in examine_hub(exercise.hub) if one.check == "certificate"]
    assert one.level is Level.FAILURE


def test_a_store_of_another_version(tmp_path: Path) -> None:
    file = tmp_path / "hub.db"
    db = sqlite3.connect(file)
    db.execute("PRAGMA user_version = 99")
    db.close()
    file.chmod(0o600)
    assert [one.level for one in check_store(file)] == [Level.OK, Level.FAILURE]


def test_an_agency_whose_hub_is_away(exercise: Exercise) -> None:
    result = doctor(exercise.agency("fr-customs"), "--json")
    assert result.exit_code == 1
    found = {one["check"]: one for one in json.loads(result.stdout)["findings"]}
    assert found["hub"]["level"] == "failure"
    assert {name for name, one in found.items() if one["level"] == "failure"} == {"hub"}
    assert found["directory"]["level"] == "warning", "nothing was believed yet"


def test_an_agency_with_wrong_settings(exercise: Exercise) -> None:
    folder = exercise.agency("fr-customs")
    (folder / "agency.toml").write_text('partnr = "fr-customs"\n')
    result = doctor(folder)
    assert result.exit_code == 1
    assert "did you mean 'partner'" in result.stdout
    assert "-> Put it right in agency.toml" in result.stdout


def test_the_page_names_every_check() -> None:
    page = (ROOT / "docs/how-to/run-a-hub.md").read_text("utf-8")
    assert "valise doctor" in page
