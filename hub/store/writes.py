"""What each write of the ports does inside a transaction: check it against what is recorded, then record it.

Every function may be repeated with the same arguments. Not for: the transaction itself (`ledger.py`). Implements
`docs/protocol/04-statements.md` section 6 and, for sequence numbers, `docs/protocol/02-envelope.md` section 6, step 9.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from functools import reduce
from operator import or_

from hub.broker.ports import Acceptance
from hub.protocol.errors import DecisionChainError, ForkError, NotFoundError, ReplayError
from hub.protocol.hazmat import sha256
from hub.protocol.manifest import parse_manifest
from hub.protocol.operation import VerifiedOperation
from hub.protocol.receipt import VerifiedReceipt
from hub.protocol.strictjson import write_json
from hub.protocol.submission import VerifiedEnvelope
from hub.protocol.subscription import VerifiedSubscription
from hub.protocol.vocabulary import Priority
from hub.protocol.wire import write_wire
from hub.store.ledger import Ledger
from hub.store.schema import BODIES, mask_of, places_in


def accept(ledger: Ledger, acceptance: Acceptance) -> Callable[[], bytes]:
    """Record a message with all that is decided about it; what is returned gives the proven accept after the commit.

    Raises:
        ForkError, ReplayError, DecisionChainError: as the port says.
    """
    envelope, group = acceptance.envelope, ledger.group
    known = ledger.db.execute("SELECT id FROM messages WHERE mh = ?", (envelope.mh,)).fetchone()
    if known:
        return _accepted_before(ledger, envelope.mh, known[0])
    _check_copies(acceptance)
    _check_sequence(ledger, envelope)
    key = (envelope.manifest.iss, envelope.manifest.jti)
    if ledger.db.execute("SELECT id FROM messages WHERE iss = ? AND jti = ?", key).fetchone():
        raise ReplayError(envelope.manifest.jti)
    (after,) = ledger.db.execute("SELECT max(seq) FROM messages WHERE kid = ?", (envelope.kid,)).fetchone()
    payload = acceptance.accept(after)
    message = _insert_message(ledger, envelope)
    place = ledger.append("accept", payload, message).place or 0
    group.accepts[envelope.mh] = place
    _decide(ledger, acceptance, message)
    return lambda: group.prove(place)


def _accepted_before(ledger: Ledger, mh: str, message: int) -> Callable[[], bytes]:
    group = ledger.group
    if mh in group.accepts:  # earlier in this very transaction
        place = group.accepts[mh]
        return lambda: group.prove(place)
    earlier = ledger.queries.accept_of(message)
    return lambda: earlier


def _check_sequence(ledger: Ledger, envelope: VerifiedEnvelope) -> None:
    """Refuse, and keep as evidence, that one key signed two histories.

    Raises:
        ForkError: it did.
    """
    manifest = envelope.manifest
    sql = "SELECT id, mh, manifest FROM messages WHERE kid = ? AND seq = ?"
    other = ledger.db.execute(sql, (envelope.kid, manifest.seq)).fetchone()
    if other is None and manifest.prev is not None:
        before = ledger.db.execute(sql, (envelope.kid, manifest.seq - 1)).fetchone()
        other = before if before and before[1] != manifest.prev else None
    if other is None:
        after = ledger.db.execute(sql, (envelope.kid, manifest.seq + 1)).fetchone()
        other = after if after and parse_manifest(after[2])[0].prev not in (None, envelope.mh) else None
    if other is None:
        return
    message, _, recorded = other
    sql = "INSERT INTO denials (mh) VALUES (?) ON CONFLICT DO NOTHING"
    if ledger.db.execute(sql, (envelope.mh,)).rowcount:
        evidence = {"v": 1, "code": ForkError.code, "recorded": recorded, "refused": envelope.jws}
        ledger.append("denial", write_json(evidence), message)
    raise ForkError(f"{envelope.kid} {manifest.seq}")


def _insert_message(ledger: Ledger, envelope: VerifiedEnvelope) -> int:
    manifest = envelope.manifest
    number = ledger.db.execute(
        "INSERT INTO messages (mh, iss, jti, kid, seq, thread, irt, operation, marks, manifest, second, "
        "accepted_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            envelope.mh,
            manifest.iss,
            manifest.jti,
            envelope.kid,
            manifest.seq,
            manifest.thread,
            manifest.irt,
            manifest.op,
            write_wire(manifest.marks),
            envelope.jws,
            envelope.second,
            ledger.group.at,
        ),
    ).lastrowid
    if number is None:
        raise sqlite3.DatabaseError("an inserted row without a number")
    return number


def _decide(ledger: Ledger, acceptance: Acceptance, message: int) -> None:
    """Record the decisions, then fill the mailboxes; ciphertexts that nobody gets are not kept at all."""
    envelope, group = acceptance.envelope, ledger.group
    routine = envelope.manifest.pri is not Priority.URGENT
    copies = {copy.to: copy for copy in acceptance.copies}
    needs: Counter[int] = Counter()
    for decision in acceptance.decisions:
        box = ledger.box(decision.to)
        entry = ledger.append(
            "decision", decision.payload, message, box.id, inputs=decision.inputs, explanation=decision.explanation
        )
        copy = copies.get(decision.to)
        mask = mask_of(copy.released) if copy else 0
        group.deliveries.append((entry.number, mask, "waiting" if copy else "withheld"))
        if copy:
            needs[mask] += 1
            ledger.post(decision.to, routine=routine, entry=entry.number, released=mask, part=copy.part)
    ledger.db.executemany("INSERT INTO needs VALUES (?, ?, ?)", [(message, *need) for need in needs.items()])
    ledger.db.executemany(
        "INSERT INTO bodies (id, disclosure, blob) VALUES (?, ?, ?)",
        [
            (message * BODIES + place, envelope.disclosures[place].text, envelope.blobs[place])
            for place in places_in(reduce(or_, needs, 0))
        ],
    )


def add_receipt(ledger: Ledger, verified: VerifiedReceipt) -> None:
    """Record a receipt and post it to the message's originator.

    Raises:
        NotFoundError, ReplayError: as the port says.
    """
    receipt, digest = verified.receipt, sha256(verified.jws.encode())
    sql = "SELECT digest FROM receipts WHERE iss = ? AND jti = ?"
    known = ledger.db.execute(sql, (receipt.iss, receipt.jti)).fetchone()
    if known:
        if known[0] != digest:
            raise ReplayError(receipt.jti)
        return
    found = ledger.db.execute(
        "SELECT decision, messages.id, messages.iss FROM messages JOIN entries ON message = messages.id "
        "JOIN deliveries ON decision = number JOIN partners ON partners.id = partner "
        "WHERE mh = ? AND code = ? AND released ORDER BY number DESC LIMIT 1",
        (receipt.mh, receipt.iss),
    ).fetchone()
    if found is None:
        raise NotFoundError("nothing of the message was released to the receipt's issuer")
    decision, message, originator = found
    entry = ledger.append("receipt", verified.jws.encode(), message, ledger.box(receipt.iss).id)
    ledger.db.execute("INSERT INTO receipts VALUES (?, ?, ?)", (receipt.iss, receipt.jti, digest))
    sql = "UPDATE deliveries SET state = ?, receipt = ? WHERE decision = ? AND state != 'opened'"
    ledger.db.execute(sql, (receipt.state, entry.number, decision))
    ledger.post(originator, routine=True, entry=entry.number, released=0, part=None)


def confirm(ledger: Ledger, partner: str, seqs: Sequence[int], at: int) -> None:
    """Take items out of a mailbox, and what nobody waits for any longer off the disk."""
    box = ledger.boxes.get(partner)
    if box is None:
        return
    taken = ledger.db.execute(
        "DELETE FROM mail WHERE partner = ? AND routine IN (0, 1) AND seq IN (SELECT value FROM json_each(?)) "
        "RETURNING entry, released, (SELECT message FROM entries WHERE number = entry)",
        (box.id, json.dumps(seqs)),
    ).fetchall()
    ledger.db.execute(
        "UPDATE deliveries SET collected_at = coalesce(collected_at, ?), state = iif(state = 'waiting', "
        "'collected', state) WHERE decision IN (SELECT value FROM json_each(?))",
        (at, json.dumps([entry for entry, _, _ in taken])),
    )
    ledger.group.taken.update((message, released) for _, released, message in taken if released)


def put_operation(ledger: Ledger, verified: VerifiedOperation) -> None:
    """Record an operation.

    Raises:
        ReplayError: as the port says.
    """
    name = verified.operation.op
    known = ledger.queries.operation(name)
    if known is not None and known.operation != verified.operation:
        raise ReplayError(name)
    sql = "INSERT INTO operations (name, jws) VALUES (?, ?) ON CONFLICT DO NOTHING"
    ledger.db.execute(sql, (name, verified.jws))


def put_subscription(ledger: Ledger, verified: VerifiedSubscription) -> None:
    """Record a subscription, unless a newer one is there."""
    subscription = verified.subscription
    ledger.db.execute(
        "INSERT INTO subscriptions (partner, iat, active, jws) VALUES (?, ?, ?, ?) ON CONFLICT (partner) DO UPDATE "
        "SET iat = excluded.iat, active = excluded.active, jws = excluded.jws WHERE excluded.iat >= iat",
        (subscription.iss, subscription.iat, subscription.active, verified.jws),
    )


def put_checkpoint(ledger: Ledger, size: int, note: str) -> None:
    """Keep a signed checkpoint, unless there is one of this size."""
    sql = "INSERT INTO checkpoints (size, note) VALUES (?, ?) ON CONFLICT DO NOTHING"
    ledger.db.execute(sql, (size, note))


def _check_copies(acceptance: Acceptance) -> None:
    """Refuse copies that the decisions beside them do not cover.

    Raises:
        DecisionChainError: a copy is of another message, twice for one addressee, or without its decision.
    """
    decided = {decision.to for decision in acceptance.decisions}
    addressees = {copy.to for copy in acceptance.copies}
    if (
        len(addressees) != len(acceptance.copies)
        or len(decided) != len(acceptance.decisions)
        or not addressees <= decided
        or any(copy.mh != acceptance.envelope.mh for copy in acceptance.copies)
    ):
        raise DecisionChainError("copies without their decisions")
