"""Counts what passes the edge: requests, refusals by code, how long they took, and who asked for its mail.

Nothing is counted further inside. Not for: what the store knows (`hub/store/numbers.py`) nor for who may ask
(`admin.py`). Reference page: `docs/reference/metrics.md`.
"""

import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from hub.api.places import EXCHANGE, PARTNER
from hub.host.metrics import COLLECTS, IN_PROGRESS, REFUSALS, REQUESTS, SECONDS, Sample
from hub.protocol.errors import ValiseError

_MAILBOX: Final = "/v1/mailbox"  # its long polls and streams say nothing about speed
_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)  # seconds
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_UNKNOWN: Final = "unknown"
_Route = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Counts:
    """The counters of one hub's edge, in a registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests: Final = Counter(REQUESTS.name, REQUESTS.text, REQUESTS.labels, registry=registry)
        self._refusals: Final = Counter(REFUSALS.name, REFUSALS.text, REFUSALS.labels, registry=registry)
        self._seconds: Final = Histogram(
            SECONDS.name, SECONDS.text, SECONDS.labels, registry=registry, buckets=_BUCKETS
        )
        self._in_progress: Final = Gauge(IN_PROGRESS.name, IN_PROGRESS.text, registry=registry)
        self._collects: Final[dict[str, int]] = {}

    def watch(self, app: web.Application) -> None:
        """Count what an application answers from now on; to be called before it is started.

        Two layers: the inner one sees errors before they become problems, the outer one sees every answer.
        """
        app[COUNTS] = self
        app.middlewares.insert(0, self._count_answer)
        app.middlewares.append(self._count_refusal)

    def samples(self) -> Iterator[Sample]:
        """Yield when each partner asked for its mail, in Unix seconds."""
        for partner, at in tuple(self._collects.items()):
            yield Sample(COLLECTS, at, (partner,))

    def refuse(self, code: str) -> None:
        """Count one refusal by its wire code."""
        self._refusals.labels(code).inc()

    @web.middleware
    async def _count_answer(self, request: web.Request, handler: _Route) -> web.StreamResponse:
        route, started = _route(request), time.perf_counter()
        method = request.method if request.method in _METHODS else _UNKNOWN  # anything may be written there
        with self._in_progress.track_inprogress():
            answer = await handler(request)
        self._requests.labels(method, route, str(answer.status)).inc()
        if not route.startswith(_MAILBOX):
            self._seconds.labels(route).observe(time.perf_counter() - started)
        return answer

    @web.middleware
    async def _count_refusal(self, request: web.Request, handler: _Route) -> web.StreamResponse:
        try:
            answer = await handler(request)
        except ValiseError as error:
            self.refuse(error.code)
            raise
        if _route(request).startswith(_MAILBOX) and PARTNER in request:
            self._collects[request[PARTNER]] = request.app[EXCHANGE].clock()
        return answer


COUNTS: Final = web.AppKey("counts", Counts)


def count_refusal(request: web.Request, code: str) -> None:
    """Count a refusal that is part of an answer, such as one message of a batch, if anybody counts."""
    counts = request.app.get(COUNTS)
    if counts is not None:
        counts.refuse(code)


def _route(request: web.Request) -> str:
    """Return the route's template; a path itself names partners and messages."""
    resource = request.match_info.route.resource
    return resource.canonical if resource else _UNKNOWN
