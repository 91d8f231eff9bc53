"""A made-up name travels in every compartment of every kind of message, and is found nowhere but where it is read.

Then it is offered to the hub in every place where a request can say something wrong. Searched are every answer of the
hub, its metrics, every line of every log, every backup, and every file of hub and agencies, in the plain and encoded as
our formats encode. Not for: what an officer is shown, which is the content itself.
"""

import asyncio
import base64
import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest
from aiohttp.test_utils import unused_port

from connectors.cli.status import look
from connectors.kit import line
from connectors.kit.agency import Agency
from connectors.kit.backup import back_up as back_up_agency
from connectors.kit.doctor import examine_agency
from connectors.kit.evidence import make_evidence
from hub.app import RunningHub, running_hub
from hub.backup import back_up as back_up_hub
from hub.doctor import examine_hub
from hub.host.events import EventLine
from hub.host.findings import as_text
from hub.protocol.content import parse_draft
from hub.protocol.encoding import encode_b64url, lp
from hub.protocol.errors import ContentError, NotFoundError
from hub.protocol.session import SessionKey, make_assertion
from hub.protocol.strictjson import write_json
from hub.protocol.vocabulary import LABELS_OF, Label, MessageKind
from hub.settings import HubSettings
from hub.store.fsck import examine_store as examine_hub_store
from tests.support.agency import running_world
from tests.support.exercise import HUB, OPERATION, WORD, Exercise, found_exercise
from tests.support.office import FEDERATION, PASSPHRASE

CANARY: Final = "QUILLFEATHER"
ORIGINATOR: Final = "fr-customs"
BATCHES: Final = ("/v1/messages/batch", "/v1/receipts/batch")
READERS: Final = ("de-customs", "de-police", "int-bureau", "rilo-we")
MONEY: Final = {"amount": "5", "currency": "EUR"}
PERSON: Final = {"role": "courier", "reason": CANARY, "surname": CANARY}
HEAD: Final = {
    "marks": {"tlp": "GREEN"},
    "purpose": "border-management",
    "offence": "terrorism",
    "basis": "operation-plan",
    "status": "exercise",
    "operation": OPERATION,
    "attachments": [{"fmt": "text/plain", "data": encode_b64url(CANARY.encode())}],
}
NARRATIVE: Final = {"language": "en", "text": CANARY}
CONVEYANCE: Final = {"vehicles": [{"mode": "sea", "name": CANARY}]}
ROUTE: Final = [{"role": "origin", "country": "FR", "name": CANARY}]
WARNING: Final = {
    "action": {
        "national_reference": CANARY,
        "subject": "person",
        "requested": ["information-only"],
        "grounds": CANARY,
        "contact": {"unit": CANARY, "phone": "+9995550100"},
    },
    "consignment": {"goods": [{"description": CANARY}]},
    "conveyance": CONVEYANCE,
    "identity": {"persons": [PERSON]},
    "company": {"companies": [{"name": CANARY, "role": "consignee"}]},
    "travel": {"source": "pnr", "journeys": [{"persons": [0], "route": ROUTE}]},
    "financial": {"transfers": [{"money": MONEY, "reference": CANARY}]},
    "biometrics": {"samples": [{"person": 0, "modality": "iris", "format": "png", "sample": CANARY}]},
    "narrative": NARRATIVE,
}
FEEDBACK: Final = {
    "outcome": {"code": "could-not-execute", "legal_reason": "immunity", "legal_text": CANARY},
    "observation": {"located": False, "circumstances": CANARY},
    "identity": {"persons": [PERSON]},
    "narrative": NARRATIVE,
}
SEIZURE: Final = {
    "seizure": {
        "seizure_id": CANARY,
        "at": "2027-03-06T06:10Z",
        "office": CANARY,
        "location": "FRPAR",
        "direction": "transit",
        "detection": "dog",
        "status": "detained",
        "cash": [{"instrument": "coins", "money": MONEY}],
    },
    "identity": {"persons": [PERSON]},
    "conveyance": CONVEYANCE,
    "narrative": NARRATIVE,
}
NAMELESS: Final = frozenset({Label.STATISTICS})  # figures and codes: no name can stand there


def draft(kind: str, compartments: dict[str, Any], **head: Any) -> Any:
    return parse_draft(write_json({**HEAD, "kind": kind, "compartments": compartments, **head}))


def spellings() -> Iterator[bytes]:
    """Yield the name as our formats spell it: plain, lower case, UTF-16, hex, and base64 from each of three offsets."""
    plain = CANARY.encode()
    yield from (plain, plain.lower(), CANARY.encode("utf-16-le"), plain.hex().encode())
    for offset in range(3):
        whole = base64.b64encode(bytes(offset) + plain)
        start, end = (offset * 8 + 5) // 6, (offset + len(plain)) * 8 // 6  # characters that no neighbour touches
        yield whole[start:end]


def is_in(data: bytes) -> bool:
    return any(spelling in data for spelling in spellings())


def test_the_search_finds_what_it_looks_for() -> None:
    plain = CANARY.encode()
    for hidden in (plain, plain.lower(), CANARY.encode("utf-16-le"), plain.hex().encode()):
        assert is_in(b"x" + hidden + b"y")
    for offset in range(9):
        assert is_in(encode_b64url(bytes(offset) + plain + b"y").encode())
    assert not is_in(b"nothing")


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Everything that the hub answers to the connectors."""
    heard: list[bytes] = []
    bounded = line._bounded

    async def recorded(response: aiohttp.ClientResponse, most: int) -> bytes:
        heard.append(await bounded(response, most))
        return heard[-1]

    monkeypatch.setattr(line, "_bounded", recorded)
    return heard


@pytest.fixture
async def exercise(tmp_path: Path) -> Exercise:
    return found_exercise(tmp_path)


@pytest.fixture
def admin(exercise: Exercise) -> str:
    """The address of the hub's metrics."""
    port = unused_port()
    with (exercise.hub / "hub.toml").open("a") as settings:
        settings.write(f"admin_port = {port}\n")
    return f"http://127.0.0.1:{port}"


@pytest.fixture
async def hub(exercise: Exercise, admin: str) -> AsyncIterator[RunningHub]:
    assert admin
    async with running_hub(HubSettings.read(exercise.hub / "hub.toml")) as running:
        exercise.place_agencies(running.url)
        yield running


async def check_told(admin: str) -> None:
    """Check what the hub tells its operator: metrics and readiness."""
    async with aiohttp.ClientSession() as http:
        for path in ("/metrics", "/readyz", "/livez"):
            async with http.get(admin + path) as answer:
                told = await answer.read()
            assert answer.status == 200
            assert not is_in(told), path


def check_events(caplog: pytest.LogCaptureFixture) -> None:
    """Check the lines that the programs write, in both forms."""
    for as_json in (False, True):
        lines = [EventLine(as_json=as_json).format(record) for record in caplog.records]
        assert lines
        assert [line for line in lines if is_in(line.encode())] == []


def check_backups(exercise: Exercise, agencies: Sequence[str]) -> None:
    """Back everything up, and check what is in the files and what the checks say."""
    now = int(time.time())
    hub_file = exercise.folder / "hub.backup"
    back_up_hub(exercise.hub, hub_file, now=now, with_keys=True)
    said = as_text(list(examine_hub(exercise.hub))) + as_text(list(examine_hub_store(exercise.database, None, hub=HUB)))
    for partner in agencies:
        file = exercise.folder / f"{partner}.backup"
        back_up_agency(exercise.agency(partner), file, now=now, with_keys=True)
        said += as_text(list(examine_agency(exercise.agency(partner), WORD)))
        said += write_json(look(exercise.agency(partner), now=now)).decode()
        assert not is_in(file.read_bytes()), file.name
    assert not is_in(hub_file.read_bytes())
    assert not is_in(said.encode())


def check_files(folder: Path) -> int:
    """Check every file below a folder, write-ahead logs included; return how many bytes there were."""
    found = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert [path.name for path, data in found.items() if is_in(data)] == []
    assert any(path.name.endswith("-wal") for path in found)
    return sum(map(len, found.values()))


def check_logs(caplog: pytest.LogCaptureFixture) -> None:
    lines = [record.getMessage() + repr(record.args) + str(record.exc_text or "") for record in caplog.records]
    assert lines
    assert [line for line in lines if is_in(line.encode())] == []


async def _read_all(agency: Agency) -> dict[Label, bool]:
    """Receive, and return whether the name stood in each compartment that was opened."""
    found = {}
    for mh in (await agency.receive_once()).opened:
        message = await agency.read(mh)
        for one in message.compartments.values():
            found[one.label] = CANARY in repr(one)
    return found


@pytest.mark.usefixtures("hub")
async def test_the_name_is_only_where_it_is_read(
    exercise: Exercise,
    admin: str,
    monkeypatch: pytest.MonkeyPatch,
    answers: list[bytes],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("VALISE_PASSPHRASE", PASSPHRASE)
    now = int(time.time())
    async with AsyncExitStack() as stack:
        agencies = {
            partner: await stack.enter_async_context(Agency.open(exercise.agency(partner), passphrase=WORD))
            for partner in (ORIGINATOR, *READERS)
        }
        customs, other = agencies[ORIGINATOR], agencies["de-customs"]
        await customs.open_operation(
            OPERATION, title="Exercise", members=sorted(agencies), opens=now - 60, closes=now + 3_600, exercise=True
        )
        warning = await customs.send(draft("warning", WARNING), to=READERS)
        await customs.send(draft("seizure", SEIZURE), to=READERS)
        found: dict[Label, bool] = {}
        for partner in READERS:
            found |= await _read_all(agencies[partner])
        await other.answer(warning.mh, draft("feedback", FEEDBACK))
        found |= await _read_all(customs)
        assert len(found) > len(Label) // 2, "policy withholds some; the next test opens them all"
        assert {label for label, is_there in found.items() if not is_there} == NAMELESS
        assert {row.to for row in await customs.matrix(warning.mh)} == set(READERS)
        evidence, _ = await make_evidence(customs.connector, warning.mh, "de-customs", anchor=exercise.anchor)
        exercise.folder.joinpath("evidence.json").write_bytes(evidence)
        await customs.report(OPERATION)
        await customs.connector.log.look(
            customs.connector.client, customs.connector.directory, now=customs.connector.clock()
        )
        assert await other.inbox()
        assert await customs.outbox()
        assert check_files(exercise.folder) > 100_000
        await check_told(admin)
        await asyncio.to_thread(check_backups, exercise, sorted(agencies))
    check_events(caplog)
    assert sum(map(len, answers)) > 50_000
    assert [answer[:40] for answer in answers if is_in(answer)] == []
    check_logs(caplog)


async def test_every_compartment_carried_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With a policy that withholds nothing, so that the search above could have found each of them."""
    caplog.set_level(logging.DEBUG)
    async with running_world(tmp_path, monkeypatch) as world:
        customs, other = await world.open(ORIGINATOR), await world.open("de-customs")
        warning = await customs.send(draft("warning", WARNING, operation=None), to=["de-customs"])
        await customs.send(draft("seizure", SEIZURE, operation=None), to=["de-customs"])
        found = await _read_all(other)
        await other.answer(warning.mh, draft("feedback", FEEDBACK, operation=None))
        found |= await _read_all(customs)
        assert found.keys() == set(Label)
        assert {label for label, is_there in found.items() if not is_there} == NAMELESS
        check_files(tmp_path)
    check_logs(caplog)


# --- errors ----------------------------------------------------------------------------------------------------------


def _wrong() -> Iterator[tuple[str, str, bytes]]:
    """Yield requests that are wrong in every place where they can say a name."""
    named = json.dumps({CANARY: CANARY}).encode()
    yield "GET", f"/v1/messages/{CANARY}/matrix", b""
    yield "GET", f"/v1/messages/{CANARY}/proof/{CANARY}", b""
    yield "GET", f"/v1/messages?op={CANARY}&limit={CANARY}", b""
    yield "GET", f"/v1/mailbox?wait={CANARY}", b""
    yield "GET", f"/v1/directory/metadata/{CANARY}", b""
    yield "GET", f"/v1/log/tile/{CANARY}", b""
    yield "GET", f"/v1/log/consistency?old={CANARY}", b""
    yield "GET", f"/{CANARY}", b""
    yield "DELETE", f"/v1/messages/{CANARY}", b""
    for path in ("/v1/messages", "/v1/audience", "/v1/receipts", "/v1/operations", "/v1/mailbox/collected"):
        yield "POST", path, named
        yield "POST", path, CANARY.encode()
        yield "POST", path, len(named).to_bytes(4, "big") + named
        yield "POST", path, f"{encode_b64url(named)}.{encode_b64url(named)}.{CANARY}".encode()
    for path in BATCHES:
        yield "POST", path, named
    yield "POST", "/v1/uploads", named
    yield "PATCH", f"/v1/uploads/{CANARY}?offset={CANARY}", named
    yield "POST", f"/v1/uploads/{CANARY}/submit", b""
    yield "GET", f"/v1/mailbox/stream?after={CANARY}", b""
    yield "GET", f"/v1/mailbox?after={CANARY}", b""
    yield "PUT", "/v1/subscription", named


async def test_no_error_repeats_what_was_wrong(
    exercise: Exercise, hub: RunningHub, admin: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    bodies = []
    async with Agency.open(exercise.agency(ORIGINATOR), passphrase=WORD) as agency, aiohttp.ClientSession() as http:
        key, signer = SessionKey(), agency.connector.keyring.signer(at=int(time.time()))

        def proof(method: str, path: str, body: bytes, token: str | None) -> str:
            url = hub.url + path.partition("?")[0]
            return key.prove(method=method, url=url, body=body, token=token, now=int(time.time()))

        async def ask(method: str, path: str, body: bytes, token: str | None) -> tuple[int, bytes]:
            headers = {"DPoP": proof(method, path, body, token)} | ({"Authorization": f"DPoP {token}"} if token else {})
            async with http.request(method, hub.url + path, data=body or None, headers=headers) as response:
                return response.status, await response.read() + repr(response.raw_headers).encode()

        def login(partner: str) -> bytes:
            given: dict[str, Any] = {
                "federation": FEDERATION,
                "hub": HUB,
                "thumbprint": key.thumbprint,
                "now": int(time.time()),
            }
            return write_json({"assertion": make_assertion(**given, partner=partner, signer=signer)})

        status, answer = await ask("POST", "/v1/session", login(ORIGINATOR), None)
        assert status == 200
        token = json.loads(answer[: answer.index(b"}") + 1])["access_token"]
        wrong = [*_wrong(), ("POST", "/v1/session", login(CANARY.lower()))]
        for method, path, body in wrong:
            status, answer = await ask(method, path, body, token)
            assert 400 <= status < 500, (method, path, status)
            bodies.append(answer)
        for path in BATCHES:  # what is wrong with one part is named in an answer that is none of a refusal
            bodies.append((await ask("POST", path, lp(CANARY.encode(), b"{}"), token))[1])
            assert bodies[-1].count(b'"problem"') == 2
        bodies.append((await ask("GET", "/v1/mailbox", b"", CANARY))[1])
        with pytest.raises(NotFoundError):
            await agency.matrix(CANARY)
    await check_told(admin)
    check_events(caplog)
    assert [body for body in bodies if is_in(body)] == []
    check_logs(caplog)


def _wrong_drafts() -> Iterator[Callable[[], Any]]:
    yield lambda: draft(CANARY, WARNING)
    yield lambda: draft("warning", {**WARNING, "narrative": {"language": CANARY, "text": CANARY}})
    yield lambda: draft("warning", {**WARNING, "identity": {"persons": [{**PERSON, "surname": CANARY * 20}]}})
    yield lambda: draft("warning", {**WARNING, "consignment": {"containers": [CANARY]}})
    yield lambda: draft("warning", {**WARNING, "conveyance": {"vehicles": [{"mode": CANARY}]}})
    yield lambda: draft("seizure", {"seizure": {**SEIZURE["seizure"], "at": CANARY}})  # type: ignore[dict-item]


@pytest.mark.parametrize("write", list(_wrong_drafts()))
def test_a_refused_draft_is_named_by_its_place(write: Callable[[], Any]) -> None:
    with pytest.raises(ContentError) as refused:
        write()
    assert not is_in(str(refused.value).encode())
    assert not is_in(refused.value.field.encode())


def test_every_label_is_written() -> None:
    written = {"warning": WARNING, "feedback": FEEDBACK, "seizure": SEIZURE}
    for kind in MessageKind:
        labels = {label for label, _, _ in draft(kind, written[kind]).body()}
        assert labels == LABELS_OF[kind]


async def test_a_malformed_request_is_not_repeated_in_the_log(
    exercise: Exercise, caplog: pytest.LogCaptureFixture
) -> None:
    """What the HTTP server itself refuses is noted by its cause alone; the line was the stranger's own."""
    caplog.set_level("DEBUG")
    async with running_hub(HubSettings.read(exercise.hub / "hub.toml")) as running:
        port = int(running.url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GE({CANARY}) /{CANARY} HTTP/1.1\r\n{CANARY}\r\n\r\n".encode())
        assert b"400" in await reader.readline()
        writer.close()
        await writer.wait_closed()
    assert CANARY not in caplog.text
