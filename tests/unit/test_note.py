"""Signed notes and verifier keys: the format, its limits, and what is ignored."""

import pytest

from hub.protocol.errors import NoteError, NoteSignatureError
from hub.tlog.note import (
    ED25519,
    MAX_NOTE,
    MAX_SIGNATURES,
    MLDSA44,
    NoteKey,
    add_signatures,
    encode_b64,
    parse_key,
    parse_note,
    write_note,
)
from tests.support.log import signer

KEY, SIGN = signer("log.example", ED25519)
TEXT = "first\n\nthird\n"
NOTE = write_note(TEXT, [(KEY, SIGN(TEXT.encode()))])
LINE = NOTE.rpartition("\n\n")[2]


def test_a_note_holds_its_text_and_its_signatures() -> None:
    note = parse_note(NOTE)
    assert note.text == TEXT
    (signature,) = note.signatures_of(KEY)
    KEY.verify(signature, note.text.encode())


def test_a_signature_over_other_text_is_refused() -> None:
    (signature,) = parse_note(NOTE).signatures_of(KEY)
    with pytest.raises(NoteSignatureError):
        KEY.verify(signature, b"first\n")


def test_lines_of_unknown_keys_are_ignored() -> None:
    """Unknown is whoever shares only the name, only the ID, or neither with a key that is known."""
    other, sign = signer("log.example", ED25519, "another")
    note = add_signatures(NOTE, [f"— log.example {encode_b64(other.id + sign(b''))}\n", f"— x {LINE.split()[2]}\n"])
    assert len(parse_note(note).signatures) == 3
    assert len(parse_note(note).signatures_of(KEY)) == 1


def test_signatures_are_added_once_in_one_order() -> None:
    first, second = (
        write_note(TEXT, [(key, b"s")]).rpartition("\n\n")[2] for key, _ in (signer("a", MLDSA44), signer("b", MLDSA44))
    )
    note = add_signatures(add_signatures(NOTE, [second, first]), [first, LINE])
    assert note == NOTE + first + second


@pytest.mark.parametrize("line", ["— a", "— a AAAAAAA=", "\n", "— a AAAAAAA=\n\n— b AAAAAAA=\n", "text\n"])
def test_what_is_no_signature_line_is_not_added(line: str) -> None:
    with pytest.raises(NoteError):
        add_signatures(NOTE, [line])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        TEXT,
        NOTE[:-1],
        NOTE + "\n",
        NOTE.replace("third", "third\r"),
        NOTE.replace("third", "\0"),
        NOTE.replace("third", "\ud800"),
        NOTE.replace("— ", "- "),
        NOTE.replace("— log.example ", "— log example "),
        NOTE.replace("— log.example ", "— log+example "),
        NOTE.replace("— log.example ", "—  "),
        NOTE.replace(LINE, "— log.example AAAA\n"),
        NOTE.replace(LINE, "— log.example AAAAAB==\n"),
        NOTE.replace(LINE, LINE.replace("\n", "=\n")),
        NOTE.replace(LINE, LINE * (MAX_SIGNATURES + 1)),
        "x" * MAX_NOTE + NOTE,
        "\u20ac" * (MAX_NOTE // 2) + NOTE,
    ],
)
def test_what_is_not_a_note_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        parse_note(text)


def test_as_many_signatures_as_the_specification_asks_for_are_read() -> None:
    note = NOTE.replace(LINE, LINE + "".join(f"— w{number} {encode_b64(bytes(5_000))}\n" for number in range(16)))
    assert len(parse_note(note).signatures) == 17


@pytest.mark.parametrize("text", ["", "no newline", "bell\a\n"])
def test_what_cannot_stand_in_a_note_is_not_written(text: str) -> None:
    with pytest.raises(NoteError):
        write_note(text, [(KEY, b"signature")])


def test_a_note_has_a_signature() -> None:
    with pytest.raises(NoteError):
        write_note(TEXT, [])


def test_a_verifier_key_reads_back() -> None:
    post_quantum, _ = signer("log.example", MLDSA44)
    for key in (KEY, post_quantum):
        assert parse_key(key.text) == key
    assert KEY.id != NoteKey(KEY.name, 4, KEY.public).id, "the type is part of the ID"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "log.example",
        KEY.text[:-1],
        KEY.text.replace("log.example", "log.invalid"),
        KEY.text.replace("log.example", ""),
        KEY.text.replace("log.example", "log example"),
        KEY.text.replace("+", "+0", 1),
        KEY.text.replace(KEY.id.hex(), KEY.id.hex().upper()),
        f"{KEY.name}+{KEY.id.hex()}+",
        f"{KEY.name}+{KEY.id.hex()}+AQ==",
        f"{KEY.name}+{KEY.id.hex()}+" + encode_b64(b"\x02" + KEY.public),
        KEY.text + "=",
    ],
)
def test_what_is_not_a_verifier_key_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        parse_key(text)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u2003b", "a\0b", "\ud800", "\u20ac" * 86])
def test_a_key_has_a_name_that_can_stand_in_a_line(name: str) -> None:
    with pytest.raises(NoteError):
        NoteKey(name, ED25519, KEY.public)
