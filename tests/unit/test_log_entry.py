"""Log entries: what they commit to, and that nothing else opens them."""

import pytest

from hub.protocol.encoding import lp
from hub.protocol.errors import EntryError, InclusionError
from hub.protocol.hazmat import DIGEST, sha256
from hub.tlog.entry import KINDS, SALT, check_opening, commit, parse_entry, write_entry

PAYLOAD, FIRST, SECOND = b'{"mh":"..."}', bytes(SALT), b"\x01" * SALT
ENTRY = write_entry("accept", commit(FIRST, PAYLOAD))


def test_an_entry_is_what_the_page_says() -> None:
    commitment = sha256(b"\0\0\0\x10" + FIRST + b"\0\0\0\x0c" + PAYLOAD)
    spelled_out = b"\0\0\0\x0bvalise1 log\0\0\0\x06accept\0\0\0\x20" + commitment
    assert spelled_out == write_entry("accept", commit(FIRST, PAYLOAD))
    assert parse_entry(ENTRY) == ("accept", commitment)


def test_the_right_salt_and_payload_open_it() -> None:
    check_opening(ENTRY, kind="accept", salt=FIRST, payload=PAYLOAD)


@pytest.mark.parametrize(
    ("kind", "salt", "payload"),
    [
        ("decision", FIRST, PAYLOAD),
        ("rumour", FIRST, PAYLOAD),
        ("accept", SECOND, PAYLOAD),
        ("accept", FIRST[:-1], b"\0" + PAYLOAD),
        ("accept", FIRST, PAYLOAD + b" "),
    ],
)
def test_nothing_else_opens_it(kind: str, salt: bytes, payload: bytes) -> None:
    with pytest.raises(InclusionError):
        check_opening(ENTRY, kind=kind, salt=salt, payload=payload)


def test_a_short_salt_opens_nothing_even_what_it_made() -> None:
    entry = write_entry("accept", commit(b"", PAYLOAD))
    with pytest.raises(InclusionError):
        check_opening(entry, kind="accept", salt=b"", payload=PAYLOAD)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_can_be_written_and_read(kind: str) -> None:
    assert parse_entry(write_entry(kind, bytes(DIGEST))) == (kind, bytes(DIGEST))


@pytest.mark.parametrize(
    "entry",
    [
        b"",
        ENTRY[:-1],
        ENTRY + b"\0",
        lp("valise1 log", "accept"),
        lp("valise1 log", "accept", bytes(DIGEST), b""),
        lp("valise1 log", "accept", bytes(DIGEST - 1)),
        lp("valise1 log", "rumour", bytes(DIGEST)),
        lp("valise1 log", b"\xff", bytes(DIGEST)),
        lp("valise2 log", "accept", bytes(DIGEST)),
    ],
)
def test_other_bytes_are_no_entry(entry: bytes) -> None:
    with pytest.raises(EntryError):
        parse_entry(entry)


@pytest.mark.parametrize(("kind", "commitment"), [("rumour", bytes(DIGEST)), ("accept", b"")])
def test_no_other_entry_is_written(kind: str, commitment: bytes) -> None:
    with pytest.raises(EntryError):
        write_entry(kind, commitment)
