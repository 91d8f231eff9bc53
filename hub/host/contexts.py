"""The operator's contexts: short names for the folders that commands are about, and the one that is meant by default.

They lie in the user's configuration folder (XDG Base Directory); a context is a name and nothing secret. Every command
reads them, so nothing slow is imported here. Not for: how a command line uses them (`hub/cli/words.py`). User's page:
`docs/how-to/use-the-command-line.md`.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from hub.protocol.errors import SetupError

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}\Z")


@dataclass(frozen=True, slots=True)
class Contexts:
    """What the file holds: folders by name, and the current name."""

    current: str | None = None
    folders: Mapping[str, str] = field(default_factory=dict)


def contexts_file(environ: Mapping[str, str] = os.environ) -> Path:
    """Return where the contexts lie: `$XDG_CONFIG_HOME/valise/contexts.json`, by default below `~/.config`."""
    given = environ.get("XDG_CONFIG_HOME", "")
    return (Path(given) if given else Path.home() / ".config") / "valise" / "contexts.json"


def read_contexts(file: Path) -> Contexts:
    """Return the contexts; none where there is no file.

    Raises:
        SetupError: the file cannot be read, or was written by something else.
    """
    try:
        value = json.loads(file.read_bytes())
        current, folders = value["current"], value["folders"]
        if all(isinstance(text, str) for pair in folders.items() for text in pair):
            return Contexts(current if isinstance(current, str) else None, folders)
    except FileNotFoundError:
        return Contexts()
    except OSError as error:
        raise SetupError(f"{file}: {error.strerror}") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise SetupError(f"{file}: not a file of contexts") from error
    raise SetupError(f"{file}: not a file of contexts")


def write_contexts(file: Path, contexts: Contexts) -> None:
    """Write the contexts; a crash leaves the old file or the new one.

    Raises:
        SetupError: the folder cannot be written.
    """
    fresh = file.with_suffix(".new")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_bytes(
            json.dumps({"current": contexts.current, "folders": dict(contexts.folders)}, indent=1).encode() + b"\n"
        )
        fresh.replace(file)
    except OSError as error:
        raise SetupError(f"{file}: {error.strerror}") from error


def check_name(name: str) -> None:
    """Refuse what could not be typed as `@name`.

    Raises:
        SetupError: it is no name.
    """
    if not _NAME.match(name):
        raise SetupError(f"{name}: a context's name has small letters, digits, '.', '_' and '-'")


def folder_of(contexts: Contexts, name: str) -> Path:
    """Return the folder of a context.

    Raises:
        SetupError: there is none of that name.
    """
    if name not in contexts.folders:
        near = get_close_matches(name, contexts.folders, n=1)
        raise SetupError(f"no context is called '{name}'" + (f"; did you mean '{near[0]}'?" if near else ""))
    return Path(contexts.folders[name])
