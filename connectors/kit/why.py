"""Why has X not got it: us or them? One closed list of reasons, each with its side and a sentence.

A reason is found from our own outbox first, then from the hub's matrix with every signature checked, then from the
directory. Not for: how far a copy came where nothing is wrong (`matrix.py`). User's view in `docs/trips/why.md`.
"""

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from connectors.kit.connector import Connector
from connectors.kit.matrix import CheckedRow, checked_matrix
from connectors.kit.outbox import OutboxEntry
from hub.protocol.directory import Directory
from hub.protocol.errors import NoAddresseeKeyError, NotFoundError, UnknownPartnerError


class Side(StrEnum):
    """Who has to do something."""

    OURS = "ours"
    HUBS = "hub's"
    THEIRS = "theirs"
    BETWEEN = "between us"
    NOBODY = "nobody"


_SENTENCES: Final = MappingProxyType(
    {
        "not-uploaded": (Side.OURS, "It lies in our outbox: the hub has not taken it yet."),
        "given-up": (Side.OURS, "We gave it up before it was sealed; correct it and send it again."),
        "refused-by-hub": (Side.OURS, "The hub refused the message; correct it and send it again."),
        "not-addressed": (Side.OURS, "The message was not addressed to this partner."),
        "unknown-partner": (Side.OURS, "The directory knows no partner of this code."),
        "suspended": (Side.THEIRS, "The partner is suspended in the directory."),
        "no-valid-key": (Side.THEIRS, "The partner has no valid key to seal to; it must publish one."),
        "withheld-by-our-rules": (Side.OURS, "Our own rules do not let any of it go to this partner."),
        "withheld-by-their-rules": (Side.THEIRS, "The partner's rules do not take it, or it cannot do what is owed."),
        "withheld-by-agreement": (Side.BETWEEN, "No agreement in force covers it."),
        "withheld-by-exchange": (Side.HUBS, "A rule of the exchange forbids it, or could not be evaluated."),
        "not-wrapped": (Side.OURS, "We did not seal any of it to this partner."),
        "waiting-not-collected": (Side.THEIRS, "It waits at the hub; the partner's connector has not collected it."),
        "collected-no-receipt": (Side.THEIRS, "The partner's connector has it and has not said whether it opened."),
        "refused-by-addressee": (Side.THEIRS, "The partner's connector refused it: what came did not hold."),
        "expired-undelivered": (Side.THEIRS, "Nobody collected it before it expired; the hub destroyed it, on record."),
        "has-it": (Side.NOBODY, "The partner has it: it signed that it opened it."),
    }
)
_WITHHELD: Final = MappingProxyType(
    {
        "policy/not-permitted": "withheld-by-our-rules",
        "policy/not-accepted": "withheld-by-their-rules",
        "policy/duty": "withheld-by-their-rules",
        "policy/no-agreement": "withheld-by-agreement",
        "originator/not-wrapped": "not-wrapped",
    }
)
CODES: Final = frozenset(_SENTENCES)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why somebody has not got a message: the code, whose turn it is, the sentence.

    `detail` says more: a wire code, the rules that withheld. `at` is since when (Unix seconds), or None; for what
    waits it is when the partner's connector was last at the hub, to the hour.
    """

    code: str
    detail: str = ""
    at: int | None = None

    @property
    def side(self) -> Side:
        """Who has to do something."""
        return _SENTENCES[self.code][0]

    @property
    def sentence(self) -> str:
        """What a person reads."""
        return _SENTENCES[self.code][1]


async def why_not(connector: Connector, mh: str, partner: str) -> Reason:
    """Return why a partner has not got an own message, or that it has it.

    Args:
        connector: this agency.
        mh: the message's digest, or the identifier under which it was handed over.
        partner: whose copy it is about.

    Raises:
        NotFoundError: this agency sent no such message.
        AnswerError, ExchangeError, StaleDirectoryError: as `checked_matrix`.
    """
    entry = await _own(connector, mh)
    if entry.state != "accepted" or entry.mh is None:
        return _ours(entry, partner, connector.directory, now=connector.clock())
    rows = {one.row.to: one for one in await checked_matrix(connector, entry.mh)}
    if partner in rows:
        return _theirs(rows[partner], connector.directory, now=connector.clock())
    return _unable(partner, connector.directory, now=connector.clock()) or Reason("not-addressed")


async def _own(connector: Connector, name: str) -> OutboxEntry:
    try:
        return await connector.outbox.message(name)
    except NotFoundError:
        return await connector.outbox.entry(name)


def _ours(entry: OutboxEntry, partner: str, directory: Directory, *, now: int) -> Reason:
    """The message has not reached the hub's record."""
    if entry.state == "refused":
        unable = _unable(partner, directory, now=now) if entry.code == NoAddresseeKeyError.code else None
        code = "refused-by-hub" if entry.mh is not None else "given-up"
        return unable or Reason(code, entry.code or "")
    since = entry.handed_at if entry.tried_at is None else entry.tried_at
    return Reason("not-uploaded", entry.code or "", since)


def _unable(partner: str, directory: Directory, *, now: int) -> Reason | None:
    """Return why nothing can be sealed to a partner, or None."""
    try:
        record = directory.partner(partner)
        if record.status != "active":
            return Reason("suspended")
        directory.opening_key(partner, at=now)
    except UnknownPartnerError:
        return Reason("unknown-partner")
    except NoAddresseeKeyError:
        return Reason("no-valid-key")
    return None


def _theirs(checked: CheckedRow, directory: Directory, *, now: int) -> Reason:
    reason = reason_of_row(checked)
    if reason.side is Side.THEIRS and reason.code != "expired-undelivered":
        unable = _unable(checked.row.to, directory, now=now)
        if unable is not None and unable.code == "suspended":
            return unable
    return reason


def reason_of_row(checked: CheckedRow) -> Reason:
    """Return what a row of the matrix says about why its addressee has not got the message, or that it has it."""
    row = checked.row
    if row.state == "withheld":
        first = row.withheld[0] if row.withheld else None
        code = _WITHHELD.get(first.reason if first else "", "withheld-by-exchange")
        return Reason(code, ", ".join(first.rules) or first.near_miss if first else "")
    if row.state == "waiting":
        return Reason("waiting-not-collected", at=row.seen)
    if row.state == "expired":
        return Reason("expired-undelivered", at=checked.expiry.iat if checked.expiry else None)
    if row.state == "collected":
        return Reason("collected-no-receipt", at=row.collected_at)
    if row.state == "refused":
        refused = checked.receipts[0].receipt
        return Reason("refused-by-addressee", refused.error or "", refused.iat)
    return Reason("has-it", at=checked.at("opened"))
