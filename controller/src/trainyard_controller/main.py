"""The operator's process."""

import asyncio
import socket
import sys
from collections.abc import Coroutine, Iterable, Iterator
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

import structlog
from pydantic import ValidationError
from trainyard_schema import names

from trainyard_controller import log as logs
from trainyard_controller.cache import Cache
from trainyard_controller.checkpoints import Checkpoints
from trainyard_controller.client import connect, unfenced
from trainyard_controller.duty import Duty
from trainyard_controller.election import Elector, LeadershipLostError
from trainyard_controller.errors import ApiError
from trainyard_controller.health import Health, Role, StaleError
from trainyard_controller.jobs import Jobs
from trainyard_controller.kube import Api
from trainyard_controller.leases import Leases
from trainyard_controller.lifecycle import StopSignal, serve
from trainyard_controller.models.cache import ModelCache
from trainyard_controller.models.kube import ModelApi
from trainyard_controller.models.reconcile import ModelReconciler
from trainyard_controller.object_store import ObjectStore
from trainyard_controller.objects import Key
from trainyard_controller.poller import ProgressPoller
from trainyard_controller.reconcile import Reconciler
from trainyard_controller.recorder import Recorder
from trainyard_controller.resync import Resync
from trainyard_controller.settings import Settings
from trainyard_controller.watchclock import WatchClock
from trainyard_controller.watches import kopf_settings, registry
from trainyard_controller.worker import work
from trainyard_controller.workqueue import WorkQueue

MODEL_WORKERS = 2
"""Models that are reconciled at the same time: they change seldom."""
START_RETRY_SECONDS = 5.0
"""A start that cannot read what there is tries again: exits would make Kubernetes wait ever longer.
"""

log = structlog.get_logger(__name__)


async def _prime(api: Api, model_api: ModelApi, cache: Cache, namespace: str) -> None:
    """Know every child before the first parent is looked at: else it would seem to be missing."""
    await api.require_crd(namespace)
    await model_api.require_crd(namespace)
    for training_job in await model_api.list_runs(namespace):
        cache.put_training_job(training_job)
    async for job in api.jobs(namespace):
        cache.put_job(job)
    async for pod in api.pods(namespace):
        cache.put_pod(pod)


async def _prime_when_possible(
    api: Api, model_api: ModelApi, cache: Cache, namespaces: Iterable[str]
) -> None:
    while True:
        try:
            for namespace in namespaces:
                await _prime(api, model_api, cache, namespace)
        except ApiError as error:
            # One that has just come up refuses, too: it has yet to read Roles and CRDs.
            log.warning("the start waits", error=str(error), retry_in=START_RETRY_SECONDS)
            await asyncio.sleep(START_RETRY_SECONDS)
        else:
            return


async def _elector(stack: AsyncExitStack, settings: Settings, instance: str) -> Elector:
    # Renewals have connections of their own, and never wait behind other requests.
    connection = await stack.enter_async_context(connect())
    return Elector(
        Leases(connection, settings.namespaces[0], settings.lease_name),
        # A container that is started anew has the host name of the one before.
        identity=f"{instance}_{uuid4()}",
        duration=settings.lease_seconds,
    )


async def run(settings: Settings) -> None:
    """Run the operator until SIGTERM. Raises where it cannot go on."""
    stop = StopSignal()
    async with AsyncExitStack() as stack:
        connection = await stack.enter_async_context(connect())
        instance = socket.gethostname()
        elector = await _elector(stack, settings, instance) if settings.lease_name else None
        fence = elector.check if elector is not None else unfenced
        api, model_api = Api(connection, fence), ModelApi(connection, fence)
        cache, models = Cache(), ModelCache()
        queue: WorkQueue[Key] = WorkQueue()
        model_queue: WorkQueue[Key] = WorkQueue()
        clock = WatchClock(settings.namespaces)
        poller = ProgressPoller(cache, queue, interval=settings.progress_seconds)
        resync = Resync(
            api=api,
            cache=cache,
            queue=queue,
            model_api=model_api,
            models=models,
            model_queue=model_queue,
            clock=clock,
            namespaces=settings.namespaces,
            interval=settings.resync_seconds,
        )
        health = Health(
            cache=cache,
            queues={names.KIND: queue, names.MODEL_KIND: model_queue},
            clock=clock,
            resync=resync,
            limit=settings.stale_seconds,
        )
        recorder = Recorder(
            api=api,
            cache=cache,
            queue=queue,
            interval=settings.progress_seconds,
            instance=instance,
        )
        store = ObjectStore(settings.storage, fence)
        jobs = Jobs(api=api, cache=cache, queue=queue, settings=settings)
        reconcile = Reconciler(
            jobs=jobs,
            cache=cache,
            queue=queue,
            poller=poller,
            recorder=recorder,
            checkpoints=Checkpoints(store),
            settings=settings,
        )
        reconcile_model = ModelReconciler(
            api=model_api,
            events=api,
            cache=models,
            queue=model_queue,
            runs=cache,
            run_queue=queue,
            store=store,
            instance=instance,
        )
        await stack.enter_async_context(health.serve(settings.metrics_port))
        priming = _prime_when_possible(api, model_api, cache, settings.namespaces)
        if await stop.comes_before(priming):
            return
        health.role = Role.STANDBY

        def begin() -> None:
            health.role = Role.LEADER
            if elector is not None:
                jobs.take_over(cache.unfinished())
                # Those that wait for something come before the many that have ended.
                by_end = sorted(cache.training_jobs(), key=lambda one: one.finished)
                queue.restart(one.key for one in by_end)
                model_queue.restart(model.key for model in models.models())
            log.info("reconciling", workers=settings.workers)

        def workers() -> Iterator[Coroutine[Any, Any, None]]:
            for _ in range(settings.workers):
                yield work(names.KIND, queue, reconcile, cache.training_job)
            for _ in range(MODEL_WORKERS):
                yield work(names.MODEL_KIND, model_queue, reconcile_model, models.model)

        duty = Duty(
            elector=elector,
            queues=(queue, model_queue),
            listed=clock.listed,
            begin=begin,
            workers=workers,
            helpers=lambda: (poller.run(),),
        )
        log.info("started", namespaces=settings.namespaces, lease=settings.lease_name)
        await serve(
            stop,
            duty,
            (resync.run(), health.run()),
            registry=registry(cache, queue, models, model_queue, clock),
            settings=kopf_settings(),
            namespaces=settings.namespaces,
            instance=instance,
        )
        log.info("stopped")


def main() -> None:
    """Start the operator; its settings come from the environment."""
    try:
        settings = Settings()
    except ValidationError as error:
        sys.exit(
            "\n".join(
                f"TRAINYARD_{str(item['loc'][0]).upper()}: {item['msg']}" for item in error.errors()
            )
        )
    logs.configure(settings.log_level)
    try:
        asyncio.run(run(settings))
    except StaleError as error:
        log.critical("stale, giving up", problem=str(error))
        sys.exit(1)
    except LeadershipLostError as error:
        log.critical("leadership lost, giving up", problem=str(error))
        sys.exit(1)
    except Exception:
        log.critical("cannot go on", exc_info=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
