"""Would a sealed message that the hub refuses for its keys come out with other keys, were it sealed anew?

If not, the hub's clock or directory differs from ours, and sealing again would only use up numbers. Not for: sealing
(`send.py`). User's view in `docs/trips/send.md`.
"""

import contextlib
from collections.abc import Iterator

from connectors.kit.connector import Connector
from connectors.kit.outbox import OutboxEntry
from hub.host.live_keys import second_signer
from hub.protocol.audience import parse_leaf
from hub.protocol.encoding import decode_b64url
from hub.protocol.envelope import SubmissionHead
from hub.protocol.errors import DirectoryError, NoAddresseeKeyError, PolicyError, UnknownPartnerError
from hub.protocol.jws import parse_jws
from hub.protocol.manifest import MANIFEST_TYP, parse_manifest
from hub.protocol.wire import parse_wire


async def has_other_keys(connector: Connector, entry: OutboxEntry) -> bool:
    """Return whether a sealed message would get other keys now, by our keystore and the newest directory.

    Raises:
        ExchangeError: the directory cannot be asked for.
        KeystoreError: there is no key to sign with.
    """
    with contextlib.suppress(DirectoryError, PolicyError):  # then what was believed before says it
        await connector.mirror.refresh()
    return any(before != now for before, now in _keys(connector, parse_wire(SubmissionHead, entry.head or b"")))


def _keys(connector: Connector, head: SubmissionHead) -> Iterator[tuple[str | None, str | None]]:
    """Yield each key of a message with the one that would take its place; None: there is none."""
    at, jws = connector.clock(), parse_manifest(head.m)[1]
    yield jws.kid, connector.keyring.signer("sign", at=at).kid
    second = second_signer(connector.keyring, connector.directory, at=at)
    before = head.s2 and parse_jws(head.s2, typ=MANIFEST_TYP, payload_segment=jws.payload_segment).kid
    yield before, second.kid if second is not None else None
    for leaf in (parse_leaf(decode_b64url(slot.l)) for slot in head.a if slot.k is not None):
        try:
            yield leaf.kid, connector.directory.opening_key(leaf.to, at=at).kid
        except (NoAddresseeKeyError, UnknownPartnerError):
            yield leaf.kid, None
