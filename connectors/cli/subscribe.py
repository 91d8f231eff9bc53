"""`valise subscribe`: which messages an agency wants to be offered, beyond those that name it.

A subscription makes the agency a candidate; what it then gets is for policy to say. Not for: operations, whose members
are addressed without it. User's page: `docs/reference/commands.md`.
"""

import asyncio
from pathlib import Path

import click

from connectors.cli.output import json_option, show
from connectors.cli.unlock import FOLDER, open_agency
from hub.protocol.subscription import Subscription
from hub.protocol.vocabulary import MessageKind, check_topic


def _topics(_context: click.Context, _parameter: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(check_topic(topic) for topic in given)


@click.command(epilog="Example: valise subscribe rilo-we --kind seizure --topic hs:93 --topic mode:sea")
@FOLDER
@click.option(
    "--kind", "kinds", multiple=True, type=click.Choice([one.value for one in MessageKind]), help="Only these messages."
)
@click.option("--operation", "operations", multiple=True, metavar="NAME", help="Only messages of these operations.")
@click.option(
    "--topic", "topics", multiple=True, metavar="FACET:VALUE", callback=_topics, help="Only with one of these topics."
)
@click.option("--off", is_flag=True, help="End the subscription.")
@click.option("--show", "only_show", is_flag=True, help="Change nothing; show the subscription.")
@json_option
def subscribe(
    *,
    folder: Path,
    kinds: tuple[str, ...],
    operations: tuple[str, ...],
    topics: tuple[str, ...],
    off: bool,
    only_show: bool,
    as_json: bool,
) -> None:
    """Ask for the agency in FOLDER to be offered messages; without options, all of them.

    The new subscription replaces the earlier one.
    """
    if only_show:
        found = asyncio.run(_find(folder))
    else:
        found = asyncio.run(_subscribe(folder, kinds, operations, topics, active=not off))
    value = found.model_dump(mode="json", include={"active", "kinds", "operations", "topics"}) if found else None
    show({"subscription": value}, _text(found), as_json=as_json)


async def _find(folder: Path) -> Subscription | None:
    async with open_agency(folder) as agency:
        return await agency.subscription()


async def _subscribe(
    folder: Path, kinds: tuple[str, ...], operations: tuple[str, ...], topics: tuple[str, ...], *, active: bool
) -> Subscription:
    async with open_agency(folder) as agency:
        return await agency.subscribe(
            kinds=[MessageKind(kind) for kind in kinds], operations=operations, topics=topics, active=active
        )


def _text(found: Subscription | None) -> str:
    if found is None or not found.active:
        return "Subscribed to nothing."
    kinds = " or ".join(f"{kind}s" for kind in found.kinds) or "messages of every kind"
    operations = f", of {' or '.join(found.operations)}" if found.operations else ""
    topics = f", about {' or '.join(found.topics)}" if found.topics else ""
    return f"Subscribed to {kinds}{operations}{topics}."
