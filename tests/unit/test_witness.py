"""The witness: it follows a log that grows, and neither one that forks nor one that shrinks."""

from dataclasses import replace

import pytest

from hub.protocol.errors import ConsistencyError, NoteSignatureError, RollbackError
from hub.protocol.hazmat import DIGEST
from hub.protocol.merkle import EMPTY_ROOT
from hub.tlog.checkpoint import Checkpoint, sign_checkpoint, verify_cosignatures
from hub.tlog.note import add_signatures
from hub.tlog.witness import check_growth, witness_checkpoint
from tests.support.log import AT, LOG, LOG_KEYS, ORIGIN, WITNESSES, checkpoint_over, grown, leaves, signed

HONEST = leaves(20)
FORKED = [*leaves(9), *leaves(11, salt="fork")]
LAST, NEW = checkpoint_over(HONEST[:10]), checkpoint_over(HONEST)
PATH = grown(HONEST).view().consistency(10, 20)
SIGNER = WITNESSES["post-quantum"]


def cosign(new: Checkpoint, path: list[bytes], last: Checkpoint | None = LAST) -> str:
    note = signed(new)
    seen, line = witness_checkpoint(note, path, last=last, log_keys=LOG_KEYS, signer=SIGNER, at=AT + 1)
    assert seen == new
    return add_signatures(note, [line])


def test_growth_is_cosigned() -> None:
    assert verify_cosignatures(cosign(NEW, PATH), [SIGNER[0]], quorum=1) == {SIGNER[0].name: AT + 1}


def test_the_first_checkpoint_is_cosigned_without_a_path() -> None:
    cosign(NEW, [], last=None)
    cosign(Checkpoint(ORIGIN, 0, EMPTY_ROOT), [], last=None)


def test_the_same_checkpoint_is_cosigned_again() -> None:
    cosign(LAST, [])


def test_a_fork_is_refused() -> None:
    """A log with another tenth entry cannot make any path; its own, and the honest log's, lead nowhere."""
    forked = checkpoint_over(FORKED)
    for path in (grown(FORKED).view().consistency(10, 20), PATH, []):
        with pytest.raises(ConsistencyError):
            cosign(forked, path)


def test_a_fork_of_the_same_size_is_refused() -> None:
    with pytest.raises(ConsistencyError):
        cosign(checkpoint_over(FORKED[:10]), [])


@pytest.mark.parametrize("size", [0, 9])
def test_a_rollback_is_refused(size: int) -> None:
    """Also one that continues honestly: a shorter log would let entries disappear."""
    with pytest.raises(RollbackError):
        cosign(checkpoint_over(HONEST[:size]) if size else Checkpoint(ORIGIN, 0, EMPTY_ROOT), [])


def test_a_missing_or_longer_path_is_refused() -> None:
    for path in ([], PATH[:-1], [*PATH, bytes(DIGEST)], [bytes(31)], [bytes(DIGEST)] * 65):
        with pytest.raises(ConsistencyError):
            cosign(NEW, path)


def test_an_empty_log_has_the_root_of_nothing() -> None:
    with pytest.raises(ConsistencyError):
        cosign(Checkpoint(ORIGIN, 0, bytes(DIGEST)), [], last=None)


def test_nothing_needs_no_path() -> None:
    with pytest.raises(ConsistencyError):
        cosign(NEW, PATH, last=None)


def test_another_log_does_not_continue_this_one() -> None:
    with pytest.raises(ConsistencyError):
        check_growth(LAST, replace(NEW, origin="valise.example/xx-hub"), PATH)


def test_only_the_log_itself_is_cosigned() -> None:
    classical_only = sign_checkpoint(NEW, LOG[:1], at=AT)
    with pytest.raises(NoteSignatureError):
        witness_checkpoint(classical_only, PATH, last=LAST, log_keys=LOG_KEYS, signer=SIGNER, at=AT)
