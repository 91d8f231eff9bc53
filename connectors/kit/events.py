"""Server-sent events as a hub writes them: bytes of any cut become whole events.

Not for: what an event says (`client.py`). Implements `docs/reference/api.md`; the format is in the HTML standard,
section 9.2.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from hub.protocol.errors import AnswerError

MAX_EVENT: Final = 1024 * 1024  # bytes; an item that travels in its event has 64 KiB


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """One event: its kind, its data, and the mark (`id`) of the stream after it."""

    kind: str
    data: bytes
    mark: str


class EventReader:
    """Takes bytes as they come and gives the events that are complete."""

    def __init__(self) -> None:
        self._rest = b""
        self._mark = ""

    def feed(self, data: bytes) -> Iterator[StreamEvent]:
        """Take more bytes; yield what is complete by them.

        Raises:
            AnswerError: an event grows beyond all measure, or is not text.
        """
        *blocks, self._rest = (self._rest + data).split(b"\n\n")
        if len(self._rest) > MAX_EVENT:
            raise AnswerError("stream")
        for block in blocks:
            event = self._read(block)
            if event is not None:
                yield event

    def _read(self, block: bytes) -> StreamEvent | None:
        """Return a block's event; comments only say that the line is alive."""
        fields = dict(line.partition(b": ")[::2] for line in block.split(b"\n") if not line.startswith(b":"))
        if b"data" not in fields:
            return None
        try:
            self._mark = fields.get(b"id", self._mark.encode()).decode("ascii")
            return StreamEvent(fields.get(b"event", b"message").decode("ascii"), fields[b"data"], self._mark)
        except UnicodeDecodeError as error:
            raise AnswerError("stream") from error
