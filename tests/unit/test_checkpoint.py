"""Checkpoints and cosignatures: what exactly is signed, and what is refused."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from hub.protocol.errors import NoteError, NoteSignatureError
from hub.protocol.hazmat import DIGEST, verify_signature
from hub.tlog.checkpoint import (
    MAX_SIZE,
    Checkpoint,
    cosign,
    parse_checkpoint,
    sign_checkpoint,
    verify_checkpoint,
    verify_cosignatures,
)
from hub.tlog.note import COSIGNATURE, ED25519, NoteKey, add_signatures, encode_b64, parse_note, write_note
from tests.support.log import AT, LOG, LOG_KEYS, ORIGIN, WITNESSES, checkpoint_over, leaves, signed, signer

CHECKPOINT = checkpoint_over(leaves(5))
NOTE = signed(CHECKPOINT)
ED, PQ = LOG_KEYS
BODY, LINES = NOTE.split("\n\n")
CLASSICAL, POST_QUANTUM = WITNESSES["classical"], WITNESSES["post-quantum"]


def test_both_signatures_of_the_log_make_it_believed() -> None:
    assert verify_checkpoint(NOTE, LOG_KEYS) == CHECKPOINT


def test_the_text_has_three_lines() -> None:
    assert CHECKPOINT.text == f"{ORIGIN}\n5\n{encode_b64(CHECKPOINT.root)}\n"
    assert CHECKPOINT.text == BODY + "\n"


def test_ed25519_signs_the_text_and_ml_dsa_the_structure() -> None:
    """Spelled out from c2sp.org/tlog-cosignature, independently of the code."""
    note = parse_note(NOTE)
    (first,), (second,) = note.signatures_of(ED), note.signatures_of(PQ)
    verify_signature("Ed25519", ED.public, first, CHECKPOINT.text.encode())
    assert int.from_bytes(second[:8], "big") == AT
    assert len(second) == 8 + 2420
    name = ORIGIN.encode()
    message = b"subtree/v1\n\0" + bytes([len(name)]) + name + AT.to_bytes(8, "big") + bytes([len(name)]) + name
    message += bytes(8) + (5).to_bytes(8, "big") + CHECKPOINT.root
    verify_signature("ML-DSA-44", PQ.public, second[8:], message)


def test_a_classical_cosignature_signs_two_lines_more() -> None:
    key, sign = CLASSICAL
    (line,) = parse_note(f"{BODY}\n\n{cosign(CHECKPOINT, key, sign, at=AT)}").signatures_of(key)
    assert int.from_bytes(line[:8], "big") == AT
    verify_signature("Ed25519", key.public, line[8:], f"cosignature/v1\ntime {AT}\n{CHECKPOINT.text}".encode())


def test_extension_lines_are_kept() -> None:
    extended = replace(CHECKPOINT, extension=("one", "two words"))
    assert verify_checkpoint(signed(extended), LOG_KEYS) == extended
    assert extended.text.endswith("\none\ntwo words\n")


@pytest.mark.parametrize("stripped", [0, 1])
def test_a_stripped_signature_is_missed(stripped: int) -> None:
    lines = LINES.splitlines(keepends=True)
    del lines[stripped]
    with pytest.raises(NoteSignatureError):
        verify_checkpoint(f"{BODY}\n\n{''.join(lines)}", LOG_KEYS)


@pytest.mark.parametrize("at", range(2))
def test_a_wrong_signature_of_a_known_key_spoils_the_whole_note(at: int) -> None:
    wrong = sign_checkpoint(checkpoint_over(leaves(6)), [LOG[at]], at=AT).rpartition("\n\n")[2]
    with pytest.raises(NoteSignatureError):
        verify_checkpoint(add_signatures(NOTE, [wrong]), LOG_KEYS)


def test_a_timestamp_is_signed() -> None:
    (line,) = parse_note(NOTE).signatures_of(PQ)
    first = write_note(CHECKPOINT.text, [(ED, parse_note(NOTE).signatures_of(ED)[0])])
    for time in (AT + 1, 2**63, 2**64 - 1):
        moved = write_note(CHECKPOINT.text, [(PQ, time.to_bytes(8, "big") + line[8:])]).rpartition("\n\n")[2]
        with pytest.raises(NoteSignatureError):
            verify_checkpoint(first + moved, LOG_KEYS)


def test_another_logs_checkpoint_is_refused() -> None:
    other = sign_checkpoint(replace(CHECKPOINT, origin="valise.example/xx-hub"), LOG, at=AT)
    with pytest.raises(NoteSignatureError):
        verify_checkpoint(other, LOG_KEYS)


def test_without_keys_nothing_is_believed() -> None:
    with pytest.raises(NoteSignatureError):
        verify_checkpoint(NOTE, [])


@pytest.mark.parametrize(
    "text",
    [
        f"{ORIGIN}\n5\n",
        f"{ORIGIN}\n05\n{encode_b64(CHECKPOINT.root)}\n",
        f"{ORIGIN}\n-1\n{encode_b64(CHECKPOINT.root)}\n",
        f"{ORIGIN}\n\u0665\n{encode_b64(CHECKPOINT.root)}\n",
        f"{ORIGIN}\n{MAX_SIZE + 1}\n{encode_b64(CHECKPOINT.root)}\n",
        f"{ORIGIN}\n5\n{encode_b64(bytes(31))}\n",
        f"{ORIGIN}\n5\n{encode_b64(CHECKPOINT.root)[:-1]}\n",
        f"{ORIGIN}\n5\n{encode_b64(CHECKPOINT.root)}\n\nafter an empty line\n",
        f"{'x' * 256}\n5\n{encode_b64(CHECKPOINT.root)}\n",
        f"\n5\n{encode_b64(CHECKPOINT.root)}\n",
    ],
)
def test_a_note_of_another_text_is_no_checkpoint(text: str) -> None:
    with pytest.raises(NoteError):
        parse_checkpoint(f"{text}\n{LINES}")


@pytest.mark.parametrize(
    "make",
    [
        lambda: Checkpoint("", 0, bytes(DIGEST)),
        lambda: Checkpoint("two\nlines", 0, bytes(DIGEST)),
        lambda: Checkpoint(ORIGIN, -1, bytes(DIGEST)),
        lambda: Checkpoint(ORIGIN, MAX_SIZE + 1, bytes(DIGEST)),
        lambda: Checkpoint(ORIGIN, 0, b""),
        lambda: Checkpoint(ORIGIN, 0, bytes(DIGEST), ("",)),
    ],
)
def test_a_checkpoint_that_could_not_be_written_is_not_made(make: Callable[[], Checkpoint]) -> None:
    with pytest.raises(NoteError):
        make()


def cosigned(*names: str, at: int = AT) -> str:
    return add_signatures(NOTE, [cosign(CHECKPOINT, *WITNESSES[name], at=at) for name in names])


WITNESS_KEYS = [key for key, _ in WITNESSES.values()]


def test_witnesses_are_counted_by_name() -> None:
    note = cosigned("classical", "post-quantum")
    assert verify_checkpoint(note, LOG_KEYS) == CHECKPOINT
    assert verify_cosignatures(note, WITNESS_KEYS, quorum=2) == {"witness.example/w1": AT, "witness.example/w2": AT}


def test_one_witness_with_two_keys_is_one() -> None:
    second = signer("witness.example/w2", COSIGNATURE)
    note = add_signatures(cosigned("post-quantum"), [cosign(CHECKPOINT, *second, at=AT + 5)])
    with pytest.raises(NoteSignatureError):
        verify_cosignatures(note, [POST_QUANTUM[0], second[0]], quorum=2)
    assert verify_cosignatures(note, [POST_QUANTUM[0], second[0]], quorum=1) == {"witness.example/w2": AT + 5}


def test_too_few_witnesses_are_refused() -> None:
    with pytest.raises(NoteSignatureError):
        verify_cosignatures(cosigned("classical"), WITNESS_KEYS, quorum=2)


def test_a_witness_without_time_does_not_count() -> None:
    key, sign = POST_QUANTUM
    timeless = sign_checkpoint(CHECKPOINT, [(key, sign)], at=0).rpartition("\n\n")[2]
    with pytest.raises(NoteSignatureError):
        verify_cosignatures(add_signatures(NOTE, [timeless]), [key], quorum=1)


def test_a_cosignature_of_another_checkpoint_is_refused() -> None:
    for key, sign in WITNESSES.values():
        other = cosign(checkpoint_over(leaves(6)), key, sign, at=AT)
        with pytest.raises(NoteSignatureError):
            verify_cosignatures(add_signatures(NOTE, [other]), [key], quorum=0)


def test_ml_dsa_commits_to_the_witness_name() -> None:
    key, sign = POST_QUANTUM
    renamed = NoteKey("witness.example/other", key.type, key.public)
    line = cosign(CHECKPOINT, renamed, sign, at=AT)
    (signature,) = parse_note(add_signatures(NOTE, [line])).signatures_of(renamed)
    own = write_note(CHECKPOINT.text, [(key, signature)])
    with pytest.raises(NoteSignatureError):
        verify_cosignatures(own, [key], quorum=0)


@pytest.mark.parametrize(("kind", "at"), [(ED25519, AT), (COSIGNATURE, 0), (COSIGNATURE, MAX_SIZE + 1)])
def test_a_cosignature_has_a_time(kind: int, at: int) -> None:
    with pytest.raises(NoteError):
        cosign(CHECKPOINT, *signer("witness.example/w3", kind), at=at)
