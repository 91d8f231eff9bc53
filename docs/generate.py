"""Write the reference pages that say what the code says: errors, settings, commands, events, metrics.

    python -m docs.generate            write them
    python -m docs.generate --check    say which are out of date, and exit with 1

Not for: pages that a person writes. CONTRIBUTING.md says when to run it (`make docs`).
"""

import inspect
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import click
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from connectors.interop.columns import COLUMNS, Column, choice, of_kind
from connectors.kit.link_settings import LINKS
from connectors.kit.settings import ConnectorSettings
from hub.api.routes import openapi
from hub.cli import valise
from hub.host.events import EVENTS, Event
from hub.host.metrics import MEASURES
from hub.protocol import errors
from hub.protocol.errors import ValiseError
from hub.protocol.vocabulary import MessageKind
from hub.settings import HubSettings

ROOT: Final = Path(__file__).resolve().parents[1]
WRITTEN: Final = "<!-- Written by `make docs`; change the code, not this page. -->"

ERRORS_INTRODUCTION: Final = """\
Every refusal has a *wire code*, `family/leaf`, and one constant sentence. An implementation MUST send the code and MUST
NOT send anything of the message beside it; a program MUST decide by the code and never by the sentence. A code never
gets another meaning; new ones are added. As the `type` of a problem (RFC 9457) it is
`urn:valise:error:family/leaf`, which resolves to its row on this page."""
SETTINGS_INTRODUCTION: Final = """\
Each program reads one TOML file. An unknown key, a missing key or a wrong value stops the start and is named."""

EVENTS_INTRODUCTION: Final = """\
`valise hub serve` and `valise connector run` write one event a line to standard error: for people, or with `--json`
as an object with `at` (UTC), `level`, `program` (the partner's code), `event` and the event's fields. A name never gets
another meaning. No event has content; `error` holds the traceback of a bug. What a library says is the event `note`
with its `text`."""

METRICS_INTRODUCTION: Final = """\
A hub or connector with `admin_port` in its settings tells these at `/metrics`
([watch a hub](../how-to/watch-a-hub.md)), beside `process_...` and `python_...` of the process.
Labels are bounded and never name a message."""
METRICS: Final = tuple(MEASURES.values())


COLUMNS_INTRODUCTION: Final = """\
Files for the drop folder ([connect a system](../how-to/connect-a-system.md)) and the templates
([fill in a template](../how-to/fill-in-a-template.md)) have these columns, in any order. Those in bold must be filled
in. `#` stands for nothing or a number from 2 to 9: `goods hs`, `goods 2 hs`. Small and capital letters, `_` and `-` are
all the same. Parts that no column has (travel, biometrics, transfers, attachments) are written as JSON drafts
([08-content](../protocol/08-content.md) section 10)."""


# --- errors --------------------------------------------------------------------------------------------------------


def errors_page() -> str:
    """Return `10-errors.md`: every family with its leaves, in the order of the tree."""
    lines = [
        "# 10. Errors",
        WRITTEN,
        ERRORS_INTRODUCTION,
    ]
    for family in _own(ValiseError):
        rows = [one for one in _below(family) if "code" in vars(one)]
        lines += [f"## {family.__name__.removesuffix('Error').lower()}", _prose(family), _table(_error_rows(rows))]
    return _page(lines)


def _own(top: type[ValiseError]) -> list[type[ValiseError]]:
    return [one for one in top.__subclasses__() if one.__module__.startswith(errors.__name__)]


def _below(top: type[ValiseError]) -> Iterator[type[ValiseError]]:
    yield top
    for one in _own(top):
        yield from _below(one)


def _error_rows(leaves: list[type[ValiseError]]) -> Iterator[tuple[str, ...]]:
    yield "Code", "When", "What the person reads"
    for leaf in leaves:
        yield f"`{leaf.code}`", _prose(leaf), leaf.sentence


# --- settings ------------------------------------------------------------------------------------------------------


def settings_page() -> str:
    """Return `settings.md`: every setting of the hub and of a connector."""
    lines = [
        "# Settings",
        WRITTEN,
        SETTINGS_INTRODUCTION,
    ]
    tables = [(f"Connector, table `[{name}]`", model) for name, model in LINKS.items()]
    programs: list[tuple[str, type[BaseModel]]] = [
        ("Hub (`hub.toml`)", HubSettings),
        ("Connector (`agency.toml`)", ConnectorSettings),
        *tables,
    ]
    for title, model in programs:
        lines += [f"## {title}", _prose(model), _table(_setting_rows(model))]
    return _page(lines)


def _setting_rows(model: type[BaseModel]) -> Iterator[tuple[str, ...]]:
    yield "Key", "Value", "Default", "Meaning"
    properties: Mapping[str, Any] = model.model_json_schema()["properties"]
    for name, field in model.model_fields.items():
        default = "required" if field.default is PydanticUndefined else _default(field.default)
        yield f"`{name}`", _kind(properties[name]), default, field.description or ""


def _default(value: object) -> str:
    return "none" if value is None else f"`{value}`"


def _kind(schema: Mapping[str, Any]) -> str:
    """Return what a JSON schema takes, in words."""
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"] if one.get("type") != "null")
    if "$ref" in schema or schema.get("type") == "object":
        return "table"
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    kind = {"integer": "whole number", "boolean": "`true` or `false`", "string": "text", "array": "list"}
    words = "path" if schema.get("format") == "path" else kind.get(schema.get("type", ""), "text")
    if "minimum" in schema and "maximum" in schema:
        words += f", {schema['minimum']} to {schema['maximum']}"
    return words


# --- columns -------------------------------------------------------------------------------------------------------


def columns_page() -> str:
    """Return `columns.md`: every column of a drop file, and every code that one takes."""
    lines = ["# Columns", WRITTEN, COLUMNS_INTRODUCTION]
    for kind in MessageKind:
        lines += [f"## {kind.value}", _table(_column_rows(kind))]
    lists = {one.codes_name: one for one in COLUMNS if one.codes}
    lines.append("## Codes")
    lines.append(_table(_code_rows(lists)))
    return _page(lines)


def _column_rows(kind: MessageKind) -> Iterator[tuple[str, ...]]:
    yield "Column", "Holds", "Meaning", "Other names", "Place in a draft"
    for one in of_kind(kind):
        name = f"**{one.name}**" if one.required else one.name
        place = one.path.removeprefix("compartments.")
        yield name, one.form.value, one.meaning, ", ".join(one.aliases), f"`{place}`" if place else ""


def _code_rows(lists: Mapping[str, Column]) -> Iterator[tuple[str, ...]]:
    yield "Columns with these", "Codes; words beside one are taken as well"
    for name, column in lists.items():
        yield name, ", ".join(choice(code, label) for code, label in column.codes.items())


# --- commands ------------------------------------------------------------------------------------------------------


def commands_page() -> str:
    """Return `commands.md`: the whole command line with every option."""
    lines = ["# Commands", WRITTEN]
    context = click.Context(valise, info_name="valise")
    for path, command in walk(valise, context):
        lines += [f"## `{path}`", _help(command)]
        rows = [record for one in command.params if (record := one.get_help_record(context)) and record[1]]
        if rows:
            lines.append(_table([("Option", "Meaning"), *((f"`{option}`", text) for option, text in rows)]))
    return _page(lines)


def walk(command: click.Command, context: click.Context) -> Iterator[tuple[str, click.Command]]:
    """Yield every command below and including this one, with the words that call it, arguments included."""
    arguments = [one.make_metavar(context) for one in command.params if isinstance(one, click.Argument)]
    yield " ".join([context.command_path, *arguments]), command
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None and not below.hidden:
                yield from walk(below, click.Context(below, info_name=name, parent=context))


def _help(command: click.Command) -> str:
    """Return a command's help; what click keeps as typed (after a backspace) stays as typed."""
    text = inspect.cleandoc(command.help or "").split("\f")[0]
    parts = []
    for part in text.split("\n\n"):
        kept = part.startswith("\b")
        parts.append("```text\n" + part.removeprefix("\b").strip("\n") + "\n```" if kept else part)
    return "\n\n".join(parts)


# --- events --------------------------------------------------------------------------------------------------------


def events_page() -> str:
    """Return `events.md`: every event that our programs tell."""
    rows = [("Event", "Fields", "Sentence"), *(_event_row(one) for one in EVENTS.values())]
    return _page(["# Events", WRITTEN, EVENTS_INTRODUCTION, _table(rows)])


def _event_row(event: Event) -> tuple[str, ...]:
    places = iter(event.fields)
    sentence = re.sub(r"%[.\d]*[sf]", lambda _: f"*{next(places)}*", event.sentence)
    return f"`{event.name}`", ", ".join(f"`{one}`" for one in event.fields), sentence


# --- the interface ---------------------------------------------------------------------------------------------------


def openapi_page() -> str:
    """Return `openapi.json`: what the hub answers to `GET /v1/openapi.json`, laid out for a reader."""
    return json.dumps(json.loads(openapi()), indent=1, ensure_ascii=False) + "\n"


# --- metrics -------------------------------------------------------------------------------------------------------


def metrics_page() -> str:
    """Return `metrics.md`: every metric of hub and connector."""
    rows = [(f"`{one.name}`", one.kind, ", ".join(f"`{label}`" for label in one.labels), one.text) for one in METRICS]
    return _page(["# Metrics", WRITTEN, METRICS_INTRODUCTION, _table([("Metric", "Kind", "Labels", "Meaning"), *rows])])


# --- pages ---------------------------------------------------------------------------------------------------------


def _prose(owner: type) -> str:
    """Return the first paragraph of a docstring as one line."""
    return re.sub(r"\s+", " ", inspect.getdoc(owner) or "").split(" Attributes:")[0].strip()


def _table(rows: Iterator[tuple[str, ...]] | list[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(re.sub(r"\s+", " ", cell).replace("|", "\\|") for cell in row) + " |" for row in rows]
    columns = lines[0].replace("\\|", "").count("|") - 1
    return "\n".join([lines[0], "|" + "---|" * columns, *lines[1:]])


def _page(parts: list[str]) -> str:
    return "\n\n".join(parts) + "\n"


PAGES: Final[Mapping[str, Callable[[], str]]] = MappingProxyType(
    {
        "docs/protocol/10-errors.md": errors_page,
        "docs/reference/openapi.json": openapi_page,
        "docs/reference/settings.md": settings_page,
        "docs/reference/columns.md": columns_page,
        "docs/reference/commands.md": commands_page,
        "docs/reference/events.md": events_page,
        "docs/reference/metrics.md": metrics_page,
    }
)


def main(arguments: list[str]) -> int:
    """Write or check the pages; return the exit code."""
    if arguments not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    outdated = [name for name, page in PAGES.items() if page() != _read(ROOT / name)]
    for name in outdated:
        print(f"{name} is out of date: run `make docs`" if arguments else f"wrote {name}")
        if not arguments:
            (ROOT / name).parent.mkdir(parents=True, exist_ok=True)
            (ROOT / name).write_text(PAGES[name](), encoding="utf-8")
    return 1 if arguments and outdated else 0


def _read(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.exists() else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
