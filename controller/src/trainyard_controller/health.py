"""Whether the operator gets on: for Kubernetes' probes, for Prometheus, and for itself."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from enum import StrEnum

import structlog
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from trainyard_controller import metrics
from trainyard_controller.cache import Cache
from trainyard_controller.objects import Key
from trainyard_controller.resync import Resync
from trainyard_controller.watchclock import ASKS_AGAIN_SECONDS, WatchClock
from trainyard_controller.workqueue import WorkQueue

CHECK_SECONDS = 5.0

log = structlog.get_logger(__name__)


class Role(StrEnum):
    """What this process is to the cluster."""

    STARTING = "starting"
    """It has yet to read what there is."""
    STANDBY = "standby"
    """It follows the cluster and changes nothing."""
    LEADER = "leader"


class StaleError(Exception):
    """The operator no longer follows the cluster; only a fresh process will."""


class Health:
    """Ages of what must not grow old."""

    def __init__(
        self,
        *,
        cache: Cache,
        queues: Mapping[str, WorkQueue[Key]],
        clock: WatchClock,
        resync: Resync,
        limit: float,
    ) -> None:
        self.role = Role.STARTING
        self._cache = cache
        self._queues = queues
        self._clock = clock
        self._resync = resync
        self._limit = limit

    def problem(self) -> str | None:
        """What is stale; None while all is well."""
        if self.role is Role.STARTING:
            return None
        # Only a leader has workers that could hang.
        if self.role is Role.LEADER:
            stalled = max(queue.stalled_seconds for queue in self._queues.values())
            if stalled > self._limit:
                return f"no worker has got on for {stalled:.0f} s"
        if (age := self._resync.dead_watch_age) > self._limit:
            return f"a watch has been dead for {age:.0f} s"
        ages = self._clock.request_ages()
        kind = max(ages, key=ages.__getitem__)
        if ages[kind] > ASKS_AGAIN_SECONDS + self._limit:
            return f"the watch of {kind} has asked for nothing for {ages[kind]:.0f} s"
        return None

    def measure(self) -> None:
        """Bring the gauges up to date. Only the leader tells of TrainingJobs, so a sum is right."""
        leads = self.role is Role.LEADER
        metrics.LEADER.set(leads)
        metrics.count_training_jobs(self._cache.training_jobs() if leads else ())
        for kind, queue in self._queues.items():
            metrics.QUEUE_DEPTH.labels(kind).set(len(queue) if leads else 0)
            metrics.QUEUE_OLDEST_SECONDS.labels(kind).set(queue.oldest_age if leads else 0.0)
        for kind, age in self._clock.ages().items():
            metrics.WATCH_EVENT_AGE_SECONDS.labels(kind).set(age)
        for kind, age in self._clock.request_ages().items():
            metrics.WATCH_REQUEST_AGE_SECONDS.labels(kind).set(age)

    async def run(self) -> None:
        """Watch for ever. Raises `StaleError` to end the process, which Kubernetes starts again."""
        while True:
            if problem := self.problem():
                raise StaleError(problem)
            await asyncio.sleep(CHECK_SECONDS)

    async def _healthz(self, _: web.Request) -> web.Response:
        """Whether it is alive: a start that has to wait for the API server is no reason to die."""
        problem = self.problem()
        return web.json_response(
            {
                "status": problem or "ok",
                "role": self.role,
                "watchEventAgeSeconds": self._clock.ages(),
                "watchRequestAgeSeconds": self._clock.request_ages(),
            },
            status=503 if problem else 200,
        )

    async def _readyz(self, _: web.Request) -> web.Response:
        """Whether it could act: a standby that knows the cluster is as ready as the leader."""
        ready = self.role is not Role.STARTING and self.problem() is None
        return web.json_response({"role": self.role}, status=200 if ready else 503)

    async def _metrics(self, _: web.Request) -> web.Response:
        self.measure()
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    @asynccontextmanager
    async def serve(self, port: int) -> AsyncIterator[int]:
        """Answer /healthz, /readyz and /metrics on the port; yields the port in use."""
        app = web.Application()
        app.add_routes(
            [
                web.get("/healthz", self._healthz),
                web.get("/readyz", self._readyz),
                web.get("/metrics", self._metrics),
            ]
        )
        runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=1.0, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, port=port).start()
            used: int = runner.addresses[0][1]
            log.info("serving /healthz, /readyz and /metrics", port=used)
            yield used
        finally:
            await runner.cleanup()
