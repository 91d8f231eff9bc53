"""New keys for a partner, and the request that brings them into the directory.

    rotate     a new key of each chosen use, in the keystore or on the token
    renewal    what the directory shall say then: the enrolled record with all keys that have not ended
    prove      sign request and answer with each key of that record

Nothing signs with the new keys before the directory lists them (`live_keys.py`). Not for: the office's side
(`hub/authority`). Implements `docs/protocol/09-directory.md` section 7.4; user's page: `docs/how-to/rotate-keys.md`.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from hub.host.live_keys import LiveKeys
from hub.host.token import Token
from hub.protocol.directory import PartnerRecord
from hub.protocol.enrolment import answer_challenge, record_of, request_enrolment
from hub.protocol.keyring import DAY, OPENING_LIFETIME, Keyring, KeyUse
from hub.protocol.keys import Signer

OPENING_OVERLAP: Final = 5 * DAY  # seconds in which two opening keys are valid, so that a late directory finds one


def add_key(keyring: Keyring, use: KeyUse, *, start: int, token: Token | None = None) -> Keyring:
    """Return a keyring with one more key, valid from `start` (Unix seconds); one to sign lies on the token, if any.

    Raises:
        FullKeystoreError: there is no room for it; none is made.
        TokenError, AmbiguousKeyError: the token makes none.
    """
    if use == "sign" and token is not None:
        return keyring.rotate_on_token(token.make(keyring.next_kid(use)), now=start)
    return keyring.rotate(use, now=start)


def make_keys(partner: str, uses: Sequence[KeyUse], *, now: int, token: Token | None = None) -> Keyring:
    """Return the first keys of a partner; errors as for `add_key`."""
    keyring = Keyring(partner, ())
    for use in uses:
        keyring = add_key(keyring, use, start=now, token=token)
    return keyring


def rotate(
    keyring: Keyring, uses: Sequence[KeyUse], *, start: int, count: int = 1, token: Token | None = None
) -> Keyring:
    """Return a keyring with a new key of each use; errors as for `add_key`.

    Args:
        keyring: the keys that there are.
        uses: of which a new one is made.
        start: Unix seconds from which the new keys are valid.
        count: opening keys to make ahead, each valid from shortly before the one before it ends.
        token: where a first signature key is made.
    """
    for use in uses:
        for ahead in range(count if use == "open" else 1):
            at = start + ahead * (OPENING_LIFETIME - OPENING_OVERLAP)
            keyring = add_key(keyring, use, start=at, token=token)
    return keyring


def renewal_of(enrolled: PartnerRecord, keyring: Keyring, *, now: int, log_keys: Sequence[str] = ()) -> PartnerRecord:
    """Return the record to ask for: what is enrolled, with every key that has not ended and was not revoked.

    The office keeps the older ones, and what it requires, by itself.
    """
    revoked = {key.kid for key in enrolled.keys if key.revoked_at is not None}
    keys = tuple(key for key in keyring.entries() if now < key.exp and key.kid not in revoked)
    return enrolled.model_copy(
        update={"status": "active", "require": ("Ed25519",), "keys": keys, "log_keys": tuple(log_keys)}
    )


def write_request(
    record: PartnerRecord, keys: LiveKeys, *, federation: str, now: int, log: Mapping[str, Signer] | None = None
) -> bytes:
    """Return the request for a record, signed by each of its signature keys; `log` are a hub's by their verifier keys.

    Raises:
        MissingKeyError, TokenError: a key cannot be used.
    """
    return request_enrolment(record, _signers(record, keys, log), federation=federation, now=now)


def write_answer(request: bytes, challenge: bytes, keys: LiveKeys, *, log: Mapping[str, Signer] | None = None) -> bytes:
    """Return the answer to a challenge of one's own request.

    Raises:
        EnrolmentError, NoOpeningKeyError, OpenError: as `answer_challenge`.
        MissingKeyError, TokenError: a key cannot be used.
    """
    signers = _signers(record_of(request), keys, log)
    return answer_challenge(request, challenge, signers, keys.keyring().openers())


def _signers(record: PartnerRecord, keys: LiveKeys, log: Mapping[str, Signer] | None) -> dict[str, Signer]:
    asked = {key.kid for key in record.keys}
    own: dict[str, Signer] = {kid: signer for kid, signer in keys.signers().items() if kid in asked}
    return own | {name: signer for name, signer in (log or {}).items() if name in record.log_keys}
