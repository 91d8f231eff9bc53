"""Commands of `valise`, called as a person types them; what they print as JSON comes back as a value."""

import asyncio
import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from hub.cli import valise


def call(*arguments: str | Path) -> Any:
    """Call a command with `--json`; our errors are raised, and an exit code other than 0 is let pass."""
    result = CliRunner().invoke(valise, [*map(str, arguments), "--json"], standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return json.loads(result.stdout)


async def called(*arguments: str | Path) -> Any:
    """Call a command beside a running event loop; one at a time, for it takes the process's standard output."""
    return await asyncio.to_thread(call, *arguments)
