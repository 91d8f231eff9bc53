"""What our programs tell: one form for all, names that are documented, and no free text in a call."""

import ast
import json
import logging
import re
from typing import Final

import pytest

from hub.host import events
from hub.host.events import EVENTS, PROGRAM, REQUEST_REFUSED, TRIP_FAILED, Event, EventLine
from tests.support.tree import CODE, ROOT, check_none, dotted, modules

LEVELS: Final = frozenset({"debug", "info", "warning", "error", "critical", "exception"})


def record(event: object, *given: object, error: BaseException | None = None) -> logging.LogRecord:
    caught = (type(error), error, None) if error else None
    return logging.LogRecord("valise.hub", logging.ERROR, "", 0, event, given, caught)


def test_an_event_is_one_line_of_json_with_its_fields() -> None:
    PROGRAM.set("int-hub")
    told = json.loads(EventLine(as_json=True).format(record(REQUEST_REFUSED, "GET", "/v1/hub", "exchange/busy")))
    at = told.pop("at")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", at)
    assert told == {
        "level": "error",
        "program": "int-hub",
        "event": "request-refused",
        "method": "GET",
        "route": "/v1/hub",
        "code": "exchange/busy",
    }


def test_an_event_is_one_line_for_people() -> None:
    PROGRAM.set("fr-customs")
    line = EventLine(as_json=False).format(record(REQUEST_REFUSED, "GET", "/v1/hub", "exchange/busy"))
    assert line.endswith(" error fr-customs refused GET /v1/hub: exchange/busy")


def test_seconds_are_whole_in_json() -> None:
    told = json.loads(EventLine(as_json=True).format(record(TRIP_FAILED, "send", "exchange/busy", 2.0)))
    assert told["seconds"] == 2


@pytest.mark.parametrize("as_json", [True, False])
def test_a_bugs_traceback_comes_along(*, as_json: bool) -> None:
    line = EventLine(as_json=as_json).format(record(REQUEST_REFUSED, "a", "b", "c", error=OSError("the disk is full")))
    assert "the disk is full" in line


def test_what_a_library_says_is_a_note() -> None:
    told = json.loads(EventLine(as_json=True).format(record("%s is slow", "it")))
    assert (told["event"], told["text"], told["logger"]) == ("note", "it is slow", "valise.hub")


def test_names_are_stable_and_sentences_have_as_many_places_as_fields() -> None:
    declared = [one for one in vars(events).values() if isinstance(one, Event)]
    assert len(declared) == len(EVENTS) > 15, "two events have one name"
    for one in declared:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", one.name), one.name
        assert len(re.findall(r"%[s.\d]*[sf]", one.sentence)) == len(one.fields), one.name


def test_every_call_tells_an_event() -> None:
    """A sentence written at the call would have no name, and could take content in."""
    found = [
        module.at(node)
        for module in modules(*CODE)
        for node in module.nodes
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in LEVELS
        and dotted(node.func.value) == "_LOG"
        and not (isinstance(node.args[0], ast.Name) and hasattr(events, node.args[0].id))
    ]
    check_none(found, "declare it in hub/host/events.py")


def test_every_event_is_told_somewhere() -> None:
    texts = "\n".join(module.text for module in modules(*CODE) if module.name != "hub/host/events.py")
    names = [name for name, one in vars(events).items() if isinstance(one, Event)]
    check_none([name for name in names if not re.search(rf"\b{name}\b", texts)])


def test_the_page_names_every_event() -> None:
    page = (ROOT / "docs/reference/events.md").read_text("utf-8")
    check_none([name for name in EVENTS if f"`{name}`" not in page])
