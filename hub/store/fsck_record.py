"""The record made again: entries without holes, commitments, batches and their signatures, the tree, its checkpoints.

Not for: mailboxes (`fsck_mail.py`). Implements the checks of `docs/how-to/back-up-and-restore.md`, from
`docs/protocol/04-statements.md` and `docs/protocol/05-log.md`.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any, Final

from hub.host.findings import Finding, fail, fine
from hub.protocol.directory import Directory
from hub.protocol.encoding import decode_b64url, encode_b64url
from hub.protocol.envelope import Proven
from hub.protocol.errors import ValiseError
from hub.protocol.hazmat import DIGEST, sha256
from hub.protocol.manifest import parse_manifest
from hub.protocol.merkle import EMPTY_ROOT, leaf_hash, levels, node_hash
from hub.protocol.statements import path_in_nodes, statement_digest, verify_statement, write_proven
from hub.protocol.wire import parse_wire
from hub.store.packing import cut, unpack_alike, unpack_all, unpack_numbers
from hub.store.runs import TYP_OF
from hub.store.schema import mask_of
from hub.tlog.checkpoint import parse_checkpoint, verify_checkpoint
from hub.tlog.entry import SALT, commit, write_entry
from hub.tlog.note import NoteKey
from hub.tlog.tiles import WIDTH
from hub.tlog.tree import GrowingTree, KeptTile

RESTORE: Final = "Restore the store from its backup: partners hold proofs of what stood here."
_MADE_AGAIN: Final = "It follows from the record; restore the backup, whose record is the same."
_TOGETHER: Final = 4_096  # leaves between looks at the tiles: bounds memory
SHOWN: Final = 8  # characters of a message's number: enough to find it

_RUN: Final = (
    "SELECT first, mh, kind, batch, place, concerned, released, numbers, commitments, salts, payloads, inputs "
    "FROM entries JOIN messages ON messages.id = message ORDER BY first"
)


class _Frontier:
    """The root over what was appended so far, in as many hashes as the tree is high (RFC 9162 section 2.1.1)."""

    def __init__(self) -> None:
        self._stack: list[tuple[int, bytes]] = []

    def append(self, leaf: bytes) -> None:
        height, node = 0, leaf
        while self._stack and self._stack[-1][0] == height:
            node = node_hash(self._stack.pop()[1], node)
            height += 1
        self._stack.append((height, node))

    def root(self) -> bytes:
        if not self._stack:
            return EMPTY_ROOT
        *rest, (_, node) = self._stack
        for _, left in reversed(rest):
            node = node_hash(left, node)
        return node


def leaves_of(db: sqlite3.Connection) -> Iterator[bytes]:
    """Yield the leaf hashes that the record's own commitments make, in order."""
    for kind, commitments in db.execute("SELECT kind, commitments FROM entries ORDER BY first"):
        for offset, commitment in enumerate(cut(commitments, DIGEST)):
            yield leaf_hash(write_entry("decision" if offset else kind, commitment))


# --- entries and batches ---------------------------------------------------------------------------------------------


def check_record(db: sqlite3.Connection, directory: Directory | None) -> Iterator[Finding]:
    """Check every entry against its commitment, every statement against its batch, and every batch's signature."""
    expected, batches, batch = 0, 0, _Batch(None, b"", "")
    for row in db.execute(_RUN):
        run = _Run(*row)
        if run.first != expected:
            yield fail("record", f"entries {expected} to {run.first - 1} are missing or doubled", RESTORE)
        expected = run.first + len(run.payloads)
        yield from _check_run(run)
        if run.batch is None:
            continue
        if run.batch != batch.number:
            batch, batches = _batch(db, run.batch), batches + 1
            yield from _check_batch(batch)
            yield from _check_signature(run, batch, directory)
        yield from _check_places(run, batch)
    yield fine("record", f"{expected} entries in {batches} batches were made again")


class _Run:
    """One row of the record, unpacked."""

    def __init__(self, first: int, mh: str, kind: str, batch: int | None, place: int | None, *columns: bytes) -> None:
        concerned, released, numbers, commitments, salts, payloads, inputs = columns
        self.first: Final = first
        self.mh: Final = mh
        self.kind: Final = kind
        self.batch: Final = batch
        self.place: Final = place or 0
        self.concerned: Final = [code.decode() for code in unpack_all(concerned)]
        self.released: Final = unpack_numbers(released)
        self.numbers: Final = unpack_numbers(numbers)
        self.commitments: Final = cut(commitments, DIGEST)
        self.salts: Final = cut(salts, SALT)
        self.payloads: Final = unpack_all(payloads)
        self.inputs: Final = unpack_alike(inputs)

    def kind_of(self, offset: int) -> str:
        return "decision" if offset else self.kind


class _Batch:
    """One batch as it is kept."""

    def __init__(self, number: int | None, nodes: bytes, jws: str, payload: bytes = b"") -> None:
        self.number: Final = number
        self.nodes: Final = nodes
        self.jws: Final = jws
        self.payload: Final = payload


def _batch(db: sqlite3.Connection, number: int) -> _Batch:
    nodes, jws, payload = db.execute("SELECT nodes, jws, payload FROM batches WHERE id = ?", (number,)).fetchone()
    return _Batch(number, nodes, jws or "", payload)


def _check_run(run: _Run) -> Iterator[Finding]:
    lengths = {len(one) for one in (run.concerned, run.released, run.numbers, run.commitments, run.salts, run.inputs)}
    if lengths != {len(run.payloads)}:
        yield fail("record", f"the run of entries at {run.first} has columns of different lengths", RESTORE)
        return
    for offset, (salt, payload) in enumerate(zip(run.salts, run.payloads, strict=True)):
        if commit(salt, payload) != run.commitments[offset]:
            yield fail("record", f"entry {run.first + offset} is not what was committed to", RESTORE)
        elif run.kind_of(offset) in TYP_OF:
            yield from _check_statement(run, offset, json.loads(payload))


def _check_statement(run: _Run, offset: int, said: dict[str, Any]) -> Iterator[Finding]:
    """Check that what stands beside a statement for fast reading is what the statement says."""
    place = f"entry {run.first + offset}"
    if said["mh"] != run.mh:
        yield fail("record", f"{place} is about another message than it is filed under", RESTORE)
    if run.kind_of(offset) != "decision":
        return
    if said["to"] != run.concerned[offset] or mask_of(tuple(said["rel"])) != run.released[offset]:
        yield fail("record", f"the decision in {place} says something else than what was done", RESTORE)
    if said["inp"] != encode_b64url(sha256(run.inputs[offset])):
        yield fail("record", f"the inputs of the decision in {place} were altered", RESTORE)
    if bool(run.released[offset]) != bool(run.numbers[offset]):
        yield fail("record", f"the decision in {place} has a copy without a number, or a number without one", RESTORE)


def _check_batch(batch: _Batch) -> Iterator[Finding]:
    count = (len(batch.nodes) // DIGEST + 1) // 2
    tree = levels(cut(batch.nodes[: count * DIGEST], DIGEST))
    said = json.loads(batch.payload)
    if b"".join(node for level in tree for node in level) != batch.nodes:
        yield fail("record", f"the tree of batch {batch.number} does not follow from its leaves", RESTORE)
    elif (said["n"], decode_b64url(said["root"])) != (count, tree[-1][0]):
        yield fail("record", f"batch {batch.number} states another root than its leaves have", RESTORE)


def _check_signature(run: _Run, batch: _Batch, directory: Directory | None) -> Iterator[Finding]:
    """Check one statement of a batch as its addressee would: path, signature and key."""
    if not batch.jws:
        yield fail(
            "record", f"batch {batch.number} is not signed", "Start the hub: it signs what a crash left unsigned."
        )
        return
    if decode_b64url(batch.jws.split(".")[1]) != batch.payload:
        yield fail("record", f"batch {batch.number} is signed over something else", RESTORE)
    if directory is None:
        return
    typ = TYP_OF[run.kind]
    path = path_in_nodes(batch.nodes, run.place)
    proven = parse_wire(Proven, write_proven(typ, run.payloads[0], run.place, path, batch.jws))
    try:
        verify_statement(proven, directory, typ=typ, now=None)
    except ValiseError as error:
        yield fail("record", f"entry {run.first} in batch {batch.number}: {error.code}", RESTORE)


def _check_places(run: _Run, batch: _Batch) -> Iterator[Finding]:
    for offset, payload in enumerate(run.payloads):
        leaf = decode_b64url(statement_digest(TYP_OF[run.kind_of(offset)], payload))
        at = (run.place + offset) * DIGEST
        if batch.nodes[at : at + DIGEST] != leaf:
            yield fail("record", f"entry {run.first + offset} is not in batch {batch.number}", RESTORE)


# --- messages --------------------------------------------------------------------------------------------------------


def check_messages(db: sqlite3.Connection) -> Iterator[Finding]:
    """Check that each message is what its number says, was accepted once, and follows its key's one before it."""
    count = 0
    sql = (
        "SELECT mh, iss, jti, kid, seq, manifest, (SELECT count(*) FROM entries WHERE message = messages.id AND "
        "kind = 'accept'), (SELECT mh FROM messages AS b WHERE b.kid = messages.kid AND b.seq = messages.seq - 1) "
        "FROM messages ORDER BY id"
    )
    for mh, iss, jti, kid, seq, text, accepts, before in db.execute(sql):
        count += 1
        manifest, jws = parse_manifest(text)
        if jws.digest != mh:
            yield fail("messages", f"message {mh[:SHOWN]} is not the digest of its manifest", RESTORE)
        if (manifest.iss, manifest.jti, manifest.seq, jws.kid) != (iss, jti, seq, kid):
            yield fail("messages", f"message {mh[:SHOWN]} is filed under other numbers than it has", RESTORE)
        if before is not None and manifest.prev not in (None, before):
            yield fail("messages", f"message {mh[:SHOWN]} does not follow {kid} {seq - 1}", RESTORE)
        if accepts != 1:
            yield fail("messages", f"message {mh[:SHOWN]} has {accepts} accepts", RESTORE)
    yield fine("messages", f"{count} messages were looked at")


# --- the log ---------------------------------------------------------------------------------------------------------


def check_checkpoints(db: sqlite3.Connection, keys: Sequence[NoteKey] | None) -> Iterator[Finding]:
    """Grow the tree from the record again, and compare every tile and every signed checkpoint with it."""
    tree, frontier, size = GrowingTree(), _Frontier(), 0
    growing: dict[tuple[int, int], KeptTile] = {}  # tiles that are not full yet: at most one for each level
    wanted = _Checkpoints(db)
    yield from wanted.compare(0, frontier.root(), keys)
    for leaf in leaves_of(db):
        tree.append(leaf)
        frontier.append(leaf)
        size += 1
        if size == wanted.next:
            yield from wanted.compare(size, frontier.root(), keys)
        if not size % _TOGETHER:
            yield from _compare_tiles(db, _full(tree.take_changed(), growing))
    yield from _compare_tiles(db, _full(tree.take_changed(), growing))
    yield from _compare_tiles(db, list(growing.values()))
    yield from wanted.rest(size)
    yield fine("checkpoints", f"{size} leaves, their tiles and {wanted.count} checkpoints were made again")


def _full(changed: Sequence[KeptTile], growing: dict[tuple[int, int], KeptTile]) -> list[KeptTile]:
    """Return the changed tiles that are full, and remember the others."""
    for tile in changed:
        growing.pop((tile.level, tile.number), None)
        if tile.width < WIDTH:
            growing[tile.level, tile.number] = tile
    return [tile for tile in changed if tile.width == WIDTH]


def _compare_tiles(db: sqlite3.Connection, tiles: Sequence[KeptTile]) -> Iterator[Finding]:
    sql = "SELECT width, nodes FROM tiles WHERE level = ? AND number = ?"
    for tile in tiles:
        if db.execute(sql, (tile.level, tile.number)).fetchone() != (tile.width, tile.nodes):
            yield fail("checkpoints", f"tile {tile.level}/{tile.number} does not follow from the record", _MADE_AGAIN)


class _Checkpoints:
    """The signed checkpoints in the order of their sizes, one at a time."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._rows: Final = db.execute("SELECT size, note FROM checkpoints ORDER BY size")
        self._row: tuple[int, str] | None = self._rows.fetchone()
        self.count = 0

    @property
    def next(self) -> int | None:
        """The size of the next one."""
        return self._row[0] if self._row else None

    def compare(self, size: int, root: bytes, keys: Sequence[NoteKey] | None) -> Iterator[Finding]:
        """Compare the next one with the root over so many leaves, if it is of that size."""
        if self._row is None or self._row[0] != size:
            return
        note = self._row[1]
        self._row, self.count = self._rows.fetchone(), self.count + 1
        try:
            checkpoint = parse_checkpoint(note)[0] if keys is None else verify_checkpoint(note, keys)
        except ValiseError as error:
            yield fail("checkpoints", f"the checkpoint of size {size}: {error.code}", RESTORE)
            return
        if (checkpoint.size, checkpoint.root) != (size, root):
            yield fail("checkpoints", f"the record does not have the root that was signed at size {size}", RESTORE)

    def rest(self, size: int) -> Iterator[Finding]:
        """Tell of those that are larger than the log: entries are lost."""
        while self._row is not None:
            text = f"a checkpoint of size {self._row[0]} was signed, and the log has {size} entries"
            yield fail("checkpoints", text, RESTORE)
            self._row = self._rows.fetchone()


def claims_of(jws: str) -> dict[str, Any]:
    """Return what a JWS says, unbelieved."""
    claims: dict[str, Any] = json.loads(decode_b64url(jws.split(".")[1]))
    return claims
