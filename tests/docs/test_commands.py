"""What a page tells people to type can be typed: commands of `valise` and their options, targets of make, Python."""

import ast
import importlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import pytest

from hub.cli import valise
from tests.support.tree import ROOT, check_none, pages

SHELL: Final = frozenset({"sh", "bash", "shell", "console"})
_FENCE: Final = re.compile(r"^( *)```(\w*)([^\n]*)\n(.*?)^\1``` *$", re.MULTILINE | re.DOTALL)
_INLINE: Final = re.compile(r"`(valise [^`\n]+)`")
_END_OF_COMMAND: Final = frozenset({"|", "||", "&&", "&", ";", ">", ">>", "<", "2>", "#", "..."})


def _blocks(page: Path) -> Iterator[tuple[str, str, str]]:
    """Yield (language, rest of the opening line, text) of each fenced block."""
    for indent, language, rest, text in _FENCE.findall(page.read_text("utf-8")):
        yield language, rest.strip(), re.sub(rf"^{indent}", "", text, flags=re.MULTILINE)


def _typed(page: Path) -> Iterator[str]:
    """Yield what a page says to type; in `console` blocks only the lines after a prompt are typed."""
    for language, _, text in _blocks(page):
        if language not in SHELL:
            continue
        for line in text.replace("\\\n", " ").splitlines():
            prompt = line.lstrip().startswith("$ ")
            if prompt or language != "console":
                yield line.strip().removeprefix("$ ")
    yield from _INLINE.findall(page.read_text("utf-8"))


def _commands(line: str, program: str) -> Iterator[list[str]]:
    """Yield the words after each call of a program in a line."""
    words = shlex.split(line, comments=True)
    for start, word in enumerate(words):
        if word.rpartition("/")[2] != program or (start and not _may_precede(words[start - 1])):
            continue
        rest = words[start + 1 :]
        end = next((place for place, one in enumerate(rest) if one in _END_OF_COMMAND), len(rest))
        yield [one.strip("[]") for one in rest[:end]]


def _may_precede(word: str) -> bool:
    return word in _END_OF_COMMAND or "=" in word or word in {"time", "sudo", "exec", "env"}


def check_command(words: list[str]) -> str:
    """Return what is wrong with the words after `valise`, or nothing."""
    command: click.Command = valise
    context = click.Context(command, info_name="valise")
    given = 0
    waiting = list(words)
    while waiting:
        word = waiting.pop(0)
        if word.startswith("-") and word != "-":
            problem = _take_option(command, context, word, waiting)
            if problem:
                return problem
        elif isinstance(command, click.Group):
            below = command.get_command(context, word)
            if below is None:
                return f"`{context.command_path}` has no command {word!r}"
            command, context = below, click.Context(below, info_name=word, parent=context)
        else:
            given += 1
    takes = [one.nargs for one in command.params if isinstance(one, click.Argument)]
    if given > sum(takes) and -1 not in takes:
        return f"`{context.command_path}` takes {sum(takes)} arguments, not {given}"
    return ""


def _take_option(command: click.Command, context: click.Context, word: str, waiting: list[str]) -> str:
    name, _, value = word.partition("=")
    known = {name: one for one in command.get_params(context) for name in (*one.opts, *one.secondary_opts)}
    option = known.get(name)
    if not isinstance(option, click.Option):
        return f"`{context.command_path}` has no option {name}"
    if not (option.is_flag or option.count or value):
        del waiting[: option.nargs]
    return ""


def test_every_command_that_a_page_shows_exists() -> None:
    wrong = []
    for page in pages():
        for line in _typed(page):
            for words in _commands(line, "valise"):
                problem = check_command(words)
                if problem:
                    wrong.append(f"{page.relative_to(ROOT)}: {line}: {problem}")
    check_none(wrong)


@pytest.mark.parametrize("words", ["nonsense", "verify --nonsense", "verify a b c d e f g h"])
def test_the_check_of_commands_can_fail(words: str) -> None:
    assert check_command(words.split())


def test_every_make_target_that_a_page_shows_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    wrong = []
    for page in pages():
        lines = [*_typed(page), *re.findall(r"`(make [a-z]+[^`\n]*)`", page.read_text("utf-8"))]
        for line in lines:
            for words in _commands(line, "make"):
                asked = {word for word in words if re.fullmatch("[a-z]+", word)}
                wrong += [f"{page.relative_to(ROOT)}: make {target}" for target in asked - targets]
    check_none(wrong)


def test_python_on_a_page_compiles_and_its_imports_exist() -> None:
    wrong = []
    for page in pages():
        for language, _, text in _blocks(page):
            if language == "python":
                wrong += [f"{page.relative_to(ROOT)}: {problem}" for problem in _problems(text)]
    check_none(wrong)


def _problems(program: str) -> Iterator[str]:
    try:
        tree = ast.parse(program)
    except SyntaxError as error:
        yield f"line {error.lineno}: {error.msg}"
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in {"hub", "connectors"}:
            module = importlib.import_module(node.module or "")
            yield from (f"{node.module} has no {one.name}" for one in node.names if not hasattr(module, one.name))


def test_python_that_is_marked_to_run_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A block that opens with ```python run needs nothing but the project and an empty folder."""
    monkeypatch.chdir(tmp_path)
    for page in pages():
        for language, rest, text in _blocks(page):
            if (language, rest) == ("python", "run"):
                exec(compile(text, str(page), "exec"), {"__name__": "__main__"})  # noqa: S102 - our own pages
