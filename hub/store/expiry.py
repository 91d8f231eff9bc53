"""What a store does with copies that nobody collected before their messages expired: gone, on record, and told.

Not for: when that is looked for (`hub/broker/expire.py`). Implements `docs/protocol/04-statements.md` section 9.
"""

from collections.abc import Callable

from hub.store.ledger import Fresh, Ledger
from hub.store.packing import Item
from hub.store.writes import take

Write = Callable[[str, str, int], bytes]


def expire(ledger: Ledger, now: int, limit: int, write: Write) -> int:
    """Expire waiting copies of messages whose `exp` has come, whole messages at a time; return how many copies."""
    due = ledger.db.execute(
        "SELECT DISTINCT id, mh, iss, exp FROM needs JOIN messages ON id = message "
        "WHERE copies > 0 AND exp <= ? LIMIT ?",
        (now, limit),
    ).fetchall()
    done = 0
    for message, mh, originator, exp in due:
        for to in _take_all(ledger, message):
            number = ledger.number(originator)
            run = ledger.append("expiry", message, [Fresh(write(mh, to, exp), to, number=number)])
            ledger.post(originator, Item(number, message, run.first, 0, 0, 0), routine=True)
            done += 1
        if done >= limit:
            break
    return done


def _take_all(ledger: Ledger, message: int) -> list[str]:
    """Take every waiting copy of a message out of the mailboxes; return whose they were."""
    copies = [
        (to, number)
        for run in ledger.queries.runs.of(message)
        if run.said.decides
        for to, number, released in zip(run.concerned, run.numbers, run.released, strict=True)
        if released
    ]
    return [to for to, number in copies if take(ledger, ledger.box(to).id, {number})]
