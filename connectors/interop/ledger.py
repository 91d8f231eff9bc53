"""What the agency's own systems are still to be told: one line for each event, in the agency's store.

An event is noted by triggers, in the same transaction as what it tells of: a message opened, a receipt kept, a message
accepted or refused. So none is lost and none is there twice, whichever process did it. A line goes when all that are to
be told were told. It has no content. Not for: telling (`writing.py`, `webhook.py`, `mail.py`). Decision:
`docs/decisions/0018-connecting-a-national-system.md`.
"""

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

from connectors.kit.agency_store import AgencyStore

Listener = Literal["file", "webhook", "mail"]
EventType = Literal["message.received", "message.accepted", "message.refused", "receipt.received"]

_TABLES: Final = (
    """
CREATE TABLE IF NOT EXISTS interop_events (
    place INTEGER PRIMARY KEY AUTOINCREMENT,
    type TEXT NOT NULL,
    mh TEXT NOT NULL,                  -- of an own message that was refused before it was sealed: its identifier
    partner TEXT NOT NULL DEFAULT '',  -- the originator, or who signed the receipt
    state TEXT NOT NULL DEFAULT '',
    code TEXT NOT NULL DEFAULT '',
    file INTEGER NOT NULL DEFAULT 0,   -- 0 to be told, 1 under way, 2 told
    webhook INTEGER NOT NULL DEFAULT 0,
    mail INTEGER NOT NULL DEFAULT 0,
    thread TEXT NOT NULL DEFAULT '',   -- known once it was looked up
    tries INTEGER NOT NULL DEFAULT 0,
    next_try INTEGER NOT NULL DEFAULT 0
) STRICT""",
    "CREATE TABLE IF NOT EXISTS interop_mailed (priority TEXT PRIMARY KEY, at INTEGER NOT NULL) STRICT",
)
_TRIGGERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "interop_opened": """AFTER UPDATE OF state ON inbox WHEN NEW.state = 'opened' AND OLD.state = 'new' BEGIN
    INSERT INTO interop_events (type, mh, partner, file, webhook, mail)
    VALUES ('message.received', NEW.mh, NEW.iss, %(file)s, %(webhook)s, %(mail)s); END""",
        "interop_sent": """AFTER UPDATE OF state ON outbox WHEN NEW.state != OLD.state
    AND NEW.state IN ('accepted', 'refused') BEGIN
    INSERT INTO interop_events (type, mh, state, code, file, webhook, mail)
    VALUES ('message.' || NEW.state, coalesce(NEW.mh, NEW.id), NEW.state, coalesce(NEW.code, ''),
    %(file)s, %(webhook)s, 2); END""",
        "interop_receipt": """AFTER INSERT ON receipts BEGIN
    INSERT INTO interop_events (type, mh, partner, state, code, file, webhook, mail)
    VALUES ('receipt.received', NEW.mh, NEW.iss, NEW.state, coalesce(NEW.code, ''),
    %(file)s, %(webhook)s, 2); END""",
    }
)
_COLUMNS: Final = "place, type, mh, partner, state, code, thread, tries"
_LISTENERS: Final[tuple[Listener, ...]] = ("file", "webhook", "mail")
_WAITING: Final = {
    one: f"SELECT {_COLUMNS} FROM interop_events WHERE {one} = ? ORDER BY place LIMIT ?"  # noqa: S608 - three constants
    for one in _LISTENERS
}
_MARK: Final = {one: f"UPDATE interop_events SET {one} = ? WHERE place = ?" for one in _LISTENERS}  # noqa: S608 - as above
_FINISHED: Final = "DELETE FROM interop_events WHERE file = 2 AND webhook = 2 AND mail = 2"
_UNPLACED: Final = f"SELECT {_COLUMNS} FROM interop_events WHERE webhook = ? AND thread = '' ORDER BY place LIMIT ?"  # noqa: S608 - as above
_DUE: Final = f"""
SELECT {_COLUMNS} FROM interop_events AS event WHERE webhook = 0 AND thread != '' AND next_try <= ? AND NOT EXISTS (
    SELECT 1 FROM interop_events AS earlier
    WHERE earlier.webhook = 0 AND earlier.thread = event.thread AND earlier.place < event.place
) ORDER BY place LIMIT ?
"""  # noqa: S608 - a constant


@dataclass(frozen=True, slots=True)
class Noted:
    """One event. `place` is its number, in the order in which things happened; `thread` is '' until looked up."""

    place: int
    type: EventType
    mh: str
    partner: str
    state: str
    code: str
    thread: str
    tries: int


async def stop_noting(path: Path) -> None:
    """Let a store note no events any longer, and forget those that nobody was told of.

    Raises:
        StoreError: it cannot be opened, or the disk failed.
    """
    async with await AgencyStore.open(path) as store:
        await Ledger(store).listen(())


class Ledger:
    """The events of one agency. Every method is one durable transaction; see `AgencyStore.run` for failures."""

    def __init__(self, store: AgencyStore) -> None:
        self._store: Final = store

    async def listen(self, listeners: Collection[Listener]) -> None:
        """Note events from now on for these listeners; for the others nothing is to be told.

        Without a listener nothing is noted, and what was noted goes.
        """

        def install(db: sqlite3.Connection) -> None:
            for name in _TRIGGERS:
                db.execute(f"DROP TRIGGER IF EXISTS {name}")
            if not listeners:
                db.execute("DROP TABLE IF EXISTS interop_events")
                return
            heard = {one: 0 if one in listeners else 2 for one in _LISTENERS}
            for statement in _TABLES:
                db.execute(statement)
            for name, body in _TRIGGERS.items():
                db.execute(f"CREATE TRIGGER {name} {body % heard}")
            for one in _LISTENERS:
                if one not in listeners:
                    db.execute(f"UPDATE interop_events SET {one} = 2")  # noqa: S608 - three constants
            db.execute(_FINISHED)

        await self._store.run(install)

    async def waiting(self, listener: Listener, *, under_way: bool = False, limit: int = 256) -> Sequence[Noted]:
        """Return what a listener is still to be told, or what is under way, oldest first."""
        return await self._noted(_WAITING[listener], (int(under_way), limit))

    async def unplaced(self, *, limit: int = 256) -> Sequence[Noted]:
        """Return what the webhook is still to be told and whose thread was not looked up, oldest first."""
        return await self._noted(_UNPLACED, (0, limit))

    async def due(self, *, at: int, limit: int = 64) -> Sequence[Noted]:
        """Return the first event of each thread that the webhook is to be told by now (Unix seconds), oldest first."""
        return await self._noted(_DUE, (at, limit))

    async def _noted(self, sql: str, values: tuple[int, int]) -> Sequence[Noted]:
        return [Noted(*row) for row in await self._store.run(lambda db: db.execute(sql, values).fetchall())]

    async def settle(self, listener: Listener, places: Sequence[int], *, told: bool = True) -> None:
        """Note that a listener was told of events, or is being told. What everybody was told goes."""

        def settle(db: sqlite3.Connection) -> None:
            db.executemany(_MARK[listener], [(2 if told else 1, place) for place in places])
            db.execute(_FINISHED)

        await self._store.run(settle)

    async def place_in_thread(self, place: int, thread: str) -> None:
        """Note the thread of an event's message."""
        sql = "UPDATE interop_events SET thread = ? WHERE place = ?"
        await self._store.run(lambda db: db.execute(sql, (thread, place)))

    async def put_off(self, place: int, *, until: int) -> None:
        """Note that the webhook did not take an event, and when to try again (Unix seconds)."""
        sql = "UPDATE interop_events SET tries = tries + 1, next_try = ? WHERE place = ?"
        await self._store.run(lambda db: db.execute(sql, (until, place)))

    async def mailed_at(self) -> Mapping[str, int]:
        """Return when the last notice of each priority was mailed, in Unix seconds."""
        rows = await self._store.run(lambda db: db.execute("SELECT priority, at FROM interop_mailed").fetchall())
        return {row["priority"]: row["at"] for row in rows}

    async def note_mailed(self, priorities: Collection[str], places: Sequence[int], *, at: int) -> None:
        """Note that a notice was mailed about these events."""

        def note(db: sqlite3.Connection) -> None:
            db.executemany("INSERT OR REPLACE INTO interop_mailed VALUES (?, ?)", [(one, at) for one in priorities])
            db.executemany(_MARK["mail"], [(2, place) for place in places])
            db.execute(_FINISHED)

        await self._store.run(note)
