"""What ends when: keys, the directory, certificates - and what of it a person has to be told in time.

Pure: whoever watches brings the time. Not for: the checks of `valise doctor` (`machine.py`, `belief.py`). User's page:
`docs/how-to/rotate-keys.md`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

from hub.protocol.directory import Directory, KeyEntry
from hub.protocol.encoding import encode_b64url
from hub.protocol.errors import UnknownPartnerError
from hub.protocol.keyring import DAY, Keyring
from hub.verify.trust import TrustedDirectory

_WARN: Final = 30  # days before the end from which on a person is told, daily
_SOONER: Final[dict[str, int]] = {
    "open": 7,
    "directory": 2,
}  # days: these live 30 and 7, and are renewed in that rhythm

KeyStatus = Literal["enrolled", "not enrolled", "revoked", "unknown"]


@dataclass(frozen=True, slots=True)
class Ending:
    """Something that ends: what it is (`sign`, `open`, `directory` ...), and when, in Unix seconds."""

    what: str
    until: int

    def days(self, now: int) -> int:
        """Return how many whole days are left; less than none: it has ended."""
        return (self.until - now) // DAY


@dataclass(frozen=True, slots=True)
class KeyStanding:
    """One key of a keystore as a person looks at it; times in Unix seconds, `place` is `keystore` or `token`."""

    kid: str
    use: str
    place: str
    nbf: int
    exp: int
    status: KeyStatus


def endings_of(entries: Iterable[KeyEntry]) -> tuple[Ending, ...]:
    """Return for each use when its last key ends; what is revoked has ended."""
    ends: dict[str, int] = {}
    for key in entries:
        ends[key.use] = max(ends.get(key.use, 0), key.exp if key.revoked_at is None else min(key.exp, key.revoked_at))
    return tuple(Ending(use, until) for use, until in ends.items())


def ending_of(trusted: TrustedDirectory) -> Ending:
    """Return when the directory must have been signed anew."""
    return Ending("directory", trusted.expires)


def expiring(endings: Iterable[Ending], now: int) -> tuple[Ending, ...]:
    """Return what ends so soon that a person has to be told, soonest first."""
    due = [one for one in endings if one.days(now) < _SOONER.get(one.what, _WARN)]
    return tuple(sorted(due, key=lambda one: (one.until, one.what)))


def standings(keyring: Keyring, directory: Directory | None) -> Sequence[KeyStanding]:
    """Return every key of a keystore with what the directory says of it."""
    return [
        KeyStanding(
            key.kid,
            key.use,
            "keystore" if key.pub is None else "token",
            key.nbf,
            key.exp,
            _status(key.kid, encode_b64url(key.public), keyring.partner, directory),
        )
        for key in keyring.keys
        if key.use not in ("log", "log2")
    ]


def _status(kid: str, pub: str, partner: str, directory: Directory | None) -> KeyStatus:
    if directory is None:
        return "unknown"
    try:
        listed = next((key for key in directory.partner(partner).keys if (key.kid, key.pub) == (kid, pub)), None)
    except UnknownPartnerError:
        listed = None
    if listed is None:
        return "not enrolled"
    return "revoked" if listed.revoked_at is not None else "enrolled"


def report(found: Sequence[KeyStanding], endings: Sequence[Ending], now: int) -> tuple[dict[str, Any], str]:
    """Return keys and endings as JSON and as text."""
    due = expiring(endings, now)
    value = {
        "keys": [
            {
                "kid": one.kid,
                "use": one.use,
                "place": one.place,
                "nbf": one.nbf,
                "exp": one.exp,
                "days": (one.exp - now) // DAY,
                "status": one.status,
            }
            for one in found
        ],
        "ends": [{"what": one.what, "until": one.until, "days": one.days(now)} for one in endings],
        "expiring": [one.what for one in due],
    }
    lines = [f"{'key':24} {'use':6} {'in':9} {'from':11} {'until':11} {'days':>5}  directory"]
    lines += [
        f"{one.kid:24} {one.use:6} {one.place:9} {_day(one.nbf):11} {_day(one.exp):11} {(one.exp - now) // DAY:5}"
        f"  {one.status}"
        for one in found
    ]
    lines += [f"{one.what}: {one.days(now)} days" for one in endings if one.what not in ("sign", "sign2", "open")]
    lines += [f"Renew in time: {one.what} ends in {one.days(now)} days." for one in due]
    return value, "\n".join(lines)


def _day(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")
