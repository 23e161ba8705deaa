"""Compares what is known of unfinished runs with the API server: repairs what a watch missed."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence

import structlog

from trainyard_controller.cache import Cache
from trainyard_controller.errors import ApiError
from trainyard_controller.kube import Api
from trainyard_controller.live import read_job, read_pods
from trainyard_controller.metrics import WATCH_MISSES
from trainyard_controller.models.cache import ModelCache
from trainyard_controller.models.kube import ModelApi
from trainyard_controller.objects import Key, TrainingJob
from trainyard_controller.watchclock import JOBS, KINDS, MODELS, PODS, TRAINING_JOBS, WatchClock
from trainyard_controller.workqueue import WorkQueue

DELIVERY_SECONDS = 30.0
"""A watch that has said nothing this long after a change that it should have told is dead."""
RUNS_AT_ONCE = 100
"""The API server goes through all pods of a namespace to list those of as many runs."""

log = structlog.get_logger(__name__)


class Resync:
    """Looks at all Models and TrainingJobs, and what unfinished ones own, every few minutes."""

    def __init__(
        self,
        *,
        api: Api,
        cache: Cache,
        queue: WorkQueue[Key],
        model_api: ModelApi,
        models: ModelCache,
        model_queue: WorkQueue[Key],
        clock: WatchClock,
        namespaces: Sequence[str],
        interval: float,
        delivery: float = DELIVERY_SECONDS,
    ) -> None:
        self._api = api
        self._cache = cache
        self._queue = queue
        self._model_api = model_api
        self._models = models
        self._model_queue = model_queue
        self._clock = clock
        self._namespaces = namespaces
        self._interval = interval
        self._delivery = delivery
        self._missed: dict[str, float] = {}
        for kind in KINDS:
            # Else the first miss would be no increase.
            WATCH_MISSES.labels(kind)

    @property
    def dead_watch_age(self) -> float:
        """Seconds since the first change that a still silent watch failed to tell; 0 if none."""
        silent = [since for kind, since in self._missed.items() if self._clock.last(kind) < since]
        return time.monotonic() - min(silent) if silent else 0.0

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await asyncio.sleep(self._interval)
            try:
                news = await self.look()
            except ApiError as error:
                log.warning("resync", error=str(error))
                continue
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

    async def look(self) -> dict[str, float]:
        """Read all Models and TrainingJobs, and what belongs to the unfinished ones.

        Returns the monotonic time of the first news for each kind that brought any.
        """
        news: dict[str, float] = {}
        async for kind in self._news():
            # At once: what the watch tells of it may come while all else is still being read.
            news.setdefault(kind, time.monotonic())
        return news

    async def _news(self) -> AsyncIterator[str]:
        async for kind in self._look_at_training_jobs():
            yield kind
        for namespace, runs in self._unfinished():
            async for kind in self._look_at_children(namespace, runs):
                yield kind
            for run in runs:
                self._queue.add(run.key)
        async for kind in self._look_at_models():
            yield kind
        for model in self._models.models():
            self._model_queue.add(model.key)

    async def _look_at_models(self) -> AsyncIterator[str]:
        before = self._models.models()
        present = set()
        for namespace in self._namespaces:
            async for document in self._model_api.models(namespace):
                present.add(document["metadata"]["uid"])
                if self._models.put(document):
                    yield MODELS
        for model in before:
            if model.uid not in present:
                self._models.drop(model.key, model.uid)
                yield MODELS

    async def _look_at_training_jobs(self) -> AsyncIterator[str]:
        before = self._cache.training_jobs()
        present = set()
        for namespace in self._namespaces:
            async for document in self._api.training_jobs(namespace):
                present.add(document["metadata"]["uid"])
                if self._cache.put_training_job(document):
                    yield TRAINING_JOBS
        for training_job in before:
            if training_job.uid not in present:
                self._cache.drop_training_job(training_job.key, training_job.uid)
                self._queue.add(training_job.key)
                yield TRAINING_JOBS

    def _unfinished(self) -> Iterator[tuple[str, Sequence[TrainingJob]]]:
        """A namespace and some of its unfinished runs, until there have been all."""
        unfinished = list(self._cache.unfinished())
        for namespace in self._namespaces:
            runs = [one for one in unfinished if one.namespace == namespace]
            for start in range(0, len(runs), RUNS_AT_ONCE):
                yield namespace, runs[start : start + RUNS_AT_ONCE]

    async def _look_at_children(
        self, namespace: str, runs: Sequence[TrainingJob]
    ) -> AsyncIterator[str]:
        for run in runs:
            if await read_job(self._api, self._cache, run):
                yield JOBS
        if await read_pods(self._api, self._cache, namespace, [run.uid for run in runs]):
            yield PODS
