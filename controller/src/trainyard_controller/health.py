"""Whether the operator gets on: for Kubernetes' probes, for Prometheus, and for itself."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import structlog
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from trainyard_controller.metrics import QUEUE_DEPTH, QUEUE_OLDEST_SECONDS, WATCH_AGE_SECONDS
from trainyard_controller.objects import Key
from trainyard_controller.resync import Resync
from trainyard_controller.watches import WatchClock
from trainyard_controller.workqueue import WorkQueue

CHECK_SECONDS = 5.0

log = structlog.get_logger(__name__)


class StaleError(Exception):
    """The operator no longer follows the cluster; only a fresh process will."""


class Health:
    """Ages of what must not grow old."""

    def __init__(
        self,
        *,
        queues: Sequence[WorkQueue[Key]],
        clock: WatchClock,
        resync: Resync,
        limit: float,
    ) -> None:
        self._queues = queues
        self._clock = clock
        self._resync = resync
        self._limit = limit

    def problem(self) -> str | None:
        """What is stale; None while all is well."""
        if (age := self._oldest_age) > self._limit:
            return f"a key has waited {age:.0f} s for the workers"
        if (age := self._resync.dead_watch_age) > self._limit:
            return f"a watch has been dead for {age:.0f} s"
        return None

    @property
    def _oldest_age(self) -> float:
        return max(queue.oldest_age for queue in self._queues)

    def measure(self) -> None:
        """Bring the gauges up to date."""
        QUEUE_DEPTH.set(sum(len(queue) for queue in self._queues))
        QUEUE_OLDEST_SECONDS.set(self._oldest_age)
        for kind, age in self._clock.ages().items():
            WATCH_AGE_SECONDS.labels(kind).set(age)

    async def run(self) -> None:
        """Watch for ever. Raises `StaleError` to end the process, which Kubernetes starts again."""
        while True:
            if problem := self.problem():
                raise StaleError(problem)
            await asyncio.sleep(CHECK_SECONDS)

    async def _healthz(self, _: web.Request) -> web.Response:
        problem = self.problem()
        return web.json_response(
            {"status": problem or "ok", "watchEventAgeSeconds": self._clock.ages()},
            status=503 if problem else 200,
        )

    async def _metrics(self, _: web.Request) -> web.Response:
        self.measure()
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    @asynccontextmanager
    async def serve(self, port: int) -> AsyncIterator[int]:
        """Answer /healthz and /metrics on the port; yields the port in use."""
        app = web.Application()
        app.add_routes([web.get("/healthz", self._healthz), web.get("/metrics", self._metrics)])
        runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=1.0, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, port=port).start()
            used: int = runner.addresses[0][1]
            log.info("serving /healthz and /metrics", port=used)
            yield used
        finally:
            await runner.cleanup()
