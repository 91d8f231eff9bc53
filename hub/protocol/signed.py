"""What a partner signs besides messages - receipts, operations, subscriptions - and the one check of them all.

Not for: the manifest, which has its own steps (`submission.py`), nor a hub's statements. Implements
`docs/protocol/01-encoding.md` section 5.
"""

from typing import Annotated, TypeVar

from pydantic import Field

from hub.protocol.directory import Directory
from hub.protocol.encoding import decode_b64url
from hub.protocol.errors import NotYetValidError, WrongFederationError
from hub.protocol.jws import parse_jws, sign_jws, verify_jws
from hub.protocol.keys import Signer
from hub.protocol.manifest import CLOCK_SKEW, MessageId
from hub.protocol.vocabulary import PartnerCode
from hub.protocol.wire import Time, Wire, parse_wire, write_wire


class Signed(Wire):
    """The members that everything signed by a partner has: federation, issuer, identifier and time."""

    v: int
    fed: Annotated[str, Field(max_length=64)]
    iss: PartnerCode
    jti: MessageId
    iat: Time


_Shape = TypeVar("_Shape", bound=Signed)


def sign(value: Signed, *, typ: str, signer: Signer) -> str:
    """Return `value` as a signed object."""
    return sign_jws(write_wire(value), typ=typ, signer=signer)


def verify_signed(shape: type[_Shape], text: str, directory: Directory, *, typ: str, now: int | None) -> _Shape:
    """Return what a partner signed, after checking type, shape, key, signature, federation and time.

    Args:
        shape: what it must be.
        text: the compact JWS.
        directory: the believed directory.
        typ: the type that must stand in its header.
        now: Unix seconds for whoever takes it in from outside, so that a revoked key cannot sign with an old date; None
            for an auditor, who has the log's word for when it was taken in.

    Raises:
        SignatureError, EncodingError, EnvelopeError, DirectoryError: it is not to be believed.
    """
    jws = parse_jws(text, typ=typ)
    value = parse_wire(shape, jws.payload)
    key = directory.signing_key(jws.kid, iss=value.iss, at=value.iat)
    verify_jws(jws, alg=key.alg, public=decode_b64url(key.pub))
    if value.fed != directory.federation:
        raise WrongFederationError(value.fed)
    if now is not None:
        directory.check_active(value.iss)
        directory.signing_key(jws.kid, iss=value.iss, at=now)
        if value.iat > now + CLOCK_SKEW:
            raise NotYetValidError(str(value.iat))
    return value
