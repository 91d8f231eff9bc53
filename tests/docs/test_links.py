"""What a page points at is there: files, headings, tests, and every page can be reached from the index."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from tests.support.tree import ROOT, Module, check_none, pages

_FENCE: Final = re.compile(r"^( *)(```+|~~~+).*?^\1\2 *$", re.MULTILINE | re.DOTALL)
_CODE: Final = re.compile(r"`[^`\n]*`")
_LINK: Final = re.compile(r"\[(?:[^\[\]]|\[[^\]]*\])*\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)")
_REFERENCE: Final = re.compile(r"^\[[^\]]+\]:\s*(\S+)", re.MULTILINE)
_HEADING: Final = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)
_TEST: Final = re.compile(r"\btests/[\w/]+\.py::\w+(?:::\w+)?")
_MENTION: Final = re.compile(r"`((?:docs|hub|connectors|policies|config|tests|benchmarks)/[\w./-]+\.\w+)`")


def _links(page: Path) -> Iterator[str]:
    text = _CODE.sub("", _FENCE.sub("", page.read_text("utf-8")))
    yield from _LINK.findall(text)
    yield from _REFERENCE.findall(text)


def _anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub and GitLab make them."""
    headings = _HEADING.findall(_FENCE.sub("", page.read_text("utf-8")))
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower() for heading in headings]
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in plain}


def _target(page: Path, link: str) -> tuple[Path, str] | None:
    """Return the file and the anchor of a relative link; None for an address elsewhere."""
    if re.match(r"[a-z][a-z0-9+.-]*:", link):
        return None
    path, _, anchor = unquote(link).partition("#")
    return ((page.parent / path).resolve() if path else page), anchor


def test_every_relative_link_leads_somewhere() -> None:
    broken = []
    for page in pages():
        for link in _links(page):
            target = _target(page, link)
            if target is None:
                continue
            path, anchor = target
            lost = not path.exists() or not path.is_relative_to(ROOT)
            if lost or (anchor and path.suffix == ".md" and anchor not in _anchors(path)):
                broken.append(f"{page.relative_to(ROOT)}: {link}")
    check_none(broken)


def test_every_named_file_is_there() -> None:
    """A file of the project that a page names in code type."""
    lost = [
        f"{page.relative_to(ROOT)}: {name}"
        for page in pages()
        for name in _MENTION.findall(page.read_text("utf-8"))
        if not (ROOT / name).exists()
    ]
    check_none(lost)


def test_every_page_can_be_reached_from_the_index() -> None:
    seen: set[Path] = set()
    waiting = [ROOT / "docs/README.md"]
    while waiting:
        page = waiting.pop()
        if page.is_dir():  # shown as a list of its pages
            waiting += page.glob("*.md")
        if page in seen or page.suffix != ".md" or not page.is_file():
            continue
        seen.add(page)
        waiting += [target[0] for link in _links(page) if (target := _target(page, link))]
    lost = [page for page in pages() if page.is_relative_to(ROOT / "docs") and page not in seen]
    check_none([str(page.relative_to(ROOT)) for page in lost])


def test_every_cited_test_exists() -> None:
    lost = []
    for page in pages():
        for citation in _TEST.findall(page.read_text("utf-8")):
            path, *names = citation.split("::")
            file = ROOT / path
            if not file.is_file() or not set(names) <= _defined(file):
                lost.append(f"{page.relative_to(ROOT)}: {citation}")
    check_none(lost)


def _defined(file: Path) -> set[str]:
    return {name for node in Module(file).nodes if isinstance(name := getattr(node, "name", None), str)}
