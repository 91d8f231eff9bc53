"""What people type, made into what commands take: contexts, folders left out, numbers with a dash, completion."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click
import pytest
from click.testing import CliRunner, Result

from hub.cli import valise
from hub.cli.words import prepare
from hub.host.contexts import Contexts, contexts_file, read_contexts, write_contexts
from hub.protocol.errors import SetupError
from tests.support.tree import ROOT

MH: Final = "-" + "A" * 42
HELP_LIMIT: Final = 0.4  # seconds of CPU, on a machine that does other things as well; 0.13 on a quiet one


def command(*arguments: str, several: str = "") -> click.Command:
    """Return a command with these positional arguments, an option with a value and a flag."""
    parameters: list[click.Parameter] = [click.Argument([name]) for name in arguments]
    if several:
        parameters.append(click.Argument([several], nargs=-1))
    parameters += [click.Option(["--to", "-t"], multiple=True), click.Option(["--json"], is_flag=True)]
    return click.Command("test", params=parameters)


def typed(one: click.Command, words: Sequence[str], *, name: str = "test") -> list[str]:
    folders = {None: Path("/current"), "fr": Path("/agencies/fr")}
    return prepare(one, name, words, folders.__getitem__)


SHOW: Final = command("folder", "mh")


@pytest.mark.parametrize(
    ("words", "taken"),
    [
        (["/x", "abcd"], ["/x", "abcd"]),
        (["abcd"], ["/current", "abcd"]),
        (["@fr", "abcd"], ["/agencies/fr", "abcd"]),
        ([], []),
        ([MH], ["--", "/current", MH]),
        (["/x", MH, "--json"], ["--json", "--", "/x", MH]),
        (["/x", "-AbCdE"], ["--", "/x", "-AbCdE"]),
        (["/x", "-AbC"], ["--", "/x", "-AbC"]),
        (["/x", "-tde-police", "abcd"], ["-tde-police", "/x", "abcd"]),
        (["-t" + MH[2:]], ["--", "/current", "-t" + MH[2:]]),
        (["--to", MH, "abcd"], ["--to", MH, "/current", "abcd"]),
        (["--to=x", "abcd", "-t", "y"], ["--to=x", "-t", "y", "/current", "abcd"]),
        (["/x", "--", MH], ["--", "/x", MH]),
        (["--nonsense", "abcd"], ["--nonsense", "/current", "abcd"]),
        (["--help"], ["--help"]),
    ],
)
def test_a_number_and_a_folder(words: list[str], taken: list[str]) -> None:
    assert typed(SHOW, words) == taken


def test_a_command_of_files_looks_whether_the_first_word_is_a_folder(tmp_path: Path) -> None:
    warn = command("folder", several="files")
    assert typed(warn, ["a.json", "b.json"]) == ["/current", "a.json", "b.json"]
    assert typed(warn, [str(tmp_path), "a.json"]) == [str(tmp_path), "a.json"]
    assert typed(warn, ["@fr", "a.json"]) == ["/agencies/fr", "a.json"]


def test_a_command_of_folders() -> None:
    run = command(several="folders")
    assert typed(run, []) == ["/current"]
    assert typed(run, ["@fr", "x", "@fr"]) == ["/agencies/fr", "x", "/agencies/fr"]


def test_what_makes_a_folder_is_told_where() -> None:
    assert typed(command("folder"), [], name="init") == []
    assert typed(command("folder"), ["@fr"], name="init") == ["/agencies/fr"]


def test_other_commands_are_left_alone() -> None:
    assert typed(command("office", "partner"), ["x"]) == ["x"]
    assert typed(command("file"), ["@fr"]) == ["@fr"]


def test_a_group_is_gone_through() -> None:
    group = click.Group("operation", commands={"report": command("folder", "name")})
    assert typed(group, ["report", "lantern"]) == ["report", "/current", "lantern"]
    assert typed(group, ["nonsense", "lantern"]) == ["nonsense", "lantern"]
    assert typed(group, []) == []


# --- contexts --------------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("VALISE_CONTEXT", raising=False)


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(valise, [str(word) for word in words])


def agency(folder: Path) -> Path:
    """Make the settings of an agency whose hub is away."""
    folder.mkdir()
    (folder / "root.json").write_text("{}")
    (folder / "agency.toml").write_text(
        f'partner = "{folder.name}"\nfederation = "x"\nhub = "zz-hub"\nhub_url = "http://127.0.0.1:9"\n'
    )
    return folder


def test_contexts_are_named_chosen_and_forgotten(tmp_path: Path) -> None:
    fr, de = agency(tmp_path / "fr-customs"), agency(tmp_path / "de-customs")
    assert run("context", "add", "fr", fr).exit_code == 0
    assert run("context", "add", "de", de).exit_code == 0
    assert json.loads(run("context", "list", "--json").stdout)["current"] == "fr"
    assert "agency      fr-customs" in run("status").stdout
    assert "agency      de-customs" in run("status", "@de").stdout
    assert "agency      de-customs" in run("--context", "de", "status").stdout
    assert "agency      de-customs" in run("status", de).stdout
    assert json.loads(run("--context", "de", "context", "show", "--json").stdout)["folder"] == str(de)
    assert run("context", "use", "de").exit_code == 0
    assert "agency      de-customs" in run("status").stdout
    assert run("context", "remove", "de").exit_code == 0
    assert read_contexts(contexts_file()) == Contexts(None, {"fr": str(fr)})
    assert isinstance(run("context", "show").exception, SetupError)
    assert run("status").exit_code == 2, "no folder, no context"


def test_the_variable_names_a_context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("context", "add", "fr", agency(tmp_path / "fr-customs"))
    run("context", "add", "de", agency(tmp_path / "de-customs"))
    monkeypatch.setenv("VALISE_CONTEXT", "de")
    assert "agency      de-customs" in run("status").stdout


def test_a_context_that_does_not_exist() -> None:
    write_contexts(contexts_file(), Contexts("lantern", {"lantern": "/x"}))
    with pytest.raises(SetupError, match="did you mean 'lantern'"):
        CliRunner().invoke(valise, ["status", "@lanten"], standalone_mode=False, catch_exceptions=False)
    assert isinstance(run("context", "add", "Not A Name", "/").exception, SetupError)


@pytest.mark.parametrize("text", ["", "[]", '{"current": 1}', '{"current": null, "folders": {"a": 1}}'])
def test_a_damaged_file_of_contexts(text: str) -> None:
    contexts_file().parent.mkdir(parents=True)
    contexts_file().write_text(text)
    with pytest.raises(SetupError, match="not a file of contexts"):
        read_contexts(contexts_file())


# --- completion and speed --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script_for_the_shell(shell: str) -> None:
    told = json.loads(run("completion", shell, "--json").stdout)
    assert "_VALISE_COMPLETE" in told["script"]
    assert told["shell"] == shell


def test_a_shell_that_asks_gets_commands() -> None:
    environment = {"_VALISE_COMPLETE": "bash_complete", "COMP_WORDS": "valise ope", "COMP_CWORD": "1"}
    program = "import sys; from hub.cli import main; sys.argv[0] = 'valise'; main()"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout.split(",")[-1].strip() == "operation", done.stderr


def test_help_starts_fast() -> None:
    """What is loaded is what costs; the time only catches what the list of modules cannot show."""
    program = "import sys, time; from hub.cli import valise\ntry:\n valise.main(['--help'])\nexcept SystemExit: pass\n"
    program += "print(time.process_time(), *sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    seconds, *loaded = done.stderr.split()
    assert not {"pydantic", "pydantic_core", "asyncio", "rich", "aiohttp", "cryptography"} & set(loaded)
    assert float(seconds) < HELP_LIMIT


def test_the_help_has_no_marks_of_its_making() -> None:
    shown = CliRunner().invoke(valise, ["--help"]).output
    assert "Exit codes: 0 done" in shown
    assert "\\b" not in shown


def test_every_exit_code_is_on_the_page() -> None:
    page = (ROOT / "docs/how-to/use-the-command-line.md").read_text("utf-8")
    for code in (0, 1, 2, 3, 4, 5, 6, 130):
        assert f"| {code} |" in page
