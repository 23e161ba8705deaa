"""What the API consists of beside its routes, and what of it works in the background."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self

from trainyard_api.alerts.service import alerting
from trainyard_api.auth import Authenticator
from trainyard_api.cluster import MODEL, TRAINING_JOB, Cluster
from trainyard_api.cluster.cache import ObjectCache
from trainyard_api.cluster.reflector import Reflector, running
from trainyard_api.database import Database
from trainyard_api.datasets.service import Datasets
from trainyard_api.datasets.sweeping import sweeping
from trainyard_api.feedback.service import FeedbackTables
from trainyard_api.idempotency import pruning
from trainyard_api.metrics import Metrics
from trainyard_api.models.objects import Models
from trainyard_api.retraining.data import TrainingData
from trainyard_api.retraining.reconciler import Reconciler
from trainyard_api.retraining.service import Retraining
from trainyard_api.settings import Settings
from trainyard_api.store import ModelStore
from trainyard_api.trainings.logs import JobLogs
from trainyard_api.trainings.objects import TrainingJobs
from trainyard_api.trainings.training_job import TrainingJob


@dataclass(frozen=True, kw_only=True)
class Services:
    """One of each. The routes find them by these names in `app.state`."""

    settings: Settings
    cluster: Cluster
    jobs: ObjectCache[TrainingJob]
    models: ObjectCache[dict[str, Any]]
    training_jobs: TrainingJobs
    model_objects: Models
    store: ModelStore
    job_logs: JobLogs
    datasets: Datasets
    authenticator: Authenticator
    database: Database
    reconciler: Reconciler
    retraining: Retraining
    feedback: FeedbackTables
    metrics: Metrics = field(default_factory=Metrics)
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the server stops: streams end."""

    @classmethod
    def of(cls, settings: Settings, cluster: Cluster, store: ModelStore) -> Self:
        """Put together; nothing has been connected to yet."""
        jobs = ObjectCache(TRAINING_JOB.name, make=TrainingJob)
        models = ObjectCache(MODEL.name, make=dict[str, Any])
        training_jobs, model_objects = TrainingJobs(cluster, jobs), Models(cluster, models)
        database = Database(settings.database_url.get_secret_value())
        reconciler = Reconciler(
            database=database,
            models=model_objects,
            model_cache=models,
            jobs=training_jobs,
            job_cache=jobs,
            patience=settings.retrain_patience,
        )
        return cls(
            settings=settings,
            cluster=cluster,
            jobs=jobs,
            models=models,
            training_jobs=training_jobs,
            model_objects=model_objects,
            store=store,
            job_logs=JobLogs(cluster, jobs, store),
            datasets=Datasets.in_bucket_of(settings),
            authenticator=Authenticator(settings),
            database=database,
            reconciler=reconciler,
            retraining=Retraining(
                database=database,
                models=model_objects,
                model_cache=models,
                job_cache=jobs,
                data=TrainingData(store.bucket),
                limits=settings.retrain_limits,
                on_admitted=reconciler.wake,
            ),
            feedback=FeedbackTables(database, store.bucket),
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Connected, and at work in the background."""
        async with (
            self.cluster,
            self.authenticator,
            self.database,
            alerting(
                self.settings,
                cluster=self.cluster,
                database=self.database,
                jobs=self.jobs,
                models=self.models,
                metrics=self.metrics,
            ),
            pruning(self.database),
            running(
                [
                    Reflector(self.cluster, TRAINING_JOB, self.jobs),
                    Reflector(self.cluster, MODEL, self.models),
                ]
            ),
            sweeping(self.datasets.bucket),
            self.feedback.repairing(),
            self.reconciler.running(),
        ):
            yield
