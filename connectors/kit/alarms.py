"""What somebody must look at: late receipts and proofs, gaps, forks, lost numbers - one durable list for all of them.

An alarm is raised once, stays until what it is about has come or an officer dismisses it, and is told as an event. Not
for: finding out (`watch.py`, `standing.py`, `log_watch.py`). User's view in `docs/trips/alarms.md`.
"""

import logging
import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from connectors.kit.agency_store import AgencyStore
from hub.host.events import ALARM_CLEARED, ALARM_RAISED

_LOG: Final = logging.getLogger("valise.connector")


class AlarmKind(StrEnum):
    """What is wrong."""

    RECEIPT_LATE = "receipt-late"
    PROOF_LATE = "log-proof-late"
    PROOF_WRONG = "log-proof-wrong"
    LOG_FORK = "log-fork"
    GAP = "gap"
    NOT_SENT = "not-sent"
    HUB_FORGOT = "hub-forgot"
    MAIL_MISSING = "mail-missing"
    NUMBER_LOST = "number-lost"


SENTENCES: Final = MappingProxyType(
    {
        AlarmKind.RECEIPT_LATE: "No receipt has come from this addressee in time.",
        AlarmKind.PROOF_LATE: "The hub has not proven in time that it logged this message.",
        AlarmKind.PROOF_WRONG: "What the hub gave as proof of its log does not hold: keep it, and report the hub.",
        AlarmKind.LOG_FORK: "The hub's log shows two histories: keep both checkpoints, stop relying on it, report it.",
        AlarmKind.GAP: "Messages that this originator counted for us did not come; it can say what they were.",
        AlarmKind.NOT_SENT: "A message was given up for good; correct it and send it again.",
        AlarmKind.HUB_FORGOT: "The hub no longer knows a message whose accept we hold: report it.",
        AlarmKind.MAIL_MISSING: "Mail that this agency collected is not here; ask for it again at its originators.",
        AlarmKind.NUMBER_LOST: "A message was sealed under this number and never reached the hub; send it again.",
    }
)


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm.

    `about` is a message, a range of numbers or a key; `partner` whom it concerns, or empty; `reason` a code that says
    more, or empty; `proof` is JSON that convicts, or empty. `raised_at` is Unix seconds.
    """

    place: int
    kind: AlarmKind
    about: str
    partner: str
    reason: str
    proof: str
    raised_at: int


class Alarms:
    """The alarms in an agency's store. Every method is one durable transaction."""

    def __init__(self, store: AgencyStore) -> None:
        self._store: Final = store

    async def sound(  # noqa: D417 - the class of an alarm says the rest
        self, kind: AlarmKind, about: str, *, at: int, partner: str = "", reason: str = "", proof: str = ""
    ) -> None:
        """Raise an alarm, or raise it again after it was cleared; one that is raised or dismissed stays as it is.

        Args:
            at: Unix seconds.
        """
        sql = (
            "INSERT INTO alarms (kind, about, partner, reason, proof, raised_at) VALUES (?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (kind, about, partner) DO UPDATE SET reason = excluded.reason, proof = excluded.proof, "
            "raised_at = excluded.raised_at, cleared_at = NULL WHERE cleared_at IS NOT NULL AND NOT dismissed"
        )
        values = (kind, about, partner, reason, proof, at)
        if await self._store.run(lambda db: db.execute(sql, values).rowcount):
            _LOG.warning(ALARM_RAISED, kind, about, partner or "-", reason or "-")

    async def clear(self, kind: AlarmKind, about: str, *, at: int, partner: str = "") -> None:
        """Note that what an alarm was about has come, dismissed or not; without such an alarm nothing happens."""
        sql = (
            "UPDATE alarms SET cleared_at = ?, dismissed = 0 WHERE kind = ? AND about = ? AND partner = ? "
            "AND (cleared_at IS NULL OR dismissed)"
        )
        if await self._store.run(lambda db: db.execute(sql, (at, kind, about, partner)).rowcount):
            _LOG.info(ALARM_CLEARED, kind, about, partner or "-")

    async def dismiss(self, place: int, *, at: int) -> bool:
        """Note that an officer has dealt with an alarm, be it that nothing comes; return whether it was raised."""
        sql = "UPDATE alarms SET cleared_at = ?, dismissed = 1 WHERE place = ? AND cleared_at IS NULL"
        return await self._store.run(lambda db: db.execute(sql, (at, place)).rowcount == 1)

    async def raised(self, *, about: Collection[str] = ()) -> Sequence[Alarm]:
        """Return what is raised and not cleared, oldest first; all, or those about these messages."""

        def read(db: sqlite3.Connection) -> list[sqlite3.Row]:
            return db.execute(
                "SELECT place, kind, about, partner, reason, proof, raised_at FROM alarms WHERE cleared_at IS NULL "
                "ORDER BY place"
            ).fetchall()

        found = [Alarm(row[0], AlarmKind(row[1]), *row[2:]) for row in await self._store.run(read)]
        return [alarm for alarm in found if not about or alarm.about in about]

    async def ever(self, kind: AlarmKind) -> Sequence[Alarm]:
        """Return every alarm of a kind that was ever raised, oldest first."""
        sql = "SELECT place, kind, about, partner, reason, proof, raised_at FROM alarms WHERE kind = ? ORDER BY place"
        rows = await self._store.run(lambda db: db.execute(sql, (kind,)).fetchall())
        return [Alarm(row[0], AlarmKind(row[1]), *row[2:]) for row in rows]
