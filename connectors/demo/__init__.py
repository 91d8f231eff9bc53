"""`valise demo`: a whole exercise operation on one machine, with real processes, real keys and one SQLite file.

Not for: production; its passphrase is printed and its keystores guess fast. User's page: `docs/tutorial.md`.
"""

import asyncio
import shutil
from pathlib import Path

import click

from connectors.demo.cast import still_running
from connectors.demo.play import play
from connectors.demo.stage import Stage
from hub.protocol.errors import SetupError
from hub.protocol.strictjson import write_json

_MARK = "this-is-a-valise-demo"


@click.command(epilog="Example: valise demo --keep")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("demo"),
    show_default=True,
    help="Where everything is put; an earlier demo there is replaced.",
)
@click.option("--keep", is_flag=True, help="Leave the hub and the connectors running at the end.")
@click.option(
    "--json", "as_json", is_flag=True, help="Tell the story on standard error, then print its figures as JSON."
)
def demo(*, folder: Path, keep: bool, as_json: bool) -> None:
    """Play an exercise operation: one hub, thirty-one partners, warnings, feedback, a seizure, and the proof of it all.

    It takes about a minute, needs no network and ends by itself.
    """
    folder = folder.absolute()
    running = still_running(folder)
    if running:
        raise SetupError(f"a demo still runs in {folder}; stop it with: kill {' '.join(running)}")
    if folder.exists():
        if any(folder.iterdir()) and not (folder / _MARK).exists():
            raise SetupError(f"{folder} is not empty and no demo")
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / _MARK).touch()
    figures = asyncio.run(play(folder, Stage(on_stderr=as_json), keep=keep))
    if as_json:
        click.echo(write_json(figures).decode())
