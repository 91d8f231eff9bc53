"""What is known here of a message that another one answers, updates or cancels: received, or sent by this agency.

Not for: whether the reference is allowed; the hub's check is `docs/protocol/02-envelope.md` section 6, step 10.
"""

from dataclasses import dataclass

from connectors.kit.connector import Connector
from hub.protocol.errors import NotFoundError, ThreadError
from hub.protocol.manifest import Manifest, parse_manifest


@dataclass(frozen=True, slots=True)
class Reference:
    """A message that another one derives from."""

    mh: str
    manifest: Manifest


async def find_reference(connector: Connector, mh: str) -> Reference:
    """Return a message that was opened here, or sealed here.

    Raises:
        ThreadError: neither the inbox nor the outbox has it.
    """
    try:
        text = await connector.inbox.manifest(mh)
    except NotFoundError:
        text = await _own_manifest(connector, mh)
    return Reference(mh, parse_manifest(text)[0])


async def _own_manifest(connector: Connector, mh: str) -> str:
    try:
        sent = await connector.outbox.message(mh)
    except NotFoundError as error:
        raise ThreadError("neither received nor sent here") from error
    if sent.manifest is None:
        raise ThreadError("not sealed yet")
    return sent.manifest


async def originator_of(connector: Connector, mh: str) -> str:
    """Return whose message it is.

    Raises:
        ThreadError: neither the inbox nor the outbox has it.
    """
    return (await find_reference(connector, mh)).manifest.iss
