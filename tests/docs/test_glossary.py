"""The glossary explains every code that can stand in a message, and none that cannot."""

import re
from enum import StrEnum
from itertools import chain
from pathlib import Path
from types import ModuleType

import pytest

from hub.protocol import marks, vocabulary
from hub.protocol.content import codelists

GLOSSARY = (Path(__file__).parents[2] / "docs" / "glossary.md").read_text("utf-8")
CODES = GLOSSARY.partition("# Codes\n")[2]


def _tables() -> list[set[str]]:
    """The codes that begin the rows of each table."""
    tables = re.split(r"\n\n", CODES)
    return [set(re.findall(r"^\| `([^`]+)`", table, flags=re.MULTILINE)) for table in tables]


def _lists(module: ModuleType) -> list[type[StrEnum]]:
    found = [one for one in vars(module).values() if isinstance(one, type) and issubclass(one, StrEnum)]
    return [one for one in found if one is not StrEnum and one.__module__ == module.__name__]


EVERY = list(chain.from_iterable(_lists(module) for module in (vocabulary, marks, codelists)))


@pytest.mark.parametrize("words", EVERY)
def test_one_table_has_exactly_the_codes_of_each_list(words: type[StrEnum]) -> None:
    assert set(words) in _tables()


def test_every_table_is_a_list_of_the_code() -> None:
    others = [table for table in _tables() if table and table not in [set(words) for words in EVERY]]
    assert [sorted(table) for table in others] == [["hs:01", "mode:", "origin:", "subject:"], ["A", "B", "C", "X"]]


def test_words_stand_in_order() -> None:
    for title in ("Who", "What", "Doing"):
        section = GLOSSARY.partition(f"## {title}\n")[2].partition("\n#")[0]
        words = re.findall(r"^\| ([^|]+) \|", section, flags=re.MULTILINE)[1:]
        assert words == sorted(words, key=lambda word: word.strip("`").lower())
