"""The hub as a stranger, a partner and an attacker find it: its real application and store, asked over real HTTP.

Not for: what policy decides, which is scripted here, nor the connector's own client (`tests/unit/test_kit_client.py`).
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest

from hub.broker.ports import MailMark
from hub.protocol.directory import Directory
from hub.protocol.encoding import decode_b64url, encode_b64url, lp
from hub.protocol.envelope import MAX_SUBMISSION, parse_copy
from hub.protocol.errors import (
    BusyError,
    ClockError,
    ContentCodingError,
    ForbiddenError,
    LoginKeyError,
    NotFoundError,
    NotReadyError,
    OperationError,
    PartnerSuspendedError,
    ReplayedProofError,
    ReplayError,
    RequestError,
    StoreError,
    TokenExpiredError,
    TokenKeyError,
    TooLargeError,
    UnauthenticatedError,
    UnknownPartnerError,
    ValiseError,
    WrongBodyError,
    WrongOriginatorError,
)
from hub.protocol.interface import AudienceQuestion, Collected, DeliveryProof, HubFacts, Matrix
from hub.protocol.manifest import parse_manifest
from hub.protocol.operation import sign_operation
from hub.protocol.session import PROOF_WINDOW, TOKEN_LIFETIME, SessionKey
from hub.protocol.strictjson import parse_json, write_json
from hub.protocol.vocabulary import Label
from hub.protocol.wire import parse_wire, write_wire
from hub.tlog.checkpoint import verify_checkpoint
from hub.tlog.note import parse_key
from hub.tlog.witness import check_growth
from tests.support.agency import ScriptedSet, with_partner
from tests.support.exchange import (
    FEDERATION,
    HUB,
    NOW,
    accept_in,
    message_id,
    operation,
    receipt,
    seal_warning,
    signer_of,
)
from tests.support.line import MAILBOX, MESSAGES, Hub, mail_in, mh_of, running_hub, script_policy

NOBODY: Final = "A" * 43


@pytest.fixture
async def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hub]:
    script_policy(monkeypatch)
    (tmp_path / "metadata").mkdir()
    (tmp_path / "metadata" / "1.root.json").write_bytes(b"published")
    (tmp_path / "secret.json").write_bytes(b"not published")
    async with running_hub(tmp_path) as running:
        yield running


# --- messages --------------------------------------------------------------------------------------------------------


async def test_submitting_again_changes_nothing(hub: Hub) -> None:
    customs, frame = await hub.line(), hub.frame()
    answers = [await customs.ask("POST", MESSAGES, frame) for _ in range(3)]
    answers += await asyncio.gather(*(customs.ask("POST", MESSAGES, frame) for _ in range(4)))
    assert {answer.status for answer in answers} == {201}
    assert len({answer.body for answer in answers}) == 1
    accept = accept_in(hub.directory, answers[0].body)
    assert (accept.mh, accept.seq, accept.after) == (mh_of(frame), 1, None)
    assert await hub.store.log_size() == 2, "one accept and one decision"
    assert len(mail_in(await (await hub.line("de-customs")).ask("GET", MAILBOX))) == 1


async def test_what_is_refused_leaves_nothing_behind(hub: Hub) -> None:
    customs = await hub.line()
    await customs.ask("POST", MESSAGES, hub.frame())
    (await customs.ask("POST", MESSAGES, hub.frame(2, jti=message_id(1)))).check_problem(ReplayError, 409)
    another = await hub.line("de-police")
    assert (await another.ask("POST", MESSAGES, hub.frame(3))).status == 422, "nobody uploads for another"
    for junk in (b"", b"junk", lp(b"{}"), lp(b"[" * 10_000), hub.frame(4)[:-1], hub.frame(4) + b"x"):
        assert (await customs.ask("POST", MESSAGES, junk)).status == 422
    assert await hub.store.log_size() == 2


async def test_too_large_is_refused_without_reading_it_all(hub: Hub) -> None:
    customs = await hub.line()
    body = bytes(MAX_SUBMISSION + 1)
    (await customs.ask("POST", MESSAGES, body)).check_problem(TooLargeError, 413)
    (await customs.send("POST", "/v1/session", bytes(20_000), {})).check_problem(TooLargeError, 413)


async def test_another_partners_message_looks_like_none(hub: Hub) -> None:
    customs, stranger, frame = await hub.line(), await hub.line("de-police"), hub.frame()
    await customs.ask("POST", MESSAGES, frame)
    mh = mh_of(frame)
    assert (await customs.ask("GET", f"{MESSAGES}/{mh}/matrix")).status == 200
    for path in ("{}/matrix", "{}/proof/de-customs", "{}/proof/de-police"):
        real, invented = [await stranger.ask("GET", f"{MESSAGES}/{path.format(name)}") for name in (mh, NOBODY)]
        real.check_problem(NotFoundError, 404)
        assert (real.body, real.status) == (invented.body, invented.status)
    text = receipt(hub.directory, mh, iss="de-police").jws.encode()
    (await stranger.ask("POST", "/v1/receipts", text)).check_problem(NotFoundError, 404)
    assert mail_in(await stranger.ask("GET", MAILBOX)) == []
    assert parse_json((await stranger.ask("GET", MESSAGES)).body) == {"messages": [], "next": None}


async def test_the_matrix_tells_how_far_each_copy_came(hub: Hub) -> None:
    customs, other = await hub.line(), await hub.line("de-customs")
    hub.policies = ScriptedSet(deny={"de-police": frozenset(Label), "rilo-we": frozenset({Label.NARRATIVE})})
    to: dict[str, list[int]] = {"de-customs": [0, 1], "de-police": [0], "rilo-we": [0, 1]}
    frame = seal_warning(hub.directory, to=to, seq=1)
    mh = mh_of(frame)
    await customs.ask("POST", MESSAGES, frame)

    async def rows() -> dict[str, tuple[str, tuple[str, ...]]]:
        matrix = parse_wire(Matrix, (await customs.ask("GET", f"{MESSAGES}/{mh}/matrix")).body)
        return {row.to: (row.state, row.released) for row in matrix.rows}

    assert await rows() == {
        "de-customs": ("waiting", ("c0", "c1")),
        "de-police": ("withheld", ()),
        "rilo-we": ("waiting", ("c0",)),
    }
    (seq, _, _) = mail_in(await other.ask("GET", MAILBOX))[0]
    assert (await other.ask("POST", f"{MAILBOX}/collected", write_wire(Collected(seqs=(seq,))))).status == 204
    assert (await rows())["de-customs"][0] == "collected"
    signed = receipt(hub.directory, mh, iss="de-customs").jws.encode()
    for _ in range(2):
        assert (await other.ask("POST", "/v1/receipts", signed)).status == 204
    assert (await rows())["de-customs"][0] == "opened"
    assert [kind for _, kind, _ in mail_in(await customs.ask("GET", MAILBOX))] == ["receipt"]
    (await customs.ask("POST", "/v1/receipts", signed)).check_problem(WrongOriginatorError, 422)


async def test_a_delivery_is_proven_to_its_two_ends(hub: Hub) -> None:
    customs, other, frame = await hub.line(), await hub.line("de-customs"), hub.frame()
    await customs.ask("POST", MESSAGES, frame)
    for line in (customs, other):
        answer = await line.ask("GET", f"{MESSAGES}/{mh_of(frame)}/proof/de-customs")
        proof = parse_wire(DeliveryProof, answer.body)
        checkpoint = verify_checkpoint(proof.checkpoint, [parse_key(key) for key in _log_keys(hub.directory)])
        assert (proof.accept.index, proof.decision.index, checkpoint.size) == (0, 1, 2)


def _log_keys(directory: Directory) -> tuple[str, ...]:
    return directory.partner(HUB).log_keys


# --- the mailbox -----------------------------------------------------------------------------------------------------


async def test_a_copy_is_handed_out_until_it_is_confirmed(hub: Hub) -> None:
    customs, other, frame = await hub.line(), await hub.line("de-customs"), hub.frame()
    await customs.ask("POST", MESSAGES, frame)
    first, again = [mail_in(await other.ask("GET", MAILBOX)) for _ in range(2)]
    assert first == again
    ((seq, kind, data),) = first
    assert kind == "copy"
    assert parse_manifest(parse_copy(data).head.m)[1].digest == mh_of(frame)
    others = write_wire(Collected(seqs=(seq,)))
    assert (await customs.ask("POST", f"{MAILBOX}/collected", others)).status == 204, "its own mailbox, which is empty"
    assert mail_in(await other.ask("GET", MAILBOX)) == first
    for _ in range(2):
        assert (await other.ask("POST", f"{MAILBOX}/collected", others)).status == 204
        assert mail_in(await other.ask("GET", MAILBOX)) == []


async def test_a_long_poll_wakes_when_something_comes(hub: Hub) -> None:
    customs, other, frame = await hub.line(), await hub.line("de-customs"), hub.frame()
    waits = asyncio.Event()
    wait = hub.store.wait

    async def announced(partner: str, *, seconds: float, after: MailMark) -> None:
        waits.set()
        await wait(partner, seconds=seconds, after=after)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hub.store, "wait", announced)
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            poll = group.create_task(other.ask("GET", f"{MAILBOX}?wait=30"))
            await waits.wait()
            assert not poll.done()
            await customs.ask("POST", MESSAGES, frame)
    assert len(mail_in(poll.result())) == 1


# --- who is on the line ----------------------------------------------------------------------------------------------


async def test_a_request_without_a_session_is_refused(hub: Hub) -> None:
    line = await hub.line()
    proof = line.prove("GET", MAILBOX, token=line.token)
    stranger = SessionKey()
    stolen = stranger.prove(method="GET", url=hub.url + MAILBOX, body=b"", token=line.token, now=NOW)
    for headers in (
        {},
        {"DPoP": proof},
        {"Authorization": f"DPoP {line.token}"},
        {"Authorization": f"Bearer {line.token}", "DPoP": proof},
        {"Authorization": f"DPoP {line.token[:-2]}xx", "DPoP": proof},
        {"Authorization": f"DPoP {line.token}", "DPoP": "x.y.z"},
        {"Authorization": f"DPoP {line.token}", "DPoP": "x" * 5_000},
    ):
        answer = await line.send("GET", MAILBOX, b"", headers)
        answer.check_problem(UnauthenticatedError, 401)
        assert answer.headers["WWW-Authenticate"] == "DPoP"
    answer = await line.send("GET", MAILBOX, b"", {"Authorization": f"DPoP {line.token}", "DPoP": stolen})
    answer.check_problem(TokenKeyError, 401)


async def test_a_proof_is_for_one_request(hub: Hub) -> None:
    line = await hub.line()
    used = line.headers("GET", MAILBOX)
    assert (await line.send("GET", MAILBOX, b"", used)).status == 200
    (await line.send("GET", MAILBOX, b"", used)).check_problem(ReplayedProofError, 401)
    for method, path, body in (
        ("GET", MESSAGES, b""),
        ("POST", MESSAGES, b""),
        ("POST", f"{MAILBOX}/collected", b'{"seqs":[1]}'),
    ):
        for headers, error in (
            (line.headers("GET" if method == "POST" else "POST", path, body), UnauthenticatedError),
            (line.headers(method, path + "/x", body), UnauthenticatedError),
            (line.headers(method, path, body + b" "), WrongBodyError),
        ):
            (await line.send(method, path, body, headers)).check_problem(error, 401)


async def test_a_proof_and_a_token_have_their_time(hub: Hub) -> None:
    line = await hub.line()
    for age in (-PROOF_WINDOW - 1, PROOF_WINDOW + 1):
        line.now = NOW + age
        answer = await line.ask("GET", MAILBOX)
        answer.check_problem(ClockError, 401)
        assert answer.headers["Valise-Time"] == str(NOW), "so that the agency learns by how much"
    hub.now = line.now = NOW + TOKEN_LIFETIME - 1
    assert (await line.ask("GET", MAILBOX)).status == 200
    hub.now = line.now = NOW + TOKEN_LIFETIME
    (await line.ask("GET", MAILBOX)).check_problem(TokenExpiredError, 401)


async def test_a_login_is_believed_as_a_whole_or_not_at_all(hub: Hub) -> None:
    line = await hub.line(log_in=False)
    changes: list[tuple[dict[str, Any], type[ValiseError]]] = [
        ({"federation": "another"}, UnauthenticatedError),
        ({"hub": "zz-hub"}, UnauthenticatedError),
        ({"partner": "de-customs"}, UnauthenticatedError),
        ({"partner": "xx-nobody"}, UnauthenticatedError),
        ({"now": NOW - PROOF_WINDOW - 1}, ClockError),
        ({"thumbprint": SessionKey().thumbprint}, TokenKeyError),
        ({"signer": signer_of("de-customs")}, UnauthenticatedError),
    ]
    for change, error in changes:
        (await line.log_in(**change)).check_problem(error, 401)
    for body in (b"", b"{}", b"[" * 9_000, b'{"assertion":1}', b'{"assertion":"a.b.c"}'):
        proof = line.prove("POST", "/v1/session", body, token=None)
        answer = await line.send("POST", "/v1/session", body, {"DPoP": proof})
        assert answer.status in {401, 422}, body[:20]
    assert (await line.log_in()).status == 200


@pytest.mark.parametrize("part", [0, 1])
async def test_a_hostile_proof_is_refused_and_not_an_accident(hub: Hub, part: int) -> None:
    """What PyJWT reads before it checks anything: deep nesting, wrong types, half a surrogate pair."""
    line = await hub.line()
    honest = line.prove("GET", MAILBOX, token=line.token)
    for hostile in (
        b"[" * 2_900,
        b'{"typ":"dpop+jwt","jwk":' + b'{"a":' * 400 + b"1" + b"}" * 400 + b"}",
        b'{"typ":"dpop+jwt","alg":"EdDSA","jwk":{"kty":"OKP","crv":"Ed25519","x":5}}',
        b'{"typ":"dpop+jwt","alg":"EdDSA","jwk":{"kty":null,"crv":[],"x":{}}}',
        b'{"typ":"dpop+jwt","alg":[],"jwk":{"kty":"OKP","crv":"Ed25519","x":""}}',
        b'{"typ":"dpop+jwt","alg":"none","jwk":{"kty":"OKP","crv":"Ed25519","x":"AA"}}',
        b'{"jti":1,"htm":[],"htu":{},"iat":"x","bh":null}',
        b"null",
        b'"\\ud800"',
        b"\xff\xfe",
        b"9" * 2_900,
    ):
        pieces = honest.split(".")
        pieces[part] = encode_b64url(hostile)
        for name in ("DPoP", "Authorization"):
            headers = line.headers("GET", MAILBOX)
            headers[name] = ("DPoP " if name == "Authorization" else "") + ".".join(pieces)
            (await line.send("GET", MAILBOX, b"", headers)).check_problem(UnauthenticatedError, 401)


async def test_a_compressed_body_is_refused_and_never_unpacked(hub: Hub) -> None:
    line = await hub.line()
    headers = line.headers("POST", MESSAGES, b"not gzip") | {"Content-Encoding": "gzip"}
    (await line.send("POST", MESSAGES, b"not gzip", headers)).check_problem(ContentCodingError, 415)


async def test_the_directory_suspends_at_once(hub: Hub) -> None:
    line = await hub.line("de-customs")
    assert (await line.ask("GET", MAILBOX)).status == 200
    hub.directory = with_partner(hub.directory, "de-customs", status="suspended")
    (await line.ask("GET", MAILBOX)).check_problem(PartnerSuspendedError, 403)
    (await line.log_in()).check_problem(PartnerSuspendedError, 403)


async def test_a_revoked_key_logs_nobody_in(hub: Hub) -> None:
    line = await hub.line(log_in=False)
    first, *others = hub.directory.partner("fr-customs").keys
    gone = first.model_copy(update={"status": "revoked", "revoked_at": NOW})
    hub.directory = with_partner(hub.directory, "fr-customs", keys=(gone, *others))
    (await line.log_in()).check_problem(LoginKeyError, 401)


# --- groups and questions --------------------------------------------------------------------------------------------


async def test_groups_are_for_those_who_may(hub: Hub) -> None:
    bureau, customs = await hub.line("int-bureau"), await hub.line()
    opened = operation(hub.directory)
    (
        await customs.ask(
            "POST",
            "/v1/operations",
            sign_operation(opened.operation.model_copy(update={"iss": "fr-customs"}), signer_of("fr-customs")).encode(),
        )
    ).check_problem(ForbiddenError, 403)
    for _ in range(2):
        assert (await bureau.ask("POST", "/v1/operations", opened.jws.encode())).status == 201
    other = operation(hub.directory, title="Another under the same name")
    (await bureau.ask("POST", "/v1/operations", other.jws.encode())).check_problem(ReplayError, 409)
    assert parse_json((await customs.ask("GET", "/v1/operations")).body) == {"operations": [opened.jws], "next": None}
    frame = hub.frame(op="op-nowhere")
    (await customs.ask("POST", MESSAGES, frame)).check_problem(OperationError, 422)


async def test_a_malformed_question_is_refused(hub: Hub) -> None:
    line = await hub.line()
    outline = {
        "mt": "warning",
        "verb": "alert",
        "status": "exercise",
        "marks": {"tlp": "AMBER"},
        "purpose": "customs-control",
        "offence": "drugs",
        "basis": "cmaa",
        "pri": "routine",
        "topics": [],
        "op": None,
        "labels": ["action"],
    }
    question = {"outline": outline, "to": ["de-customs"], "irt": None, "operation": False, "subscribers": False}
    parse_wire(AudienceQuestion, write_json(question))
    assert (await line.ask("POST", "/v1/audience", write_json(question))).status == 200
    for wrong in ({**question, "to": ["DE"]}, {**question, "extra": 1}, {}, {**question, "outline": {}}):
        (await line.ask("POST", "/v1/audience", write_json(wrong))).check_problem(RequestError, 400)
    unknown = write_json({**question, "to": ["xx-nobody"]})
    (await line.ask("POST", "/v1/audience", unknown)).check_problem(UnknownPartnerError, 422)
    for path in (f"{MAILBOX}?wait=-1", f"{MAILBOX}?wait=x", f"{MAILBOX}?limit=65", f"{MESSAGES}?limit=501"):
        (await line.ask("GET", path)).check_problem(RequestError, 400)


# --- what anybody may read -------------------------------------------------------------------------------------------


async def test_anybody_learns_whether_the_hub_is_up(hub: Hub) -> None:
    stranger = await hub.line(log_in=False)
    alive, ready = [await stranger.send("GET", path, b"", {}) for path in ("/livez", "/readyz")]
    assert (alive.status, alive.body) == (200, b"live\n")
    assert (ready.status, parse_json(ready.body)) == (200, {"ready": True, "warnings": []})
    facts = parse_wire(HubFacts, (await stranger.send("GET", "/v1/hub", b"", {})).body)
    assert (facts.hub, facts.federation, facts.time) == (HUB, FEDERATION, NOW)


@pytest.mark.parametrize("error", [StoreError, BusyError])
async def test_a_hub_that_cannot_store_is_alive_and_not_ready(
    hub: Hub, error: type[ValiseError], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail() -> int:
        raise error("/secret/path of the disk")

    monkeypatch.setattr(hub.store, "log_size", fail)
    stranger = await hub.line(log_in=False)
    answer = await stranger.send("GET", "/readyz", b"", {})
    reasons = [{"code": error.code, "text": error.sentence}]
    said = parse_json(answer.body)
    assert (answer.status, said["code"], said["reasons"]) == (503, NotReadyError.code, reasons)
    assert (await stranger.send("GET", "/livez", b"", {})).status == 200


async def test_the_log_shows_its_growth(hub: Hub) -> None:
    customs, keys = await hub.line(), [parse_key(key) for key in _log_keys(hub.directory)]

    async def read(path: str) -> bytes:
        answer = await customs.send("GET", f"/v1/log/{path}", b"", {})
        assert answer.status == 200
        return answer.body

    await customs.ask("POST", MESSAGES, hub.frame())
    before = verify_checkpoint((await read("checkpoint")).decode(), keys)
    assert (await read("checkpoint")).decode() == (await read("checkpoint")).decode()
    await customs.ask("POST", MESSAGES, hub.frame(2))
    after = verify_checkpoint((await read("checkpoint")).decode(), keys)
    path = parse_json(await read(f"consistency?old={before.size}&new={after.size}"))["path"]
    check_growth(before, after, [decode_b64url(node) for node in path])
    assert (before.size, after.size) == (2, 4)
    hashes = await read(f"tile/0/000.p/{after.size}")
    assert len(hashes) == 32 * after.size
    assert b"fr-customs" not in await read(f"tile/entries/000.p/{after.size}"), "commitments, no openings"
    for wrong in ("consistency", "consistency?old=1", "consistency?old=x&new=2", f"consistency?old=1&new={'9' * 17}"):
        (await customs.send("GET", f"/v1/log/{wrong}", b"", {})).check_problem(RequestError, 400)
    for wrong in ("consistency?old=3&new=2", "consistency?old=1&new=5", "tile/0/000", "tile/0/x", "tile/9/000.p/1"):
        assert (await customs.send("GET", f"/v1/log/{wrong}", b"", {})).status in {400, 404, 422}, wrong


async def test_only_what_is_published_is_published(hub: Hub) -> None:
    stranger = await hub.line(log_in=False)
    assert (await stranger.send("GET", "/v1/directory/metadata/1.root.json", b"", {})).body == b"published"
    for path in ("secret.json", "metadata/../secret.json", "metadata/%2e%2e/secret.json", "hub.sqlite", "metadata", ""):
        (await stranger.send("GET", f"/v1/directory/{path}", b"", {})).check_problem(NotFoundError, 404)


async def test_what_is_not_there_is_a_problem_too(hub: Hub) -> None:
    stranger = await hub.line(log_in=False)
    (await stranger.send("GET", "/admin", b"", {})).check_problem(NotFoundError, 404)
    answer = await stranger.send("DELETE", MESSAGES, b"", {})
    answer.check_problem(RequestError, 405)
    assert answer.headers["Allow"] == "GET,POST"
