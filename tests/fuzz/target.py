"""What one fuzz target is: an entry point for bytes from outside, valid samples of them, and what must hold."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Target:
    """One entry point that takes bytes from outside.

    Attributes:
        name: as the command line names it.
        covers: the functions of ours that take the bytes, as `module.function`; an architecture test counts them.
        read: takes any bytes; raises `ValiseError` leaves only, and checks itself that what it accepts holds.
        make: makes valid samples; each is accepted by `read`, so that mutations start deep inside the format.
        refused: the code of the samples where nothing can be accepted, because what would be is nobody's to make.
    """

    name: str
    covers: tuple[str, ...]
    read: Callable[[bytes], object]
    make: Callable[[], Sequence[bytes]]
    refused: str | None = None

    @cached_property
    def samples(self) -> tuple[bytes, ...]:
        """The valid samples, made once."""
        return tuple(self.make())


def as_text(data: bytes) -> str:
    """Return bytes as a caller with a text interface may pass them on: half surrogate pairs included."""
    return data.decode("utf-8", "surrogateescape")


def hold(condition: object, what: str) -> None:
    """Fail when something was accepted that must not be."""
    if not condition:
        raise AssertionError(what)
