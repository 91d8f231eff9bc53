"""How a person names a moment on the command line: Unix seconds, or ISO 8601 with its offset.

Not for: how times are shown. User's page: `docs/reference/commands.md`.
"""

from datetime import datetime
from typing import Final

import click


class _Moment(click.ParamType[int]):
    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return Unix seconds."""
        if isinstance(value, int):
            return value
        text = str(value)
        if text.isascii() and text.isdigit():
            return int(text)
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            self.fail(f"{text}: neither Unix seconds nor like 2027-01-15T08:00:00+00:00", param, ctx)
        return int(moment.timestamp())


TIME: Final = _Moment()
