"""`valise warn`, `feedback`, `seizure` and `audience`: from a file of drafts to sealed messages, or a look beforehand.

Not for: what a draft may say (`docs/protocol/08-content.md`) nor for how it is sent (`connectors/kit/send.py`). User's
page: `docs/trips/send.md`.
"""

import asyncio
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from connectors.cli.output import counted, json_option, show
from connectors.cli.reasons import audience_grid, audience_summary, audience_value
from connectors.cli.unlock import FOLDER, open_agency
from connectors.kit.agency import Agency
from connectors.kit.audience import Audience
from connectors.kit.numbers import whole_number
from connectors.kit.send import Addressing, kind_of
from hub.protocol.content import Draft, parse_draft
from hub.protocol.errors import ContentError, JsonError, SetupError, UnreachableError
from hub.protocol.vocabulary import MessageKind, Verb

_Command = TypeVar("_Command", bound=Callable[..., Any])
_Drafts = Sequence[tuple[str, Draft]]  # where each was written, and the draft
_FILE: Final = click.Path(path_type=Path, dir_okay=False)


def _addressing(command: _Command) -> _Command:
    options = (
        click.option("--to", multiple=True, metavar="CODE", help="A partner by name; may be given several times."),
        click.option("--operation", is_flag=True, help="Also all members of the operation that the draft names."),
        click.option("--subscribers", is_flag=True, help="Also all who subscribed to such messages."),
        click.option("--leave-out", multiple=True, metavar="CODE", help="A partner that shall get nothing."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def _sending(command: _Command) -> _Command:
    dry = click.option("--dry-run", is_flag=True, help="Send nothing; show who would get what, and why not.")
    return _addressing(dry(json_option(command)))


@click.command(epilog="Example: valise warn fr-customs warnings.jsonl --operation --subscribers --dry-run")
@FOLDER
@click.argument("files", nargs=-1, required=True, type=_FILE)
@click.option("--update", metavar="MH", help="The drafts update this own warning.")
@click.option("--cancel", metavar="MH", help="The drafts cancel this own warning.")
@_sending
def warn(
    *,
    folder: Path,
    files: tuple[Path, ...],
    update: str | None,
    cancel: str | None,
    dry_run: bool,
    as_json: bool,
    **addressing: Any,  # noqa: ANN401 - the options of `_addressing`
) -> None:
    """Send the warnings in FILES from the agency in FOLDER.

    A file is one draft in JSON, or with the ending .jsonl one draft on each line. Every draft is checked before the
    first is sent. When the hub is away they wait in the outbox, and the connector sends them.
    """
    if update and cancel:
        raise click.UsageError("a warning is updated or cancelled, not both")
    relation = Relation(update or cancel, Verb.UPDATE if update else Verb.CANCEL if cancel else Verb.ALERT)
    drafts = read_drafts(files, MessageKind.WARNING)
    _run(folder, drafts, Addressing(**addressing), relation, dry_run=dry_run, as_json=as_json)


@click.command(epilog="Example: valise feedback de-customs MH feedback.json --subscribers")
@FOLDER
@click.argument("mh")
@click.argument("files", nargs=-1, required=True, type=_FILE)
@_sending
def feedback(
    *,
    folder: Path,
    mh: str,
    files: tuple[Path, ...],
    dry_run: bool,
    as_json: bool,
    **addressing: Any,  # noqa: ANN401 - the options of `_addressing`
) -> None:
    """Answer the message MH with the feedback in FILES: to its originator, and to whom else is named.

    The answer's marks become at least as strict as those of the message.
    """
    drafts = read_drafts(files, MessageKind.FEEDBACK)
    _run(folder, drafts, Addressing(**addressing), Relation(mh), dry_run=dry_run, as_json=as_json)


@click.command(epilog="Example: valise seizure de-customs MH seizure.json --subscribers")
@FOLDER
@click.argument("mh")
@click.argument("files", nargs=-1, required=True, type=_FILE)
@_sending
def seizure(
    *,
    folder: Path,
    mh: str,
    files: tuple[Path, ...],
    dry_run: bool,
    as_json: bool,
    **addressing: Any,  # noqa: ANN401 - the options of `_addressing`
) -> None:
    """Report the seizures in FILES, to which the message MH led, to its originator and to whom else is named.

    The figures for the operation's statistics are made from the seizure.
    """
    drafts = read_drafts(files, MessageKind.SEIZURE)
    _run(folder, drafts, Addressing(**addressing), Relation(mh), dry_run=dry_run, as_json=as_json)


@click.command(epilog="Example: valise audience fr-customs warning.json --to ke-customs --operation")
@FOLDER
@click.argument("file", type=_FILE)
@click.option("--answers", metavar="MH", help="The message that it answers.")
@_addressing
@json_option
def audience(*, folder: Path, file: Path, answers: str | None, as_json: bool, **addressing: Any) -> None:  # noqa: ANN401 - the options of `_addressing`
    """Show who would get the draft in FILE, what would be withheld from whom, and by which rule; nothing is sent."""
    _run(folder, read_drafts([file], None), Addressing(**addressing), Relation(answers), dry_run=True, as_json=as_json)


# --- drafts ----------------------------------------------------------------------------------------------------------


def read_drafts(files: Sequence[Path], kind: MessageKind | None) -> _Drafts:
    """Return the drafts in these files, each with the place where it was written.

    Raises:
        SetupError: a file cannot be read, has no draft, or one of another kind.
        JsonError, ContentError: a draft is wrong; the detail begins with its place.
    """
    return [(where, _parse(where, data, kind)) for file in files for where, data in _written(file)]


def _written(file: Path) -> Iterator[tuple[str, bytes]]:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise SetupError(f"{file}: {error.strerror}") from error
    if file.suffix != ".jsonl":
        yield str(file), data.strip()  # an editor ends a file with a line feed, strict JSON does not
        return
    lines = [(number, line) for number, line in enumerate(data.splitlines(), 1) if line.strip()]
    if not lines:
        raise SetupError(f"{file}: no draft in it")
    yield from ((f"{file}:{number}", line) for number, line in lines)


def _parse(where: str, data: bytes, kind: MessageKind | None) -> Draft:
    try:
        draft = parse_draft(data)
    except (JsonError, ContentError) as error:
        error.detail = f"{where}: {error.detail}"
        raise
    if kind not in (None, draft.kind):
        raise SetupError(f"{where}: a {draft.kind}, not a {kind}")
    return draft


# --- sending ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Relation:
    """The message that a draft is about, if any, and what it does to it: `alert` answers or begins."""

    mh: str | None = None
    verb: Verb = Verb.ALERT

    @property
    def answers(self) -> str | None:
        """The message that is answered."""
        return self.mh if self.verb is Verb.ALERT else None


def _run(
    folder: Path, drafts: _Drafts, addressing: Addressing, relation: Relation, *, dry_run: bool, as_json: bool
) -> None:
    """Look or send; when sending breaks off, what was sent is shown all the same."""
    if relation.answers is None and not (addressing.to or addressing.operation or addressing.subscribers):
        raise click.UsageError("say who gets it: --to CODE, --operation or --subscribers")
    done: list[dict[str, Any]] = []
    texts: list[Any] = []
    try:
        asyncio.run(_each(folder, drafts, addressing, relation, _Outcome(dry_run=dry_run, done=done, texts=texts)))
    finally:
        if done:
            show({"audiences" if dry_run else "sent": done}, *texts, as_json=as_json)


class _Outcome:
    """What was done so far, for programs and for people."""

    def __init__(self, *, dry_run: bool, done: list[dict[str, Any]], texts: list[Any]) -> None:
        self.dry_run: Final = dry_run
        self._done: Final = done
        self._texts: Final = texts

    def add(self, where: str, draft: Draft, audience: Audience, leave_out: Sequence[str], mh: str | None) -> None:
        """Note one draft: looked at, or sent as `mh`."""
        labels = [label.value for label, _, _ in draft.body()]
        value = {"file": where, "kind": kind_of(draft), "addressees": audience_value(audience, labels, leave_out)}
        self._done.append(value if mh is None else {"mh": mh, **value})
        summary = audience_summary(audience, leave_out)
        if mh is None:
            self._texts.extend([f"{where}\n  {summary}", audience_grid(audience, labels, leave_out)])
        else:
            self._texts.append(f"{mh}  {kind_of(draft)}, {where}\n  {summary}")


async def _each(folder: Path, drafts: _Drafts, addressing: Addressing, relation: Relation, outcome: _Outcome) -> None:
    """Send first and look then: a message is in the outbox before anything can go wrong."""
    unsent: list[str] = []
    label = f"{'Asking about' if outcome.dry_run else 'Sending'} {counted(len(drafts), 'message')}"
    async with open_agency(folder) as agency:
        if relation.mh is not None:
            relation = Relation(await whole_number(agency.connector, relation.mh), relation.verb)
        with click.progressbar(
            drafts, label=label, file=sys.stderr, hidden=len(drafts) == 1 or not sys.stderr.isatty()
        ) as waiting:
            for where, draft in waiting:
                try:
                    mh = None if outcome.dry_run else await _send(agency, draft, addressing, relation)
                except UnreachableError:
                    unsent.append(where)  # it is in the outbox; hand the others over as well
                    continue
                audience = await _look(agency, draft, addressing, relation.answers)
                outcome.add(where, draft, audience, addressing.leave_out, mh)
    if unsent:
        raise UnreachableError(f"{counted(len(unsent), 'message')} in the outbox: {', '.join(unsent)}")


async def _look(agency: Agency, draft: Draft, addressing: Addressing, answers: str | None) -> Audience:
    return await agency.audience(
        draft,
        to=addressing.to,
        operation=addressing.operation,
        subscribers=addressing.subscribers,
        answers=answers,
    )


async def _send(agency: Agency, draft: Draft, addressing: Addressing, relation: Relation) -> str:
    given = asdict(addressing)
    if relation.mh is None:
        return (await agency.send(draft, **given)).mh
    if relation.verb is Verb.ALERT:
        return (await agency.answer(relation.mh, draft, **given)).mh
    return (await agency.replace(relation.mh, draft, verb=relation.verb, **given)).mh
