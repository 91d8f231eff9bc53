"""Pages say what the code says: generated ones are fresh, the glossary is whole, decisions have their four parts."""

import inspect
import re
import tomllib
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import Final

import pytest

from docs.generate import PAGES
from hub.protocol import marks, vocabulary
from tests.support.tree import ROOT

DECISIONS: Final = sorted((ROOT / "docs/decisions").glob("*.md"))
PARTS: Final = ("Context", "Options", "Decision", "Consequences")
MIN_THREATS: Final = 10  # as many as the threat model that the field admires; each names its test


def _headings(page: Path) -> list[str]:
    return re.findall(r"^##+ +(.+?) *$", page.read_text("utf-8"), re.MULTILINE)


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_generated_page_is_fresh(name: str) -> None:
    assert (ROOT / name).read_text("utf-8") == PAGES[name](), "run `make docs`"


@pytest.mark.parametrize("module", [vocabulary, marks], ids=lambda module: module.__name__)
def test_the_glossary_explains_every_word_of_the_wire(module: ModuleType) -> None:
    glossary = (ROOT / "docs/glossary.md").read_text("utf-8")
    enums = [
        one
        for _, one in inspect.getmembers(module, inspect.isclass)
        if issubclass(one, Enum) and one.__module__ == module.__name__
    ]
    assert enums
    assert [
        f"{one.__name__}: {value.value}" for one in enums for value in one if f"`{value.value}`" not in glossary
    ] == []


def test_the_changelog_tells_of_this_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    headings = _headings(ROOT / "CHANGELOG.md")
    assert any(heading.startswith((f"{version} ", "Unreleased")) or heading == version for heading in headings)


def test_there_are_decisions() -> None:
    assert DECISIONS
    numbers = [page.name[:4] for page in DECISIONS]
    assert numbers == sorted(set(numbers)), "each decision has a number of its own"


def test_a_decision_has_its_four_parts() -> None:
    for page in DECISIONS:
        assert re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", page.name)
        assert tuple(heading for heading in _headings(page) if heading in PARTS) == PARTS, page.name


def test_the_threat_model_names_the_tests_that_hold_it() -> None:
    """`test_links.py` checks that each of them exists; a test that is skipped cannot exist."""
    model = (ROOT / "docs/threat-model.md").read_text("utf-8")
    assert len(set(re.findall(r"tests/[\w/]+\.py::\w+", model))) >= MIN_THREATS
    for letter in ("Spoofing", "Tampering", "Repudiation", "Information disclosure", "Denial of service", "Elevation"):
        assert letter.lower() in model.lower(), letter


def test_the_readme_shows_the_two_commands() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    assert re.search(r"^\s*(\$ )?make demo\b", readme, re.MULTILINE)
    assert re.search(r"^\s*(\$ )?make check\b", readme, re.MULTILINE)
