"""A received message, and what becomes of own ones, as a national system reads them: one JSON object, or flat columns.

Content is in it, in the clear. Not for: where it goes (`writing.py`, `webhook.py`). User's page:
`docs/how-to/connect-a-system.md`.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from connectors.interop.columns import DESTINATION, Column, of_kind
from connectors.interop.ledger import Noted
from connectors.kit.reading import OpenedMessage
from hub.protocol.content.codelists import LegRole
from hub.protocol.content.compartments import JSON_FORMAT
from hub.protocol.encoding import encode_b64url
from hub.protocol.vocabulary import Label

CHANGE_COLUMNS: Final = ("place", "event", "message", "partner", "state", "code")
_HEAD: Final = ("message", "kind", "from", "sent at", "received at", "thread", "answers", "verb", "withheld")
_REST: Final = "not in columns"
_DAY: Final = 86_400  # seconds


def moment(at: int) -> str:
    """Return Unix seconds as UTC in the form of RFC 3339."""
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")


def object_of(message: OpenedMessage) -> dict[str, Any]:
    """Return a message as one JSON object: the manifest's words, and each compartment by its label."""
    manifest = message.manifest
    written = [one for one in message.compartments.values() if one.label is not Label.ATTACHMENT]
    attached = [one for one in message.compartments.values() if one.label is Label.ATTACHMENT]
    return {
        "message": message.mh,
        "kind": manifest.mt.value,
        "verb": manifest.verb.value,
        "from": manifest.iss,
        "sent_at": moment(manifest.iat),
        "received_at": moment(message.received_at),
        "thread": manifest.thread,
        "answers": manifest.irt,
        "replaces": list(manifest.refs),
        "operation": manifest.op,
        "marks": manifest.marks.model_dump(mode="json"),
        "purpose": manifest.purpose.value,
        "offence": manifest.offence.value,
        "basis": manifest.basis.value,
        "priority": manifest.pri.value,
        "status": manifest.status.value,
        "topics": list(manifest.topics),
        "compartments": {one.label.value: one.content.model_dump(mode="json", exclude_none=True) for one in written},
        "attachments": [
            {"fmt": one.fmt, "data": encode_b64url(one.data)} for one in attached if one.fmt != JSON_FORMAT
        ],
        "withheld": dict(message.withheld),
    }


def flat(message: Mapping[str, Any]) -> dict[str, str]:
    """Return an object of `object_of` under the names of the columns; what fits none is named in the last."""
    kind = message["kind"]
    head = {name: str(message[name.replace(" ", "_")] or "") for name in _HEAD[:-1]}
    cells = {**head, "withheld": "; ".join(f"{place} {code}" for place, code in message["withheld"].items())}
    leaves = dict(_leaves(_numbered(message), ""))
    for column in of_kind(kind):
        for number in range(1, column.repeats + 1):
            path = column.at(number)
            if path and path in leaves:
                cells[column.named(number)] = _text(column, leaves.pop(path))
    rest = [path for path in leaves if path.startswith(("compartments.", "attachments.")) and not _is_implied(path)]
    return {**cells, _REST: "; ".join(sorted(path.removeprefix("compartments.") for path in rest))}


def _numbered(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what columns have places for, with lists of parts by the numbers that their columns have."""
    names = ("operation", "marks", "purpose", "offence", "basis", "priority", "status", "topics", "compartments")
    return {name: _by_number(message[name], name) for name in names} | {
        "attachments": _by_number(message["attachments"], "")
    }


def _by_number(value: Any, name: str) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return {key: _by_number(one, key) for key, one in value.items()}
    if not (isinstance(value, list) and value and isinstance(value[0], dict)):
        return value
    return {_number(one, name, place): _by_number(one, "") for place, one in enumerate(value, 1)}


def _number(part: Mapping[str, Any], name: str, place: int) -> str:
    if name == "route":
        transit = place - 1 if part.get("role") == LegRole.TRANSIT else 0
        ends = {LegRole.ORIGIN.value: 0, LegRole.DESTINATION.value: DESTINATION}
        return str(ends.get(str(part.get("role")), max(transit, 1)))
    if name in ("questions", "answers"):
        return str(part.get("id", "q0"))[1:]
    return str(place - 1) if name == "documents" else str(place)


def _is_implied(path: str) -> bool:
    """Whether a leaf only repeats what its column's name says: a leg's role, a question's number."""
    parent, _, last = path.rpartition(".")
    return (last == "role" and ".route." in path) or (
        last == "id" and parent.rpartition(".")[0].endswith(("questions", "answers"))
    )


def _leaves(value: Any, at: str) -> Sequence[tuple[str, Any]]:  # noqa: ANN401 - JSON
    if not isinstance(value, dict):
        return [(at, value)] if value not in (None, "", [], ()) else []
    return [leaf for name, one in value.items() for leaf in _leaves(one, f"{at}.{name}" if at else name)]


def _text(column: Column, value: Any) -> str:  # noqa: ANN401 - a leaf of JSON
    if isinstance(value, bool):
        return "yes" if value else "no"
    if column.path == "marks.retain":
        return str(int(value) // _DAY)
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value)


def header_of(rows: Sequence[Mapping[str, str]]) -> list[str]:
    """Return the names of all columns that rows have, in the order in which they first stand."""
    return [*dict.fromkeys(name for row in rows for name in row if name != _REST), _REST]


def change_of(event: Noted) -> dict[str, str]:
    """Return what became of an own message as a row: accepted, refused, or what an addressee signed."""
    values = (str(event.place), event.type, event.mh, event.partner, event.state, event.code)
    return dict(zip(CHANGE_COLUMNS, values, strict=True))
