"""What an operator installs: units that systemd takes and that lock programs in, a container, examples that load."""

import configparser
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Final

import click
import pytest

from connectors.kit.settings import ConnectorSettings, read_settings
from hub.cli import valise
from hub.settings import HubSettings
from tests.support.tree import ROOT, check_none

CONFIG: Final = ROOT / "config"
UNITS: Final = sorted((CONFIG / "systemd").glob("*.service"))
PROGRAMS: Final = [unit for unit in UNITS if "backup" not in unit.name]
LOCKED_IN: Final = {
    "NoNewPrivileges": "yes",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "UMask": "0077",
    "StateDirectoryMode": "0700",
    "CapabilityBoundingSet": "",
}


def service(unit: Path) -> list[tuple[str, str]]:
    """Return the settings of a unit's service, in order; a name may stand several times."""
    text = unit.read_text("utf-8").partition("[Service]")[2].partition("\n[")[0]
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(name, value) for name, _, value in (line.partition("=") for line in lines)]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_locks_its_program_in(unit: Path) -> None:
    given = dict(service(unit))
    assert {name: given.get(name) for name in LOCKED_IN} == LOCKED_IN
    assert given["User"] != "root"


@pytest.mark.parametrize("unit", PROGRAMS, ids=lambda unit: unit.name)
def test_a_program_may_do_nothing_that_it_does_not_need(unit: Path) -> None:
    given = service(unit)
    for name, value in (("LimitCORE", "0"), ("MemorySwapMax", "0"), ("RestrictNamespaces", "yes")):
        assert (name, value) in given
    assert ("SystemCallFilter", "~@privileged @resources") in given
    assert dict(given)["RestrictAddressFamilies"].split() == ["AF_INET", "AF_INET6", "AF_UNIX"]


def words_of(line: str) -> list[str]:
    """Return the words after `valise` of a unit's command."""
    words = shlex.split(line)
    if words[:2] == ["/bin/sh", "-c"]:
        words = shlex.split(words[2].removeprefix("exec "))
    assert words[0] == "/opt/valise/bin/valise"
    return words[1:]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_what_a_unit_starts_is_a_command_of_ours(unit: Path) -> None:
    words = words_of(dict(service(unit))["ExecStart"])
    command: click.Command = valise
    while isinstance(command, click.Group):
        below = command.get_command(click.Context(command), words.pop(0))
        assert below is not None
        command = below
    options = [word for word in words if word.startswith("--")]
    known = {flag for one in command.params for flag in one.opts}
    check_none(set(options) - known)


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    """With programs and users of this machine in the place of those that only an operator's has.

    On a machine without systemd nobody can say; the tests above hold there as well.
    """
    verify = shutil.which("systemd-analyze")
    if verify is None:
        return
    for unit in sorted((CONFIG / "systemd").iterdir()):
        text = unit.read_text("utf-8").replace("/opt/valise/bin/valise", "/bin/true")
        text = re.sub(r"^(User|Group)=.*$", r"\1=root", text, flags=re.MULTILINE)
        (tmp_path / unit.name).write_text(text)
    names = [unit.name.replace("@.", "@fr-customs.") for unit in sorted(tmp_path.iterdir())]
    done = subprocess.run(
        [verify, "verify", "--man=no", *(str(tmp_path / name) for name in names)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    ours = [line for line in done.stderr.splitlines() if "valise" in line]
    check_none(ours)
    assert done.returncode == 0, done.stderr


def test_the_examples_load(tmp_path: Path) -> None:
    hub = HubSettings.read(CONFIG / "examples/hub.toml")
    assert hub.database == CONFIG / "examples/hub.db"
    shutil.copy(CONFIG / "examples/agency.toml", tmp_path)
    assert read_settings(tmp_path).partner == "fr-customs"


@pytest.mark.parametrize(
    ("name", "model"), [("hub.toml", HubSettings), ("agency.toml", ConnectorSettings)], ids=["hub", "agency"]
)
def test_the_examples_keep_to_this_machine(name: str, model: type) -> None:
    parser = configparser.ConfigParser()
    parser.read_string("[all]\n" + (CONFIG / "examples" / name).read_text("utf-8"))
    assert set(parser["all"]) <= set(model.model_fields)  # type: ignore[attr-defined]
    assert "0.0.0.0" not in (CONFIG / "examples" / name).read_text("utf-8")  # noqa: S104 - must not stand there


# --- the container ---------------------------------------------------------------------------------------------------


def instructions() -> list[tuple[str, str]]:
    """Return the instructions of the container file, continued lines joined."""
    text = (CONFIG / "container/Containerfile").read_text("utf-8")
    lines = [line for line in text.replace("\\\n", " ").splitlines() if line and not line.startswith("#")]
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in lines)]


def test_the_container_copies_what_is_there() -> None:
    sources = [
        source
        for name, rest in instructions()
        if name == "COPY" and not rest.startswith("--from")
        for source in rest.split()[:-1]
    ]
    assert sources
    check_none([source for source in sources if not (ROOT / source).exists()])
    targets = re.findall(r"^force-include\]\n((?:\".*\n)+)", (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)
    packed = set(re.findall(r'^"([a-z]+)"', "".join(targets), re.MULTILINE)) or {"policies", "config"}
    check_none(packed - set(sources), "the wheel needs these folders")


def test_the_container_runs_as_nobody_in_particular_from_hashed_locks() -> None:
    given = instructions()
    users = [rest for name, rest in given if name == "USER"]
    assert users
    assert all(int(user.split(":")[0]) > 1_000 for user in users)
    installs = [rest for name, rest in given if name == "RUN" and "pip install" in rest]
    assert installs
    assert all("--require-hashes" in one or "--no-index" in one for one in installs)
    assert not [rest for name, rest in given if name in {"ADD", "ONBUILD"} or re.search(r"curl|wget|apt-get", rest)]
    last = max(place for place, (name, _) in enumerate(given) if name == "FROM")
    assert any(name == "USER" for name, _ in given[last:])


def test_the_base_is_to_be_pinned_by_whoever_builds() -> None:
    froms = [rest for name, rest in instructions() if name == "FROM"]
    assert all(rest.startswith("${BASE}") for rest in froms)
    assert "sha256" in (CONFIG / "container/Containerfile").read_text("utf-8")
