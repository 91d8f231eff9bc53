"""`valise operation`: open an operation, list those that an agency is in, and read the statistics of one.

Not for: counting (`connectors/kit/report.py`). User's page: `docs/reference/commands.md`.
"""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Final, Literal

import click

from connectors.cli.output import Grid, counted, json_option, local, show
from connectors.cli.unlock import FOLDER, open_agency
from connectors.kit.agency import Agency
from connectors.kit.report import Report
from hub.protocol.operation import CountingRules, Operation
from hub.protocol.vocabulary import PartnerKind

_DAY: Final = 86_400  # seconds
_WIDE: Final = 24  # characters of the first column of a report


@click.group()
def operation() -> None:
    """Open operations, list them, and read their statistics."""


# --- open and list ---------------------------------------------------------------------------------------------------


@operation.command(
    "open",
    epilog="Example: valise operation open fr-customs --name lantern --title 'Operation Lantern' "
    "--members de-customs,nl-customs --days 14 --exercise",
)
@FOLDER
@click.option("--name", required=True, help="Its name in messages: small letters, digits and '-'.")
@click.option("--title", required=True, help="Its title for people.")
@click.option("--members", default="", metavar="CODE,CODE", help="Its members; the agency itself is always one.")
@click.option("--all", "everybody", is_flag=True, help="Everybody in the directory but hubs is a member.")
@click.option("--days", type=click.IntRange(1, 366), required=True, help="How long it is open, from now on.")
@click.option("--exercise", is_flag=True, help="Only exercise and test messages run in it.")
@click.option("--small-cell", type=click.IntRange(0, 100), default=0, help="Figures below this are not shown.")
@click.option(
    "--firearm-parts",
    type=click.Choice(["apart", "as-firearms"]),
    default="apart",
    show_default=True,
    help="Whether parts count as firearms.",
)
@json_option
def open_operation(
    *,
    folder: Path,
    name: str,
    title: str,
    members: str,
    everybody: bool,
    days: int,
    exercise: bool,
    small_cell: int,
    firearm_parts: Literal["apart", "as-firearms"],
    as_json: bool,
) -> None:
    """Open an operation that the agency in FOLDER coordinates: who is in it, for how long, and how it counts."""
    if everybody == bool(members):
        raise click.UsageError("Say who is in it: either --members or --all.")
    named = [code.strip() for code in members.split(",") if code.strip()]
    counting = CountingRules(small_cell=small_cell, firearm_parts=firearm_parts)
    opened = asyncio.run(
        _open(folder, name, title=title, members=named, days=days, counting=counting, exercise=exercise)
    )
    show(
        _value(opened),
        f"Opened {opened.op}: {counted(len(opened.members), 'member')}, until {local(opened.closes)}.",
        as_json=as_json,
    )


async def _open(
    folder: Path, name: str, *, title: str, members: list[str], days: int, counting: CountingRules, exercise: bool
) -> Operation:
    async with open_agency(folder) as agency:
        now = agency.connector.clock()
        return await agency.open_operation(
            name,
            title=title,
            members=[agency.settings.partner, *(members or _everybody(agency))],
            opens=now,
            closes=now + days * _DAY,
            exercise=exercise,
            counting=counting,
        )


def _everybody(agency: Agency) -> list[str]:
    records = agency.connector.directory.partners()
    return [one.partner for one in records if one.kind is not PartnerKind.HUB and one.status == "active"]


@operation.command("list", epilog="Example: valise operation list de-customs")
@FOLDER
@json_option
def list_operations(*, folder: Path, as_json: bool) -> None:
    """List the operations that the agency in FOLDER is in."""
    found, now = asyncio.run(_operations(folder))
    rows = [
        (one.op, one.title, one.iss, str(len(one.members)), local(one.opens), local(one.closes), _state(one, now))
        for one in found
    ]
    grid = Grid(("name", "title", "coordinator", "members", "opens", "closes", "state"), rows)
    value = {"operations": [_value(one) for one in found]}
    show(value, grid if found else "This agency is in no operation.", as_json=as_json)


async def _operations(folder: Path) -> tuple[tuple[Operation, ...], int]:
    async with open_agency(folder) as agency:
        return await agency.operations(), agency.connector.clock()


def _state(one: Operation, now: int) -> str:
    state = "open" if one.is_open(now) else "not yet open" if now < one.opens else "closed"
    return f"{state}, exercise" if one.exercise else state


def _value(one: Operation) -> dict[str, object]:
    return one.model_dump(
        mode="json", include={"op", "title", "opens", "closes", "exercise", "members", "counting"}
    ) | {"coordinator": one.iss}


# --- report ----------------------------------------------------------------------------------------------------------


@operation.command(epilog="Example: valise operation report fr-customs lantern")
@FOLDER
@click.argument("name")
@json_option
def report(*, folder: Path, name: str, as_json: bool) -> None:
    """Show the statistics of the operation NAME from all that the agency in FOLDER can read.

    An event that several agencies report counts once. Figures too small to be shown are said to be so.
    """
    made = asyncio.run(_report(folder, name))
    rates = {"feedback_rate": made.feedback_rate, "yield_rate": made.yield_rate}
    show({"operation": name} | asdict(made) | rates, "\n".join((f"Operation {name}", *_text(made))), as_json=as_json)


async def _report(folder: Path, name: str) -> Report:
    async with open_agency(folder) as agency:
        return await agency.report(name)


def _text(made: Report) -> Iterator[str]:
    for name, said in _figures(made):
        yield f"  {name:{_WIDE}}{said}"
    if made.unread:
        yield f"  {counted(made.unread, 'message')} cannot be opened here any longer and do not count."


def _figures(made: Report) -> Iterator[tuple[str, str]]:
    yield "warnings", _cell(made.warnings)
    after = "" if made.median_answer is None else f", half of them within {_span(made.median_answer)}"
    yield "answered", _cell(made.answered) + _share(made.feedback_rate) + after
    yield "led to a seizure", _cell(made.fruitful) + _share(made.yield_rate)
    doubles = "" if not made.double_reports else f" ({counted(made.double_reports, 'double report')}, counted once)"
    yield "seizures", _cell(made.events) + doubles
    yield "firearms", _cell(made.firearms)
    yield "firearm parts", _cell(made.firearm_parts)
    yield "ammunition", _cell(made.ammunition)
    yield "arrests", _cell(made.arrests)
    yield "cash", _cash(made.cash, made.cash_usd)
    yield "outcomes", _cells(made.outcomes)
    yield "seizures by country", _cells(made.countries)
    yield "seizures by detection", _cells(made.detections)


def _cell(count: int | None) -> str:
    return "too few to be shown" if count is None else str(count)


def _cells(cells: Mapping[str, int | None]) -> str:
    return ", ".join(f"{name} {'(few)' if count is None else count}" for name, count in cells.items()) or "-"


def _share(share: float | None) -> str:
    return "" if share is None else f" ({share:.0%})"


def _cash(cash: Mapping[str, Decimal], usd: Decimal | None) -> str:
    lines = ", ".join(f"{amount:,f} {currency}" for currency, amount in cash.items())
    return f"{lines} (worth {usd:,f} USD)" if lines and usd else lines or "-"


def _span(seconds: int) -> str:
    for unit, length in (("day", _DAY), ("hour", 3_600), ("minute", 60)):
        if seconds >= length:
            return counted(seconds // length, unit)
    return counted(seconds, "second")
