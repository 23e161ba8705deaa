"""The operator's process."""

import asyncio
import socket
import sys
from contextlib import AsyncExitStack
from typing import Any

import kopf
import structlog
from pydantic import ValidationError

from trainyard_controller import log as logs
from trainyard_controller.cache import Cache
from trainyard_controller.checkpoints import Checkpoints
from trainyard_controller.client import connect
from trainyard_controller.health import Health, StaleError
from trainyard_controller.kube import Api
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
from trainyard_controller.watches import WatchClock, kopf_settings, registry
from trainyard_controller.worker import work
from trainyard_controller.workqueue import WorkQueue

MODEL_WORKERS = 2
"""Models that are reconciled at the same time: they change seldom."""

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


async def run(settings: Settings) -> None:
    """Run the operator until SIGTERM. Raises where it cannot go on."""
    async with AsyncExitStack() as stack:
        connection = await stack.enter_async_context(connect())
        api, model_api = Api(connection), ModelApi(connection)
        instance = socket.gethostname()
        cache, models = Cache(), ModelCache()
        queue: WorkQueue[Key] = WorkQueue()
        model_queue: WorkQueue[Key] = WorkQueue()
        clock = WatchClock()
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
            queues=(queue, model_queue), clock=clock, resync=resync, limit=settings.stale_seconds
        )
        recorder = Recorder(
            api=api,
            cache=cache,
            queue=queue,
            interval=settings.progress_seconds,
            instance=instance,
        )
        store = ObjectStore(settings.storage)
        reconcile = Reconciler(
            api=api,
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
        for namespace in settings.namespaces:
            await _prime(api, model_api, cache, namespace)
        await stack.enter_async_context(health.serve(settings.metrics_port))

        # Kopf cancels in the end whatever was started after it, so these start before.
        own = [
            asyncio.create_task(coroutine)
            for coroutine in (
                poller.run(),
                resync.run(),
                health.run(),
                *(work(queue, reconcile) for _ in range(settings.workers)),
                *(work(model_queue, reconcile_model) for _ in range(MODEL_WORKERS)),
            )
        ]
        # Kopf would make up an identity from the name of the user, who has none in a container.
        identity: Any = instance
        operator = asyncio.create_task(
            kopf.operator(
                identity=identity,
                registry=registry(cache, queue, models, model_queue, clock),
                settings=kopf_settings(),
                namespaces=settings.namespaces,
                standalone=True,
            )
        )
        log.info("started", namespaces=settings.namespaces, workers=settings.workers)
        done, pending = await asyncio.wait([operator, *own], return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        for task in done:
            task.result()
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
    except Exception:
        log.critical("cannot go on", exc_info=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
