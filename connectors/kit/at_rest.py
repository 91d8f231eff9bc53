"""Drafts at rest: sealed to the agency's own key, so that a stolen disk reads nothing that the keystore does not open.

Once the key is destroyed (`docs/protocol/03-keys.md` section 6) its drafts are unreadable for ever, like the copies
that were received under it. Not for: messages to others (`hub/protocol/sealing.py`). User's view in
`docs/trips/send.md`.
"""

from typing import Final

from hub.protocol.directory import KeyEntry
from hub.protocol.encoding import decode_b64url, lp, parse_frame
from hub.protocol.errors import EncodingError, OpenError
from hub.protocol.hazmat import KEY, EncryptionKey, SealingKey, decrypt, random_bytes
from hub.protocol.keys import KeyHolder

_INFO: Final = b"valise1 at rest"
_NONCE: Final = bytes(12)  # each key encrypts once
_PARTS: Final = 3


def put_away(text: bytes, key: KeyEntry) -> bytes:
    """Return `text` sealed to an own key for opening."""
    fresh = random_bytes(KEY)
    sealed = SealingKey(decode_b64url(key.pub)).seal(fresh, _info(key.kid))
    return lp(key.kid, sealed, EncryptionKey(fresh).encrypt(_NONCE, text, _info(key.kid)))


def take_out(data: bytes, keyring: KeyHolder) -> bytes:
    """Return what was put away.

    Raises:
        NoOpeningKeyError: the key was destroyed, or is another keystore's.
        OpenError: the bytes were altered.
    """
    try:
        parts = parse_frame(data, max_parts=_PARTS)
        kid, sealed, text = parts[0].decode("ascii"), parts[1], parts[2]
    except (EncodingError, UnicodeDecodeError, IndexError) as error:
        raise OpenError("not put away here") from error
    return decrypt(keyring.opener(kid).open(sealed, _info(kid)), _NONCE, text, _info(kid))


def _info(kid: str) -> bytes:
    return lp(_INFO, kid)
