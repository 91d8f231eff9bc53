"""Each event is posted to the national system: a CloudEvent, signed after Standard Webhooks, until it is taken.

At least once, and in order within a thread: an event that is not taken holds back those of its thread, and no others.
All attributes stand in the body (structured mode), so the signature covers them. Not for: which events there are
(`ledger.py`). User's page: `docs/how-to/connect-a-system.md`.
"""

import base64
import hashlib
import hmac
import logging
import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import aiohttp
from cloudevents.core.bindings.http import to_structured
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from connectors.interop.ledger import Ledger, Noted
from connectors.interop.outgoing import object_of
from connectors.kit.agency import Agency
from connectors.kit.link_settings import WebhookSettings
from connectors.kit.refusals import OURS
from connectors.kit.threads import find_reference
from hub.host.events import EVENT_NOT_POSTED, EVENT_POSTED
from hub.host.files import read_private
from hub.protocol.errors import SetupError, ThreadError, ValiseError, WebhookError

_LOG: Final = logging.getLogger("valise.connector")
_PREFIX: Final = "whsec_"
_SECRET: Final = (24, 64)  # bytes, as Standard Webhooks has it
_MAX_SECRET_FILE: Final = 1_024  # bytes
_FIRST_PAUSE: Final = 5  # seconds after the first refusal of an event; doubled with each
_LONGEST_PAUSE: Final = 3_600
_GOOD: Final = range(200, 300)  # HTTP statuses


def read_secret(file: Path) -> bytes:
    """Return the signing secret in a file: `whsec_` and base64 of 24 to 64 bytes.

    Raises:
        SetupError: there is none, others may read it, or it is of another form.
    """
    text = read_private(file, limit=_MAX_SECRET_FILE).decode("ascii", "replace").strip()
    try:
        secret = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except ValueError:  # no base64, or no ASCII
        secret = b""
    if not text.startswith(_PREFIX) or not _SECRET[0] <= len(secret) <= _SECRET[1]:
        raise SetupError(f"{file}: not {_PREFIX} and base64 of {_SECRET[0]} to {_SECRET[1]} bytes")
    return secret


def signature(secret: bytes, identifier: str, timestamp: int, body: bytes) -> str:
    """Return the header `webhook-signature` (Standard Webhooks 1.0, symmetric): `v1,` and base64 of HMAC-SHA256."""
    signed = f"{identifier}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()


class Webhook:
    """Posts one agency's events."""

    def __init__(self, agency: Agency, settings: WebhookSettings, ledger: Ledger) -> None:
        """Read the secret and the certificates.

        Raises:
            SetupError: one of them cannot be used.
        """
        self._agency: Final = agency
        self._settings: Final = settings
        self._ledger: Final = ledger
        self._secret: Final = read_secret(settings.secret_file)
        try:
            self._tls: Final = ssl.create_default_context(cafile=settings.ca_file) if settings.ca_file else True
        except OSError as error:
            raise SetupError(f"{settings.ca_file}: {error.strerror}") from error

    async def post(self) -> None:
        """Post what is due: the first event of each thread, then those after it, until nothing is due any more.

        Raises:
            StoreError: the disk failed; an event may be posted twice.
        """
        timeout = aiohttp.ClientTimeout(total=self._settings.timeout_seconds)
        async with aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session:
            while due := await self._due():
                for event in due:
                    await self._post_one(session, event)

    async def _due(self) -> Sequence[Noted]:
        while unplaced := await self._ledger.unplaced():
            for event in unplaced:
                await self._ledger.place_in_thread(event.place, await self._thread(event))
        return await self._ledger.due(at=self._agency.connector.clock())

    async def _thread(self, event: Noted) -> str:
        try:
            return (await find_reference(self._agency.connector, event.mh)).manifest.thread
        except ThreadError:  # refused before it was sealed: it is alone in its thread
            return event.mh

    async def _post_one(self, session: aiohttp.ClientSession, event: Noted) -> None:
        now = self._agency.connector.clock()
        try:
            body = await self._body(event)
            await self._send(session, event, body, now)
        except WebhookError as error:
            _LOG.warning(EVENT_NOT_POSTED, event.mh, error.code)
            pause = min(_FIRST_PAUSE << min(event.tries, 16), _LONGEST_PAUSE)
            await self._ledger.put_off(event.place, until=self._agency.connector.clock() + pause)
        else:
            await self._ledger.settle("webhook", [event.place])
            _LOG.info(EVENT_POSTED, event.mh)

    async def _send(self, session: aiohttp.ClientSession, event: Noted, body: bytes, now: int) -> None:
        identifier = self._identifier(event)
        headers = {
            "content-type": "application/cloudevents+json",
            "webhook-id": identifier,
            "webhook-timestamp": str(now),
            "webhook-signature": signature(self._secret, identifier, now, body),
        }
        try:
            async with session.post(
                self._settings.url, data=body, headers=headers, allow_redirects=False, ssl=self._tls
            ) as answer:
                if answer.status not in _GOOD:
                    raise WebhookError(f"answered {answer.status}")
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise WebhookError(type(error).__name__) from error

    def _identifier(self, event: Noted) -> str:
        return f"{self._agency.settings.partner}.{event.place}.{event.mh}"

    async def _body(self, event: Noted) -> bytes:
        connector = self._agency.connector
        attributes = {
            "specversion": "1.0",
            "id": self._identifier(event),
            "source": f"urn:valise:{connector.federation}:{connector.partner}",
            "type": f"valise.{event.type}",
            "subject": event.mh,
            "datacontenttype": "application/json",
            "partitionkey": event.thread,
        }
        data = {name: value for name in ("partner", "state", "code") if (value := getattr(event, name))}
        content = await self._content(event) if self._settings.content else {}
        return to_structured(CloudEvent(attributes, {"message": event.mh, **data, **content}), JSONFormat()).body

    async def _content(self, event: Noted) -> Mapping[str, Any]:
        if event.type != "message.received":
            return {}
        try:
            return {"content": object_of(await self._agency.read(event.mh))}
        except OURS:
            raise
        except ValiseError as error:  # destroyed meanwhile: the event says so, and is told all the same
            return {"code": error.code}
