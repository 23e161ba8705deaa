"""The operator's parts, put together, and how they begin."""

from collections.abc import Coroutine, Iterator
from typing import Any

import structlog
from kubernetes.aio import client
from trainyard_schema import names

from trainyard_controller.cache import Cache
from trainyard_controller.checkpoints import Checkpoints
from trainyard_controller.client import unfenced
from trainyard_controller.election import Elector
from trainyard_controller.failed_creates import FailedCreates
from trainyard_controller.health import Health, Role
from trainyard_controller.jobs import Jobs
from trainyard_controller.kube import Api
from trainyard_controller.models.cache import ModelCache
from trainyard_controller.models.kube import ModelApi
from trainyard_controller.models.reconcile import ModelReconciler
from trainyard_controller.object_store import ObjectStore
from trainyard_controller.objects import Key
from trainyard_controller.poller import ProgressPoller
from trainyard_controller.queue.admission import Admission
from trainyard_controller.queue.order import Limits
from trainyard_controller.queue.priorities import Priorities
from trainyard_controller.reconcile import Reconciler
from trainyard_controller.recorder import Recorder
from trainyard_controller.resync import Resync
from trainyard_controller.settings import Settings
from trainyard_controller.watchclock import WatchClock
from trainyard_controller.worker import work
from trainyard_controller.workqueue import WorkQueue

MODEL_WORKERS = 2
"""Models that are reconciled at the same time: they change seldom."""

log = structlog.get_logger(__name__)


class Parts:
    """Everything that the operator's process consists of, but for its watches and its end."""

    def __init__(
        self,
        settings: Settings,
        connection: client.ApiClient,
        elector: Elector | None,
        *,
        instance: str,
    ) -> None:
        """`instance` is the name under which this process posts Events."""
        fence = unfenced if elector is None else elector.check
        self._settings = settings
        self._elector = elector
        self._api, self._model_api = Api(connection, fence), ModelApi(connection, fence)
        self.cache, self.models = Cache(), ModelCache()
        self.queue = WorkQueue(lane=self.cache.lane)
        self.model_queue: WorkQueue[Key] = WorkQueue()
        self.clock = WatchClock(settings.namespaces)
        store = ObjectStore(settings.storage, fence)
        self._limits = Limits(
            total=settings.max_concurrent_jobs,
            per_namespace=settings.max_concurrent_jobs_per_namespace,
        )
        self._poller = ProgressPoller(self.cache, self.queue, interval=settings.progress_seconds)
        self.resync = Resync(
            api=self._api,
            cache=self.cache,
            queue=self.queue,
            model_api=self._model_api,
            models=self.models,
            model_queue=self.model_queue,
            clock=self.clock,
            namespaces=settings.namespaces,
            interval=settings.resync_seconds,
        )
        self.health = Health(
            cache=self.cache,
            queues={names.KIND: self.queue, names.MODEL_KIND: self.model_queue},
            clock=self.clock,
            resync=self.resync,
            limit=settings.stale_seconds,
        )
        self._admission = Admission(
            limits=self._limits,
            cache=self.cache,
            queue=self.queue,
            priorities=Priorities(self._api.priority_classes),
        )
        self._failed_creates = FailedCreates(self._api.list_failed_creates, self.queue)
        self._jobs = Jobs(
            api=self._api,
            cache=self.cache,
            queue=self.queue,
            admission=self._admission,
            failed_creates=self._failed_creates,
            settings=settings,
        )
        self._reconcile = Reconciler(
            jobs=self._jobs,
            cache=self.cache,
            queue=self.queue,
            poller=self._poller,
            recorder=Recorder(
                api=self._api,
                cache=self.cache,
                queue=self.queue,
                interval=settings.progress_seconds,
                instance=instance,
            ),
            checkpoints=Checkpoints(store),
            admission=self._admission,
            settings=settings,
        )
        self._reconcile_model = ModelReconciler(
            api=self._model_api,
            events=self._api,
            cache=self.models,
            queue=self.model_queue,
            runs=self.cache,
            run_queue=self.queue,
            store=store,
            instance=instance,
        )

    async def prime(self) -> None:
        """Know every child before the first parent is looked at: else it would seem to be missing.

        Where there is a queue, know every run as well: it may hold a slot.
        """
        for namespace in self._settings.namespaces:
            await self._api.require_crd(namespace)
            await self._model_api.require_crd(namespace)
            source = self._api.training_jobs if self._limits.exist else self._model_api.runs
            async for training_job in source(namespace):
                self.cache.put_training_job(training_job)
            await self._read_jobs(namespace)
            async for pod in self._api.pods(namespace):
                self.cache.put_pod(pod)

    async def _read_jobs(self, namespace: str) -> None:
        async for job in self._api.jobs(namespace):
            self.cache.put_job(job)

    async def begin(self) -> None:
        """From here on this process acts, with all that it has seen so far."""
        if self._elector is not None and self._limits.exist:
            # The last slot that another leader gave out may not have been told yet.
            for namespace in self._settings.namespaces:
                await self._read_jobs(namespace)
        await self._admission.prime()
        if self._elector is not None:
            # Those that wait for something come before the many that have ended.
            by_end = sorted(self.cache.training_jobs(), key=lambda one: one.finished)
            self.queue.restart(one.key for one in by_end)
            self.model_queue.restart(model.key for model in self.models.models())
        self.health.role = Role.LEADER
        log.info("reconciling", workers=self._settings.workers)

    def workers(self) -> Iterator[Coroutine[Any, Any, None]]:
        """What reconciles: each has one object in hand at a time."""
        for _ in range(self._settings.workers):
            yield work(names.KIND, self.queue, self._reconcile, self.cache.training_job)
        for _ in range(MODEL_WORKERS):
            yield work(names.MODEL_KIND, self.model_queue, self._reconcile_model, self.models.model)

    def helpers(self) -> Iterator[Coroutine[Any, Any, None]]:
        """What runs beside the workers."""
        yield self._poller.run()
        yield self._failed_creates.run()
        if self._limits.exist:
            yield self._admission.run()
