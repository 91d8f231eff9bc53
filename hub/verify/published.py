"""From a published bundle to a policy set that is what its name says.

Not for: believing who published it (`trust.py`). Implements `docs/protocol/06-decisions.md` section 2.
"""

from hub.policy.sets import PolicySet, unbundle
from hub.protocol.errors import PolicySetError
from hub.verify.trust import PolicyBundle


def load_published(bundle: PolicyBundle) -> PolicySet:
    """Return the policy set of a bundle.

    Raises:
        PolicySetError: it is not one, or another than the digest that it is published under.
    """
    policies = PolicySet.load(unbundle(bundle.data))
    if policies.digest != bundle.digest:
        raise PolicySetError(f"published as {bundle.digest[:16]}, but its files are {policies.digest[:16]}")
    return policies
