"""`valise subscribe`: which messages an agency wants to be offered, beyond those that name it.

A subscription makes the agency a candidate; what it then gets is for policy to say. Not for: operations, whose members
are addressed without it. User's pages: `docs/trips/groups.md`, `docs/trips/preview.md`.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import click

from connectors.cli.output import json_option, show
from connectors.cli.unlock import FOLDER, open_agency
from connectors.kit.questions import ask_preview
from hub.protocol.interface import Preview
from hub.protocol.subscription import Criteria, Subscription
from hub.protocol.vocabulary import (
    MessageKind,
    Priority,
    Region,
    TransportMode,
    check_country,
    check_topic,
)


def _topics(_context: click.Context, _parameter: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(check_topic(topic) for topic in given)


def _chapters(_context: click.Context, _parameter: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(check_topic(f"hs:{chapter}") for chapter in given)


def _countries(_context: click.Context, _parameter: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(check_country(country) for country in given)


def _choice(values: Sequence[str]) -> click.Choice[str]:
    return click.Choice([str(value) for value in values])  # click would take the names of an enum


@click.command(epilog="Example: valise subscribe rilo-we --kind seizure --chapter 93 --mode sea --region africa")
@FOLDER
@click.option("--kind", "kinds", multiple=True, type=_choice([*MessageKind]), help="Only these messages.")
@click.option("--operation", "operations", multiple=True, metavar="NAME", help="Only messages of these operations.")
@click.option("--chapter", "chapters", multiple=True, metavar="HS", callback=_chapters, help="Only these HS chapters.")
@click.option("--mode", "modes", multiple=True, type=_choice([*TransportMode]), help="Only these ways of transport.")
@click.option(
    "--country", "countries", multiple=True, metavar="CODE", callback=_countries, help="Only routes that touch one."
)
@click.option("--region", "regions", multiple=True, type=_choice([*Region]), help="Only routes that touch one.")
@click.option("--priority", "priorities", multiple=True, type=_choice([*Priority]), help="Only of these priorities.")
@click.option(
    "--topic", "topics", multiple=True, metavar="FACET:VALUE", callback=_topics, help="Only with one of a facet's."
)
@click.option("--off", is_flag=True, help="End the subscription.")
@click.option("--show", "only_show", is_flag=True, help="Change nothing; show the subscription.")
@click.option("--preview", "only_preview", is_flag=True, help="Change nothing; count what it would have matched.")
@json_option
def subscribe(
    *, folder: Path, off: bool, only_show: bool, only_preview: bool, as_json: bool, **given: tuple[str, ...]
) -> None:
    """Ask for the agency in FOLDER to be offered messages; without options, all of them.

    Options of one kind widen the subscription, options of different kinds narrow it. The new subscription replaces the
    earlier one.
    """
    want = _criteria(**given)
    if only_preview:
        counts = asyncio.run(_preview(folder, want))
        show(counts.model_dump(mode="json"), _counts(counts), as_json=as_json)
        return
    found = asyncio.run(_find(folder)) if only_show else asyncio.run(_subscribe(folder, want, active=not off))
    value = {"active": found.active, **found.want.model_dump(mode="json")} if found else None
    show({"subscription": value}, _text(found), as_json=as_json)


def _criteria(
    *,
    kinds: Sequence[str],
    operations: Sequence[str],
    chapters: Sequence[str],
    modes: Sequence[str],
    countries: Sequence[str],
    regions: Sequence[str],
    priorities: Sequence[str],
    topics: Sequence[str],
) -> Criteria:
    return Criteria(
        kinds=tuple(MessageKind(one) for one in kinds),
        operations=tuple(operations),
        topics=(*chapters, *(f"mode:{one}" for one in modes), *topics),
        countries=tuple(countries),
        regions=tuple(Region(one) for one in regions),
        priorities=tuple(Priority(one) for one in priorities),
    )


async def _find(folder: Path) -> Subscription | None:
    async with open_agency(folder) as agency:
        return await agency.subscription()


async def _preview(folder: Path, want: Criteria) -> Preview:
    async with open_agency(folder) as agency:
        return await ask_preview(agency.connector.client, want)


async def _subscribe(folder: Path, want: Criteria, *, active: bool) -> Subscription:
    async with open_agency(folder) as agency:
        return await agency.subscribe(want=want, active=active)


def _counts(counts: Preview) -> str:
    most = "" if counts.whole else " Only the newest messages were looked at."
    return (
        f"In the last {counts.days} days the present subscription matched {counts.old}, this one would have matched "
        f"{counts.new} of what was offered to groups and policy would have let you have.{most}"
    )


def _text(found: Subscription | None) -> str:
    if found is None or not found.active:
        return "Subscribed to nothing."
    want = found.want
    kinds = " or ".join(f"{kind}s" for kind in want.kinds) or "messages of every kind"
    facets = sorted({topic.partition(":")[0] for topic in want.topics})
    parts = [f", of {' or '.join(want.operations)}"] if want.operations else []
    parts += [f", about {' or '.join(one for one in want.topics if one.startswith(facet + ':'))}" for facet in facets]
    route = [*want.countries, *want.regions]
    parts += [f", on a route that touches {' or '.join(route)}"] if route else []
    parts += [f", {' or '.join(want.priorities)}"] if want.priorities else []
    return f"Subscribed to {kinds}{''.join(parts)}."
