"""Gather the messages of an operation that this agency can read - its own and those that it opened - for its report.

Not for: the figures (`report.py`). Implements `docs/protocol/08-content.md` section 9.
"""

from collections.abc import Iterable

from connectors.kit.connector import Connector, operation_of
from connectors.kit.reading import ReadCompartment, read_draft, read_message
from connectors.kit.report import Item, Report, make_report
from hub.protocol.content.feedback import Outcome
from hub.protocol.content.seizure import Seizure, Statistics
from hub.protocol.errors import OperationError, SealError
from hub.protocol.manifest import Manifest, parse_manifest


async def report_of(connector: Connector, operation: str) -> Report:
    """Return an operation's statistics.

    Raises:
        OperationError: this agency is in no operation of that name.
        ExchangeError, StaleDirectoryError, StoreError: it cannot be known now.
    """
    found = await operation_of(connector, operation)
    if found is None:
        raise OperationError(operation)
    items: list[Item] = []
    unread = 0
    for entry in await connector.inbox.of_operation(operation):
        mh = entry.mh or ""
        try:
            message = await read_message(connector, mh)
        except SealError:  # its key was destroyed
            unread += 1
            continue
        items.append(_item(mh, message.manifest, message.compartments.values()))
    for sent in await connector.outbox.of_operation(operation):
        manifest = parse_manifest(sent.manifest or "")[0]
        try:
            compartments = read_draft(connector, sent)
        except SealError:
            unread += 1
            continue
        items.append(_item(sent.mh or "", manifest, compartments.values()))
    return make_report(items, found.counting, unread=unread)


def _item(mh: str, manifest: Manifest, compartments: Iterable[ReadCompartment]) -> Item:
    contents = [one.content for one in compartments]
    return Item(
        mh=mh,
        manifest=manifest,
        outcome=next((one for one in contents if isinstance(one, Outcome)), None),
        seizure=next((one for one in contents if isinstance(one, Seizure)), None),
        statistics=next((one for one in contents if isinstance(one, Statistics)), None),
    )
