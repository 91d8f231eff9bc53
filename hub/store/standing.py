"""What a store tells of one partner: its own messages by number, its mailbox in figures; and what groups were offered.

Not for: single messages (`queries.py`). Implements `docs/protocol/04-statements.md` section 10.
"""

from collections.abc import Sequence

from hub.broker.ports import OfferedMessage, OwnMessage
from hub.policy.facts import is_offered
from hub.store.queries import Queries


def own_messages(queries: Queries, kid: str, after: int, limit: int) -> Sequence[OwnMessage]:
    """Return the messages accepted under a key with a number above `after`, in order."""
    sql = "SELECT id, seq, manifest FROM messages WHERE kid = ? AND seq > ? ORDER BY seq LIMIT ?"
    found = []
    for message, seq, manifest in queries.db.execute(sql, (kid, after, limit)).fetchall():
        runs = [run for run in queries.runs.of(message) if run.said.decides]
        to = tuple(one for run in runs for one in run.concerned if one)
        found.append(OwnMessage(seq, manifest, runs[0].said.proven(0), to))
    return found


def highest(queries: Queries, kid: str) -> int | None:
    """Return the highest number accepted under a key."""
    (value,) = queries.db.execute("SELECT max(seq) FROM messages WHERE kid = ?", (kid,)).fetchone()
    return None if value is None else int(value)


def offered(queries: Queries, since: int, limit: int) -> Sequence[OfferedMessage]:
    """Return the newest messages accepted at or after a time that went to others than named partners."""
    sql = "SELECT id, iss, accepted_at FROM messages ORDER BY id DESC LIMIT ?"
    found = []
    for message, iss, at in queries.db.execute(sql, (limit,)).fetchall():
        if at < since:
            break
        inputs = _offered_to(queries, message)
        if inputs is not None:
            found.append(OfferedMessage(iss, inputs))
    return found


def _offered_to(queries: Queries, message: int) -> bytes | None:
    """Return the inputs of the first decision about somebody who was not named."""
    for run in queries.runs.of(message):
        for inputs in run.inputs if run.said.decides else ():
            if is_offered(inputs):
                return inputs
    return None


def collected(queries: Queries, partner: str) -> int:
    """Return how many items have ever been taken out of a partner's mailbox."""
    sql = "SELECT total(last - first + 1) FROM collected WHERE partner = (SELECT id FROM partners WHERE code = ?)"
    return int(queries.db.execute(sql, (partner,)).fetchone()[0])


def last_collected(queries: Queries, partner: str) -> int | None:
    """Return when something was last taken out of a partner's mailbox."""
    sql = (
        "SELECT at FROM collected WHERE partner = (SELECT id FROM partners WHERE code = ?) ORDER BY first DESC LIMIT 1"
    )
    row = queries.db.execute(sql, (partner,)).fetchone()
    return int(row[0]) if row else None
