"""What runs in each replica for the sake of alerts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from trainyard_api.alerts.collector import Collector
from trainyard_api.alerts.delivery import Deliverer
from trainyard_api.alerts.events import Announcer
from trainyard_api.alerts.signature import signing_key
from trainyard_api.alerts.webhook import Webhook
from trainyard_api.cluster import Cluster
from trainyard_api.cluster.cache import ObjectCache
from trainyard_api.database import Database
from trainyard_api.metrics import Metrics
from trainyard_api.settings import Settings
from trainyard_api.trainings.training_job import TrainingJob


@asynccontextmanager
async def alerting(
    settings: Settings,
    *,
    cluster: Cluster,
    database: Database,
    jobs: ObjectCache[TrainingJob],
    models: ObjectCache[dict[str, Any]],
    metrics: Metrics,
) -> AsyncIterator[None]:
    """See failures and tell of them. To be entered before `jobs` is filled: all of that is news."""
    collector = Collector(database, jobs, metrics)
    announcer = Announcer(database, cluster, models)
    async with AsyncExitStack() as stack:
        changed = await stack.enter_async_context(jobs.subscribe())
        programs = [collector.follow(changed), collector.run(), announcer.run()]
        if settings.webhook_url is not None and settings.webhook_secret is not None:
            key = signing_key(settings.webhook_secret.get_secret_value())
            webhook = await stack.enter_async_context(Webhook(settings.webhook_url, key))
            deliverer = Deliverer(database, webhook, metrics, attempts=settings.webhook_attempts)
            programs.append(deliverer.run())
        tasks = [asyncio.create_task(program) for program in programs]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
