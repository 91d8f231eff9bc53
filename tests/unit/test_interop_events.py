"""What the agency's own systems are told: files once, the webhook until it is taken, mail without a word of content."""

import base64
import csv
import io
import json
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_structured
from cloudevents.core.formats.json import JSONFormat
from openpyxl import load_workbook
from pydantic import ValidationError

from connectors.interop import writing
from connectors.interop.ledger import Ledger, Listener, stop_noting
from connectors.interop.mail import SUBJECT, Mailer
from connectors.interop.outgoing import flat, object_of
from connectors.interop.webhook import Webhook, read_secret, signature
from connectors.interop.writing import Writer
from connectors.kit.agency import Agency
from connectors.kit.agency_store import AgencyStore
from connectors.kit.link_settings import DropSettings, MailSettings, WebhookSettings
from hub.protocol.errors import MailError, SetupError, WebhookError
from tests.support.agency import World, feedback_draft, running_world, warning_draft
from tests.support.content import ACTION
from tests.support.listeners import Posts, listening, mail_server

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
CANARY = "Zebulon Quagga"


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    async with running_world(tmp_path, monkeypatch) as running:
        yield running


@asynccontextmanager
async def ledger_of(tmp_path: Path, partner: str, *listeners: Listener) -> AsyncIterator[Ledger]:
    async with await AgencyStore.open(tmp_path / partner / "agency.sqlite") as store:
        ledger = Ledger(store)
        await ledger.listen(listeners)
        yield ledger


async def received(world: World, agency: Agency, count: int = 1, **change: Any) -> list[str]:
    """Let messages come; return their numbers."""
    customs = await world.open()
    sent = [await customs.send(warning_draft(**change), to=["de-police"]) for _ in range(count)]
    await agency.receive_once()
    return [one.mh for one in sent]


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


# --- files -----------------------------------------------------------------------------------------------------------


def writer_of(tmp_path: Path, agency: Agency, ledger: Ledger, *out: str) -> tuple[Writer, Path]:
    settings = DropSettings.model_validate({"folder": tmp_path / "drop", "out": out or ("json",)})
    (settings.folder / "out").mkdir(parents=True, exist_ok=True)
    return Writer(agency, settings, ledger), settings.folder / "out"


async def test_a_received_message_is_written_once_in_every_form(world: World, tmp_path: Path) -> None:
    police = await world.open("de-police")
    async with ledger_of(tmp_path, "de-police", "file") as ledger:
        action = {**ACTION, "grounds": "=HYPERLINK(1)"}
        [mh] = await received(world, police, compartments={"action": action})
        writer, out = writer_of(tmp_path, police, ledger, "json", "csv", "xlsx")
        await writer.write()
        assert names(out) == [f"{mh}.csv", f"{mh}.json", f"{mh}.xlsx"]
        assert {file.stat().st_mode & 0o777 for file in out.iterdir()} == {0o600}
        value = json.loads((out / f"{mh}.json").read_bytes())
        assert (value["message"], value["from"], value["compartments"]["action"]["grounds"]) == (
            mh,
            "fr-customs",
            "=HYPERLINK(1)",
        )
        [row] = csv.DictReader(io.StringIO((out / f"{mh}.csv").read_text("utf-8-sig")))
        assert (row["grounds"], row["requested"], row["tlp"]) == (
            "'=HYPERLINK(1)",
            "inspect; information-only",
            "AMBER",
        )
        sheet = load_workbook(out / f"{mh}.xlsx").active
        assert sheet is not None
        assert {cell.data_type for line in sheet.iter_rows() for cell in line} <= {"s", "n", "inlineStr"}, (
            "no formula (f), no date (d)"
        )
        for file in out.iterdir():
            file.unlink()  # the national system took them
        await writer.write()
        assert names(out) == []
        assert await ledger.waiting("file") == []


@pytest.mark.parametrize("step", ["_stage", "_give_names", "_told"])
@pytest.mark.parametrize("after", [False, True])
async def test_a_crash_writes_no_file_twice(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, step: str, after: bool
) -> None:
    """The reader takes files away as soon as they have their names, and must get each once."""
    police = await world.open("de-police")
    taken: list[str] = []

    def take(out: Path) -> None:
        for file in out.glob("[!.]*"):
            taken.append(file.name)
            file.unlink()

    async with ledger_of(tmp_path, "de-police", "file") as ledger:
        [mh] = await received(world, police)
        writer, out = writer_of(tmp_path, police, ledger)
        with monkeypatch.context() as patch:
            _die(patch, ledger, step, after=after)
            with pytest.raises(SetupError, match="killed"):
                await writer.write()
        take(out)
        writer, out = writer_of(tmp_path, police, ledger)
        await writer.write()
        take(out)
        assert taken == [f"{mh}.json"]
        assert names(out) == []


def _die(patch: pytest.MonkeyPatch, ledger: Ledger, step: str, *, after: bool) -> None:
    if step == "_told":
        settle = ledger.settle

        async def dies(listener: Listener, places: Any, *, told: bool = True) -> None:
            if after or not told:
                await settle(listener, places, told=told)
            if told:
                raise SetupError("killed")

        patch.setattr(ledger, "settle", dies)
        return
    really = getattr(writing, step)

    def dying(*given: Any) -> None:
        if after:
            really(*given)
        raise SetupError("killed")

    patch.setattr(writing, step, dying)


async def test_what_became_of_own_messages_is_rows_as_well(world: World, tmp_path: Path) -> None:
    customs, police = await world.open(), await world.open("de-police")
    async with ledger_of(tmp_path, "fr-customs", "file") as ledger:
        sent = await customs.send(warning_draft(), to=["de-police"])
        await police.receive_once()
        await customs.receive_once()
        writer, out = writer_of(tmp_path, customs, ledger, "csv")
        await writer.write()
        [name] = names(out)
        found = list(csv.DictReader(io.StringIO((out / name).read_text("utf-8-sig"))))
        assert [(row["event"], row["message"], row["partner"], row["state"]) for row in found] == [
            ("message.accepted", sent.mh, "", "accepted"),
            ("receipt.received", sent.mh, "de-police", "opened"),
        ]


async def test_flat_columns_say_what_they_leave_out(world: World) -> None:
    police = await world.open("de-police")
    travel = {"source": "api", "journeys": [{"persons": [0], "route": [{"role": "origin", "country": "TR"}]}]}
    persons = [
        {
            "role": "courier",
            "reason": "Exercise",
            "surname": "Doe",
            "documents": [{"type": "P", "number": "X1", "issuer": "UTO"}],
        }
    ]
    route = [{"role": role, "country": "TR"} for role in ("origin", "transit", "transit", "destination")]
    parts = {
        "action": {**ACTION, "questions": [{"id": "q2", "text": "Who?"}]},
        "travel": travel,
        "identity": {"persons": persons},
        "conveyance": {"route": route},
    }
    [mh] = await received(world, police, compartments=parts)
    row = flat(object_of(await police.read(mh)))
    assert (row["question 2"], row["person surname"], row["person document number"]) == ("Who?", "Doe", "X1")
    assert [row[f"{name} country"] for name in ("origin", "transit", "transit 2", "destination")] == ["TR"] * 4
    assert set(row["not in columns"].split("; ")) == {
        "travel.source",
        "travel.journeys.1.persons",
        "travel.journeys.1.route.0.country",
    }


async def test_a_connector_that_links_nothing_notes_nothing(world: World, tmp_path: Path) -> None:
    police = await world.open("de-police")
    async with ledger_of(tmp_path, "de-police", "file", "mail") as ledger:
        await received(world, police)
        assert [event.type for event in await ledger.waiting("mail")] == ["message.received"]
        assert await ledger.waiting("webhook") == []
    await stop_noting(tmp_path / "de-police" / "agency.sqlite")
    await received(world, police)
    async with ledger_of(tmp_path, "de-police", "webhook") as ledger:
        assert await ledger.waiting("webhook") == []
        await received(world, police)
        assert len(await ledger.waiting("webhook")) == 1


# --- webhook ---------------------------------------------------------------------------------------------------------


def hook_of(tmp_path: Path, agency: Agency, ledger: Ledger, url: str, **change: Any) -> Webhook:
    file = tmp_path / "webhook.secret"
    file.touch(0o600)
    file.write_text(SECRET + "\n")
    return Webhook(agency, WebhookSettings(url=url, secret_file=file, **change), ledger)


def events_of(posts: Posts) -> list[Mapping[str, Any]]:
    return [json.loads(body) for _, body in posts.got]


async def test_an_event_is_signed_and_has_no_content(world: World, tmp_path: Path) -> None:
    police = await world.open("de-police")
    async with ledger_of(tmp_path, "de-police", "webhook") as ledger, listening() as posts:
        [mh] = await received(world, police, compartments={"action": {**ACTION, "grounds": CANARY}})
        await hook_of(tmp_path, police, ledger, posts.url).post()
        [(headers, body)] = posts.got
        event = from_structured(HTTPMessage({"content-type": headers["content-type"]}, body), JSONFormat())
        assert (event.get_type(), event.get_subject(), event.get_specversion()) == (
            "valise.message.received",
            mh,
            "1.0",
        )
        assert event.get_source() == "urn:valise:test-exchange:de-police"
        assert event.get_data() == {"message": mh, "partner": "fr-customs"}
        assert CANARY.encode() not in body
        right = signature(bytes(range(32)), headers["webhook-id"], int(headers["webhook-timestamp"]), body)
        assert headers["webhook-signature"] == right
        assert headers["webhook-id"] == event.get_id()
        assert await ledger.waiting("webhook") == []


async def test_content_goes_when_the_settings_say_so(world: World, tmp_path: Path) -> None:
    police = await world.open("de-police")
    async with ledger_of(tmp_path, "de-police", "webhook") as ledger, listening() as posts:
        await received(world, police)
        await hook_of(tmp_path, police, ledger, posts.url, content=True).post()
        [event] = events_of(posts)
        assert event["data"]["content"]["compartments"]["action"]["grounds"] == ACTION["grounds"]


async def test_a_refused_event_holds_back_its_thread_and_no_other(world: World, tmp_path: Path) -> None:
    customs, police = await world.open(), await world.open("de-police")
    async with ledger_of(tmp_path, "fr-customs", "webhook") as ledger, listening() as posts:
        first = await customs.send(warning_draft(), to=["de-police"])
        await police.receive_once()
        await police.answer(first.mh, feedback_draft())
        other = await customs.send(warning_draft(), to=["de-police"])
        await customs.receive_once()
        bad = {"is": True}
        posts.status = lambda body: 503 if bad["is"] and first.mh.encode() in body else 200
        hook = hook_of(tmp_path, customs, ledger, posts.url)
        await hook.post()
        assert [event["subject"] for event in events_of(posts)] == [first.mh, other.mh]
        await hook.post()
        assert len(posts.got) == 2, "it is not due yet"
        bad["is"] = False
        world.now += 5
        hook = hook_of(tmp_path, customs, ledger, posts.url)  # a restart loses nothing
        await hook.post()
        assert [event["type"] for event in events_of(posts)[2:]] == [
            "valise.message.accepted",
            "valise.receipt.received",
            "valise.message.received",
        ]
        assert events_of(posts)[2]["id"] == events_of(posts)[0]["id"], "the same event again has the same name"


async def test_a_long_thread_that_is_held_back_does_not_hide_the_others(world: World, tmp_path: Path) -> None:
    customs = await world.open()
    async with ledger_of(tmp_path, "fr-customs", "webhook") as ledger, listening() as posts:
        first = await customs.send(warning_draft(), to=["de-police"])
        more = "INSERT INTO interop_events (type, mh, state) VALUES ('receipt.received', ?, 'read')"
        async with await AgencyStore.open(tmp_path / "fr-customs" / "agency.sqlite") as store:
            await store.run(lambda db: db.executemany(more, [(first.mh,)] * 300).rowcount)
        other = await customs.send(warning_draft(), to=["de-police"])
        posts.status = lambda body: 400 if first.mh.encode() in body else 200
        await hook_of(tmp_path, customs, ledger, posts.url).post()
        assert [event["subject"] for event in events_of(posts)] == [first.mh, other.mh]


@pytest.mark.parametrize("status", [302, 400, 410, 500])
async def test_only_2xx_is_taken_and_redirects_are_not_followed(world: World, tmp_path: Path, status: int) -> None:
    police = await world.open("de-police")
    async with ledger_of(tmp_path, "de-police", "webhook") as ledger, listening() as posts:
        await received(world, police)
        posts.status = lambda _: status
        hook = hook_of(tmp_path, police, ledger, posts.url)
        pauses = []
        for _ in range(12):
            await hook.post()
            before = world.now
            while not await ledger.due(at=world.now):
                world.now += 5
            pauses.append(world.now - before)
        assert len(posts.got) == 12
        assert pauses[:4] == [5, 10, 20, 40]
        assert pauses[-1] == 3_600


async def test_an_address_where_nothing_listens_is_tried_again(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    police = await world.open("de-police")
    async with ledger_of(tmp_path, "de-police", "webhook") as ledger:
        await received(world, police)
        with caplog.at_level(logging.WARNING):
            await hook_of(tmp_path, police, ledger, "http://127.0.0.1:1/").post()
        assert WebhookError.code in caplog.text
        assert [event.tries for event in await ledger.waiting("webhook")] == [1]


@pytest.mark.parametrize(
    "text", ["", "whsec_", "whsec_c2hvcnQ=", base64.b64encode(bytes(32)).decode(), "whsec_!!", "whsec_\u00e4"]
)
def test_a_weak_or_misspelt_secret_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "secret"
    file.touch(0o600)
    file.write_text(text)
    with pytest.raises(SetupError, match="secret"):
        read_secret(file)


# --- mail ------------------------------------------------------------------------------------------------------------


def mailer_of(agency: Agency, ledger: Ledger, port: int, **change: Any) -> Mailer:
    values = {
        "host": "127.0.0.1",
        "port": port,
        "security": "none",
        "sender": "valise@office.example",
        "to": ("desk@office.example",),
    }
    return Mailer(agency, MailSettings.model_validate(values | change), ledger)


async def test_a_notice_has_counts_and_nothing_else(world: World, tmp_path: Path) -> None:
    police = await world.open("de-police")
    async with ledger_of(tmp_path, "de-police", "mail") as ledger, mail_server() as post:
        action = {**ACTION, "grounds": CANARY, "urgency_reason": CANARY}
        numbers = await received(world, police, 2, compartments={"action": action})
        numbers += await received(world, police, priority="urgent", compartments={"action": action})
        await mailer_of(police, ledger, post.port).mail()
        [mail] = post.mails
        assert f"Subject: {SUBJECT}\r\n" in mail
        assert "urgent: 1\r\nroutine: 2\r\n" in mail
        everything = mail + "\n".join(post.told)
        for secret in (
            CANARY,
            ACTION["national_reference"],
            "fr-customs",
            "de-police",
            "warning",
            "exercise",
            *numbers,
        ):
            assert str(secret).lower() not in everything.lower()
        await mailer_of(police, ledger, post.port).mail()
        assert len(post.mails) == 1


async def test_routine_is_told_now_and_then_and_urgent_at_once(world: World, tmp_path: Path) -> None:
    police = await world.open("de-police")
    async with ledger_of(tmp_path, "de-police", "mail") as ledger, mail_server() as post:
        mailer = mailer_of(police, ledger, post.port, routine_minutes=60)
        for minutes, mails in ((0, 1), (59, 1), (60, 2)):
            world.now += minutes * 60 - (59 * 60 if minutes == 60 else 0)
            await received(world, police)
            await mailer.mail()
            assert len(post.mails) == mails, minutes
        for count in (3, 4):
            await received(
                world, police, priority="urgent", compartments={"action": {**ACTION, "urgency_reason": "Now."}}
            )
            await mailer.mail()
            assert len(post.mails) == count


async def test_a_server_that_takes_no_notice_is_tried_again(world: World, tmp_path: Path) -> None:
    police = await world.open("de-police")
    async with ledger_of(tmp_path, "de-police", "mail") as ledger, mail_server() as post:
        await received(world, police)
        post.refuse = True
        with pytest.raises(MailError):
            await mailer_of(police, ledger, post.port).mail()
        with pytest.raises(MailError):  # it offers no STARTTLS, and nothing is sent without
            await mailer_of(police, ledger, post.port, security="starttls").mail()
        assert post.mails == []
        post.refuse = False
        await mailer_of(police, ledger, post.port).mail()
        assert len(post.mails) == 1


@pytest.mark.parametrize(
    "change", [{"host": "mail.example"}, {"user": "a", "password_file": "b"}, {"security": "tls", "user": "a"}]
)
def test_mail_without_encryption_is_for_this_machine_only(change: dict[str, str]) -> None:
    values = {"host": "localhost", "security": "none", "sender": "a@b.example", "to": ["c@d.example"]}
    assert MailSettings.model_validate(values).security == "none"
    with pytest.raises(ValidationError):
        MailSettings.model_validate(values | change)
