"""Checks of the line to a hub: does it answer, over which certificate, for how long is that valid, and what time is it.

Not for: sessions or messages (`connectors/kit/client.py`). User's page: `docs/how-to/run-a-connector.md`.
"""

import http.client
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from hub.host.findings import Finding, fail, fine, warn
from hub.host.machine import check_clock
from hub.protocol.errors import AnswerError, EncodingError, UnreachableError
from hub.protocol.interface import HubFacts
from hub.protocol.wire import parse_wire

_PATIENCE: Final = 5.0  # seconds
_MAX_FACTS: Final = 64 * 1024  # bytes
_OK: Final = 200
_DAY: Final = 86_400  # seconds
CERTIFICATE_WARN: Final = 7  # days


@dataclass(frozen=True, slots=True)
class Answer:
    """What a hub says of itself, and when its certificate ends (Unix seconds; None without TLS)."""

    facts: HubFacts
    certificate_ends: int | None


def ask_hub(url: str, tls: ssl.SSLContext | None = None) -> Answer:
    """Return what the hub at an address says.

    Args:
        url: its address.
        tls: what vouches for it and what is shown to it; by default the system's authorities, and nothing.

    Raises:
        UnreachableError: nobody answers, or not over a certificate that is vouched for.
        AnswerError: what answers is not a hub.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port
    if parts.scheme == "https":
        line: http.client.HTTPConnection = http.client.HTTPSConnection(host, port, timeout=_PATIENCE, context=tls)
    else:
        line = http.client.HTTPConnection(host, port, timeout=_PATIENCE)
    try:
        line.connect()
        ends = _end_of(line.sock)
        line.request("GET", f"{parts.path}/v1/hub")
        answer = line.getresponse()
        body = answer.read(_MAX_FACTS)
    except ssl.SSLCertVerificationError as error:
        raise UnreachableError(f"certificate: {error.verify_message}") from error
    except (OSError, http.client.HTTPException) as error:
        raise UnreachableError(f"{url}: {error}") from error
    finally:
        line.close()
    if answer.status != _OK:
        raise AnswerError(f"status {answer.status}")
    try:
        return Answer(parse_wire(HubFacts, body, error=AnswerError), ends)
    except EncodingError as error:
        raise AnswerError(error.code) from error


def _end_of(sock: socket.socket | None) -> int | None:
    certificate = sock.getpeercert() if isinstance(sock, ssl.SSLSocket) else None
    ends = certificate.get("notAfter") if certificate else None
    return int(ssl.cert_time_to_seconds(ends)) if isinstance(ends, str) else None


def check_hub(answer: Answer, *, hub: str, federation: str, now: int) -> Iterator[Finding]:
    """Check that the right hub answered, with a clock like ours and a certificate that lasts."""
    facts = answer.facts
    if (facts.hub, facts.federation) != (hub, federation):
        text = f"{facts.hub} of {facts.federation} answers, not {hub} of {federation}"
        yield fail("hub", text, "Correct the hub's address, its code or the exchange's name in the settings.")
    else:
        yield fine("hub", f"{facts.hub} of {facts.federation} answers")
    yield from check_clock(now, facts.time)
    if answer.certificate_ends is not None:
        yield from check_certificate(answer.certificate_ends, now=now)


def check_certificate(ends: int, *, now: int) -> Iterator[Finding]:
    """Check for how long a TLS certificate is valid; `ends` is Unix seconds."""
    days = (ends - now) / _DAY
    if days <= 0:
        yield fail("certificate", f"it ended on {_date(ends)}", "Have the hub's certificate renewed at once.")
    elif days < CERTIFICATE_WARN:
        yield warn("certificate", f"it ends on {_date(ends)}", "Have the hub's certificate renewed.")
    else:
        yield fine("certificate", f"valid until {_date(ends)}")


def _date(at: int) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(at))
