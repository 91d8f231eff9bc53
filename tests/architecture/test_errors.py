"""The tree of errors: every leaf has its code, its sentence, its line in the documentation and a test."""

import re
from pathlib import Path
from typing import Final

from hub.protocol import errors
from hub.protocol.errors import ValiseError
from tests.support.tree import CODE as SHIPPED
from tests.support.tree import ROOT, check_none, dotted, files, modules

UNTESTED: Final = Path(__file__).with_name("untested_codes.txt")
CODE: Final = re.compile(r"[a-z]+/[a-z0-9]+(-[a-z0-9]+)*\Z")
MAX_SENTENCE: Final = 240  # characters; it has to fit into a line or two of a terminal


def tree(top: type[ValiseError] = ValiseError) -> list[type[ValiseError]]:
    """Return the error classes of the project in the order of the tree, each followed by what is below it."""
    own = [one for one in top.__subclasses__() if one.__module__.startswith(errors.__name__)]
    return [top, *(one for child in own for one in tree(child))]


def coded() -> list[type[ValiseError]]:
    """Return the classes that have a wire code of their own."""
    return [one for one in tree() if "code" in vars(one) and one is not ValiseError]


def leaves() -> list[type[ValiseError]]:
    return [one for one in tree() if len(tree(one)) == 1]


def test_every_leaf_has_a_code_and_a_sentence_of_its_own() -> None:
    check_none([one.__name__ for one in leaves() if not {"code", "sentence"} <= vars(one).keys()])


def test_no_error_grows_outside_the_tree() -> None:
    """A private class may tell one case of a leaf from another inside its module; it goes out with the leaf's code."""
    names = {one.__name__ for one in tree()}
    check_none(
        [
            f"{module.at(node)} {node.name}"
            for module in modules(*SHIPPED)
            if not module.is_in("hub/protocol/errors") and module.name != "hub/protocol/errors.py"
            for node in module.classes()
            if not node.name.startswith("_") and {dotted(base).rpartition(".")[2] for base in node.bases} & names
        ]
    )


def test_codes_are_unique_and_well_formed() -> None:
    codes = [one.code for one in coded()]
    assert len(codes) == len(set(codes))
    check_none([code for code in codes if not CODE.match(code)])


def test_a_code_starts_with_its_family() -> None:
    for one in coded():
        family = next(parent for parent in reversed(one.__mro__) if ValiseError in parent.__bases__)
        assert one.code.split("/")[0] == family.__name__.removesuffix("Error").lower(), one.__name__


def test_sentences_are_sentences() -> None:
    for one in coded():
        assert one.sentence[0].isupper(), one.code
        assert one.sentence.endswith("."), one.code
        assert len(one.sentence) <= MAX_SENTENCE, one.code
        assert one.__doc__, one.code


def test_sentences_are_constant() -> None:
    """A sentence crosses the wire, so nothing of a message may stand in it: no class builds one."""
    for one in coded():
        assert isinstance(vars(one)["sentence"], str), one.code
        assert "{" not in one.sentence, one.code
        assert one("what only our own output says").sentence == vars(one)["sentence"], one.code


def test_the_tree_at_the_top_is_the_tree() -> None:
    assert errors.__doc__ is not None
    drawn = re.findall(r"^      (\w+Error) +(\w+)/", errors.__doc__, re.MULTILINE)
    families = [one for one in tree() if one.__bases__ == (ValiseError,)]
    assert [name for name, _ in drawn] == [one.__name__ for one in families]


def test_every_code_is_documented() -> None:
    page = (ROOT / "docs/protocol/10-errors.md").read_text(encoding="utf-8")
    check_none([one.code for one in coded() if f"`{one.code}`" not in page])


def test_every_code_has_a_test() -> None:
    """A code counts as tested when a test or vector names it or its class; the list of exceptions may only shrink."""
    texts = "\n".join(
        path.read_text(encoding="utf-8")
        for path in files()
        if path.is_relative_to(ROOT / "tests")
        and path.suffix in {".py", ".json", ".toml", ".txt"}
        and path not in {UNTESTED, Path(__file__)}
    )
    words = set(re.findall(r"\w+|[a-z]+/[a-z0-9-]+", texts)) | set(re.findall(r"[a-z]+/[a-z0-9-]+", texts))
    untested = {one.code for one in coded() if not {one.code, one.__name__} & words}
    excepted = set(UNTESTED.read_text(encoding="utf-8").split()) if UNTESTED.exists() else set()
    check_none(untested - excepted, "write a test or a vector that ends in this error")
    check_none(excepted - untested, f"these have a test now: take them from {UNTESTED.name}")
