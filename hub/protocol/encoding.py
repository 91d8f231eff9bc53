"""Bytes on the wire: base64url, length-prefixed frames, padding.

Not for: JSON (`strictjson.py`) or signatures (`jws.py`). Implements `docs/protocol/01-encoding.md`.
"""

import binascii
from collections.abc import Sequence
from types import MappingProxyType
from typing import Final

from hub.protocol.errors import Base64Error, FrameError, PaddingError

# The last characters that leave no stray bits (RFC 4648 section 3.5), by the number of characters in the last group.
_LAST: Final = MappingProxyType({2: frozenset("AQgw"), 3: frozenset("AEIMQUYcgkosw048")})
_PADDING: Final = (b"", b"", b"==", b"=")
_TO_URL: Final = bytes.maketrans(b"+/", b"-_")
_FROM_URL: Final = bytes.maketrans(b"-_+/=", b"+/\0\0\0")  # the zeros are then refused as another alphabet
_LENGTH: Final = 4  # bytes of the big-endian length before each part of a frame
_SMALLEST_PADDED: Final = 256  # bytes; shorter compartments all look alike


def encode_b64url(data: bytes) -> str:
    """Return `data` as base64url without padding (RFC 7515 section 2)."""
    return binascii.b2a_base64(data, newline=False).translate(_TO_URL).rstrip(b"=").decode("ascii")


def encode_all_b64url(items: Sequence[bytes]) -> list[str]:
    """Return each item as `encode_b64url` does, in one pass over all; they are of one length, and not empty.

    A zero byte or two after each makes its length a multiple of three, so that its characters stand apart.
    """
    if not items:
        return []
    length = len(items[0])
    filler = bytes(-length % 3)
    text = encode_b64url(b"".join(item + filler for item in items) if filler else b"".join(items))
    stride, kept = (length + len(filler)) * 4 // 3, -(-length * 4 // 3)
    return [text[at : at + kept] for at in range(0, len(text), stride)]


def decode_b64url(text: str) -> bytes:
    """Return the bytes of unpadded, canonical base64url.

    Raises:
        Base64Error: another alphabet, padding, an impossible length, or stray bits in the last character (they would
            give one value two spellings, RFC 4648 section 3.5).
    """
    over = len(text) % 4
    if over == 1 or (over and text[-1] not in _LAST[over]):
        raise Base64Error
    try:
        data = text.encode("ascii").translate(_FROM_URL)
        return binascii.a2b_base64(data + _PADDING[over], strict_mode=True)
    except ValueError as error:
        raise Base64Error from error


def lp(*parts: bytes | str | int) -> bytes:
    """Join parts unambiguously: each as a 4-byte big-endian length and its bytes.

    Text is UTF-8, an integer is its decimal digits, and `lp(a) + lp(b) == lp(a, b)`.
    """
    out: list[bytes] = []
    for part in parts:
        data = part if isinstance(part, bytes) else str(part).encode()
        out += (len(data).to_bytes(_LENGTH, "big"), data)
    return b"".join(out)


def parse_frame(data: bytes, *, max_parts: int) -> list[bytes]:
    """Split what `lp` joined.

    Args:
        data: the whole frame.
        max_parts: how many parts are accepted at the most.

    Raises:
        FrameError: a part is cut short, bytes are left over, or there are too many parts.
    """
    view, at = memoryview(data), 0
    parts: list[bytes] = []
    while at < len(view):
        start = at + _LENGTH
        end = start + int.from_bytes(view[at:start], "big")
        if start > len(view) or end > len(view) or len(parts) == max_parts:
            raise FrameError
        parts.append(bytes(view[start:end]))
        at = end
    return parts


def padded_length(length: int) -> int:
    """Return the padme length for `length` bytes (PURBs, section 4: at most 12 % overhead, leaks O(log log n) bits)."""
    if length <= _SMALLEST_PADDED:
        return _SMALLEST_PADDED
    exponent = length.bit_length() - 1
    mask = (1 << (exponent - exponent.bit_length())) - 1
    return (length + mask) & ~mask


def pad(plaintext: bytes) -> bytes:
    """Return BE32(length), the plaintext, and zeros up to the padme length."""
    framed = len(plaintext).to_bytes(_LENGTH, "big") + plaintext
    return framed.ljust(padded_length(len(framed)), b"\0")


def unpad(padded: bytes) -> bytes:
    """Undo `pad`.

    Raises:
        PaddingError: the length does not fit or the filling is not zero.
    """
    end = _LENGTH + int.from_bytes(padded[:_LENGTH], "big")
    if len(padded) < _LENGTH or end > len(padded) or padded_length(end) != len(padded) or any(padded[end:]):
        raise PaddingError
    return padded[_LENGTH:end]
