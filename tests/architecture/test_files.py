"""How a file looks (CONTRIBUTING.md): its opening, its length, its words, and what must not be left in it."""

import ast
import re
from collections.abc import Mapping
from typing import Final

from tests.support.tree import CODE, ROOT, Module, check_none, dotted, files, modules

MAX_LINES: Final = 400
LONG: Final[Mapping[str, str]] = {
    "hub/protocol/errors.py": "one tree, drawn in one place; a leaf is its code and its sentence",
}  # module -> why it may be longer; may only shrink

FORBIDDEN_FILES: Final = frozenset({"utils.py", "util.py", "common.py", "base.py", "helpers.py", "misc.py"})
FORBIDDEN_ENDINGS: Final = ("Manager", "Service", "Handler", "Helper", "Util", "Utils", "Data", "Impl")

# Each expression has brackets where it would find itself.
PROMISES: Final = re.compile(
    r"NotImplemente[d]Error|\bTOD[O]\b|\bFIXM[E]\b|#\s*XX[X]\b|pragma: no cove[r]"
    r"|\.mark\.(skip|skipif|xfail)[^a-z]|pytest\.(skip|xfail|importorskip)[(]"
)
MACHINE: Final = re.compile(
    r"/wor[k]/|/far[m]/|/roo[t]/|/tm[p]/(lab|bash_jobs|studio)|--(extra-)?index-ur[l]|far[m]-(bench|studio)"
    r"|pypi\.or[g]/simple|files\.pythonhoste[d]"
)


def test_a_module_is_at_most_400_lines() -> None:
    long = {module.name for module in modules(*CODE, "benchmarks", "docs") if module.text.count("\n") > MAX_LINES}
    assert long == set(LONG), "split it; or, when it became short, take it from LONG"


def test_files_have_names_that_say_something() -> None:
    check_none([module.name for module in modules() if module.path.name in FORBIDDEN_FILES])


def test_classes_have_names_that_say_something() -> None:
    found = [
        f"{module.at(node)} {node.name}"
        for module in modules()
        for node in module.classes()
        if node.name.endswith(FORBIDDEN_ENDINGS)
    ]
    check_none(found)


def test_every_module_opens_with_what_it_is_for() -> None:
    check_none([module.name for module in modules(*CODE, "tests", "benchmarks") if not module.docstring])


def _sentences(text: str) -> int:
    return len(re.findall(r"[.:!](?=\s|$)", text))


def test_every_module_says_what_it_is_not_for_and_which_page_it_implements() -> None:
    """One sentence of purpose, one of limits, and a page under `docs/` that exists."""
    found = []
    for module in modules(*CODE):
        if module.path.name == "__init__.py":
            continue
        cited = re.findall(r"docs/[\w./-]+\.md", module.docstring)
        if _sentences(module.docstring) < 2:
            found.append(f"{module.name}: fewer than two sentences")
        elif not cited:
            found.append(f"{module.name}: cites no page of docs/")
        found += [f"{module.name}: {page} does not exist" for page in cited if not (ROOT / page).is_file()]
    check_none(found)


def test_shipped_code_has_no_assert() -> None:
    asserts = [module.at(node) for module in modules(*CODE) for node in module.nodes if isinstance(node, ast.Assert)]
    check_none(asserts)


def test_no_except_catches_everything() -> None:
    found = []
    for module in modules(*CODE, "benchmarks"):
        for node in module.nodes:
            if not isinstance(node, ast.ExceptHandler):
                continue
            caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            if any(one is None or dotted(one) in {"Exception", "BaseException"} for one in caught):
                found.append(module.at(node))
    check_none(found)


_MUTABLE: Final = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
_MAKERS: Final = frozenset({"list", "dict", "set", "bytearray", "defaultdict", "deque", "Counter", "OrderedDict"})
_FROZEN: Final = re.compile(r"\b(Final|ClassVar|Mapping|Sequence|Collection)\b")


def _mutable_state(module: Module) -> list[str]:
    """Return what a module's top level holds that a function could change, unless it is annotated as not changing."""
    found = [module.at(node) for node in module.nodes if isinstance(node, ast.Global)]
    for node in module.tree.body:
        if isinstance(node, ast.AugAssign):
            found.append(module.at(node))
        if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
            continue
        names = [dotted(target) for target in (node.targets if isinstance(node, ast.Assign) else [node.target])]
        annotation = ast.unparse(node.annotation) if isinstance(node, ast.AnnAssign) else ""
        made = isinstance(node.value, ast.Call) and dotted(node.value.func).rpartition(".")[2] in _MAKERS
        if (isinstance(node.value, _MUTABLE) or made) and names != ["__all__"] and not _FROZEN.search(annotation):
            found.append(f"{module.at(node)} {names[0]}")
    return found


def test_modules_hold_no_state() -> None:
    check_none([found for module in modules(*CODE) for found in _mutable_state(module)])


def _is_declaration(node: ast.ClassDef) -> bool:
    return any(dotted(getattr(one, "value", one)).rpartition(".")[2] in {"Protocol", "ABC"} for one in node.bases)


def test_no_function_is_only_announced() -> None:
    """`...` and a lone `pass` are for the ports (Protocol classes) and overloads; everything else does something."""
    found = []
    for module in modules(*CODE, "benchmarks"):
        declared = {id(node) for owner in module.classes() if _is_declaration(owner) for node in ast.walk(owner)}
        for node in module.nodes:
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or id(node) in declared:
                continue
            if any(dotted(one).rpartition(".")[2] == "overload" for one in node.decorator_list):
                continue
            rest = node.body[1:] if ast.get_docstring(node) is not None else node.body
            if all(isinstance(one, ast.Pass) or _is_ellipsis(one) for one in rest) and "command" not in _decorators(
                node
            ):
                found.append(f"{module.at(node)} {node.name}")
    check_none(found)


def _is_ellipsis(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and node.value.value is ...


def _decorators(node: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    """Return the last names of a function's decorators; a click group is a docstring and needs no body."""
    names = {dotted(getattr(one, "func", one)).rpartition(".")[2] for one in node.decorator_list}
    return names | {"command"} if "group" in names else names


def _lines_with(pattern: re.Pattern[str], *, code_only: bool) -> list[str]:
    found = []
    for path in files():
        if code_only and path.suffix != ".py":
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture or a database
        for number, line in enumerate(text.splitlines(), 1):
            if pattern.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    return found


def test_nothing_is_promised_skipped_or_expected_to_fail() -> None:
    check_none(_lines_with(PROMISES, code_only=True))


def test_no_file_names_a_machine_or_a_package_index() -> None:
    check_none(_lines_with(MACHINE, code_only=False))
