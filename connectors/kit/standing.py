"""A connector that was restored from an old backup neither repeats nor skips: it first asks the hub how far it was.

The hub's list of our own messages is believed as far as it is signed: the manifests by us, the accepts by the hub.
Their numbers are adopted before anything new is sealed. What cannot be put right is an alarm. Not for: giving numbers
(`outbox.py`). Implements `docs/protocol/04-statements.md` section 10; user's view in `docs/trips/standing.md`.
"""

import logging

from connectors.kit.alarms import AlarmKind
from connectors.kit.connector import Connector
from connectors.kit.counters import Adopted
from connectors.kit.questions import ask_standing
from hub.host.events import CAUGHT_UP
from hub.protocol.encoding import decode_b64url
from hub.protocol.errors import AnswerError, StaleDirectoryError, ValiseError
from hub.protocol.interface import OwnRecord
from hub.protocol.jws import verify_jws
from hub.protocol.keys import KeyHolder
from hub.protocol.manifest import parse_manifest
from hub.protocol.statements import ACCEPT_TYP, Accept, read_statement, verify_statement
from hub.protocol.wire import write_wire

_LOG = logging.getLogger("valise.connector")


async def catch_up_once(connector: Connector) -> None:
    """Catch up, unless this process has done so since it started; see `catch_up` for errors."""
    async with connector.caught_up.lock:
        if not connector.caught_up.done:
            await catch_up(connector)
            connector.caught_up.done = True


async def catch_up(connector: Connector) -> int:
    """Take over what the hub accepted from this agency and this store does not know; return how many messages.

    Raises:
        AnswerError: the hub shows something that neither we nor it signed, of which nothing was adopted, or keeps back
            what it says that it accepted.
        ExchangeError, StaleDirectoryError: the hub cannot be asked, or the directory must be refreshed first.
    """
    adopted = 0
    for entry in connector.keyring.entries():
        if entry.use == "sign":
            adopted += await _catch_up_key(connector, entry.kid)
    return adopted


async def _catch_up_key(connector: Connector, kid: str) -> int:
    adopted = 0
    while True:
        last = await connector.counters.sealed(kid)
        answer = await ask_standing(connector.client, kid, after=last)
        if not adopted:
            await _compare(connector, kid, answer.highest or 0)
            await _compare_mail(connector, answer.collected)
        if not answer.records:
            if (answer.highest or 0) > last:
                raise AnswerError("standing: a message is kept back")
            break
        for record in answer.records:
            message = _believe(connector, kid, record)
            await _note_lost(connector, kid, range(last + 1, message.seq))
            adopted += await connector.counters.adopt(message)
            last = message.seq
    if adopted:
        _LOG.warning(CAUGHT_UP, adopted, kid)
    return adopted


def _believe(connector: Connector, kid: str, record: OwnRecord) -> Adopted:
    """Check that we signed a message under this key and that the hub accepted it.

    Raises:
        AnswerError: not so.
    """
    directory, keyring = connector.directory, connector.keyring
    try:
        manifest, jws = parse_manifest(record.manifest)
        verify_jws(jws, alg="Ed25519", public=_own_public(keyring, kid))
        accept = read_statement(
            Accept, verify_statement(record.accept, directory, typ=ACCEPT_TYP, now=connector.clock()), directory
        )
    except StaleDirectoryError:
        raise
    except ValiseError as error:
        raise AnswerError(f"standing: {error.code}") from error
    said = (accept.hub, accept.mh, accept.jti, accept.seq, jws.kid, manifest.seq, manifest.iss)
    if said != (connector.hub, jws.digest, manifest.jti, record.seq, kid, record.seq, connector.partner):
        raise AnswerError("standing: another message")
    return Adopted(
        id=manifest.jti,
        mh=jws.digest,
        kid=kid,
        seq=record.seq,
        manifest=record.manifest,
        op=manifest.op,
        accept=write_wire(record.accept),
        accepted_at=accept.iat,
        to=record.to,
    )


def _own_public(keyring: KeyHolder, kid: str) -> bytes:
    """Return our own public key: what we signed is believed by our keystore, whatever became of the key since."""
    return next(decode_b64url(entry.pub) for entry in keyring.entries() if entry.kid == kid)


async def _note_lost(connector: Connector, kid: str, numbers: range) -> None:
    """Numbers between two accepted messages: sealed, never accepted, and lost with the store that had them."""
    for number in numbers:
        await connector.alarms.sound(AlarmKind.NUMBER_LOST, f"{kid}/{number}", at=connector.clock())


async def _compare(connector: Connector, kid: str, highest: int) -> None:
    """The hub must know at least what it accepted: we hold its word."""
    ours, now = await connector.counters.accepted(kid), connector.clock()
    if ours is not None and ours[0] > highest:
        await connector.alarms.sound(AlarmKind.HUB_FORGOT, ours[1], reason=f"{kid}/{ours[0]}", at=now)


async def _compare_mail(connector: Connector, collected: int) -> None:
    """What was taken out of the mailbox must be here: it is kept before it is confirmed."""
    missing = collected - await connector.inbox.collected()
    if missing > 0:
        await connector.alarms.sound(AlarmKind.MAIL_MISSING, str(missing), at=connector.clock())
