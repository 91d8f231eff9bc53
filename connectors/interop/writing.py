"""What is written to `out`: each received message, and what became of own ones, exactly once, as whole private files.

A file is made under a hidden name and its events are noted as under way; then it gets its name; then they are noted as
told. After a crash in between, the hidden name says whether the file was given its name already, so a reader that has
taken it away gets it no second time. Not for: what stands in a file (`outgoing.py`). User's page:
`docs/how-to/connect-a-system.md`.
"""

import asyncio
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from connectors.interop.csv_files import write_csv
from connectors.interop.ledger import Ledger, Noted
from connectors.interop.outgoing import CHANGE_COLUMNS, change_of, flat, header_of, object_of
from connectors.interop.spreadsheets import write_spreadsheet
from connectors.kit.agency import Agency
from connectors.kit.link_settings import DropSettings
from connectors.kit.refusals import OURS
from hub.host.events import FILE_WRITTEN, NOT_HANDLED
from hub.host.files import write_private
from hub.protocol.errors import SetupError, ValiseError
from hub.protocol.strictjson import write_json

_LOG: Final = logging.getLogger("valise.connector")
_RECEIVED: Final = "message.received"


class Writer:
    """Writes one agency's events to its drop folder."""

    def __init__(self, agency: Agency, settings: DropSettings, ledger: Ledger) -> None:
        self._agency: Final = agency
        self._settings: Final = settings
        self._ledger: Final = ledger
        self._out: Final = settings.folder / "out"

    async def write(self) -> None:
        """Finish what was under way, then write what is new: a file for each message, one for all changes together.

        Raises:
            SetupError: the folder cannot be written.
            StoreError: the disk failed.
        """
        for event in await self._ledger.waiting("file", under_way=True):
            await asyncio.to_thread(_give_names, self._out, event.place)
            await self._ledger.settle("file", [event.place])
        events = await self._ledger.waiting("file")
        for event in events:
            if event.type == _RECEIVED:
                await self._publish(f"{event.mh}", [event], await self._message(event))
        changes = [event for event in events if event.type != _RECEIVED]
        if changes:
            rows = [change_of(event) for event in changes]
            await self._publish(
                f"changes-{changes[0].place:010}", changes, self._forms(rows, list(CHANGE_COLUMNS), rows)
            )

    async def _message(self, event: Noted) -> Mapping[str, bytes]:
        """Return a message in each form; of one that cannot be read any longer, only its row."""
        try:
            value = object_of(await self._agency.read(event.mh))
        except OURS:
            raise
        except ValiseError as error:
            _LOG.warning(NOT_HANDLED, event.mh, error.code)
            row = {**change_of(event), "code": error.code}
            return self._forms(row, list(row), [row])
        row = flat(value)
        return self._forms(value, header_of([row]), [row])

    def _forms(self, value: object, header: Sequence[str], rows: Sequence[Mapping[str, str]]) -> Mapping[str, bytes]:
        cells = [[row.get(name, "") for name in header] for row in rows]
        forms = {}
        if "json" in self._settings.out:
            forms["json"] = write_json(value) + b"\n"
        if "csv" in self._settings.out:
            forms["csv"] = write_csv(header, cells)
        if "xlsx" in self._settings.out:
            forms["xlsx"] = write_spreadsheet("Messages", header, cells)
        return forms

    async def _publish(self, stem: str, events: Sequence[Noted], forms: Mapping[str, bytes]) -> None:
        place = events[0].place
        await asyncio.to_thread(_stage, self._out, place, stem, forms)
        await self._ledger.settle("file", [event.place for event in events], told=False)
        await asyncio.to_thread(_give_names, self._out, place)
        await self._ledger.settle("file", [event.place for event in events])
        for event in events:
            _LOG.info(FILE_WRITTEN, event.mh)


def _hidden(place: int) -> str:
    return f".{place:010}."


def _stage(out: Path, place: int, stem: str, forms: Mapping[str, bytes]) -> None:
    """Write each form under its hidden name; those of an earlier try are replaced."""
    for ending, data in forms.items():
        write_private(out / f"{_hidden(place)}{stem}.{ending}", data)


def _give_names(out: Path, place: int) -> None:
    """Give the hidden files of a place their names; those that have them already are left alone."""
    try:
        for file in sorted(out.glob(f"{_hidden(place)}*")):
            file.rename(out / file.name.removeprefix(_hidden(place)))
        folder = os.open(out, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise SetupError(f"{out}: {error.strerror}") from error
