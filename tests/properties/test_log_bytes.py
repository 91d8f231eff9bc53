"""Whatever bytes come in, the readers of the log's formats raise their own errors and nothing else."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.protocol.errors import EntryError, LogRangeError, NoteError, NoteSignatureError
from hub.protocol.hazmat import DIGEST
from hub.tlog.checkpoint import cosign, parse_checkpoint, verify_checkpoint, verify_cosignatures
from hub.tlog.entry import parse_entry, write_entry
from hub.tlog.note import add_signatures, parse_key, parse_note
from hub.tlog.proof import LogProof, parse_proof, write_proof
from hub.tlog.tiles import parse_bundle, parse_tile_path, write_bundle
from tests.support.log import AT, LOG_KEYS, WITNESSES, checkpoint_over, leaves, signed

CHECKPOINT = checkpoint_over(leaves(5))
NOTE = add_signatures(signed(CHECKPOINT), [cosign(CHECKPOINT, *WITNESSES["classical"], at=AT)])
PROOF = write_proof(LogProof(1, (bytes(DIGEST),) * 3, NOTE, b"extra"))
ENTRY = write_entry("accept", bytes(DIGEST))
KNOWN = [*LOG_KEYS, WITNESSES["classical"][0]]
CHARACTERS = st.characters(exclude_categories=())  # half surrogate pairs included


@st.composite
def texts(draw: st.DrawFn, original: str) -> str:
    """Draw any text, or the original with a piece of it replaced, mostly near its beginning."""
    if draw(st.booleans()):
        return draw(st.text(CHARACTERS, max_size=100))
    start = draw(st.integers(0, 200) | st.integers(0, len(original)))
    end = draw(st.integers(start, start + 8))
    piece = draw(st.text(CHARACTERS, max_size=4) | st.sampled_from(["\n\n", "\n— ", "— a AAAAAAA=\n", "0", "=", "+"]))
    return original[:start] + piece + original[end:]


@given(texts(NOTE))
def test_notes(text: str) -> None:
    with contextlib.suppress(NoteError):
        parse_note(text)


@given(texts(NOTE))
def test_checkpoints_are_written_as_they_were_read(text: str) -> None:
    with contextlib.suppress(NoteError):
        checkpoint, note = parse_checkpoint(text)
        assert checkpoint.text == note.text


@given(texts(NOTE))
def test_no_altered_checkpoint_is_believed(text: str) -> None:
    """What is still believed says the same; only lines of unknown keys can come and go."""
    with contextlib.suppress(NoteError, NoteSignatureError):
        assert verify_checkpoint(text, LOG_KEYS) == CHECKPOINT
        assert len(verify_cosignatures(text, KNOWN[2:], quorum=1)) == 1


@given(st.binary(max_size=8), st.integers(0, len(NOTE.encode()) - 1))
def test_no_altered_byte_of_the_text_is_believed(piece: bytes, at: int) -> None:
    at %= len(CHECKPOINT.text.encode())
    altered = (NOTE.encode()[:at] + piece + NOTE.encode()[at + 1 :]).decode("utf-8", "replace")
    if altered != NOTE:
        with pytest.raises((NoteError, NoteSignatureError)):
            verify_checkpoint(altered, LOG_KEYS)


@given(texts(PROOF))
def test_proofs_are_written_as_they_were_read(text: str) -> None:
    with contextlib.suppress(NoteError):
        assert write_proof(parse_proof(text)) == text


@given(texts(LOG_KEYS[0].text))
def test_keys_are_written_as_they_were_read(text: str) -> None:
    with contextlib.suppress(NoteError):
        assert parse_key(text).text == text


@given(
    texts("tile/0/x001/x234/067.p/255") | st.from_regex(r"tile/(entries|[0-9]{1,2})/(x[0-9]{3}/)*[0-9]{3}(\.p/[0-9]+)?")
)
def test_tile_paths_are_written_as_they_were_read(text: str) -> None:
    with contextlib.suppress(LogRangeError):
        tile = parse_tile_path(text)
        assert tile.path == text
        assert 0 < tile.width <= 256


@given(st.binary(max_size=600))
def test_bundles_are_written_as_they_were_read(data: bytes) -> None:
    with contextlib.suppress(LogRangeError):
        assert write_bundle(parse_bundle(data)) == data


@given(st.lists(st.binary(max_size=300), max_size=256))
def test_bundles_hold_any_entries(entries: list[bytes]) -> None:
    assert parse_bundle(write_bundle(entries)) == entries


@given(
    st.binary(max_size=80)
    | st.tuples(st.integers(0, len(ENTRY)), st.binary(max_size=4)).map(
        lambda drawn: ENTRY[: drawn[0]] + drawn[1] + ENTRY[drawn[0] + 1 :]
    )
)
def test_entries_are_written_as_they_were_read(data: bytes) -> None:
    with contextlib.suppress(EntryError):
        assert write_entry(*parse_entry(data)) == data
