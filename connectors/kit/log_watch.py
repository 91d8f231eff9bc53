"""Watch the hub's log: every checkpoint that this agency sees must continue the one that it saw before.

The newest is remembered and travels in this agency's receipts, where no hub can filter it, so that two partners who are
shown different histories find out. Not for: proofs of single entries (`hub/verify/`). Implements
`docs/protocol/05-log.md` section 6; user's view in `docs/trips/receive.md`.
"""

import sqlite3
from typing import Final

from connectors.kit.agency_store import AgencyStore
from connectors.kit.alarms import AlarmKind, Alarms
from connectors.kit.client import HubClient
from hub.protocol.directory import Directory
from hub.protocol.encoding import encode_b64url
from hub.protocol.errors import ConsistencyError, RollbackError
from hub.protocol.hazmat import sha256
from hub.protocol.strictjson import parse_json, write_json
from hub.tlog.checkpoint import Checkpoint, parse_checkpoint, verify_checkpoint
from hub.tlog.note import parse_key
from hub.tlog.witness import check_growth


class LogWatch:
    """What this agency has seen of its hub's log, in the agency's store; what contradicts itself is an alarm."""

    def __init__(self, store: AgencyStore, *, hub: str) -> None:
        self._store: Final = store
        self._alarms: Final = Alarms(store)
        self._hub: Final = hub

    async def latest(self) -> str | None:
        """Return the newest checkpoint that was believed, as signed."""
        sql = "SELECT note FROM checkpoints WHERE hub = ?"
        row = await self._store.run(lambda db: db.execute(sql, (self._hub,)).fetchone())
        return row["note"] if row else None

    async def alarms(self) -> list[tuple[str, str]]:
        """Return pairs of checkpoints that contradict each other; each is proof against the hub."""
        pairs = [parse_json(one.proof.encode()) for one in await self._alarms.ever(AlarmKind.LOG_FORK)]
        return [(pair["before"], pair["after"]) for pair in pairs]

    async def look(self, client: HubClient, directory: Directory, *, now: int) -> Checkpoint:
        """Fetch the newest checkpoint, check that it continues the last one, and remember it.

        Raises:
            NoteError, NoteSignatureError: it is not the log's.
            RollbackError, ConsistencyError: the log was rewritten; both checkpoints are kept as proof.
            ExchangeError: the hub cannot be asked.
            UnknownPartnerError: the directory does not know the hub.
        """
        before = await self.latest()  # first: another process of this agency may see a newer one meanwhile
        return await self.believe(client, directory, before, await client.checkpoint(), now=now)

    async def believe(
        self, client: HubClient, directory: Directory, before: str | None, note: str, *, now: int
    ) -> Checkpoint:
        """Check that a checkpoint continues `before`, which was the latest when the hub was asked; see `look`."""
        keys = [parse_key(text) for text in directory.partner(self._hub).log_keys]
        new = verify_checkpoint(note, keys)
        last = parse_checkpoint(before)[0] if before is not None else None
        path = await client.consistency(last.size, new.size) if last is not None and last.size < new.size else []
        try:
            check_growth(last, new, path)
        except (RollbackError, ConsistencyError) as error:
            pair = write_json({"before": before or "", "after": note}).decode()
            about = encode_b64url(sha256(pair.encode()))
            await self._alarms.sound(
                AlarmKind.LOG_FORK, about, partner=self._hub, reason=error.code, proof=pair, at=now
            )
            raise
        await self._store.run(lambda db: _remember(db, self._hub, before, note))
        return new


def _remember(db: sqlite3.Connection, hub: str, before: str | None, note: str) -> None:
    """Keep the newest checkpoint, unless another process has kept one since `before` was read."""
    sql = "INSERT INTO checkpoints VALUES (?, ?) ON CONFLICT (hub) DO UPDATE SET note = excluded.note WHERE note = ?"
    db.execute(sql, (hub, note, before))
