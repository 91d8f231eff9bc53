"""TLS at the connector's end: what it trusts, what it shows, and which error a line that is refused ends in.

Not for: who the agency is; that is its signed log-in. User's page: `docs/how-to/run-a-hub.md`.
"""

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import aiohttp

from hub.protocol.errors import (
    CertificateExpiredError,
    ClientCertificateError,
    HubCertificateError,
    SetupError,
    TlsVersionError,
    UnreachableError,
)

_DATES: Final = frozenset({9, 10})  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED
_VERSIONS: Final = frozenset(
    {"UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION", "WRONG_VERSION_NUMBER", "NO_PROTOCOLS_AVAILABLE"}
)


def client_tls(ca_file: Path | None, certificate: Path | None, key: Path | None) -> ssl.SSLContext:
    """Return what a connector needs: TLS 1.3, the authorities it trusts, and its own certificate if it has one.

    Args:
        ca_file: authorities that vouch for the hub (PEM); None for the system's.
        certificate: this connector's (PEM), for hubs that want one.
        key: its private key (PEM).

    Raises:
        SetupError: a file is missing or is not what it should be.
    """
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # ssl.SSLError too
        raise SetupError(f"{ca_file}: not a file of certificates") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    if certificate is not None:
        try:
            context.load_cert_chain(certificate, key)
        except OSError as error:
            raise SetupError(f"{certificate}: not a certificate with its key") from error
    return context


def line_error(error: Exception) -> UnreachableError:
    """Return the error for a line that could not be had or was cut."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        cause = error.certificate_error
        expired = isinstance(cause, ssl.SSLCertVerificationError) and cause.verify_code in _DATES
        return CertificateExpiredError(str(cause)) if expired else HubCertificateError(str(cause))
    reasons = {str(getattr(one, "reason", "")) for one in _causes(error) if isinstance(one, ssl.SSLError)}
    if reasons & _VERSIONS:
        return TlsVersionError(", ".join(sorted(reasons)))
    if any("ALERT" in reason for reason in reasons):  # TLS 1.3 tells only after the handshake
        return ClientCertificateError(", ".join(sorted(reasons)))
    return UnreachableError(type(error).__name__)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = getattr(error, "os_error", None) or error.__cause__ or error.__context__
