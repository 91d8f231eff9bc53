"""The agency's commands: what they say to people and to programs, what they refuse, and that each can be learned."""

import json
import re
import stat
import tomllib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any, Final, cast

import click
import pytest
from click.testing import CliRunner, Result

from connectors.cli import COMMANDS
from connectors.cli import run as running
from connectors.cli import show as showing
from connectors.cli.connector import connector
from connectors.cli.enrol import init as initialise
from connectors.cli.inbox import inbox
from connectors.cli.matrix import _Sent, matrix
from connectors.cli.operation import operation
from connectors.cli.outbox import outbox
from connectors.cli.output import Grid, aligned, counted, local, show
from connectors.cli.send import audience, feedback, read_drafts, warn
from connectors.cli.subscribe import subscribe
from connectors.kit.audience import Audience, Candidate, Withheld
from connectors.kit.inbox import InboxEntry
from connectors.kit.matrix import CheckedRow
from connectors.kit.receive import Received
from connectors.kit.report import Report
from connectors.kit.settings import read_settings
from hub.protocol.enrolment import challenge_enrolment, fingerprint, verify_enrolment
from hub.protocol.errors import (
    CodeListError,
    ContentError,
    DeniedError,
    JsonError,
    NotFoundError,
    SetupError,
    UnreachableError,
    ValiseError,
)
from hub.protocol.interface import MatrixRow, WithheldReason
from hub.protocol.keyring import open_keyring
from hub.protocol.operation import CountingRules, Operation
from hub.protocol.strictjson import write_json
from hub.protocol.subscription import Subscription
from hub.protocol.vocabulary import MessageKind
from tests.support.agency import feedback_draft, running_world, warning_draft
from tests.support.exchange import FEDERATION, HUB, NOW, make_directory

PASSPHRASE: Final = "invented for a test"
MH: Final = "A" * 43


def invoke(command: click.Command, *arguments: str | Path) -> Result:
    """Call a command as `valise` does: our errors are raised, and are the program's to show."""
    return CliRunner().invoke(command, list(map(str, arguments)), standalone_mode=False)


def value_of(result: Result) -> Any:
    assert result.exception is None, result.exception
    return json.loads(result.stdout)


def error_of(result: Result) -> ValiseError:
    assert isinstance(result.exception, ValiseError), result.exception
    return result.exception


# --- each can be learned ---------------------------------------------------------------------------------------------


def leaves() -> Iterator[tuple[str, click.Command]]:
    """Yield every command of an agency with its whole name."""
    for name, (place, _) in COMMANDS.items():
        module, _, attribute = place.partition(":")
        yield from _below(name, getattr(import_module(module), attribute))


def _below(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        yield name, command
        return
    context = click.Context(command)
    for word in command.list_commands(context):
        child = command.get_command(context, word)
        assert child is not None, word
        yield from _below(f"{name} {word}", child)


@pytest.mark.parametrize(("name", "command"), list(leaves()))
def test_a_command_explains_itself_with_an_example_that_can_be_typed(name: str, command: click.Command) -> None:
    assert command.help
    example = (command.epilog or "").removeprefix("Example: ")
    assert example.startswith(f"valise {name}")
    assert invoke(command, "--help").exit_code == 0


@pytest.mark.parametrize(("name", "command"), list(leaves()))
def test_a_command_speaks_json(name: str, command: click.Command) -> None:
    options = [option for parameter in command.params for option in parameter.opts]
    assert "--json" in options or name == "demo"


@pytest.mark.parametrize(("name", "command"), list(leaves()))
def test_every_option_is_explained(name: str, command: click.Command) -> None:
    unexplained = [one.name for one in command.params if isinstance(one, click.Option) and not one.help]
    assert unexplained == [], name


# --- output ----------------------------------------------------------------------------------------------------------


def test_a_table_is_aligned_and_takes_cells_of_several_lines() -> None:
    grid = Grid(("who", "why"), [("fr-customs", "one\ntwo"), ("x", "")])
    assert aligned(grid) == "who         why\nfr-customs  one\n            two\nx"


def test_what_others_wrote_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    show({}, "a\x1b[2Jb\u202ec", Grid(("x",), [("d\x07e",)]), as_json=False)
    assert capsys.readouterr().out == "a[2Jbc\nx\nde\n"


def test_times_are_local_and_say_their_offset() -> None:
    assert re.fullmatch(r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d{4}", local(NOW))
    assert (counted(1, "message"), counted(2, "message")) == ("1 message", "2 messages")


# --- set up and enrol ------------------------------------------------------------------------------------------------


@pytest.fixture
def anchor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VALISE_PASSPHRASE", PASSPHRASE)
    root = tmp_path / "root.json"
    root.write_text("{}")
    return root


def common(root: Path) -> tuple[str | Path, ...]:
    return (
        *("--exchange", FEDERATION, "--hub", HUB, "--hub-url", "https://hub.example"),
        *("--root", root, "--light-keystores", "--json"),
    )


def init(folder: Path, root: Path, *more: str) -> Result:
    who = ("--code", "fr-customs", "--name", 'Customs "of" Françe', "--kind", "customs")
    return invoke(connector, "init", folder, *who, *common(root), *more)


def test_init_makes_an_agency_that_only_its_owner_reads(tmp_path: Path, anchor: Path) -> None:
    folder = tmp_path / "fr"
    made = value_of(init(folder, anchor, "--adapter", "customs"))
    assert made["fingerprint"] == fingerprint((folder / "fr-customs.request").read_bytes())
    settings = read_settings(folder)
    assert (settings.partner, settings.federation, settings.mode) == ("fr-customs", FEDERATION, "exercise")
    assert (settings.adapter, settings.register_file) == ("customs", folder / "register.jsonl")
    assert stat.S_IMODE(settings.keystore.stat().st_mode) == 0o600
    keyring = open_keyring(settings.keystore.read_bytes(), PASSPHRASE)
    assert {key.use for key in keyring.keys} == {"sign", "open"}


def test_a_second_signature_is_required_once_it_is_asked_for(tmp_path: Path, anchor: Path) -> None:
    value_of(init(tmp_path / "fr", anchor, "--second-signature"))
    assert _enrolled(tmp_path / "fr").require == ("Ed25519", "ML-DSA-65")


def test_what_was_made_is_enrolled_with_its_answer(tmp_path: Path, anchor: Path) -> None:
    value_of(init(tmp_path / "fr", anchor))
    record = _enrolled(tmp_path / "fr")
    assert (record.partner, record.name, record.country) == ("fr-customs", 'Customs "of" Françe', "FR")


def _enrolled(folder: Path) -> Any:
    """Enrol what lies in a folder, as the registry office does, with the command's answer."""
    request = (folder / "fr-customs.request").read_bytes()
    now = open_keyring((folder / "keystore.json").read_bytes(), PASSPHRASE).keys[0].nbf
    challenge, pending = challenge_enrolment(request, federation=FEDERATION, authority="national-fr", now=now)
    (folder / "fr-customs.challenge").write_bytes(challenge)
    (answered,) = value_of(invoke(connector, "answer", folder, "--json"))["answers"]
    return verify_enrolment(request, Path(answered["answer"]).read_bytes(), pending, now=now).record


def test_an_answer_needs_a_challenge(tmp_path: Path, anchor: Path) -> None:
    value_of(init(tmp_path / "fr", anchor))
    assert "fr-customs.challenge" in error_of(invoke(connector, "answer", tmp_path / "fr")).detail


def test_init_never_overwrites_keys(tmp_path: Path, anchor: Path) -> None:
    value_of(init(tmp_path / "fr", anchor))
    assert "not empty" in error_of(init(tmp_path / "fr", anchor)).detail


def test_init_needs_a_passphrase(tmp_path: Path, anchor: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VALISE_PASSPHRASE")
    assert "VALISE_PASSPHRASE" in error_of(init(tmp_path / "fr", anchor)).detail


TABLE: Final = """
[[partner]]
code = "de-customs"
name = "Customs of Germany"
kind = "customs"
adapter = "customs"
register = "arrivals.jsonl"
[[partner]]
code = "rilo-we"
name = "Liaison office"
kind = "rilo"
"""


def test_init_all_makes_every_agency_of_a_table(tmp_path: Path, anchor: Path) -> None:
    table = tmp_path / "partners.toml"
    table.write_text(TABLE)
    (tmp_path / "arrivals.jsonl").write_text("\n")
    made = value_of(invoke(connector, "init-all", table, "--into", tmp_path / "all", *common(anchor)))
    assert [one["partner"] for one in made["partners"]] == ["de-customs", "rilo-we"]
    assert (tmp_path / "all" / "de-customs" / "register.jsonl").read_text() == "\n"
    assert tomllib.loads((tmp_path / "all" / "rilo-we" / "agency.toml").read_text())["adapter"] == "none"


@pytest.mark.parametrize(
    ("line", "told"),
    [("kind = 3", "kind"), ("colour = 'red'", "colour"), ("code = 'x'", "code"), ("[[", "partners.toml")],
)
def test_a_wrong_table_is_named(tmp_path: Path, anchor: Path, line: str, told: str) -> None:
    table = tmp_path / "partners.toml"
    members = {"code": "'fr-customs'", "name": "'x'", "kind": "'customs'"}
    members.pop(line.partition(" ")[0], None)
    table.write_text("[[partner]]\n" + "".join(f"{name} = {text}\n" for name, text in members.items()) + line)
    result = invoke(connector, "init-all", table, "--into", tmp_path / "all", *common(anchor))
    assert told in error_of(result).detail
    assert not (tmp_path / "all").exists()


# --- drafts ----------------------------------------------------------------------------------------------------------


def write(path: Path, *drafts: Any) -> Path:
    path.write_bytes(b"\n".join(drafts) + b"\n")
    return path


def draft_bytes() -> bytes:
    return warning_draft().model_dump_json(exclude_none=True).encode()


def test_a_file_is_one_draft_or_one_on_each_line(tmp_path: Path) -> None:
    one = write(tmp_path / "one.json", draft_bytes())
    many = write(tmp_path / "many.jsonl", draft_bytes(), b"", draft_bytes())
    assert [where for where, _ in read_drafts([one, many], MessageKind.WARNING)] == [
        str(one),
        f"{many}:1",
        f"{many}:3",
    ]


@pytest.mark.parametrize(
    ("line", "error"),
    [(b"{", JsonError), (b'{"kind": "warnin"}', CodeListError), (b'{"kind": "warning"}', ContentError)],
)
def test_a_wrong_draft_is_named_by_its_line(tmp_path: Path, line: bytes, error: type[ValiseError]) -> None:
    file = write(tmp_path / "x.jsonl", draft_bytes(), line)
    with pytest.raises(error) as caught:
        read_drafts([file], None)
    assert caught.value.detail.startswith(f"{file}:2: ")


def test_a_draft_of_another_kind_or_no_draft_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SetupError) as caught:
        read_drafts([write(tmp_path / "x.jsonl", draft_bytes())], MessageKind.FEEDBACK)
    assert "a warning, not a feedback" in caught.value.detail
    for file in (write(tmp_path / "empty.jsonl"), tmp_path / "missing.json"):
        with pytest.raises(SetupError, match=file.name):
            read_drafts([file], None)


# --- what they say ---------------------------------------------------------------------------------------------------

WITHHELD: Final = Withheld("c2", "both", "policy/not-permitted", (), "CUST-OUT-01 needs: addressee in eu")
AUDIENCE: Final = Audience(
    "0" * 64,
    agrees=True,
    candidates=(
        Candidate("de-customs", "named", ("c0", "c1", "c2"), (), ("retention-days:30",), has_key=True),
        Candidate("ke-customs", "operation", ("c0", "c1"), (WITHHELD,), (), has_key=True),
        Candidate("rilo-we", "topic", ("c0",), (), (), has_key=False),
    ),
)
ENTRY: Final = InboxEntry(MH, NOW, "opened", None, NOW, MH, "de-customs", "feedback", "thread", "B" * 43, None)
ROW: Final = MatrixRow(
    to="ke-customs",
    released=("c0", "c1"),
    state="collected",
    collected_at=NOW,
    receipt=None,
    later=(),
    expiry=None,
    seen=None,
    withheld=(WithheldReason(cid="c2", reason="policy/floor", rules=("HUB-01", "HUB-02"), near_miss=""),),
)
OPERATION: Final = Operation(
    v=1,
    fed=FEDERATION,
    iss="fr-customs",
    jti="01900000-0000-7000-8000-000000000000",
    iat=NOW,
    op="lantern",
    title="Lantern",
    opens=NOW,
    closes=NOW + 86_400,
    exercise=True,
    members=("de-customs", "fr-customs"),
    counting=CountingRules(),
)
REPORT: Final = Report(
    warnings=4,
    answered=2,
    fruitful=1,
    median_answer=7_300,
    reports=3,
    events=2,
    double_reports=1,
    firearms=None,
    firearm_parts=12,
    ammunition=0,
    arrests=1,
    cash_usd=Decimal(1_250_000),
    cash={"USD": Decimal(1_250_000)},
    outcomes={"seized": 2, "let-pass": None},
    unread=1,
)


class FakeAgency:
    """An agency that answers as it is told and notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.refuses_after = 99
        self.hub_is_away = False

    @property
    def settings(self) -> Any:
        return type("Settings", (), {"partner": "fr-customs", "poll_seconds": 0})()

    @property
    def connector(self) -> Any:
        return type("Connector", (), {"clock": staticmethod(lambda: NOW), "directory": make_directory()})()

    async def audience(self, _draft: Any, **given: Any) -> Audience:
        self.asked.append(("audience", given))
        return AUDIENCE

    async def send(self, _draft: Any, **given: Any) -> Any:
        if sum(name == "send" for name, _ in self.asked) == self.refuses_after:
            raise DeniedError
        self.asked.append(("send", given))
        return type("Sent", (), {"mh": MH})()

    async def answer(self, mh: str, _draft: Any, **given: Any) -> Any:
        self.asked.append(("answer", {"mh": mh, **given}))
        return type("Sent", (), {"mh": MH})()

    async def read(self, mh: str) -> Any:
        raise NotFoundError(mh)

    async def receive_once(self, *, wait: int = 0) -> Received:
        if self.hub_is_away:
            raise UnreachableError(str(wait))
        return Received((), 0, 0)

    async def inbox(self, *, limit: int) -> Sequence[InboxEntry]:
        return [ENTRY][:limit]

    async def gaps(self) -> dict[str, Sequence[range]]:
        return {"de-customs": [range(3, 5)]}

    async def outbox(self, *, limit: int) -> Sequence[Any]:
        return [][:limit]

    async def operations(self) -> tuple[Operation, ...]:
        return (OPERATION,)

    async def open_operation(self, name: str, **given: Any) -> Operation:
        self.asked.append((name, given))
        return OPERATION

    async def report(self, _name: str) -> Report:
        return REPORT

    async def subscribe(self, **given: Any) -> Subscription:
        self.asked.append(("subscribe", given))
        return Subscription(v=1, fed="x", iss="rilo-we", jti=OPERATION.jti, iat=NOW, **given)


@pytest.fixture
def agency(monkeypatch: pytest.MonkeyPatch) -> FakeAgency:
    fake = FakeAgency()
    for name in ("send", "inbox", "outbox", "operation", "subscribe"):
        monkeypatch.setattr(f"connectors.cli.{name}.open_agency", opening(fake))

    async def of_message(_folder: Path, mh: str) -> _Sent:
        return _Sent(mh, ["action", "consignment", "narrative"], (CheckedRow(ROW, (), None),), (), ())

    monkeypatch.setattr("connectors.cli.matrix._of_message", of_message)
    return fake


def opening(fake: object) -> Callable[[Path], Any]:
    @asynccontextmanager
    async def open_it(_folder: Path) -> AsyncIterator[object]:
        yield fake

    return open_it


def test_warn_sends_each_draft_and_says_who_gets_what(tmp_path: Path, agency: FakeAgency) -> None:
    file = write(tmp_path / "x.jsonl", draft_bytes(), draft_bytes())
    options = ("--to", "de-customs", "--operation", "--subscribers", "--leave-out", "it-customs")
    sent = value_of(invoke(warn, tmp_path, file, *options, "--json"))["sent"]
    assert [one["mh"] for one in sent] == [MH, MH]
    given = {"to": ("de-customs",), "operation": True, "subscribers": True, "leave_out": ("it-customs",)}
    assert [one for name, one in agency.asked if name == "send"] == [given, given]
    german, kenyan, office = sent[0]["addressees"]
    assert german["gets"] == ["action", "consignment", "narrative"]
    assert (kenyan["gets"], kenyan["via"]) == (["action", "consignment"], "operation")
    assert kenyan["withheld"][0]["compartment"] == "narrative"
    assert (office["gets"], office["has_key"]) == ([], False)
    text = invoke(warn, tmp_path, file, *options).stdout
    assert f"{MH}  warning, {file}:1\n  3 addressees: everything to 1, a part to 1, nothing to 1" in text


def test_a_dry_run_and_audience_send_nothing(tmp_path: Path, agency: FakeAgency) -> None:
    file = write(tmp_path / "x.json", draft_bytes())
    for result in (
        invoke(warn, tmp_path, file, "--operation", "--dry-run"),
        invoke(audience, tmp_path, file, "--operation", "--answers", MH),
    ):
        assert "narrative: CUST-OUT-01 needs: addressee in eu" in result.stdout
        assert "nothing: it has no valid key" in result.stdout
    assert [name for name, _ in agency.asked] == ["audience", "audience"]
    assert [given["answers"] for _, given in agency.asked] == [None, MH]


def test_what_was_sent_is_told_when_the_next_is_refused(tmp_path: Path, agency: FakeAgency) -> None:
    agency.refuses_after = 1
    result = invoke(warn, tmp_path, write(tmp_path / "x.jsonl", draft_bytes(), draft_bytes()), "--operation", "--json")
    assert isinstance(result.exception, DeniedError)
    assert len(json.loads(result.stdout)["sent"]) == 1


def test_feedback_goes_into_the_thread(tmp_path: Path, agency: FakeAgency) -> None:
    file = write(tmp_path / "x.json", feedback_draft().model_dump_json(exclude_none=True).encode())
    value_of(invoke(feedback, tmp_path, MH, file, "--json"))
    assert agency.asked[0] == (
        "answer",
        {"mh": MH, "to": (), "operation": False, "subscribers": False, "leave_out": ()},
    )


def test_the_inbox_lists_and_tells_what_is_missing(tmp_path: Path, agency: FakeAgency) -> None:
    value = value_of(invoke(inbox, tmp_path, "--json"))
    assert value["messages"][0]["mh"] == MH
    assert value["messages"][0]["subject"] is None, "what cannot be read any longer is not told"
    assert value["missing"] == {"de-customs": [[3, 4]]}
    agency.hub_is_away = True
    result = invoke(inbox, tmp_path)
    assert "feedback (answer)" in result.stdout
    assert "de-customs: 2 of its messages" in result.stdout
    assert "cannot be reached" in result.stderr


def test_the_matrix_names_labels_and_reasons(tmp_path: Path, agency: FakeAgency) -> None:
    (row,) = value_of(invoke(matrix, tmp_path, MH, "--json"))["rows"]
    assert (row["state"], row["released"]) == ("collected", ["action", "consignment"])
    assert row["withheld"][0] | {"near_miss": ""} == {
        "compartment": "narrative",
        "reason": "policy/floor",
        "rules": ["HUB-01", "HUB-02"],
        "near_miss": "",
    }
    text = invoke(matrix, tmp_path, MH).stdout
    assert text.startswith("1 addressee: 1 collected\n")
    assert "narrative: a rule of the exchange forbids it (HUB-01, HUB-02)" in text
    assert agency.asked == []


def test_an_empty_outbox_says_so(tmp_path: Path, agency: FakeAgency) -> None:
    assert invoke(outbox, tmp_path).stdout == "Nothing was handed over.\n"
    assert agency.asked == []


@pytest.mark.parametrize("members", ["--all", "--members=de-customs,int-bureau"])
def test_an_operation_has_its_coordinator_as_a_member(tmp_path: Path, agency: FakeAgency, members: str) -> None:
    options = ("--name", "lantern", "--title", "Lantern", members, "--days", "2", "--exercise", "--small-cell", "5")
    assert value_of(invoke(operation, "open", tmp_path, *options, "--json"))["coordinator"] == "fr-customs"
    ((name, given),) = agency.asked
    assert name == "lantern"
    assert {"fr-customs", "de-customs", "int-bureau"} <= set(given["members"])
    assert HUB not in given["members"]
    assert (given["closes"] - given["opens"], given["counting"].small_cell) == (2 * 86_400, 5)


@pytest.mark.parametrize("members", [(), ("--all", "--members", "de-customs")])
def test_an_operation_says_who_is_in_it(tmp_path: Path, agency: FakeAgency, members: tuple[str, ...]) -> None:
    result = invoke(operation, "open", tmp_path, "--name", "x", "--title", "x", "--days", "2", *members)
    assert isinstance(result.exception, click.UsageError)
    assert agency.asked == []


def test_operations_are_listed_with_their_state(tmp_path: Path, agency: FakeAgency) -> None:
    assert "open, exercise" in invoke(operation, "list", tmp_path).stdout
    (one,) = value_of(invoke(operation, "list", tmp_path, "--json"))["operations"]
    assert (one["op"], one["members"]) == ("lantern", ["de-customs", "fr-customs"])
    assert agency.asked == []


def test_a_report_is_read_by_people_and_programs(tmp_path: Path, agency: FakeAgency) -> None:
    value = value_of(invoke(operation, "report", tmp_path, "lantern", "--json"))
    assert (value["events"], value["firearms"], value["cash"]) == (2, None, {"USD": "1250000"})
    assert value["feedback_rate"] == 0.5
    text = invoke(operation, "report", tmp_path, "lantern").stdout
    for line in (
        "answered                2 (50%), half of them within 2 hours",
        "seizures                2 (1 double report, counted once)",
        "firearms                too few to be shown",
        "cash                    1,250,000 USD (worth 1,250,000 USD)",
        "outcomes                seized 2, let-pass (few)",
        "1 message cannot be opened here any longer",
    ):
        assert line in text
    assert agency.asked == []


def test_a_subscription_is_told_in_words(tmp_path: Path, agency: FakeAgency) -> None:
    options = ("--kind", "seizure", "--operation", "lantern", "--topic", "hs:93", "--topic", "mode:sea")
    text = invoke(subscribe, tmp_path, *options).stdout
    assert text == "Subscribed to seizures, of lantern, about hs:93, about mode:sea.\n"
    assert invoke(subscribe, tmp_path).stdout == "Subscribed to messages of every kind.\n"
    assert invoke(subscribe, tmp_path, "--off").stdout == "Subscribed to nothing.\n"
    assert [given["active"] for _, given in agency.asked] == [True, True, False]
    assert isinstance(invoke(subscribe, tmp_path, "--topic", "hs:99").exception, CodeListError)


# --- with a hub ------------------------------------------------------------------------------------------------------


async def test_show_reads_a_message_on_both_sides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_world(tmp_path, monkeypatch) as world:
        customs, police = await world.open(), await world.open("de-police")
        sent = await customs.send(warning_draft(), to=["de-police"])
        await police.receive_once()
        for side, received in ((police, True), (customs, False)):
            monkeypatch.setattr("connectors.cli.show.open_agency", opening(side))
            message = await showing._read(tmp_path, sent.mh)
            text = "\n".join(showing._text(message))
            assert text.startswith("=== EXERCISE: for participants only")
            assert "Warning from fr-customs" in text
            assert "national reference: FR-EX-0001" in text
            assert "\n  received" in text if received else "\n  received" not in text
            value = json.loads(write_json(showing._value(message)))
            assert [one["label"] for one in value["compartments"]] == ["action", "consignment", "narrative"]
            assert value["manifest"]["status"] == "exercise"


async def test_an_agency_that_cannot_be_opened_stops_the_run(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"agency\.toml"):
        await running.run_agencies([tmp_path / "missing", tmp_path / "neither"], ready_file=tmp_path / "ready")
    assert not (tmp_path / "ready").exists()


def test_a_step_that_does_not_exist_is_refused() -> None:
    assert isinstance(invoke(connector, "nonsense").exception, click.UsageError)
    assert "Answer the registry office" in invoke(connector, "--help").stdout


def test_each_adapter_of_the_settings_can_be_run() -> None:
    choices = next(one for one in initialise.params if one.name == "adapter").type
    assert set(running.ADAPTERS) == set(cast("click.Choice[str]", choices).choices)


def test_nobody_addressed_is_a_mistake_of_the_command_line(tmp_path: Path, agency: FakeAgency) -> None:
    result = invoke(warn, tmp_path, write(tmp_path / "x.json", draft_bytes()))
    assert isinstance(result.exception, click.UsageError)
    assert "--to CODE, --operation or --subscribers" in result.exception.message
    assert agency.asked == []
