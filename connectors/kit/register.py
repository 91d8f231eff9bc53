"""A national register as adapters see it: a file with one JSON record on each line.

Not for: what a record says; each adapter has its own shape. User's view in `docs/trips/receive.md`.
"""

from pathlib import Path
from typing import TypeVar

from hub.protocol.content.shape import Content, parse_content
from hub.protocol.errors import ContentError, JsonError, SetupError

_Record = TypeVar("_Record", bound=Content)


def read_register(path: Path, shape: type[_Record]) -> tuple[_Record, ...]:
    """Return the records of a register, in order; one that does not exist is empty.

    Raises:
        SetupError: it cannot be read, or a line of it is not of that shape; the detail names the line.
    """
    try:
        lines = path.read_bytes().splitlines() if path.exists() else []
    except OSError as error:
        raise SetupError(f"{path}: {error.strerror}") from error
    records = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            records.append(parse_content(shape, line))
        except (JsonError, ContentError) as error:
            raise SetupError(f"{path}:{number}: {error.detail}") from error
    return tuple(records)
