"""The loops that connect a national system, as the settings ask for them, beside a running connector's own.

Not for: what each does (`drop.py`, `writing.py`, `webhook.py`, `mail.py`). User's page:
`docs/how-to/connect-a-system.md`.
"""

import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Final

from connectors.interop.columns import COLUMNS
from connectors.interop.drop import DropFolder
from connectors.interop.ledger import Ledger, Listener
from connectors.interop.mail import Mailer
from connectors.interop.webhook import Webhook
from connectors.interop.writing import Writer
from connectors.kit.agency import Agency
from connectors.kit.agency_store import AgencyStore
from connectors.kit.link_settings import DropSettings
from connectors.kit.runner import Loop
from hub.protocol.errors import SetupError
from hub.protocol.vocabulary import nearest

_LOOK: Final = 2.0  # seconds between two looks at the folder, and at what happened


@contextlib.asynccontextmanager
async def links_of(agency: Agency) -> AsyncIterator[Sequence[Loop]]:
    """Yield the loops that the agency's settings ask for; without any, nothing is noted for them.

    Raises:
        SetupError: a folder, secret or certificate cannot be used, or a default names no column.
        StoreError: the store cannot be opened.
    """
    settings = agency.settings
    async with await AgencyStore.open(settings.store) as store:
        ledger = Ledger(store)
        loops: list[Loop] = []
        listeners: list[Listener] = []
        if settings.drop is not None:
            _check_defaults(settings.drop)
            loops.append(Loop("drop", DropFolder(agency, settings.drop).take, _LOOK))
            if settings.drop.out:
                listeners.append("file")
                loops.append(Loop("out", Writer(agency, settings.drop, ledger).write, _LOOK))
        if settings.webhook is not None:
            listeners.append("webhook")
            loops.append(Loop("webhook", Webhook(agency, settings.webhook, ledger).post, _LOOK))
        if settings.mail is not None:
            listeners.append("mail")
            loops.append(Loop("mail", Mailer(agency, settings.mail, ledger).mail, _LOOK))
        await ledger.listen(listeners)
        yield loops


def _check_defaults(settings: DropSettings) -> None:
    known = {column.name for column in COLUMNS}
    for name in settings.defaults:
        if name not in known:
            raise SetupError(f"drop.defaults: no column is called '{name}'{nearest(name, known)}")
