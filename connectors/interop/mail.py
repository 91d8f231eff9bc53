"""A notice by mail that messages wait: how many, and whether one is urgent - and nothing of any of them.

Neither kind nor originator, operation or number stands in it: mail is read on the way and kept by others. Not for:
telling programs (`webhook.py`). User's page: `docs/how-to/connect-a-system.md`.
"""

import asyncio
import logging
import smtplib
import ssl
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Final

from connectors.interop.ledger import Ledger, Noted
from connectors.kit.agency import Agency
from connectors.kit.connector import fresh_id
from connectors.kit.link_settings import MailSettings
from connectors.kit.threads import find_reference
from hub.host.events import NOTICE_MAILED
from hub.host.files import read_private
from hub.protocol.errors import MailError, SetupError, ThreadError
from hub.protocol.vocabulary import Priority

_LOG: Final = logging.getLogger("valise.connector")
_TIMEOUT: Final = 30.0  # seconds for each answer of the server
_MAX_PASSWORD: Final = 1_024  # bytes
_MINUTE: Final = 60  # seconds
SUBJECT: Final = "Valise: a message waits"


class Mailer:
    """Mails one agency's notices."""

    def __init__(self, agency: Agency, settings: MailSettings, ledger: Ledger) -> None:
        """Read the password and the certificates.

        Raises:
            SetupError: one of them cannot be used.
        """
        self._agency: Final = agency
        self._settings: Final = settings
        self._ledger: Final = ledger
        self._password: Final = _password(settings)
        try:
            self._tls: Final = ssl.create_default_context(cafile=settings.ca_file)
        except OSError as error:
            raise SetupError(f"{settings.ca_file}: {error.strerror}") from error

    async def mail(self) -> None:
        """Mail one notice about all that waits, when a priority is due; each has its own shortest interval.

        Raises:
            MailError: the server did not take it; nothing was noted, and it is tried again.
            StoreError: the disk failed; a notice may come twice.
        """
        events = await self._ledger.waiting("mail")
        waiting: dict[Priority, list[Noted]] = {priority: [] for priority in Priority}
        for event in events:
            waiting[await self._priority(event)].append(event)
        now = self._agency.connector.clock()
        last = await self._ledger.mailed_at()
        if not any(found and self._is_due(priority, last, now) for priority, found in waiting.items()):
            return
        counts = {priority: len(found) for priority, found in waiting.items()}
        await asyncio.to_thread(self._send, notice(self._settings, counts, now))
        told = [priority.value for priority, found in waiting.items() if found]
        await self._ledger.note_mailed(told, [event.place for event in events], at=now)
        _LOG.info(NOTICE_MAILED, len(events))

    def _is_due(self, priority: Priority, last: Mapping[str, int], now: int) -> bool:
        urgent = priority is Priority.URGENT
        minutes = self._settings.urgent_minutes if urgent else self._settings.routine_minutes
        return priority.value not in last or now - last[priority.value] >= minutes * _MINUTE

    async def _priority(self, event: Noted) -> Priority:
        try:
            return (await find_reference(self._agency.connector, event.mh)).manifest.pri
        except ThreadError:  # it left the inbox meanwhile
            return Priority.ROUTINE

    def _send(self, message: EmailMessage) -> None:
        settings = self._settings
        try:
            with self._line() as line:
                if settings.security == "starttls":
                    line.starttls(context=self._tls)
                if settings.user is not None:
                    line.login(settings.user, self._password)
                line.send_message(message)
        except (OSError, smtplib.SMTPException, ValueError) as error:
            raise MailError(type(error).__name__) from error

    def _line(self) -> smtplib.SMTP:
        settings = self._settings
        name = settings.sender.rpartition("@")[2]  # so that the machine's own name does not leave the house
        if settings.security == "tls":
            return smtplib.SMTP_SSL(settings.host, settings.port, name, timeout=_TIMEOUT, context=self._tls)
        return smtplib.SMTP(settings.host, settings.port, name, timeout=_TIMEOUT)


def _password(settings: MailSettings) -> str:
    if settings.password_file is None:
        return ""
    return read_private(settings.password_file, limit=_MAX_PASSWORD).decode("utf-8", "replace").rstrip("\r\n")


def notice(settings: MailSettings, counts: Mapping[Priority, int], now: int) -> EmailMessage:
    """Return the notice: constant but for the counts, the addresses and the time (Unix seconds)."""
    message = EmailMessage()
    message["Subject"] = SUBJECT
    message["From"] = settings.sender
    message["To"] = ", ".join(settings.to)
    message["Date"] = format_datetime(datetime.fromtimestamp(now, UTC))
    message["Message-ID"] = f"<{fresh_id(now)}@{settings.sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's holiday answers it
    message.set_content("\n".join(_lines(counts)) + "\n")
    return message


def _lines(counts: Mapping[Priority, int]) -> Sequence[str]:
    return [
        "New messages wait in the agency's inbox.",
        "",
        *(f"{priority.value}: {counts.get(priority, 0)}" for priority in (Priority.URGENT, Priority.ROUTINE)),
        "",
        "This notice says nothing of them. Open the inbox to read them; do not answer this mail.",
    ]
