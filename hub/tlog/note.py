"""C2SP signed notes: text that people can read, signed by keys with names.

Not for: what the text says (`checkpoint.py`). Implements `docs/protocol/05-log.md` section 5 and c2sp.org/signed-note.
"""

import base64
import binascii
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from hub.protocol.errors import BadSignatureError, NoteError, NoteSignatureError
from hub.protocol.hazmat import sha256, verify_signature

ED25519: Final = 0x01  # signature types of c2sp.org/signed-note
COSIGNATURE: Final = 0x04  # Ed25519, timestamped
MLDSA44: Final = 0x06  # ML-DSA-44, timestamped
MAX_NOTE: Final = 128 * 1024  # bytes; 16 post-quantum signatures of 5 kB each, and room
MAX_SIGNATURES: Final = 64
MAX_NAME: Final = 255  # bytes; an ML-DSA-44 cosignature counts its cosigner's name with one byte
_ALG: Final = MappingProxyType({ED25519: "Ed25519", COSIGNATURE: "Ed25519", MLDSA44: "ML-DSA-44"})
_PUBLIC: Final = MappingProxyType({ED25519: 32, COSIGNATURE: 32, MLDSA44: 1312})  # bytes of a public key, by type
_ID: Final = 4  # bytes of a key ID
_NAME: Final = re.compile(r"[^\s+\x00-\x1f]{1,255}\Z")
_SIGNATURE_LINE: Final = re.compile("— ([^\\s+]{1,255}) ([A-Za-z0-9+/]+={0,2})\\Z")
_CONTROL: Final = re.compile("[\\x00-\\x09\\x0b-\\x1f]")


@dataclass(frozen=True, slots=True)
class NoteKey:
    """A verifier key: the name, type and raw public key under which a signature line is believed.

    Raises:
        NoteError: a name that cannot stand in a note, an unknown type, or a public key of another length.
    """

    name: str
    type: int
    public: bytes

    def __post_init__(self) -> None:
        if not _NAME.match(self.name) or len(encode_utf8(self.name)) > MAX_NAME:
            raise NoteError("key name")
        if _PUBLIC.get(self.type) != len(self.public):
            raise NoteError("key")

    @property
    def id(self) -> bytes:
        """SHA-256(name || 0x0A || type || public key)[:4]."""
        return sha256(self.name.encode() + b"\n" + bytes([self.type]) + self.public)[:_ID]

    @property
    def text(self) -> str:
        """The key as a vkey, `name+hash+key`."""
        return f"{self.name}+{self.id.hex()}+{encode_b64(bytes([self.type]) + self.public)}"

    def verify(self, signature: bytes, message: bytes) -> None:
        """Check a signature without its key ID and timestamp.

        Raises:
            NoteSignatureError: it is not this key's over the message.
        """
        try:
            verify_signature(_ALG[self.type], self.public, signature, message)
        except BadSignatureError as error:
            raise NoteSignatureError(self.name) from error


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line, unbelieved."""

    name: str
    id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A note, unbelieved: the text with its final newline, and the signature lines."""

    text: str
    signatures: tuple[NoteSignature, ...]

    def signatures_of(self, key: NoteKey) -> list[bytes]:
        """Return the signatures that claim to be this key's; those of unknown keys are ignored."""
        return [line.signature for line in self.signatures if line.name == key.name and line.id == key.id]


def encode_utf8(text: str) -> bytes:
    """Return the bytes of a text.

    Raises:
        NoteError: it holds half a surrogate pair, so it never was UTF-8.
    """
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise NoteError("UTF-8") from error


def encode_b64(data: bytes) -> str:
    """Return standard base64 (RFC 4648 section 4), which the C2SP formats use."""
    return base64.b64encode(data).decode("ascii")


def decode_b64(text: str) -> bytes:
    """Return the bytes of canonical standard base64.

    Raises:
        NoteError: another spelling.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NoteError("base64") from error
    if encode_b64(data) != text:
        raise NoteError("base64")
    return data


def parse_key(text: str) -> NoteKey:
    """Return a verifier key (vkey).

    Raises:
        NoteError: not one, or its hash is not its key's.
    """
    name, _, rest = text.partition("+")
    identifier, _, encoded = rest.partition("+")
    material = decode_b64(encoded)
    key = NoteKey(name, int.from_bytes(material[:1], "big"), material[1:])
    if key.id.hex() != identifier:
        raise NoteError("key hash")
    return key


def parse_note(text: str) -> Note:
    """Return an unbelieved note.

    Raises:
        NoteError: not of the format, too long, or with too many signatures.
    """
    if len(text) > MAX_NOTE or len(encode_utf8(text)) > MAX_NOTE or _CONTROL.search(text) or not text.endswith("\n"):
        raise NoteError("size, control characters or last newline")
    body, separator, lines = text.rpartition("\n\n")
    if not separator or not lines:
        raise NoteError("no signatures")
    found = lines[:-1].split("\n")
    if len(found) > MAX_SIGNATURES:
        raise NoteError("too many signatures")
    return Note(body + "\n", tuple(_parse_line(line) for line in found))


def _parse_line(line: str) -> NoteSignature:
    match = _SIGNATURE_LINE.match(line)
    data = decode_b64(match[2]) if match else b""
    if not match or len(data) <= _ID:
        raise NoteError("signature line")
    return NoteSignature(match[1], data[:_ID], data[_ID:])


def write_note(text: str, signatures: Sequence[tuple[NoteKey, bytes]]) -> str:
    """Return a note; `text` ends in a newline.

    Raises:
        NoteError: the text cannot stand in a note.
    """
    lines = [f"— {key.name} {encode_b64(key.id + signature)}\n" for key, signature in signatures]
    note = f"{text}\n{''.join(lines)}"
    if parse_note(note).text != text:
        raise NoteError("text")
    return note


def add_signatures(text: str, others: Collection[str]) -> str:
    """Return a note with more signature lines, each as its signer wrote it and with its newline.

    Raises:
        NoteError: one of them is not a signature line, or there are too many.
    """
    signed = text.rpartition("\n\n")[2].splitlines(keepends=True)
    note = text + "".join(sorted(set(others) - set(signed)))
    if parse_note(note).text != parse_note(text).text:
        raise NoteError("signature line")
    return note
