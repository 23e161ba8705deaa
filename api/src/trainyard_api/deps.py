"""What the routes are given, as `Annotated` dependencies."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import Depends, Request

from trainyard_api.cluster import Cluster
from trainyard_api.cluster.cache import ObjectCache
from trainyard_api.database import Database
from trainyard_api.datasets.service import Datasets
from trainyard_api.feedback.service import FeedbackTables
from trainyard_api.metrics import Metrics
from trainyard_api.models.objects import Models
from trainyard_api.retraining.service import Retraining
from trainyard_api.settings import Settings
from trainyard_api.store import ModelStore
from trainyard_api.trainings.logs import JobLogs
from trainyard_api.trainings.objects import TrainingJobs
from trainyard_api.trainings.training_job import TrainingJob


def _service(name: str) -> Callable[[Request], Awaitable[Any]]:
    # A coroutine, because FastAPI would run a plain function in a thread.
    async def give(request: Request) -> Any:
        return getattr(request.app.state, name)

    return give


SettingsDep = Annotated[Settings, Depends(_service("settings"))]
ClusterDep = Annotated[Cluster, Depends(_service("cluster"))]
TrainingJobsDep = Annotated[TrainingJobs, Depends(_service("training_jobs"))]
"""Reads one, from the cluster where the cache has it not; writes."""
JobsDep = Annotated[ObjectCache[TrainingJob], Depends(_service("jobs"))]
ModelObjectsDep = Annotated[Models, Depends(_service("model_objects"))]
"""Reads one, from the cluster where the cache has it not; writes."""
ModelsDep = Annotated[ObjectCache[dict[str, Any]], Depends(_service("models"))]
StoreDep = Annotated[ModelStore, Depends(_service("store"))]
JobLogsDep = Annotated[JobLogs, Depends(_service("job_logs"))]
MetricsDep = Annotated[Metrics, Depends(_service("metrics"))]
DatasetsDep = Annotated[Datasets, Depends(_service("datasets"))]
DatabaseDep = Annotated[Database, Depends(_service("database"))]
RetrainingDep = Annotated[Retraining, Depends(_service("retraining"))]
FeedbackDep = Annotated[FeedbackTables, Depends(_service("feedback"))]
