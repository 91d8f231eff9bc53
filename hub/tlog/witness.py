"""The witness's rule: cosign a checkpoint only when it continues the last one cosigned, and never an older one.

Not for: keeping what was cosigned last, which is the witness program's. Implements `docs/protocol/05-log.md` section 8
and c2sp.org/tlog-witness.
"""

from collections.abc import Sequence

from hub.protocol.errors import ConsistencyError, RollbackError
from hub.protocol.merkle import EMPTY_ROOT, verify_consistency
from hub.tlog.checkpoint import Checkpoint, Sign, cosign, verify_checkpoint
from hub.tlog.note import NoteKey


def check_growth(last: Checkpoint | None, new: Checkpoint, path: Sequence[bytes]) -> None:
    """Check that a checkpoint may follow the last one seen.

    Args:
        last: the last checkpoint of this log that was believed; None when there is none yet.
        new: believed to be the log's.
        path: the consistency proof between the two; empty when there is none yet.

    Raises:
        RollbackError: the log shows fewer entries than before (the witness protocol's 409).
        ConsistencyError: the log shows another history than before, or is another log (its 422).
    """
    last = last or Checkpoint(new.origin, 0, EMPTY_ROOT)
    if new.origin != last.origin:
        raise ConsistencyError("another log")
    if new.size < last.size:
        raise RollbackError(f"{new.size} after {last.size}")
    verify_consistency((last.size, last.root), (new.size, new.root), path)


def witness_checkpoint(
    text: str,
    path: Sequence[bytes],
    *,
    last: Checkpoint | None,
    log_keys: Sequence[NoteKey],
    signer: tuple[NoteKey, Sign],
    at: int,
) -> tuple[Checkpoint, str]:
    """Return a checkpoint and the witness's signature line for it.

    The witness MUST keep the checkpoint durably as its `last` before it hands out the line, and MUST NOT take another
    one between the two.

    Args:
        text: the checkpoint as the log sent it.
        path: the consistency proof from `last`; empty when there is none.
        last: what this witness cosigned last of this log; None when nothing.
        log_keys: the log's keys, from the directory.
        signer: the witness's timestamped key and what signs by it.
        at: now, Unix seconds.

    Raises:
        NoteError: not a checkpoint.
        NoteSignatureError: not the log's (403 in c2sp.org/tlog-witness).
        RollbackError: shorter than `last` (409).
        ConsistencyError: does not continue `last` (422).
    """
    new = verify_checkpoint(text, log_keys)  # 05-log.md section 8 step 1
    check_growth(last, new, path)  # steps 2 to 4
    return new, cosign(new, *signer, at=at)  # step 5
