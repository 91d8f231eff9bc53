"""Whatever bytes come in, the readers of the directory raise their own errors and nothing else."""

import contextlib
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.protocol.directory import parse_partner_record
from hub.protocol.enrolment import (
    answer_challenge,
    challenge_enrolment,
    fingerprint,
    request_enrolment,
    verify_enrolment,
)
from hub.protocol.errors import DirectoryError, JsonError, KeystoreError, SealError
from hub.protocol.keyring import open_keyring, seal_keyring
from hub.protocol.wire import write_wire
from hub.verify.trust import verify_directory
from tests.support.office import FAST, FEDERATION, NOW, PASSPHRASE, enrol, found_office, keys_of, published, record_for

RING: Final = keys_of("fr-customs")
RECORD: Final = record_for(RING)
REQUEST: Final = request_enrolment(RECORD, RING.signers(), federation=FEDERATION, now=NOW)
CHALLENGE, PENDING = challenge_enrolment(REQUEST, federation=FEDERATION, authority="national-fr", now=NOW)
ANSWER: Final = answer_challenge(REQUEST, CHALLENGE, RING.signers(), RING.openers())
KEYSTORE: Final = seal_keyring(RING, PASSPHRASE, cost=FAST)


@st.composite
def mutations(draw: st.DrawFn, original: bytes) -> bytes:
    """Draw any bytes, or the original with a piece of it replaced."""
    if draw(st.booleans()):
        return draw(st.binary(max_size=200))
    start = draw(st.integers(0, len(original)))
    end = draw(st.integers(start, min(len(original), start + 8)))
    piece = draw(st.binary(max_size=8) | st.sampled_from([b"null", b"-1", b"[]", b"{}", b'"', b"1e9", b"\\ud800"]))
    return original[:start] + piece + original[end:]


@given(mutations(write_wire(RECORD)))
def test_records(data: bytes) -> None:
    with contextlib.suppress(DirectoryError, JsonError):
        parse_partner_record(data)


@given(mutations(KEYSTORE))
def test_keystores(data: bytes) -> None:
    if data != KEYSTORE:
        with pytest.raises(KeystoreError):
            open_keyring(data, PASSPHRASE)


@given(mutations(REQUEST))
def test_requests(data: bytes) -> None:
    with contextlib.suppress(DirectoryError):
        fingerprint(data)
        challenge_enrolment(data, federation=FEDERATION, authority="national-fr", now=NOW)


@given(mutations(CHALLENGE))
def test_challenges(data: bytes) -> None:
    with contextlib.suppress(DirectoryError, SealError):
        answer_challenge(REQUEST, data, RING.signers(), RING.openers())


@given(mutations(ANSWER))
def test_answers(data: bytes) -> None:
    with contextlib.suppress(DirectoryError):
        verify_enrolment(REQUEST, data, PENDING, now=NOW)


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], bytes]:
    office = found_office(Path(tmp_path_factory.mktemp("office")) / "exchange")
    enrol(office, "fr-customs")
    return published(office), office.anchor


@given(st.data())
def test_published_files(exchange: tuple[dict[str, bytes], bytes], data: st.DataObject) -> None:
    """Whichever file is altered: the directory that is believed says the same, or none is believed."""
    files, anchor = exchange
    path = data.draw(st.sampled_from(sorted(files)))
    altered = {**files, path: data.draw(mutations(files[path]))}
    whole = verify_directory(files, anchor, now=NOW)
    with contextlib.suppress(DirectoryError):
        assert verify_directory(altered, anchor, now=NOW).directory.partners() == whole.directory.partners()
    with contextlib.suppress(DirectoryError):
        verify_directory(files, altered["metadata/1.root.json"], now=NOW)
