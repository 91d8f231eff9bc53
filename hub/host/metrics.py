"""What our programs measure: the one table of metrics, and how their samples are written for Prometheus.

Labels are partners, routes, codes and states: bounded, and never a message. Not for: where the numbers come from
(`hub/api/metrics.py`, `hub/store/numbers.py`, `connectors/kit/metrics.py`). Reference page:
`docs/reference/metrics.md`, generated from here.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"  # the Prometheus text format
Kind = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True, slots=True)
class Measure:
    """One metric: its stable name, what it is, and its labels. A counter's name ends in `_total`."""

    name: str
    kind: Kind
    text: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sample:
    """A number of a measure; `values` are those of its labels, in their order."""

    measure: Measure
    number: float
    values: tuple[str, ...] = ()


# --- a hub -----------------------------------------------------------------------------------------------------------

REQUESTS: Final = Measure(
    "valise_requests_total", "counter", "Requests by route and HTTP status.", ("method", "route", "status")
)
REFUSALS: Final = Measure("valise_refusals_total", "counter", "Refused requests by wire code.", ("code",))
IN_PROGRESS: Final = Measure("valise_requests_in_progress", "gauge", "Requests under way, waiting long polls included.")
SECONDS: Final = Measure("valise_request_seconds", "histogram", "How long requests took, long polls apart.", ("route",))
COLLECTS: Final = Measure(
    "valise_partner_last_collect_timestamp_seconds",
    "gauge",
    "When a partner last asked for its mail, since this hub started.",
    ("partner",),
)
WAITING: Final = Measure("valise_partner_waiting", "gauge", "Items in a partner's mailbox.", ("partner",))
OLDEST: Final = Measure(
    "valise_partner_oldest_pending_seconds", "gauge", "Age of the oldest item in a partner's mailbox.", ("partner",)
)
ENTRIES: Final = Measure(
    "valise_record_entries_total", "counter", "Entries recorded since this hub started, by kind.", ("kind",)
)
DECISIONS: Final = Measure(
    "valise_decisions_total",
    "counter",
    "Decisions recorded since this hub started: `released`, or `withheld` from an addressee as a whole.",
    ("outcome",),
)
REASONS: Final = Measure(
    "valise_withheld_compartments_total",
    "counter",
    "Compartments withheld since this hub started, by reason code.",
    ("reason",),
)
RECEIPTS: Final = Measure(
    "valise_receipts_total", "counter", "Receipts recorded since this hub started, by state.", ("state",)
)
LOG_SIZE: Final = Measure("valise_log_size", "gauge", "Entries in the log.")
CHECKPOINT_SIZE: Final = Measure("valise_checkpoint_size", "gauge", "Entries that the newest checkpoint covers.")
CHECKPOINT_AGE: Final = Measure(
    "valise_checkpoint_age_seconds", "gauge", "Seconds since the newest checkpoint was signed."
)
COMMITS: Final = Measure("valise_store_commits_total", "counter", "Transactions committed since this hub started.")
WRITES: Final = Measure(
    "valise_store_writes_total", "counter", "Writes committed since this hub started; divided by the commits: a group."
)
COMMIT_SECONDS: Final = Measure(
    "valise_store_last_commit_seconds", "gauge", "How long the latest transaction took, its sync included."
)
WRITER_QUEUE: Final = Measure(
    "valise_store_waiting_writes", "gauge", "Writes that waited when the latest transaction was done."
)
STORE_BYTES: Final = Measure("valise_store_bytes", "gauge", "Size of the store's files.", ("file",))
DURABILITY: Final = Measure(
    "valise_store_durability_info", "gauge", "How the store commits; always 1.", ("journal_mode", "synchronous")
)
DIRECTORY_VERSION: Final = Measure("valise_directory_version", "gauge", "Version of the directory in force.")
DIRECTORY_LEFT: Final = Measure(
    "valise_directory_expires_seconds", "gauge", "Seconds until the directory in force must have been refreshed."
)
POLICY: Final = Measure("valise_policy_set_info", "gauge", "The policy set in force; always 1.", ("digest",))
KEY_DAYS: Final = Measure("valise_key_days_left", "gauge", "Days until the last key of a use ends.", ("use",))
CERTIFICATE_DAYS: Final = Measure("valise_certificate_days_left", "gauge", "Days until the TLS certificate ends.")
DISK_FREE: Final = Measure("valise_disk_free_bytes", "gauge", "Free bytes on the disk of the store.")
INODES_FREE: Final = Measure("valise_disk_free_inodes", "gauge", "Files that can still be made on that disk.")
CLOCK_STEPS: Final = Measure("valise_clock_steps_total", "counter", "Steps of the clock by more than 30 seconds.")
READY: Final = Measure("valise_ready", "gauge", "1 when the hub is ready, 0 when it is not.")
NOT_READY_REASONS: Final = Measure("valise_not_ready", "gauge", "1 for each reason against being ready.", ("code",))
BUILD: Final = Measure("valise_build_info", "gauge", "Version of the program; always 1.", ("version",))

# --- a connector -----------------------------------------------------------------------------------------------------

OUTBOX: Final = Measure("valise_connector_outbox", "gauge", "Messages of the outbox by state.", ("partner", "state"))
OUTBOX_OLDEST: Final = Measure(
    "valise_connector_oldest_unsent_seconds", "gauge", "Age of the oldest message that was not accepted.", ("partner",)
)
INBOX: Final = Measure("valise_connector_inbox", "gauge", "Copies of the inbox by state.", ("partner", "state"))
LAST_SUCCESS: Final = Measure(
    "valise_connector_last_success_timestamp_seconds", "gauge", "When a trip last succeeded.", ("partner", "trip")
)
ALARMS: Final = Measure("valise_connector_alarms", "gauge", "Alarms that are raised, by kind.", ("partner", "kind"))

MEASURES: Final[Mapping[str, Measure]] = MappingProxyType(
    {one.name: one for one in tuple(globals().values()) if isinstance(one, Measure)}
)


class Gathered(Collector):
    """Makes metric families of the samples that a function gathers when somebody asks for them."""

    def __init__(self, gather: Callable[[], Iterable[Sample]]) -> None:
        self._gather: Final = gather

    def describe(self) -> Iterable[Metric]:
        """Say nothing beforehand: gathering is for whoever asks."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield one family for each measure that has samples."""
        families: dict[str, CounterMetricFamily | GaugeMetricFamily] = {}
        for sample in self._gather():
            measure = sample.measure
            if measure.name not in families:
                families[measure.name] = _family(measure)
            families[measure.name].add_metric(sample.values, sample.number)
        yield from families.values()


def _family(measure: Measure) -> CounterMetricFamily | GaugeMetricFamily:
    if measure.kind == "counter":
        return CounterMetricFamily(measure.name.removesuffix("_total"), measure.text, labels=measure.labels)
    return GaugeMetricFamily(measure.name, measure.text, labels=measure.labels)


def process_registry() -> CollectorRegistry:
    """Return a registry with what Python and the kernel say of this process."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


def exposition(registry: CollectorRegistry) -> bytes:
    """Return all metrics as Prometheus reads them; takes milliseconds, so not in an event loop."""
    return generate_latest(registry)


def disk_samples(folder: "os.PathLike[str]") -> Iterator[Sample]:
    """Yield what is free on the disk of a folder."""
    disk = os.statvfs(folder)
    yield Sample(DISK_FREE, disk.f_bavail * disk.f_frsize)
    yield Sample(INODES_FREE, disk.f_favail)
