"""The events that our programs tell, and the one form in which they are written: a line, for people or for programs.

    _LOG.warning(DIRECTORY_REFUSED, error.code)

An event is a name that never changes, a sentence, and the names of what is filled in; it is logged as it is, through
Python's own logging. Not for: content, which no event has a field for. Reference page: `docs/reference/events.md`,
generated from here.
"""

import logging
import sys
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

from hub.protocol.strictjson import write_json

#: Which part speaks: a hub's or agency's code. A process may run several agencies.
PROGRAM: Final[ContextVar[str]] = ContextVar("program", default="-")


@dataclass(frozen=True, slots=True)
class Event:
    """One kind of event: its stable name, the sentence with `%s` places, and the fields that fill them, in order."""

    name: str
    sentence: str
    fields: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.sentence  # what logging fills in


# --- a hub -----------------------------------------------------------------------------------------------------------

LISTENING: Final = Event("hub-listening", "hub %s listens on %s", ("hub", "url"))
ADMIN_LISTENING: Final = Event("admin-listening", "metrics are told on %s", ("url",))
NOT_READY: Final = Event("not-ready", "not ready: %s", ("codes",))
READY_AGAIN: Final = Event("ready-again", "ready again")
ROLLBACK_ACCEPTED: Final = Event(
    "rollback-accepted", "starts on a restored backup of %s entries; what came after it is lost", ("entries",)
)
REQUEST_REFUSED: Final = Event("request-refused", "refused %s %s: %s", ("method", "route", "code"))
REQUEST_FAILED: Final = Event("request-failed", "failed %s %s: %s", ("method", "route", "cause"))
SERVER_FAILED: Final = Event("http-failed", "a request failed: %s", ("cause",))
DIRECTORY_REFUSED: Final = Event(
    "directory-refused", "the published directory or policy set was not believed: %s", ("code",)
)

KEYSTORE_NOT_READ: Final = Event("keystore-not-read", "the keystore changed and could not be read again: %s", ("code",))
KEY_ENDS: Final = Event("key-ends", "%s ends in %s days", ("what", "days"))
KEYS_DESTROYED: Final = Event("keys-destroyed", "destroyed %s opening keys whose time is over", ("keys",))
COPIES_EXPIRED: Final = Event("copies-expired", "%s uncollected copies expired and were destroyed", ("count",))
EXPIRY_FAILED: Final = Event("expiry-failed", "uncollected copies could not be expired: %s", ("code",))

# --- a connector -----------------------------------------------------------------------------------------------------

CONNECTOR_RUNS: Final = Event("connector-runs", "runs with adapter %s", ("adapter",))
CONNECTOR_STOPPED: Final = Event("connector-stopped", "stopped")
NOT_REFRESHED: Final = Event("directory-not-refreshed", "the directory could not be refreshed: %s", ("code",))
RECEIPT_DISBELIEVED: Final = Event("receipt-disbelieved", "a receipt was not believed: %s", ("code",))
COPY_REFUSED: Final = Event("copy-refused", "a copy was refused: %s", ("code",))
RECEIPT_REFUSED: Final = Event("receipt-refused", "a receipt was refused: %s", ("code",))
OPERATION_DISBELIEVED: Final = Event("operation-disbelieved", "an operation was not believed: %s", ("code",))
TRIP_FAILED: Final = Event("trip-failed", "%s: %s; again in %.0f s", ("trip", "code", "seconds"))
OPENED: Final = Event("message-opened", "opened %s", ("mh",))
NOT_HANDLED: Final = Event("message-not-handled", "not handled %s: %s", ("mh", "code"))
MESSAGE_REFUSED: Final = Event("message-refused", "refused %s: %s", ("id", "code"))
MESSAGE_ACCEPTED: Final = Event("message-accepted", "accepted %s", ("mh",))
FILE_TAKEN: Final = Event("file-taken", "a dropped file is %s; its report has %s lines", ("state", "lines"))
FILE_WRITTEN: Final = Event("file-written", "wrote %s to the drop folder", ("mh",))
EVENT_POSTED: Final = Event("event-posted", "posted an event about %s", ("mh",))
EVENT_NOT_POSTED: Final = Event("event-not-posted", "an event about %s was not taken: %s", ("mh", "code"))
NOTICE_MAILED: Final = Event("notice-mailed", "mailed that %s messages wait", ("count",))
ALARM_RAISED: Final = Event("alarm-raised", "ALARM %s about %s, partner %s: %s", ("kind", "about", "partner", "reason"))
ALARM_CLEARED: Final = Event("alarm-cleared", "alarm %s about %s, partner %s is over", ("kind", "about", "partner"))
CAUGHT_UP: Final = Event(
    "caught-up", "the hub knew %s messages under %s that were not here; their numbers were adopted", ("count", "kid")
)
PURGED: Final = Event("content-purged", "destroyed the content of %s copies and %s drafts", ("copies", "drafts"))
SEALED_AGAIN: Final = Event("message-sealed-again", "%s is sealed again as %s: %s", ("id", "new", "code"))

EVENTS: Final[Mapping[str, Event]] = MappingProxyType(
    {one.name: one for one in tuple(globals().values()) if isinstance(one, Event)}
)


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """Return a log record as the fields of one line, without its content-free sentence."""
    event = record.msg
    given = record.args if isinstance(record.args, tuple) else ()
    fields: dict[str, Any] = {
        "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname.lower(),
        "program": PROGRAM.get(),
    }
    if isinstance(event, Event):
        return fields | {"event": event.name} | dict(zip(event.fields, map(_plain, given), strict=False))
    return fields | {"event": "note", "logger": record.name, "text": record.getMessage()}


def _plain(value: object) -> str | int:
    """Return a field as JSON takes it here: whole numbers and text (strict JSON has no fractions)."""
    return value if isinstance(value, int) else round(value) if isinstance(value, float) else str(value)


class EventLine(logging.Formatter):
    """Writes one event a line: JSON for programs, or for people time, level, program and sentence."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__()
        self._as_json: Final = as_json

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; a traceback follows it, or is its field `error`."""
        fields = fields_of(record)
        trace = self.formatException(record.exc_info) if record.exc_info else record.exc_text
        if self._as_json:
            return write_json(fields | ({"error": trace} if trace else {})).decode()
        at = datetime.fromtimestamp(record.created).astimezone().isoformat(sep=" ", timespec="seconds")
        line = f"{at} {fields['level']} {fields['program']} {record.getMessage()}"
        return f"{line}\n{trace}" if trace else line


def write_events(*, as_json: bool, quiet: tuple[str, ...] = ("tuf",)) -> None:
    """Let this process write its events to standard error; what libraries say only from warnings on.

    Args:
        as_json: write JSON also on a terminal.
        quiet: loggers of libraries that tell more than anybody asks.
    """
    console = logging.StreamHandler(sys.stderr)
    console.setFormatter(EventLine(as_json=as_json))
    logging.basicConfig(level=logging.WARNING, handlers=[console])
    logging.getLogger("valise").setLevel(logging.INFO)
    for name in quiet:
        logging.getLogger(name).setLevel(logging.ERROR)
