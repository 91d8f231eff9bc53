"""What people type, made into what commands take: `@name` and a folder left out, and numbers that begin with a dash.

It is done in one place, before a command reads its words, so that every command has it: a folder given by its path
means what it always meant. Not for: the contexts themselves (`hub/host/contexts.py`). User's page:
`docs/how-to/use-the-command-line.md`.
"""

import re
from collections.abc import Callable, Container, Sequence
from pathlib import Path
from typing import Final

import click

#: A message's number, or its beginning, that a command line would take for options.
_DASHED: Final = re.compile(r"(-[A-Za-z0-9_][A-Za-z0-9_-]{2,40}|-[A-Za-z0-9_-]{42})\Z")
_NUMBER: Final = 43  # characters of a whole number: 32 bytes in base64url
_FOLDERS: Final = frozenset({"folder", "folders"})
_MAKES: Final = frozenset({"init", "init-all", "restore"})  # what makes a folder is told where


def prepare(
    command: click.Command, name: str, words: Sequence[str], find: Callable[[str | None], Path | None]
) -> list[str]:
    """Return a command's words as it takes them.

    Args:
        command: a group or a command.
        name: how it was called.
        words: what follows its name.
        find: returns the folder of a context by its name, or of the current one; None where there is none.

    Raises:
        SetupError: a context is unknown.
    """
    words, path = list(words), list[str]()
    while isinstance(command, click.Group):
        below = command.get_command(click.Context(command), words[0]) if words else None
        if below is None:
            return [*path, *words]
        command, name = below, words.pop(0)
        path.append(name)
    if "--help" in words or "-h" in words:
        return [*path, *words]
    options, given = _split(command, words)
    return [*path, *options, *_with_folder(command, name, given, find)]


def _split(command: click.Command, words: list[str]) -> tuple[list[str], list[str]]:
    """Return options with their values, and the other words."""
    known = {
        flag: one
        for one in command.params
        if isinstance(one, click.Option)
        for flag in (*one.opts, *one.secondary_opts)
    }
    takes_numbers = any(one.name == "mh" for one in command.params)
    options: list[str] = []
    given: list[str] = []
    waiting = list(words)
    while waiting:
        word = waiting.pop(0)
        flag = word.partition("=")[0] if word.startswith("--") else word
        if word == "--":
            given += waiting
            break
        if flag in known:
            values = 0 if known[flag].is_flag or known[flag].count or "=" in word else known[flag].nargs
            options += [word, *waiting[:values]]
            del waiting[:values]
        elif not word.startswith("-") or word == "-" or (takes_numbers and _is_number(word, known)):
            given.append(word)
        else:
            options.append(word)  # `-ofile`, or an option that does not exist: the command says which
    return options, given


def _is_number(word: str, known: Container[str]) -> bool:
    """Whether a word with a dash is a number; a beginning of one that could be a short option and its value is not."""
    return bool(_DASHED.match(word)) and (len(word) == _NUMBER or word[:2] not in known)


def _with_folder(
    command: click.Command, name: str, given: list[str], find: Callable[[str | None], Path | None]
) -> list[str]:
    """Return the words that are not options, with a folder first where the command begins with one."""
    arguments = [one for one in command.params if isinstance(one, click.Argument)]
    if arguments and arguments[0].name in _FOLDERS:
        places = len(given) if arguments[0].nargs == -1 else min(1, len(given))
        is_named = bool(given) and given[0].startswith("@")
        given = [_folder(word, find) if place < places else word for place, word in enumerate(given)]
        if name not in _MAKES and not is_named and _is_left_out(arguments, given):
            current = find(None)
            given = given if current is None else [str(current), *given]
    return ["--", *given] if any(word.startswith("-") and word != "-" for word in given) else given


def _folder(word: str, find: Callable[[str | None], Path | None]) -> str:
    return str(find(word[1:])) if word.startswith("@") else word


def _is_left_out(arguments: Sequence[click.Argument], given: Sequence[str]) -> bool:
    """Whether a folder is missing: by the number of words, or, where that is open, because the first is no folder."""
    if arguments[0].nargs == -1:
        return not given
    fixed = sum(one.nargs for one in arguments if one.nargs > 0)
    if all(one.nargs > 0 for one in arguments):
        return len(given) == fixed - 1
    return bool(given) and not Path(given[0]).is_dir()
