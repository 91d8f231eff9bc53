"""What each write of the ports does inside a transaction: check it against what is recorded, then record it.

Every function may be repeated with the same arguments. Not for: the transaction itself (`ledger.py`). Implements
`docs/protocol/04-statements.md` section 6 and, for sequence numbers, `docs/protocol/02-envelope.md` section 6, step 9.
"""

import sqlite3
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import reduce
from operator import or_

from hub.broker.ports import Acceptance, DecisionEntry
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
from hub.store.ledger import Fresh, Ledger
from hub.store.packing import Item, pack_all, pack_items, unpack_items
from hub.store.schema import BODIES, RUN, RUNS, mask_of, places_in, sound_values


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
    place = _record(ledger, acceptance, payload, _insert_message(ledger, envelope))
    group.accepts[envelope.mh] = place
    return lambda: group.prove(place)


def _accepted_before(ledger: Ledger, mh: str, message: int) -> Callable[[], bytes]:
    group = ledger.group
    if mh in group.accepts:  # earlier in this very transaction
        place = group.accepts[mh]
        return lambda: group.prove(place)
    with sound_values():
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
        ledger.append("denial", message, [Fresh(write_json(evidence))])
    raise ForkError(f"{envelope.kid} {manifest.seq}")


def _insert_message(ledger: Ledger, envelope: VerifiedEnvelope) -> int:
    manifest = envelope.manifest
    number = ledger.db.execute(
        "INSERT INTO messages (mh, iss, jti, kid, seq, thread, irt, operation, marks, manifest, second, "
        "exp, accepted_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
            manifest.exp,
            ledger.group.at,
        ),
    ).lastrowid
    if number is None:
        raise sqlite3.DatabaseError("an inserted row without a number")
    return number


def _record(ledger: Ledger, acceptance: Acceptance, accept: bytes, message: int) -> int:
    """Record the accept and the decisions in runs, and fill the mailboxes; return the accept's place in the batch.

    Ciphertexts that nobody gets are not kept at all.
    """
    routine = acceptance.envelope.manifest.pri is not Priority.URGENT
    copies = {copy.to: copy for copy in acceptance.copies}
    masks = {copy.to: mask_of(copy.released) for copy in acceptance.copies}
    entries = [Fresh(accept), *(_decided(ledger, decision, masks) for decision in acceptance.decisions)]
    places: list[int] = []
    for run, at in enumerate(range(0, len(entries), RUN)):
        chunk = entries[at : at + RUN]
        appended = ledger.append("decision" if at else "accept", message, chunk)
        places.append(appended.place or 0)
        for offset, entry in enumerate(chunk):
            if entry.released:
                item = Item(entry.number, message, appended.first, entry.released, run, offset)
                ledger.post(entry.concerned, item, routine=routine)
        parts = [copies[entry.concerned].part if entry.released else b"" for entry in chunk]
        if any(parts):
            ledger.db.execute("INSERT INTO parts VALUES (?, ?)", (message * RUNS + run, pack_all(parts)))
    _keep_bodies(ledger, acceptance.envelope, message, Counter(masks.values()))
    return places[0]


def _decided(ledger: Ledger, decision: DecisionEntry, masks: Mapping[str, int]) -> Fresh:
    released = masks.get(decision.to, 0)
    number = ledger.number(decision.to) if released else 0
    return Fresh(decision.payload, decision.to, released, number, decision.inputs, decision.explanation)


def _keep_bodies(ledger: Ledger, envelope: VerifiedEnvelope, message: int, needs: Counter[int]) -> None:
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
    about = ledger.db.execute("SELECT id, iss FROM messages WHERE mh = ?", (receipt.mh,)).fetchone()
    if not about or not ledger.queries.has_released(about[0], receipt.iss):
        raise NotFoundError("nothing of the message was released to the receipt's issuer")
    message, originator = about
    number = ledger.number(originator)
    run = ledger.append("receipt", message, [Fresh(verified.jws.encode(), receipt.iss, number=number)])
    row = (receipt.iss, receipt.jti, digest, message, run.first)
    ledger.db.execute("INSERT INTO receipts VALUES (?, ?, ?, ?, ?)", row)
    ledger.post(originator, Item(number, message, run.first, 0, 0, 0), routine=True)


def confirm(ledger: Ledger, partner: str, seqs: Sequence[int], at: int) -> None:
    """Take items out of a mailbox, and what nobody waits for any longer off the disk."""
    box = ledger.boxes.get(partner)
    if box is None or not seqs:
        return
    taken = take(ledger, box.id, frozenset(seqs))
    rows = [(box.id, first, last, at) for first, last in _ranges(sorted(item.number for item in taken))]
    ledger.db.executemany("INSERT INTO collected VALUES (?, ?, ?, ?)", rows)


def take(ledger: Ledger, box: int, wanted: Collection[int]) -> list[Item]:
    """Take items out of a mailbox by their numbers, of which there is at least one; return those that were there."""
    taken: list[Item] = []
    for routine in (False, True):
        for number, data in _pages(ledger, box, routine=routine, between=(min(wanted), max(wanted))):
            items = unpack_items(data)
            left = [item for item in items if item.number not in wanted]
            taken += [item for item in items if item.number in wanted]
            key = (box, routine, number)
            if not left:
                ledger.db.execute("DELETE FROM mail WHERE partner = ? AND routine = ? AND number = ?", key)
            elif len(left) < len(items):
                sql = "UPDATE mail SET items = ? WHERE partner = ? AND routine = ? AND number = ?"
                ledger.db.execute(sql, (pack_items(left), *key))
    ledger.group.taken.update((item.message, item.released) for item in taken if item.released)
    return taken


def _pages(ledger: Ledger, box: int, *, routine: bool, between: tuple[int, int]) -> list[tuple[int, bytes]]:
    """Return the rows of a mailbox that may have numbers between two; a row has the numbers up to the next row's."""
    low, high = between
    return ledger.db.execute(
        "SELECT number, items FROM mail WHERE partner = :box AND routine = :routine AND number <= :high AND number >= "
        "coalesce((SELECT max(number) FROM mail WHERE partner = :box AND routine = :routine AND number <= :low), 0) "
        "ORDER BY number",
        {"box": box, "routine": routine, "low": low, "high": high},
    ).fetchall()


def _ranges(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Return ascending numbers as ranges of neighbours, ends included."""
    firsts = [number for at, number in enumerate(numbers) if not at or numbers[at - 1] != number - 1]
    lasts = [number for at, number in enumerate(numbers, 1) if at == len(numbers) or numbers[at] != number + 1]
    return list(zip(firsts, lasts, strict=True))


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
    """Keep a signed checkpoint; another of the same size has the same root, and perhaps signatures of other keys."""
    sql = "INSERT INTO checkpoints (size, note) VALUES (?, ?) ON CONFLICT DO UPDATE SET note = excluded.note"
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
