"""Evidence of a real delivery: what it proves, that no server is needed to check it, and that no part can change."""

import copy
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from connectors.kit.agency import Agency
from connectors.kit.evidence import make_evidence
from connectors.kit.send import Sent
from hub.authority.exchange import RegistryOffice
from hub.policy.facts import MessageFacts
from hub.policy.from_message import message_facts
from hub.protocol.encoding import decode_b64url, encode_b64url
from hub.protocol.errors import (
    BadSignatureError,
    EvidenceAnchorError,
    EvidenceFormatError,
    EvidenceMismatchError,
    KeyNotValidError,
    NotFoundError,
    ValiseError,
)
from hub.protocol.strictjson import parse_json, write_json
from hub.verify.evidence import MAX_EVIDENCE, verify_evidence
from hub.verify.findings import describe
from tests.support.agency import warning_draft
from tests.support.exercise import Exercise
from tests.support.office import PASSPHRASE

WORD = SecretStr(PASSPHRASE)
TO = ("de-customs", "de-police")


@pytest.fixture
async def evidence(folders: dict[str, Path], exercise: Exercise) -> bytes:
    """The evidence that de-customs opened a warning of fr-customs."""
    async with Agency.open(folders["fr-customs"], passphrase=WORD) as customs:
        sent = await _send(customs)
        async with Agency.open(folders["de-customs"], passphrase=WORD) as other:
            assert (await other.receive_once()).opened == (sent.mh,)
        data, _ = await make_evidence(customs.connector, sent.mh, "de-customs", anchor=exercise.anchor)
        unsigned, verified = await make_evidence(customs.connector, sent.mh, "de-police", anchor=exercise.anchor)
        assert verified.receipt is None
        assert "there is no receipt" in describe(verified).does_not_prove[0]
        assert len(unsigned) < MAX_EVIDENCE
        with pytest.raises(NotFoundError):
            await make_evidence(customs.connector, sent.mh, "int-bureau", anchor=exercise.anchor)
    return data


async def _send(customs: Agency) -> Sent:
    now = int(time.time())
    await customs.open_operation(
        "exercise-lantern",
        title="Exercise Lantern",
        members=["fr-customs", *TO],
        opens=now - 60,
        closes=now + 86_400,
        exercise=True,
    )
    return await customs.send(warning_draft(operation="exercise-lantern"), to=TO)


async def test_it_says_what_it_proves(evidence: bytes, exercise: Exercise) -> None:
    verified = verify_evidence(evidence, exercise.anchor)
    said = " ".join(describe(verified).proves)
    assert "signed this warning (status: exercise)" in said
    assert "received it, opened it and signed for it" in said
    assert "bit for bit" in said
    assert verified.verdict is not None
    assert verified.verdict.to == "de-customs"


async def test_it_holds_no_content(evidence: bytes) -> None:
    assert b"Invented for an exercise" not in evidence
    assert b"CSQU3054383" not in evidence


async def test_no_part_of_it_can_change(evidence: bytes, exercise: Exercise) -> None:
    """Every leaf of the file, changed by one step, is refused - but the time of making, which proves nothing."""
    anchor, file = exercise.anchor, parse_json(evidence)
    changed = 0
    for path in _leaves(file):
        if path == ("made_at",):
            continue
        forged = copy.deepcopy(file)
        _change(forged, path)
        with pytest.raises(ValiseError):
            verify_evidence(write_json(forged), anchor)
        changed += 1
    assert changed > 50


async def test_the_originators_date_cannot_change(evidence: bytes, exercise: Exercise) -> None:
    file = parse_json(evidence)
    header, payload, signature = file["manifest"].split(".")
    signed = bytearray(decode_b64url(payload))
    signed[signed.index(b'"exp":') - 2] ^= 1
    file["manifest"] = f"{header}.{encode_b64url(bytes(signed))}.{signature}"
    with pytest.raises((BadSignatureError, KeyNotValidError)):  # a second earlier, the key was not made yet
        verify_evidence(write_json(file), exercise.anchor)


async def test_parts_of_two_deliveries_do_not_mix(evidence: bytes, exercise: Exercise) -> None:
    file = parse_json(evidence)
    file["proof"]["receipt"], file["proof"]["accept"] = file["proof"]["accept"], file["proof"]["accept"]
    with pytest.raises(ValiseError):
        verify_evidence(write_json(file), exercise.anchor)
    file = parse_json(evidence)
    file["proof"]["to"] = "de-police"
    with pytest.raises(EvidenceMismatchError):
        verify_evidence(write_json(file), exercise.anchor)


async def test_a_decision_on_the_facts_of_another_message_proves_nothing(
    folders: dict[str, Path], exercise: Exercise, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hub that writes down other facts than the manifest has can be recomputed bit for bit, and lies."""

    def other_facts(*given: Any) -> MessageFacts:
        facts = message_facts(*given)
        return facts.model_copy(update={"retain": facts.retain - 1})

    monkeypatch.setattr("hub.broker.submit.message_facts", other_facts)
    async with Agency.open(folders["fr-customs"], passphrase=WORD) as customs:
        sent = await _send(customs)
        with pytest.raises(EvidenceMismatchError, match="facts of another message"):
            await make_evidence(customs.connector, sent.mh, "de-customs", anchor=exercise.anchor)


async def test_another_exchanges_anchor_is_refused(evidence: bytes, tmp_path: Path) -> None:
    other = RegistryOffice.found(
        tmp_path / "other", lambda _: PASSPHRASE, federation="other", countries=["FR"], now=int(time.time())
    )
    with pytest.raises(EvidenceAnchorError):
        verify_evidence(evidence, other.anchor)


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"v":2}', b"\xff", b"x" * (MAX_EVIDENCE + 1)])
async def test_what_is_no_evidence_is_told_so(data: bytes) -> None:
    with pytest.raises(EvidenceFormatError):
        verify_evidence(data, b"{}")


def _leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(inner, (*path, name))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _leaves(inner, (*path, place))
    else:
        yield path


def _change(file: Any, path: tuple[Any, ...]) -> None:
    for step in path[:-1]:
        file = file[step]
    value = file[path[-1]]
    if isinstance(value, str) and value:
        middle = len(value) // 2
        file[path[-1]] = value[:middle] + ("A" if value[middle] != "A" else "B") + value[middle + 1 :]
    elif isinstance(value, int):
        file[path[-1]] = value + 1
    else:
        file[path[-1]] = "A"
