"""What the office may make of a partner's record: each function takes one and returns the next.

Not for: checking what a partner sends (`hub/protocol/enrolment.py`) or publishing (`exchange.py`). Implements
`docs/protocol/09-directory.md` section 7.
"""

from hub.protocol.directory import KeyEntry, PartnerRecord
from hub.protocol.errors import EnrolmentError, UnknownKeyError
from hub.protocol.keyring import OPENING_GRACE


def joined(old: PartnerRecord, new: PartnerRecord, *, now: int) -> PartnerRecord:
    """Join a partner's new record with the one in the directory.

    What older keys signed must still verify, revoked is revoked, a suspension stays, and what is required only grows: a
    new enrolment proves the new keys, not that nobody stole the old ones. An opening key whose grace is over goes, and
    does not come again.

    Raises:
        EnrolmentError: a key's name has another key already.
    """
    named = {key.kid: key.pub for key in old.keys}
    if any(named.get(key.kid, key.pub) != key.pub for key in new.keys):
        raise EnrolmentError("another key has this name already")
    kept = [key for key in old.keys if key.use != "open" or now < key.exp + OPENING_GRACE]
    fresh = [key for key in new.keys if key.kid not in named]
    require = tuple(sorted({*old.require, *new.require}))
    update = {"status": old.status, "require": require, "keys": (*kept, *fresh)}
    return new.model_copy(update=update)


def revoked(record: PartnerRecord, name: str, *, since: int) -> tuple[PartnerRecord, tuple[str, ...]]:
    """Revoke the key of a name, or every key when it is the partner's code; return the record and the kids.

    A key that is revoked from an earlier time on stays so: a theft only ever turns out to be older.

    Raises:
        UnknownKeyError: there is no such key.
    """
    chosen = tuple(key.kid for key in record.keys if name in (key.kid, record.partner))
    if not chosen:
        raise UnknownKeyError(name[:64])
    keys = tuple(_revoked(key, since) if key.kid in chosen else key for key in record.keys)
    return record.model_copy(update={"keys": keys}), chosen


def _revoked(key: KeyEntry, since: int) -> KeyEntry:
    since = since if key.revoked_at is None else min(since, key.revoked_at)
    return key.model_copy(update={"status": "revoked", "revoked_at": since})


def requiring_second(record: PartnerRecord, *, now: int) -> PartnerRecord:
    """Require a second signature (ML-DSA-65) of a partner; nobody can take that back.

    Raises:
        EnrolmentError: it has no valid key for it, so that nothing of it would be accepted.
    """
    if not any(key.use == "sign2" and key.is_valid(at=now) for key in record.keys):
        raise EnrolmentError(f"{record.partner} has no valid ML-DSA-65 key; have one enrolled first")
    return record.model_copy(update={"require": tuple(sorted({*record.require, "ML-DSA-65"}))})
