"""`valise connector`: the commands that set an agency's connector up and run it.

Each is loaded when it is called: making keys needs no network. Not for: what each does (`enrol.py`, `run.py`). User's
page: `docs/how-to/enrol-a-partner.md`.
"""

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Final, cast

import click

#: name -> (module:command, one line of help)
_STEPS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "init": ("connectors.cli.enrol:init", "Make an agency: keys, settings, and the request to enrol it."),
        "init-all": ("connectors.cli.enrol:init_all", "Make every agency of a table, for exercises."),
        "answer": ("connectors.cli.enrol:answer", "Answer the registry office's challenges."),
        "doctor": ("connectors.cli.doctor:doctor", "Look at everything that must be right."),
        "fsck": ("connectors.cli.keep:fsck", "Check an agency's store."),
        "backup": ("connectors.cli.keep:backup", "Copy an agency's state into one file."),
        "restore": ("connectors.cli.keep:restore", "Use such a copy."),
        "keys": ("connectors.cli.keys:keys", "Show an agency's keys, and when they end."),
        "rotate": ("connectors.cli.keys:rotate", "Make new keys and the request to enrol them."),
        "signed-by": ("connectors.cli.signed_by:signed_by", "Tell what a key signed since a time, and who opened it."),
        "run": ("connectors.cli.run:run", "Run agencies until told to stop."),
    }
)


class _Steps(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_STEPS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in _STEPS:
            return None
        module, _, name = _STEPS[cmd_name][0].partition(":")
        return cast("click.Command", getattr(import_module(module), name))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _STEPS.items()])


@click.group(cls=_Steps)
def connector() -> None:
    """Set up an agency's connector and run it.

    First `init`, which makes keys and a request; then the registry office challenges the request; then `answer`; when
    the office has enrolled the agency, `run`.
    """
