"""Seeded mutations of valid samples, where no coverage-guided engine is at hand and to begin a run with.

Not for: what is done with the result (`campaign.py`).
"""

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Final

PIECES: Final = (
    *(b"null", b"-1", b"[]", b"{}", b'"', b"1e9", b"9007199254740992", b"\\ud800", b"NaN", b"true", b"[" * 40),
    *(
        b"\n\n",
        b"\r\n",
        b"\xe2\x80\x94 ",
        b"=",
        b"..",
        b"/",
        b"#",
        b";",
        b":",
        b"'''",
        b"\xef\xbb\xbf",
        b"\0",
        b"\xff\xfe",
    ),
    *(
        b"9" * 5_000,
        b"[" * 3_000,
        b"a.b." * 3_000,
        b"A" * 70_000,
        b"\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"\x00\x00\x00\x00\x00\x00\x00\x05",
    ),
    *("\u202e".encode(), "\u0661".encode(), "é".encode(), b"1970-01-01T00:00:00Z", b"9999-12-31", b"0000-00-00"),
)
MAX_INPUT: Final = 256 * 1024  # bytes; larger ones are refused by their length, which has unit tests


def mutate(data: bytes, others: Sequence[bytes], chance: random.Random) -> bytes:
    """Return data with one to four changes."""
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        data = chance.choice(_CHANGES)(data, others, chance)
    return data[:MAX_INPUT]


def mutations(samples: Sequence[bytes], chance: random.Random) -> Iterator[bytes]:
    """Yield the samples, then mutations of them without end; now and then bytes that resemble nothing."""
    yield from samples
    while True:
        yield mutate(chance.choice(samples), samples, chance) if chance.random() < 0.97 else chance.randbytes(64)


def _span(data: bytes, chance: random.Random, most: int) -> tuple[int, int]:
    start = chance.randrange(len(data) + 1)
    return start, min(len(data), start + chance.randrange(most + 1))


def _flip(data: bytes, _others: Sequence[bytes], chance: random.Random) -> bytes:
    if not data:
        return b"\0"
    changed = bytearray(data)
    changed[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _insert(data: bytes, _others: Sequence[bytes], chance: random.Random) -> bytes:
    start, end = _span(data, chance, 8)
    return data[:start] + chance.choice(PIECES) + data[end:]


def _delete(data: bytes, _others: Sequence[bytes], chance: random.Random) -> bytes:
    start, end = _span(data, chance, 64)
    return data[:start] + data[end:]


def _cut(data: bytes, _others: Sequence[bytes], chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


def _repeat(data: bytes, _others: Sequence[bytes], chance: random.Random) -> bytes:
    start, end = _span(data, chance, 256)
    return data[:end] + data[start:end] * chance.randrange(1, 4) + data[end:]


def _splice(data: bytes, others: Sequence[bytes], chance: random.Random) -> bytes:
    other = chance.choice(others)
    start, end = _span(other, chance, 512)
    return data[: chance.randrange(len(data) + 1)] + other[start:end] + data[chance.randrange(len(data) + 1) :]


def _digit(data: bytes, _others: Sequence[bytes], chance: random.Random) -> bytes:
    """Change one digit or letter to another: lengths, dates and numbers stay what they are in form."""
    places = [place for place, byte in enumerate(data[:4_096]) if 48 <= byte <= 57]  # ASCII digits
    if not places:
        return _flip(data, _others, chance)
    place = chance.choice(places)
    return data[:place] + b"%d" % chance.randrange(10) + data[place + 1 :]


_CHANGES: Final[tuple[Callable[[bytes, Sequence[bytes], random.Random], bytes], ...]] = (
    _flip,
    _flip,
    _insert,
    _insert,
    _delete,
    _cut,
    _repeat,
    _splice,
    _digit,
)
