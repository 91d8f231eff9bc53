"""The project's own files, read once: what the tests of the architecture and of the pages look at."""

import ast
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDERS: Final = (".ci", "hub", "connectors", "policies", "config", "tests", "benchmarks", "docs")
CODE: Final = ("hub", "connectors")
PURE: Final = ("hub/protocol", "hub/policy", "hub/tlog", "hub/verify", "hub/broker")


@dataclass(frozen=True)
class Module:
    """One Python file."""

    path: Path

    @property
    def name(self) -> str:
        """The path from the root, such as `hub/protocol/errors.py`."""
        return self.path.relative_to(ROOT).as_posix()

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.name)

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        return tuple(ast.walk(self.tree))

    @property
    def docstring(self) -> str:
        return ast.get_docstring(self.tree) or ""

    def is_in(self, *folders: str) -> bool:
        """Whether it lies in one of the folders, each given from the root."""
        return any(self.name.startswith(f"{folder}/") for folder in folders)

    def at(self, node: ast.AST) -> str:
        """Return `file:line` for a message."""
        return f"{self.name}:{getattr(node, 'lineno', 1)}"

    def imports(self) -> Iterator[tuple[ast.AST, str]]:
        """Yield every import as (statement, dotted name), wherever it stands; `from a import b` gives `a.b`."""
        for node in self.nodes:
            if isinstance(node, ast.Import):
                yield from ((node, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield from ((node, f"{node.module or ''}.{alias.name}") for alias in node.names)

    def classes(self) -> Iterator[ast.ClassDef]:
        yield from (node for node in self.nodes if isinstance(node, ast.ClassDef))


def check_none(found: Collection[str], remedy: str = "") -> None:
    """Fail with one line for each thing found, and what to do about them."""
    assert not found, "\n".join([remedy, *sorted(found)])


def dotted(node: ast.AST) -> str:
    """Return `a.b.c` of a chain of attributes, and nothing for any other expression."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = dotted(node.value)
        return f"{before}.{node.attr}" if before else ""
    return ""


@lru_cache(maxsize=1)
def all_modules() -> tuple[Module, ...]:
    return tuple(Module(path) for path in files() if path.suffix == ".py")


def modules(*folders: str) -> Sequence[Module]:
    """Return the Python files of these folders; of the whole project when none is named."""
    return [module for module in all_modules() if not folders or module.is_in(*folders)]


@lru_cache(maxsize=1)
def files() -> tuple[Path, ...]:
    """Return every file of the project: what is at the root, and the folders that belong to it."""
    found = [path for path in ROOT.iterdir() if path.is_file()]
    for folder in FOLDERS:
        found += [path for path in (ROOT / folder).rglob("*") if path.is_file()]
    return tuple(sorted(path for path in found if "__pycache__" not in path.parts))


@lru_cache(maxsize=1)
def pages() -> tuple[Path, ...]:
    """Return every Markdown page."""
    return tuple(path for path in files() if path.suffix == ".md")
