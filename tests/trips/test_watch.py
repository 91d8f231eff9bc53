"""A running hub is watched: its metrics and health on a listener of their own, and what dashboards and alarms name."""

import json
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest
from aiohttp.test_utils import unused_port
from prometheus_client.parser import text_string_to_metric_families

from connectors.kit.agency import Agency
from hub.app import RunningHub, running_hub
from hub.host.metrics import MEASURES
from hub.protocol.errors import SetupError
from hub.settings import HubSettings
from tests.support.agency import warning_draft
from tests.support.exercise import OPERATION, PARTNERS, WORD, Exercise, found_exercise
from tests.support.tree import ROOT, check_none

METRIC: Final = re.compile(r"\bvalise_[a-z_]+")
AT_THE_CONNECTOR: Final = "valise_connector_"


@pytest.fixture
def exercise(tmp_path: Path) -> Exercise:
    return found_exercise(tmp_path)


@pytest.fixture
def admin(exercise: Exercise) -> str:
    port = unused_port()
    with (exercise.hub / "hub.toml").open("a") as settings:
        settings.write(f"admin_port = {port}\n")
    return f"http://127.0.0.1:{port}"


@pytest.fixture
async def hub(exercise: Exercise, admin: str) -> AsyncIterator[RunningHub]:
    assert admin
    async with running_hub(HubSettings.read(exercise.hub / "hub.toml")) as running:
        exercise.place_agencies(running.url)
        yield running


async def get(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as http, http.get(url) as answer:
        return answer.status, await answer.text()


async def scrape(admin: str) -> dict[tuple[str, tuple[str, ...]], float]:
    """Return every sample by its name and the values of its labels."""
    status, text = await get(f"{admin}/metrics")
    assert status == 200
    families = text_string_to_metric_families(text)
    return {(one.name, tuple(one.labels.values())): one.value for family in families for one in family.samples}


async def _exchange_some(exercise: Exercise) -> str:
    """Send a warning to two partners, one of which collects it, and return its name."""
    now = int(time.time())
    async with Agency.open(exercise.agency("fr-customs"), passphrase=WORD) as customs:
        await customs.open_operation(
            OPERATION, title="Exercise", members=sorted(PARTNERS), opens=now - 60, closes=now + 3_600, exercise=True
        )
        sent = await customs.send(warning_draft(operation=OPERATION), to=["de-customs", "de-police"])
        async with Agency.open(exercise.agency("de-customs"), passphrase=WORD) as other:
            await other.receive_once()
        await customs.connector.client.checkpoint()
        async with aiohttp.ClientSession() as http, http.get(f"{customs.settings.hub_url}/v1/mailbox") as refused:
            assert refused.status == 401
    return sent.mh


@pytest.mark.usefixtures("hub")
async def test_a_scrape_says_what_happened_and_names_no_message(exercise: Exercise, admin: str) -> None:
    before = await scrape(admin)
    assert before["valise_log_size", ()] == 0
    mh = await _exchange_some(exercise)
    found = await scrape(admin)
    assert found["valise_partner_waiting", ("de-police",)] == 1
    assert found["valise_partner_waiting", ("de-customs",)] == 0
    assert found["valise_partner_waiting", ("fr-customs",)] == 1, "the receipt"
    assert 0 <= found["valise_partner_oldest_pending_seconds", ("de-police",)] < 60
    assert found["valise_decisions_total", ("released",)] == 2
    assert found["valise_receipts_total", ("opened",)] == 1
    assert found["valise_record_entries_total", ("accept",)] == 1
    assert found["valise_requests_total", ("POST", "/v1/messages", "201")] == 1
    assert found["valise_refusals_total", ("exchange/unauthenticated",)] == 1
    assert time.time() - found["valise_partner_last_collect_timestamp_seconds", ("de-customs",)] < 60
    assert found["valise_log_size", ()] == found["valise_checkpoint_size", ()] == 4
    assert found["valise_store_durability_info", ("wal", "FULL")] == 1
    assert 0 <= found["valise_checkpoint_age_seconds", ()] < 60
    assert found["valise_ready", ()] == 1
    assert {values for name, values in found if name == "valise_key_days_left"} == {
        (use,) for use in ("sign", "open", "log", "log2")
    }
    labels = {value for _, values in found for value in values}
    assert mh not in labels
    assert labels & set(PARTNERS) == {"fr-customs", "de-customs", "de-police"}


async def test_a_refusal_within_a_batch_counts(hub: RunningHub, exercise: Exercise, admin: str) -> None:
    assert hub.url
    async with Agency.open(exercise.agency("fr-customs"), passphrase=WORD) as agency:
        answers = await agency.connector.client.submit_many([b"no frame", b"none either"])
        assert len(answers) == 2
    found = await scrape(admin)
    assert found["valise_refusals_total", ("encoding/frame",)] == 2


async def test_partners_cannot_ask_for_metrics(hub: RunningHub) -> None:
    status, _ = await get(f"{hub.url}/metrics")
    assert status == 404


async def test_readiness_is_told_on_both_listeners(hub: RunningHub, admin: str) -> None:
    for url in (hub.url, admin):
        status, text = await get(f"{url}/readyz")
        assert (status, json.loads(text)["ready"]) == (200, True)
        assert (await get(f"{url}/livez"))[0] == 200


async def test_an_admin_port_in_use_is_named(exercise: Exercise, hub: RunningHub) -> None:
    port = int(hub.url.rpartition(":")[2])
    settings = HubSettings.read(exercise.hub / "hub.toml").model_copy(update={"admin_port": port, "port": 0})
    other = settings.model_copy(update={"database": exercise.hub / "other.db"})
    with pytest.raises(SetupError, match=f"admin port {port}"):
        async with running_hub(other):
            pass


# --- what dashboards, alarms and pages name ---------------------------------------------------------------------------


def _named() -> set[str]:
    """Return every metric that the dashboard and the alarms name, without the suffixes of a histogram."""
    texts = [(ROOT / "config" / name).read_text("utf-8") for name in ("grafana/valise.json", "alerts.yml")]
    return {re.sub(r"_(bucket|sum|count)$", "", name) for text in texts for name in METRIC.findall(text)}


@pytest.mark.usefixtures("hub")
async def test_every_metric_of_dashboard_and_alarms_is_in_a_scrape(exercise: Exercise, admin: str) -> None:
    await _exchange_some(exercise)
    await scrape(admin)
    told = {re.sub(r"_(bucket|sum|count)$", "", name) for name, _ in await scrape(admin)}
    sometimes = {"valise_not_ready", "valise_withheld_compartments_total", "valise_certificate_days_left"}
    named = {name for name in _named() if not name.startswith(AT_THE_CONNECTOR)}
    assert len(named) > 10
    check_none(named - told - sometimes)
    check_none(_named() - MEASURES.keys())


def test_every_alarm_leads_to_its_runbook() -> None:
    text = (ROOT / "config/alerts.yml").read_text("utf-8")
    alarms = re.findall(r"^ +- alert: (\w+)$", text, re.MULTILINE)
    anchors = re.findall(r"runbook: docs/how-to/watch-a-hub\.md#([a-z-]+)$", text, re.MULTILINE)
    page = (ROOT / "docs/how-to/watch-a-hub.md").read_text("utf-8")
    headings = [heading.lower().replace(" ", "-") for heading in re.findall(r"^### (.+)$", page, re.MULTILINE)]
    assert len(alarms) == len(anchors) >= 10
    check_none(set(anchors) - set(headings))


def test_the_dashboard_is_one_that_grafana_reads() -> None:
    board: Any = json.loads((ROOT / "config/grafana/valise.json").read_text("utf-8"))
    assert board["title"] == "Valise hub"
    assert all(panel["targets"] for panel in board["panels"])
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def test_the_page_names_every_metric() -> None:
    page = (ROOT / "docs/reference/metrics.md").read_text("utf-8")
    check_none([name for name in MEASURES if f"`{name}`" not in page])
