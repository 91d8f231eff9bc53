"""`valise show`: read one message, received or sent: its facts, each compartment, and what was withheld.

Not for: deciding what may be read; what did not come cannot be shown. User's page: `docs/trips/receive.md`.
"""

import asyncio
import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from connectors.cli.output import json_option, local, show
from connectors.cli.reasons import sentence
from connectors.cli.unlock import FOLDER, open_agency
from connectors.kit.acts import note_read
from connectors.kit.agency import Agency
from connectors.kit.numbers import whole_number
from connectors.kit.reading import ReadCompartment, read_draft
from connectors.kit.receive import send_receipts
from hub.protocol.content import Attachment
from hub.protocol.errors import ExchangeError, NotFoundError
from hub.protocol.manifest import Manifest, parse_manifest
from hub.protocol.vocabulary import Status, Verb

_DAY: Final = 86_400  # seconds
_INDENT: Final = "  "
_WIDE: Final = 14  # characters of the first column of facts


@dataclass(frozen=True, slots=True)
class _Message:
    """A message as it is to be shown; `received_at` is None for an own one."""

    mh: str
    manifest: Manifest
    compartments: Mapping[str, ReadCompartment]
    withheld: Mapping[str, str]
    received_at: int | None


@click.command("show", epilog="Example: valise show de-customs MH")
@FOLDER
@click.argument("mh")
@json_option
def show_message(*, folder: Path, mh: str, as_json: bool) -> None:
    """Read the message MH, which the agency in FOLDER received or sent.

    It is verified and opened anew each time: its content lies nowhere in clear. The first time, the originator gets a
    signed word that it was read.
    """
    message = asyncio.run(_read(folder, mh))
    show(_value(message), "\n".join(_text(message)), as_json=as_json)


async def _read(folder: Path, mh: str) -> _Message:
    async with open_agency(folder) as agency:
        mh = await whole_number(agency.connector, mh)
        try:
            read = await agency.read(mh)
        except NotFoundError:
            return await _own(agency, mh)
        if await note_read(agency.connector, mh):
            with contextlib.suppress(ExchangeError):  # the hub is away: the receipt waits, and the officer reads on
                await send_receipts(agency.connector)
        return _Message(mh, read.manifest, read.compartments, read.withheld, read.received_at)


async def _own(agency: Agency, mh: str) -> _Message:
    entry = await agency.connector.outbox.message(mh)
    return _Message(mh, parse_manifest(entry.manifest or "")[0], read_draft(agency.connector, entry), {}, None)


# --- for programs ----------------------------------------------------------------------------------------------------


def _value(message: _Message) -> dict[str, Any]:
    return {
        "mh": message.mh,
        "received_at": message.received_at,
        "manifest": message.manifest.model_dump(mode="json", by_alias=True),
        "compartments": [
            {"id": cid, "label": one.label, "format": one.fmt, "content": _content(one)}
            for cid, one in message.compartments.items()
        ],
        "withheld": [{"id": cid, "reason": code} for cid, code in message.withheld.items()],
    }


def _content(one: ReadCompartment) -> dict[str, Any]:
    if isinstance(one.content, Attachment):
        return {"bytes": len(one.data)}
    return one.content.model_dump(mode="json", exclude_none=True)


# --- for people ------------------------------------------------------------------------------------------------------


def _text(message: _Message) -> Iterator[str]:
    manifest = message.manifest
    if manifest.status is not Status.ACTUAL:
        yield f"=== {manifest.status.upper()}: for participants only, nothing here is real ==="
    verb = "" if manifest.verb is Verb.ALERT else f", {manifest.verb}"
    urgent = ", urgent" if manifest.pri == "urgent" else ""
    yield f"{manifest.mt.capitalize()} from {manifest.iss}{verb}{urgent}"
    yield from (f"{_INDENT}{name:{_WIDE}}{said}" for name, said in _facts(message) if said)
    for cid, one in message.compartments.items():
        yield f"\n{one.label} ({cid})"
        yield from _lines(_content(one), 1)
    if message.withheld:
        yield "\nwithheld"
        yield from (f"{_INDENT}{cid}: {sentence(code)}" for cid, code in message.withheld.items())


def _facts(message: _Message) -> Iterator[tuple[str, str]]:
    manifest = message.manifest
    yield "message", message.mh
    yield "signed", local(manifest.iat)
    yield "received", local(message.received_at) if message.received_at is not None else ""
    yield "expires", local(manifest.exp)
    yield "marks", _marks(manifest)
    yield "purpose", f"{manifest.purpose}; offence: {manifest.offence}; basis: {manifest.basis}"
    yield "operation", manifest.op or ""
    yield "topics", ", ".join(manifest.topics)
    yield "answers", manifest.irt or ""
    yield "replaces", ", ".join(manifest.refs)
    yield "thread", manifest.thread


def _marks(manifest: Manifest) -> str:
    marks = manifest.marks
    parts = [f"TLP:{marks.tlp}", " ".join(marks.codes), marks.eval or "not evaluated"]
    parts += ["may be used in court" if marks.court else "not for court", f"keep {marks.retain // _DAY} days"]
    return ", ".join([*parts, *marks.caveats])


def _lines(value: Mapping[str, Any], depth: int) -> Iterator[str]:
    """Yield a content as indented lines: `name: value`, and each entry of a list behind a dash."""
    margin = _INDENT * depth
    for name, said in value.items():
        words = name.replace("_", " ")
        if isinstance(said, dict):
            yield f"{margin}{words}:"
            yield from _lines(said, depth + 1)
        elif isinstance(said, list) and any(isinstance(one, dict) for one in said):
            yield f"{margin}{words}:"
            for one in said:
                first, *others = _lines(one, depth + 2)
                yield f"{margin}{_INDENT}- {first.strip()}"
                yield from others
        elif said not in ([], ""):
            yield f"{margin}{words}: {_plain(said, margin)}"


def _plain(said: object, margin: str) -> str:
    if isinstance(said, bool):
        return "yes" if said else "no"
    if isinstance(said, list):
        return ", ".join(map(str, said))
    return str(said).replace("\n", f"\n{margin}{_INDENT}")
