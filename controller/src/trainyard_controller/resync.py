"""Compares what is known of unfinished runs with the API server: repairs what a watch missed."""

import asyncio
import time

import structlog

from trainyard_controller.cache import Cache
from trainyard_controller.errors import ApiError
from trainyard_controller.kube import Api
from trainyard_controller.metrics import WATCH_MISSES
from trainyard_controller.objects import Key, TrainingJob
from trainyard_controller.watches import JOBS, PODS, TRAINING_JOBS, WatchClock
from trainyard_controller.workqueue import WorkQueue

DELIVERY_SECONDS = 30.0
"""A watch that has said nothing this long after a change that it should have told is dead."""

log = structlog.get_logger(__name__)


class Resync:
    """Looks at each unfinished TrainingJob, its Job and its pods every few minutes."""

    def __init__(
        self,
        *,
        api: Api,
        cache: Cache,
        queue: WorkQueue[Key],
        clock: WatchClock,
        interval: float,
        delivery: float = DELIVERY_SECONDS,
    ) -> None:
        self._api = api
        self._cache = cache
        self._queue = queue
        self._clock = clock
        self._interval = interval
        self._delivery = delivery
        self._missed: dict[str, float] = {}

    @property
    def dead_watch_age(self) -> float:
        """Seconds since the first change that a still silent watch failed to tell; 0 if none."""
        silent = [since for kind, since in self._missed.items() if self._clock.last(kind) < since]
        return time.monotonic() - min(silent) if silent else 0.0

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await asyncio.sleep(self._interval)
            news: dict[str, float] = {}
            for training_job in self._cache.unfinished():
                try:
                    for kind in await self.look(training_job):
                        news.setdefault(kind, time.monotonic())
                except ApiError as error:
                    log.warning("resync", key="/".join(training_job.key), error=str(error))
            if news:
                await asyncio.sleep(self._delivery)
                self._judge(news)

    def _judge(self, news: dict[str, float]) -> None:
        for kind, found in news.items():
            if self._clock.last(kind) < found:
                log.warning("a watch missed a change", kind=kind)
                WATCH_MISSES.labels(kind).inc()
                self._missed.setdefault(kind, found)
            else:
                self._missed.pop(kind, None)

    async def look(self, training_job: TrainingJob) -> set[str]:
        """Read one TrainingJob and what belongs to it. Returns the kinds that brought news."""
        news = set()
        live = await self._api.get_training_job(training_job.name)
        if live is None:
            self._cache.drop_training_job(training_job.key, training_job.uid)
            news.add(TRAINING_JOBS)
        elif self._cache.put_training_job(live):
            news.add(TRAINING_JOBS)

        cached = self._cache.job(training_job)
        job = await self._api.get_job(training_job.job_name)
        if job is None and cached is not None:
            self._cache.drop_job(training_job.job_name, cached["metadata"]["uid"])
            news.add(JOBS)
        elif job is not None and self._cache.put_job(job):
            news.add(JOBS)

        live_pods = await self._api.list_pods(uid=training_job.uid)
        if self._cache.replace_pods(training_job.uid, live_pods):
            news.add(PODS)
        self._queue.add(training_job.key)
        return news
