"""The story of the demo, scene by scene, each scene one function.

Officers' actions go through `Agency`, as a Python user would; everything that runs is a process of its own. Not for:
how it looks (`stage.py`) or processes (`cast.py`). User's page: `docs/tutorial.md`.
"""

import asyncio
import contextlib
import socket
import sys
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from connectors.demo.cast import Cast, cast
from connectors.demo.stage import Stage
from connectors.kit.agency import Agency
from connectors.kit.evidence import make_evidence
from connectors.kit.report import Report
from hub.protocol.content import Draft, parse_draft
from hub.protocol.directory import country_of
from hub.protocol.encoding import decode_b64url, encode_b64url
from hub.protocol.hazmat import random_bytes
from hub.protocol.interface import MatrixRow
from hub.protocol.marks import Tlp
from hub.protocol.strictjson import parse_json, write_json
from hub.protocol.subscription import Criteria
from hub.protocol.vocabulary import INTERNATIONAL

EXCHANGE: Final = "exercise-lantern"
HUB: Final = "int-hub"
ORIGINATOR: Final = "fr-customs"
LIAISON: Final = "rilo-we"
ALONE: Final = ("fr-customs", "de-customs", "ke-customs", "nl-police", "int-bureau", "rilo-we", "rilo-esa")
_DAY: Final = 86_400
_SETTLED: Final = 40.0  # seconds that copies and answers are given
_LOOK: Final = 0.5
_QUIET: Final = 3.0  # seconds without anything new; a connector looks at its outbox every two
_SHOWN: Final = 3  # reasons of one kind that are shown

_NAMED_ONLY: Final = frozenset({Tlp.AMBER_STRICT, Tlp.RED})  # FIRST TLP 2.0

_Matrices = Mapping[str, Sequence[MatrixRow]]


@dataclass(slots=True)
class Play:
    """What the scenes share."""

    folder: Path
    stage: Stage
    cast: Cast
    passphrase: SecretStr
    codes: list[str]
    url: str = ""
    sent: list[str] = field(default_factory=list)
    drafts: list[Draft] = field(default_factory=list)
    figures: dict[str, object] = field(default_factory=dict)

    def agency(self, code: str) -> contextlib.AbstractAsyncContextManager[Agency]:
        """Open an agency, as its officer would."""
        return Agency.open(self.folder / "agencies" / code, passphrase=self.passphrase)


def shipped(name: str) -> Path:
    """Return a folder that comes with the package: of the wheel, or of the checkout."""
    packed = Path(str(files("hub"))) / "_data" / name
    return packed if packed.exists() else Path(__file__).parents[2] / name


async def play(folder: Path, stage: Stage, *, keep: bool) -> dict[str, object]:
    """Play all scenes, leave everything in `folder`, and return the figures for programs."""
    passphrase = encode_b64url(random_bytes(12))
    table = tomllib.loads((shipped("config") / "exercise" / "partners.toml").read_text("utf-8"))
    codes = sorted(partner["code"] for partner in table["partner"])
    async with cast(folder, passphrase, keep=keep) as members:
        story = Play(folder, stage, members, SecretStr(passphrase), codes)
        await _found(story)
        await _enrol(story)
        await _start(story)
        await _open_operation(story)
        await _show_audience(story)
        await _send(story)
        await _show_matrix(story, await _settle(story))
        await _show_statistics(story)
        await _prove(story, keep=keep)
        _say_where(story, keep=keep)
    return {"folder": str(folder), "hub": story.url, "sent": story.sent} | story.figures


async def _found(story: Play) -> None:
    story.stage.scene("An exchange is founded")
    countries = sorted({country_of(code) for code in story.codes} - {INTERNATIONAL})
    await story.cast.command(
        *("exchange", "init", story.folder / "office", "--name", EXCHANGE, "--light-keystores"),
        *("--policies", shipped("policies")),
        *(part for country in countries for part in ("--country", country)),
    )
    story.stage.say(f"The registry office of [bold]{EXCHANGE}[/]: a root that two of three keys sign,")
    story.stage.say(f"{len(countries)} national authorities, and a policy set that two keys put in force.")


async def _enrol(story: Play) -> None:
    story.stage.scene(f"{len(story.codes)} partners and a hub enrol; each proves that it holds every key it names")
    office, agencies, hub = (story.folder / name for name in ("office", "agencies", "hub"))
    shared = ("--exchange", EXCHANGE, "--root", office / "root.json", "--light-keystores")
    port = _free_port()
    story.url = f"http://127.0.0.1:{port}"
    with story.stage.progress("making keys: Ed25519 to sign, ML-KEM-768 with X25519 to open"):
        await asyncio.gather(
            story.cast.command(
                *("hub", "init", hub, "--code", HUB, "--name", "Hub of the exercise", "--port", str(port)),
                *("--directory", office / "public", *shared),
            ),
            story.cast.command(
                *("connector", "init-all", shipped("config") / "exercise" / "partners.toml", "--into", agencies),
                *("--hub", HUB, "--hub-url", story.url, *shared),
            ),
        )
    requests = [hub / f"{HUB}.request", *(agencies / code / f"{code}.request" for code in story.codes)]
    with story.stage.progress("challenge, answer, enrolment"):
        await story.cast.command("partner", "challenge", office, *requests)
        await asyncio.gather(
            story.cast.command("hub", "answer", hub, hub / f"{HUB}.challenge"),
            story.cast.command("connector", "answer", *(agencies / code for code in story.codes)),
        )
        await story.cast.command("partner", "enrol", office, *requests)
    story.stage.say("The signed directory now names " + ", ".join(story.codes) + ".")


async def _start(story: Play) -> None:
    story.stage.scene("The hub and the connectors start, each a process of its own")
    others = [code for code in story.codes if code not in ALONE]
    agencies = story.folder / "agencies"
    with story.stage.progress("starting") as bar:
        await story.cast.start("hub", "hub", "serve", story.folder / "hub")
        groups = {code: [agencies / code] for code in ALONE} | {"others": [agencies / code for code in others]}
        for number, (name, folders) in enumerate(groups.items()):
            bar.show(number, len(groups))
            await story.cast.start(name, "connector", "run", *folders)
    rows = [
        (program.name, str(program.process.pid), _what(program.name, len(others))) for program in story.cast.programs
    ]
    story.stage.table(("process", "id", "what it is"), rows)


def _what(name: str, others: int) -> str:
    if name == "hub":
        return "routes what it cannot read; SQLite, one file"
    if name == "others":
        return f"the connectors of {others} more partners"
    kinds = {"customs": "a customs administration", "police": "a police force", "bureau": "an INTERPOL-style bureau"}
    return "connector of " + kinds.get(name.partition("-")[2], "a regional liaison office")


async def _open_operation(story: Play) -> None:
    story.stage.scene("An operation opens, and the liaison offices subscribe")
    async with story.agency(ORIGINATOR) as agency:
        now = agency.connector.clock()
        operation = await agency.open_operation(
            EXCHANGE, title="Exercise Lantern", members=story.codes, opens=now, closes=now + 28 * _DAY, exercise=True
        )
    story.stage.say(
        f"[bold]{operation.title}[/]: {len(operation.members)} members, 28 days, an exercise - so no message"
    )
    story.stage.say("of it can look like a real one. The coordinator's signature says who is in it, not the hub.")
    want = Criteria(kinds=(), operations=(EXCHANGE,), topics=(), countries=(), regions=(), priorities=())
    for office in ("rilo-we", "rilo-esa"):
        async with story.agency(office) as agency:
            await agency.subscribe(want=want)
    story.stage.say("rilo-we and rilo-esa subscribe to everything of it; policy still decides what reaches them.")


async def _show_audience(story: Play) -> None:
    story.stage.scene("Who would get the first warning? Asked before anything is sealed")
    text = (shipped("config") / "exercise" / "warnings.jsonl").read_bytes()
    story.drafts = [parse_draft(line) for line in text.splitlines() if line]
    draft = story.drafts[0]
    labels = [label.value for label, _, _ in draft.body()]
    async with story.agency(ORIGINATOR) as agency:
        audience = await agency.audience(draft, operation=True, subscribers=True)
    groups: dict[tuple[str, ...], list[str]] = {}
    for one in audience.candidates:
        groups.setdefault(tuple(labels[int(cid[1:])] for cid in one.grants), []).append(one.partner)
    rows = [
        (", ".join(granted) or "[red]nothing[/]", str(len(partners)), ", ".join(partners))
        for granted, partners in sorted(groups.items(), key=lambda item: -len(item[0]))
    ]
    story.stage.say(f"The warning has {len(labels)} compartments: {', '.join(labels)}.")
    story.stage.table(("may open", "how many", "who"), rows)
    story.stage.say("Why not? For example:")
    reasons: dict[str, str] = {}
    for one in audience.candidates:
        for withheld in one.withheld:
            cause = withheld.near_miss or ", ".join(withheld.rules) or withheld.reason
            reasons.setdefault(cause, f"{one.partner} gets no {labels[int(withheld.cid[1:])]}")
    for cause, what in list(reasons.items())[: 2 * _SHOWN]:
        story.stage.point("-", f"{what}: {cause}")


async def _send(story: Play) -> None:
    story.stage.scene(f"{ORIGINATOR} sends {len(story.drafts)} warnings from a file")
    with story.stage.progress("sealed, signed, accepted by the hub") as bar:
        async with story.agency(ORIGINATOR) as agency:
            for number, draft in enumerate(story.drafts):
                bar.show(number, len(story.drafts))
                to = await _named(agency, draft, story.codes)
                sent = await agency.send(draft, to=to, operation=not to, subscribers=not to)
                story.sent.append(sent.mh)
    story.stage.say(f"{len(story.sent)} accepts came back, each signed by the hub after it was safe on its disk.")
    strict = sum(draft.marks.tlp in _NAMED_ONLY for draft in story.drafts)
    story.stage.say(f"{strict} are TLP:RED or AMBER+STRICT: they go only to partners that the officer names.")


async def _named(agency: Agency, draft: Draft, codes: Sequence[str]) -> list[str]:
    """Return whom the officer names: for strict marks, all who could get anything if they were named."""
    if draft.marks.tlp not in _NAMED_ONLY:
        return []
    audience = await agency.audience(draft, to=[code for code in codes if code != ORIGINATOR])
    return [one.partner for one in audience.candidates if one.grants]


async def _settle(story: Play) -> _Matrices:
    """Wait until every copy has its receipt and no answer has come for a while, or time is up."""
    matrices: _Matrices = {}
    async with story.agency(ORIGINATOR) as agency:
        with story.stage.progress("copies opened and signed for") as bar, contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SETTLED):
                answers, quiet = 0, 0.0
                while quiet < _QUIET:
                    matrices = {mh: await agency.matrix(mh) for mh in story.sent}
                    rows = [row for matrix in matrices.values() for row in matrix if row.released]
                    done = sum(row.receipt is not None for row in rows)
                    bar.show(done, len(rows))
                    before, answers = answers, len(await agency.inbox(limit=1_000))
                    is_quiet = done == len(rows) and before == answers
                    quiet = quiet + _LOOK if is_quiet else 0.0
                    await asyncio.sleep(_LOOK)
    return matrices


def _settled(row: MatrixRow) -> str:
    """Return how far a copy came, as far as this scene counts: what was answered was opened, too."""
    return "opened" if row.state in ("read", "acted") else row.state


async def _show_matrix(story: Play, matrices: _Matrices) -> None:
    story.stage.scene("The delivery matrix: who got what, signed for by each")
    labels = [label.value for label, _, _ in story.drafts[0].body()]
    first = {row.to: row for row in matrices[story.sent[0]]}
    rows = []
    for code in [code for code in story.codes if code != ORIGINATOR]:
        states = Counter(_settled(row) for matrix in matrices.values() for row in matrix if row.to == code)
        row = first.get(code)
        got = ", ".join(labels[int(cid[1:])] for cid in row.released) if row else "[dim]not sealed to it[/]"
        rows.append((code, str(states["opened"]), str(len(story.sent) - sum(states.values())), got))
    story.stage.table(("partner", "opened", "not for it", "of the first warning"), rows)
    total = Counter(_settled(row) for matrix in matrices.values() for row in matrix)
    story.figures["copies"] = dict(total)
    story.stage.say(f"{total['opened']} copies were opened, each with the addressee's signed receipt;")
    story.stage.say(f"{total['refused']} refused, {total['waiting'] + total['collected']} still on their way.")


async def _show_statistics(story: Play) -> None:
    story.stage.scene("Answers come back in the threads, and the liaison office counts")
    async with story.agency(ORIGINATOR) as agency:
        entries = await agency.inbox(limit=1_000)
    kinds = Counter(entry.mt for entry in entries)
    who = sorted({entry.iss for entry in entries if entry.iss and entry.mt == "seizure"})
    story.stage.say(
        f"{ORIGINATOR} has {kinds['feedback']} feedback messages and {kinds['seizure']} seizure reports"
        + (f" (from {', '.join(who)})." if who else ".")
    )
    async with story.agency(LIAISON) as agency:
        report = await agency.report(EXCHANGE)
    story.figures["seizures"] = {"reports": report.reports, "events": report.events}
    story.stage.table((f"{EXCHANGE}, as {LIAISON} can read it", ""), _figures(report))


def _figures(report: Report) -> list[tuple[str, str]]:
    def cell(value: object) -> str:
        return "suppressed" if value is None else str(value)

    def share(value: float | None) -> str:
        return "" if value is None else f" ({value:.0%})"

    arms = (report.firearms, report.firearm_parts, report.ammunition)
    return [
        ("warnings", cell(report.warnings)),
        ("answered by feedback", cell(report.answered) + share(report.feedback_rate)),
        ("median time to the first feedback", f"{cell(report.median_answer)} s"),
        ("led to a seizure", cell(report.fruitful) + share(report.yield_rate)),
        ("seizure reports / events (double reports counted once)", f"{cell(report.reports)} / {cell(report.events)}"),
        ("firearms / parts / ammunition", " / ".join(map(cell, arms))),
        ("cash and bearer instruments, USD", cell(report.cash_usd)),
        ("arrests", cell(report.arrests)),
    ]


async def _prove(story: Play, *, keep: bool) -> None:
    story.stage.scene("An auditor checks one delivery without the hub")
    evidence = story.folder / "evidence.json"
    to = "de-customs"
    async with story.agency(ORIGINATOR) as agency:
        anchor = agency.settings.root.read_bytes()
        data, _ = await make_evidence(agency.connector, story.sent[0], to, anchor=anchor)
    evidence.write_bytes(data)
    if not keep:
        await story.cast.stop("hub")
        story.stage.say("[dim]The hub is stopped now.[/]")
    command = ("verify", evidence, "--anchors", story.folder / "office" / "root.json")
    outcome = await story.cast.command(*command)
    story.stage.say(f"[bold]$ valise verify {evidence.name} --anchors root.json[/]   (another process, no network)")
    for line in outcome.out.splitlines():
        if line.startswith("  "):
            story.stage.point(line[2], line[4:])
        else:
            story.stage.say(line)
    forged = story.folder / "evidence-forged.json"
    forged.write_bytes(flip_one_bit(data))
    outcome = await story.cast.command("verify", forged, *command[2:], check=False)
    story.stage.say("")
    story.stage.say(
        f"[bold]$ valise verify {forged.name} --anchors root.json[/]   (one bit of the manifest is flipped)"
    )
    for line in outcome.out.splitlines():
        story.stage.say(f"[red]{line}[/]")
    story.stage.say(f"[dim]exit code {outcome.code}[/]")
    story.figures["evidence"] = {"file": str(evidence), "forged": str(forged), "forged_exit_code": outcome.code}


def flip_one_bit(evidence: bytes) -> bytes:
    """Return an evidence file that dates the warning one second off: one bit of what the originator signed differs."""
    file = parse_json(evidence)
    header, payload, signature = file["manifest"].split(".")
    signed = bytearray(decode_b64url(payload))
    last_digit = signed.index(b'"exp":') - 2
    signed[last_digit] ^= 1
    file["manifest"] = f"{header}.{encode_b64url(bytes(signed))}.{signature}"
    return write_json(file)


def _say_where(story: Play, *, keep: bool) -> None:
    story.stage.scene("What is left for you to look at")
    story.stage.say(f"Everything is in {story.folder}:")
    story.stage.say("office/ (directory and keys), hub/hub.db, agencies/, evidence.json, one .log for each process.")
    if not keep:
        story.stage.say("Play it again with the hub left running: [bold]make demo KEEP=1[/]")
        return
    agency = story.folder / "agencies" / "de-customs"
    story.stage.say(f"The hub still runs at {story.url}; stop everything with:")
    story.stage.command("kill " + " ".join(str(program.process.pid) for program in story.cast.programs))
    story.stage.say("Try next:")
    story.stage.command(f"export VALISE_PASSPHRASE={story.passphrase.get_secret_value()}")
    for command in (f"inbox {agency}", f"show {agency} {story.sent[0]}", "--help"):
        story.stage.command(f"{_valise()} {command}")


def _valise() -> str:
    """Return how this person calls the command."""
    beside = Path(sys.executable).with_name("valise")
    here = Path.cwd()
    return str(beside.relative_to(here)) if beside.is_relative_to(here) else str(beside)


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
    return port
