"""Checks of what is believed: the directory's days, this partner's standing in it, the policy set in force.

Not for: believing (`hub/verify/trust.py`). User's page: `docs/how-to/run-a-hub.md`.
"""

from collections.abc import Iterator
from typing import Final

from hub.host.findings import Finding, fail, fine, warn
from hub.protocol.errors import UnknownPartnerError
from hub.protocol.keyring import DAY, Keyring
from hub.verify.published import load_published
from hub.verify.trust import TrustedDirectory

_DIRECTORY_WARN: Final = 2 * DAY  # seconds; the timestamp lives seven days and is renewed daily
_SHOWN: Final = 16  # characters of a digest, enough to compare


def check_directory(trusted: TrustedDirectory, *, now: int) -> Iterator[Finding]:
    """Check for how long the directory is in force, and that nothing of it was left out."""
    days = (trusted.expires - now) / DAY
    text = f"version {trusted.directory.version}, {len(trusted.directory.partners())} partners, for {days:.1f} days"
    if trusted.expires - now < _DIRECTORY_WARN:
        yield warn("directory", text, "Have the registry office run `valise exchange renew`, daily.")
    else:
        yield fine("directory", text)
    for one in trusted.left_out:
        text = f"{one.path or one.role} was left out: {one.code}"
        yield warn("directory", text, f"Tell the holder of the role {one.role} to sign it again.")


def check_standing(trusted: TrustedDirectory, keyring: Keyring) -> Iterator[Finding]:
    """Check that this partner is in the directory, is active, and that the keys in it are those that we hold."""
    remedy = "Have this partner enrolled by the registry office (docs/how-to/enrol-a-partner.md)."
    try:
        record = trusted.directory.partner(keyring.partner)
    except UnknownPartnerError:
        yield fail("standing", f"{keyring.partner} is not in the directory", remedy)
        return
    if record.status != "active":
        yield fail("standing", f"{keyring.partner} is {record.status}", "Ask the registry office why.")
    published = {(key.kid, key.pub) for key in record.keys if key.revoked_at is None}
    missing = [key.kid for key in keyring.entries() if (key.kid, key.pub) not in published]
    if missing:
        text = f"not in the directory, or revoked: {', '.join(missing)}"
        yield warn("standing", text, "Have these keys enrolled, or stop using this copy of the keystore.")
    elif record.status == "active":
        yield fine("standing", f"{keyring.partner} is active, with all its keys")


def check_policies(trusted: TrustedDirectory) -> Iterator[Finding]:
    """Check that a policy set is published and can be loaded."""
    newest = max(trusted.policies, key=lambda bundle: bundle.version, default=None)
    if newest is None:
        remedy = "Have the registry office publish one with `valise exchange policies`: nothing is released without."
        yield fail("policies", "no policy set is published", remedy)
        return
    loaded = load_published(newest)
    yield fine("policies", f"policy set {loaded.digest[:_SHOWN]}, version {newest.version}")
