"""Log proofs as files: the format, and what a check of one needs."""

from dataclasses import replace

import pytest

from hub.protocol.errors import InclusionError, NoteError, NoteSignatureError
from hub.protocol.hazmat import DIGEST
from hub.protocol.merkle import MAX_PATH
from hub.tlog.checkpoint import cosign
from hub.tlog.note import add_signatures, encode_b64
from hub.tlog.proof import MAX_EXTRA, LogProof, parse_proof, verify_proof, write_proof
from tests.support.log import AT, LOG_KEYS, WITNESSES, checkpoint_over, grown, leaves, signed

LEAVES = leaves(11)
CHECKPOINT = checkpoint_over(LEAVES)
NOTE = add_signatures(signed(CHECKPOINT), [cosign(CHECKPOINT, *witness, at=AT) for witness in WITNESSES.values()])
PROOF = LogProof(6, tuple(grown(LEAVES).view().inclusion(6, 11)), NOTE, b"opening")
TEXT = write_proof(PROOF)
WITNESS_KEYS = [key for key, _ in WITNESSES.values()]


def test_a_proof_is_the_text_of_the_specification() -> None:
    assert TEXT.split("\n\n")[0].split("\n") == [
        "c2sp.org/tlog-proof@v1",
        "extra b3BlbmluZw==",
        "index 6",
        *(encode_b64(node) for node in PROOF.path),
    ]
    assert TEXT.endswith("\n\n" + NOTE)


def test_a_proof_reads_back_and_holds() -> None:
    proof = parse_proof(TEXT)
    assert proof == PROOF
    assert verify_proof(proof, LEAVES[6], log_keys=LOG_KEYS, witnesses=WITNESS_KEYS, quorum=2) == CHECKPOINT


def test_a_log_of_one_entry_needs_no_path() -> None:
    proof = LogProof(0, (), signed(checkpoint_over(LEAVES[:1])))
    assert "extra" not in write_proof(proof)
    assert parse_proof(write_proof(proof)) == proof
    verify_proof(proof, LEAVES[0], log_keys=LOG_KEYS)


@pytest.mark.parametrize(
    ("proof", "leaf"),
    [
        (PROOF, LEAVES[7]),
        (replace(PROOF, index=7), LEAVES[6]),
        (replace(PROOF, index=11), LEAVES[6]),
        (replace(PROOF, path=PROOF.path[:-1]), LEAVES[6]),
        (replace(PROOF, path=(bytes(DIGEST), *PROOF.path[1:])), LEAVES[6]),
    ],
)
def test_it_proves_nothing_else(proof: LogProof, leaf: bytes) -> None:
    with pytest.raises(InclusionError):
        verify_proof(proof, leaf, log_keys=LOG_KEYS)


def test_a_log_or_a_quorum_that_is_not_trusted_is_refused() -> None:
    with pytest.raises(NoteSignatureError):
        verify_proof(PROOF, LEAVES[6], log_keys=WITNESS_KEYS)
    with pytest.raises(NoteSignatureError):
        verify_proof(PROOF, LEAVES[6], log_keys=LOG_KEYS, witnesses=WITNESS_KEYS[:1], quorum=2)


INDEX = "c2sp.org/tlog-proof@v1\nindex 0\n"


@pytest.mark.parametrize(
    "text",
    [
        "",
        TEXT.replace("@v1", "@v2"),
        TEXT.partition("\n\n")[0],
        TEXT.replace("index 6", "index 06"),
        TEXT.replace("index 6", "index -6"),
        TEXT.replace("index 6", "index \u0666"),
        TEXT.replace("index 6\n", ""),
        TEXT.replace("extra b3BlbmluZw==", "extra "),
        TEXT.replace("extra b3BlbmluZw==", "extra b3BlbmluZw"),
        TEXT.replace("extra b3BlbmluZw==", "extra b3BlbmluZw==\nextra b3BlbmluZw=="),
        f"c2sp.org/tlog-proof@v1\nextra {encode_b64(bytes(MAX_EXTRA + 1))}\nindex 0\n\n{NOTE}",
        f"{INDEX}{encode_b64(bytes(DIGEST - 1))}\n\n{NOTE}",
        f"{INDEX}not base64\n\n{NOTE}",
        INDEX + (encode_b64(bytes(DIGEST)) + "\n") * (MAX_PATH + 1) + f"\n{NOTE}",
        "c2sp.org/tlog-proof@v1\n\n" + NOTE,
        TEXT + "x" * 512 * 1024,
    ],
)
def test_what_is_not_a_proof_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        parse_proof(text)
