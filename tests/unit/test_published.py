"""A published policy set is believed only under the name of its own files."""

import pytest

from hub.policy.sets import bundle, digest_of
from hub.protocol.errors import PolicySetError
from hub.verify.published import load_published
from hub.verify.trust import PolicyBundle
from tests.support.exercise import policy_files


def test_a_set_is_loaded_under_its_own_name() -> None:
    files = policy_files()
    loaded = load_published(PolicyBundle(digest_of(files), 1, bundle(files)))
    assert loaded.digest == digest_of(files)


def test_a_set_under_another_name_is_refused() -> None:
    with pytest.raises(PolicySetError, match="published as"):
        load_published(PolicyBundle("0" * 64, 1, bundle(policy_files())))


def test_what_is_no_bundle_is_refused() -> None:
    with pytest.raises(PolicySetError):
        load_published(PolicyBundle("0" * 64, 1, b"[]"))
