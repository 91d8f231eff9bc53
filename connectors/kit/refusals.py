"""From a wire code back to its error, and which errors no later try can mend.

Not for: the errors themselves (`hub/protocol/errors.py`). Implements `docs/protocol/10-errors.md`.
"""

from collections.abc import Iterator
from typing import Final

from hub.protocol.errors import (
    ContentError,
    DeniedError,
    EncodingError,
    EnvelopeError,
    ExchangeError,
    ForbiddenError,
    KeystoreError,
    NotFoundError,
    NotYetValidError,
    OperationError,
    RequestError,
    SealError,
    SetupError,
    SignatureError,
    StaleDirectoryError,
    StoreError,
    UnknownPartnerError,
    ValiseError,
)

FINAL: Final = (
    ContentError,
    DeniedError,
    EncodingError,
    EnvelopeError,
    ForbiddenError,
    NotFoundError,
    OperationError,
    RequestError,
    SealError,
    SignatureError,
    UnknownPartnerError,
)
"""What no later try of the same can mend, whether we or the hub found it; everything else is tried again."""


OURS: Final = (ExchangeError, KeystoreError, NotYetValidError, SetupError, StaleDirectoryError, StoreError)
"""What says nothing about a message that was received: our own files, keys, clock and line to the hub."""


def _leaves(family: type[ValiseError]) -> Iterator[type[ValiseError]]:
    yield family
    for child in family.__subclasses__():
        yield from _leaves(child)


def error_for(code: str) -> type[ValiseError] | None:
    """Return the error class of a wire code, if this release knows it."""
    return next((leaf for leaf in _leaves(ValiseError) if leaf.code == code), None)
