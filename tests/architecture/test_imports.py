"""Who may import what, where an import graph of packages does not show it (the rest: `[tool.importlinter]`)."""

import ast
import re
import subprocess
import sys
from collections.abc import Mapping
from typing import Final

import pytest

from tests.support.tree import CODE, PURE, ROOT, check_none, dotted, modules

HAZMAT: Final = "hub/protocol/hazmat.py"
SEEN_BY_CONNECTORS: Final = ("hub.protocol", "hub.policy", "hub.tlog", "hub.verify", "hub.host")

LAZY: Final[Mapping[str, str]] = {}  # module -> why it imports inside functions (an optional extra); may only shrink

# Where a pure module would get its clock, chance, surroundings or files from: all of them are arguments instead.
IMPURE_IMPORTS: Final = (
    "random",
    "secrets",
    "time",
    "urllib.request",
    "os.environ",
    "os.getenv",
    "os.urandom",
    "tempfile",
)
IMPURE_CALLS: Final = re.compile(
    r"(open|input|print|uuid4|time\.\w+|os\.(urandom|getenv)|uuid\.uuid[14]|(.*\.)?(datetime|date)\.(now|utcnow|today))\Z"
)


def _is(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def test_only_one_module_imports_cryptography() -> None:
    importers = {module.name for module in modules(*CODE) for _, name in module.imports() if _is(name, "cryptography")}
    assert importers == {HAZMAT}


def test_the_pure_side_has_no_clock_no_chance_no_surroundings() -> None:
    found = [
        f"{module.at(node)} imports {name}"
        for module in modules(*PURE)
        if module.name != HAZMAT
        for node, name in module.imports()
        if _is(name, *IMPURE_IMPORTS)
    ]
    for module in modules(*PURE):
        for node in module.nodes:
            if isinstance(node, ast.Call) and IMPURE_CALLS.match(dotted(node.func)) and module.name != HAZMAT:
                found.append(f"{module.at(node)} calls {dotted(node.func)}")
            if isinstance(node, ast.Attribute) and dotted(node) == "os.environ":
                found.append(f"{module.at(node)} reads os.environ")
    check_none(found)


def test_connectors_see_five_packages_of_the_hub() -> None:
    found = [
        f"{module.at(node)} imports {name}"
        for module in modules("connectors")
        for node, name in module.imports()
        if _is(name, "hub") and not _is(name, *SEEN_BY_CONNECTORS)
    ]
    check_none(found)


def test_no_import_hides_under_type_checking() -> None:
    check_none([module.name for module in modules(*CODE) if "TYPE_CHECKING" in module.text])


def test_imports_stand_at_the_top() -> None:
    """Commands that are imported when they are called go through the table of `hub/cli`, not through such an import."""
    hidden = {
        module.name
        for module in modules(*CODE)
        for function in module.nodes
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert hidden == set(LAZY)


SERVER: Final = ("aiohttp", "redis", "urllib3", "asyncio", "sqlite3", "hub.api", "hub.app", "hub.broker", "hub.store")


def _loaded_by(statement: str) -> set[str]:
    """Return what a fresh interpreter has loaded after a statement."""
    program = f"import sys\n{statement}\nprint(*sys.modules, sep='\\n', file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{program}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.split())


@pytest.mark.parametrize(
    ("package", "server"),
    [
        ("hub.protocol.errors", SERVER),
        ("hub.protocol.manifest", SERVER),
        ("hub.policy", SERVER),
        ("hub.tlog", SERVER),
        ("hub.verify", ("aiohttp", "redis", "hub.api", "hub.app", "hub.broker", "hub.store")),
    ],
)
def test_an_auditor_loads_no_server(package: str, server: tuple[str, ...]) -> None:
    check_none(_loaded_by(f"import {package}") & set(server))


def test_help_loads_no_server() -> None:
    loaded = _loaded_by("from hub.cli import valise\nvalise.main(['--help'], standalone_mode=False)")
    assert "hub.cli" in loaded
    check_none(loaded & {*SERVER, "cryptography", "cedarpy", "tuf"})
