"""Compact JWS, strictly: one spelling of a signed object, its type checked, its key chosen by the caller.

Ours rather than PyJWT's, which accepts padded signatures and duplicate members and does not look at `typ` (decision
0003); PyJWT checks the claims of sessions. Not for: which key may sign what (`directory.py`). Implements
`docs/protocol/01-encoding.md` section 4.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal

from hub.protocol.encoding import decode_b64url, encode_b64url
from hub.protocol.errors import (
    AlgorithmError,
    Base64Error,
    JsonError,
    JwsError,
    TooLargeError,
    WrongTypeError,
)
from hub.protocol.hazmat import sha256, verify_signature
from hub.protocol.keys import Signer
from hub.protocol.strictjson import write_json
from hub.protocol.wire import Wire, parse_wire

MAX_JWS: Final = 512 * 1024  # characters; a manifest of 256 KiB in base64url, with its signature
_COMPACT: Final = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]*)\.([A-Za-z0-9_-]+)\Z")


class _Header(Wire):
    alg: Literal["Ed25519", "ML-DSA-65"]
    typ: str
    kid: str


@dataclass(frozen=True, slots=True)
class Jws:
    """An unbelieved signed object: its parts as sent."""

    text: str
    alg: str
    typ: str
    kid: str
    payload: bytes
    payload_segment: str
    signing_input: bytes
    signature: bytes

    @property
    def digest(self) -> str:
        """The object's name: base64url SHA-256 over the payload segment as sent."""
        return encode_b64url(sha256(self.payload_segment.encode()))


def sign_jws(payload: bytes, *, typ: str, signer: Signer) -> str:
    """Return the compact JWS of `payload` with exactly the header members alg, typ and kid."""
    return _sign(encode_b64url(payload), typ, signer, attach=True)


def sign_detached(jws_text: str, *, typ: str, signer: Signer) -> str:
    """Return a second JWS over the same payload segment, with that segment left out (RFC 7515 appendix F)."""
    return _sign(jws_text.split(".")[1], typ, signer, attach=False)


def _sign(segment: str, typ: str, signer: Signer, *, attach: bool) -> str:
    header = encode_b64url(write_json({"alg": signer.alg, "typ": typ, "kid": signer.kid}))
    signature = encode_b64url(signer.sign(f"{header}.{segment}".encode("ascii")))
    return f"{header}.{segment if attach else ''}.{signature}"


def parse_jws(text: str, *, typ: str, payload_segment: str | None = None) -> Jws:
    """Return the parts of a compact JWS, unbelieved.

    Args:
        text: the compact serialisation.
        typ: the type that must stand in this place.
        payload_segment: for a detached signature, the segment that it signs.

    Raises:
        TooLargeError: more than `MAX_JWS` characters.
        JwsError: another form, alphabet, header member (`crit` included: no extension is understood), or an algorithm
            that is never used.
        WrongTypeError: another `typ`.
    """
    if len(text) > MAX_JWS:
        raise TooLargeError("JWS")
    match = _COMPACT.match(text)
    if not match or (payload_segment is None) != bool(match[2]):
        raise JwsError("form")
    segment = match[2] if payload_segment is None else payload_segment
    try:
        header = parse_wire(_Header, decode_b64url(match[1]), error=JwsError)
        payload, signature = decode_b64url(segment), decode_b64url(match[3])
    except (Base64Error, JsonError) as error:
        raise JwsError("header or base64url") from error
    if header.typ != typ:
        raise WrongTypeError(header.typ[:64])
    return Jws(
        text=text,
        alg=header.alg,
        typ=header.typ,
        kid=header.kid,
        payload=payload,
        payload_segment=segment,
        signing_input=f"{match[1]}.{segment}".encode("ascii"),
        signature=signature,
    )


def verify_jws(jws: Jws, *, alg: str, public: bytes) -> None:
    """Check the signature with a key that the caller took from the directory.

    Raises:
        AlgorithmError: the object names another algorithm than the key is registered for.
        BadSignatureError: the signature is not this key's over these bytes.
    """
    if jws.alg != alg:
        raise AlgorithmError(f"{jws.alg} for a key of {alg}")
    verify_signature(alg, public, jws.signature, jws.signing_input)
