"""The hub's accept of an own message: is it our hub's word about it, and what does the message wait for from then on?

Not for: uploading (`send.py`) or looking whether it came (`watch.py`). Implements `docs/protocol/04-statements.md`
section 2; user's view in `docs/trips/send.md`.
"""

import contextlib

from connectors.kit.client import parse_proven
from connectors.kit.connector import Connector
from connectors.kit.deadlines import Expected
from connectors.kit.outbox import OutboxEntry
from hub.protocol.audience import parse_leaf
from hub.protocol.encoding import decode_b64url
from hub.protocol.envelope import SubmissionHead
from hub.protocol.errors import AnswerError, DirectoryError, PolicyError, UnknownKeyError, ValiseError
from hub.protocol.manifest import parse_manifest
from hub.protocol.statements import ACCEPT_TYP, Accept, read_statement, verify_statement
from hub.protocol.wire import parse_wire


def verify_accept(connector: Connector, entry: OutboxEntry, answer: bytes) -> Accept:
    """Check the hub's signed word that it took this message. What is wrong with it is never the message's fault.

    Raises:
        AnswerError: it is not our hub's word about this message.
        StaleDirectoryError: the directory must be refreshed first.
    """
    directory = connector.directory
    try:
        accept = read_statement(
            Accept, verify_statement(parse_proven(answer), directory, typ=ACCEPT_TYP, now=connector.clock()), directory
        )
    except ValiseError as error:
        raise AnswerError(f"accept: {error.code}") from error
    if (accept.hub, accept.mh, accept.jti) != (connector.hub, entry.mh, entry.id):
        raise AnswerError("the accept of another message or hub")
    return accept


def expected_after(connector: Connector, entry: OutboxEntry, accept: Accept) -> list[Expected]:
    """Return what an accepted message waits for: the log's proof, and a receipt of every addressee."""
    head = parse_wire(SubmissionHead, entry.head or b"")
    priority = parse_manifest(head.m)[0].pri
    receipt_due = accept.iat + connector.terms.receipt(priority)
    addressees = [parse_leaf(decode_b64url(slot.l)).to for slot in head.a if slot.k is not None]
    expected = [Expected("receipt", accept.mh, partner, receipt_due) for partner in addressees]
    return [Expected("log-proof", accept.mh, "", accept.iat + connector.terms.proof), *expected]


async def know_hub_key(connector: Connector, answer: bytes) -> None:
    """Refresh the directory when the hub signs by a key that is newer than our last look."""
    try:
        verify_statement(parse_proven(answer), connector.directory, typ=ACCEPT_TYP, now=connector.clock())
    except UnknownKeyError:
        with contextlib.suppress(DirectoryError, PolicyError):  # then the accept is not believed, and asked for again
            await connector.mirror.refresh()
    except ValiseError:
        return  # `verify_accept` says what it is
