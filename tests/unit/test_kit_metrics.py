"""What a connector tells of itself: what waits and since when, over HTTP, and nothing without a port."""

import re
from contextlib import closing
from pathlib import Path

import aiohttp
import pytest
from aiohttp.test_utils import unused_port

from connectors.kit.agency import Agency
from connectors.kit.agency_store import AgencyStore, read_only
from connectors.kit.alarms import AlarmKind, Alarms
from connectors.kit.metrics import store_samples, told
from connectors.kit.outbox import HandedOver, Outbox
from hub.host import metrics
from hub.host.metrics import Measure
from hub.protocol.errors import SetupError
from tests.support.agency import running_world
from tests.support.exchange import NOW
from tests.support.tree import CODE, check_none, modules


async def test_the_oldest_unsent_message_counts(tmp_path: Path) -> None:
    async with await AgencyStore.open(tmp_path / "agency.sqlite") as store:
        outbox = Outbox(store)
        await outbox.hand_over([HandedOver("a", b"draft")], at=NOW - 100)
        await outbox.hand_over([HandedOver("b", b"draft")], at=NOW - 50)
        await outbox.refuse("b", "policy/denied", found="waiting")
        await Alarms(store).sound(AlarmKind.RECEIPT_LATE, "c", at=NOW)
        with closing(read_only(tmp_path / "agency.sqlite")) as db:
            found = {(one.measure.name, one.values): one.number for one in store_samples(db, "fr-customs", NOW)}
    assert found["valise_connector_outbox", ("fr-customs", "waiting")] == 1
    assert found["valise_connector_outbox", ("fr-customs", "refused")] == 1
    assert found["valise_connector_oldest_unsent_seconds", ("fr-customs",)] == 100
    assert found["valise_connector_alarms", ("fr-customs", "receipt-late")] == 1
    assert found["valise_connector_alarms", ("fr-customs", "log-fork")] == 0, "a late receipt proves nothing of the log"


async def test_it_is_told_on_a_port_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_world(tmp_path, monkeypatch) as world:
        agency = await world.open("fr-customs")
        async with told(agency, {}) as nowhere:
            assert nowhere is None
        port = unused_port()
        change = {"admin_port": port, "store": tmp_path / "fr-customs" / "agency.sqlite"}
        agency = Agency(agency.settings.model_copy(update=change), agency.connector)
        async with told(agency, {"send": NOW}) as url, aiohttp.ClientSession() as http:
            async with http.get(f"{url}/metrics") as answer:
                text = await answer.text()
            with pytest.raises(SetupError, match=f"admin port {port}"):
                async with told(agency, {}):
                    pass
    assert 'valise_connector_last_success_timestamp_seconds{partner="fr-customs",trip="send"}' in text
    assert 'valise_key_days_left{use="sign"}' in text


def test_every_metric_of_the_table_is_measured_somewhere() -> None:
    texts = "\n".join(module.text for module in modules(*CODE))
    names = [name for name, one in vars(metrics).items() if isinstance(one, Measure)]
    check_none([name for name in names if not re.search(rf"\b{name}\.name|\({name},|_counts\[{name}", texts)])
