"""What the routes are given, as `Annotated` dependencies."""

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

# Coroutines, because FastAPI would run plain functions in a thread each.


async def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


async def _cluster(request: Request) -> Cluster:
    cluster: Cluster = request.app.state.cluster
    return cluster


async def _training_jobs(request: Request) -> TrainingJobs:
    training_jobs: TrainingJobs = request.app.state.training_jobs
    return training_jobs


async def _jobs(request: Request) -> ObjectCache[TrainingJob]:
    jobs: ObjectCache[TrainingJob] = request.app.state.jobs
    return jobs


async def _model_objects(request: Request) -> Models:
    models: Models = request.app.state.model_objects
    return models


async def _models(request: Request) -> ObjectCache[dict[str, Any]]:
    models: ObjectCache[dict[str, Any]] = request.app.state.models
    return models


async def _store(request: Request) -> ModelStore:
    store: ModelStore = request.app.state.store
    return store


async def _job_logs(request: Request) -> JobLogs:
    job_logs: JobLogs = request.app.state.job_logs
    return job_logs


async def _datasets(request: Request) -> Datasets:
    datasets: Datasets = request.app.state.datasets
    return datasets


async def _metrics(request: Request) -> Metrics:
    metrics: Metrics = request.app.state.metrics
    return metrics


async def _database(request: Request) -> Database:
    database: Database = request.app.state.database
    return database


async def _retraining(request: Request) -> Retraining:
    retraining: Retraining = request.app.state.retraining
    return retraining


async def _feedback(request: Request) -> FeedbackTables:
    feedback: FeedbackTables = request.app.state.feedback
    return feedback


SettingsDep = Annotated[Settings, Depends(_settings)]
ClusterDep = Annotated[Cluster, Depends(_cluster)]
TrainingJobsDep = Annotated[TrainingJobs, Depends(_training_jobs)]
"""Reads one, from the cluster where the cache has it not; writes."""
JobsDep = Annotated[ObjectCache[TrainingJob], Depends(_jobs)]
ModelObjectsDep = Annotated[Models, Depends(_model_objects)]
"""Reads one, from the cluster where the cache has it not; writes."""
ModelsDep = Annotated[ObjectCache[dict[str, Any]], Depends(_models)]
StoreDep = Annotated[ModelStore, Depends(_store)]
JobLogsDep = Annotated[JobLogs, Depends(_job_logs)]
MetricsDep = Annotated[Metrics, Depends(_metrics)]
DatasetsDep = Annotated[Datasets, Depends(_datasets)]
DatabaseDep = Annotated[Database, Depends(_database)]
RetrainingDep = Annotated[Retraining, Depends(_retraining)]
FeedbackDep = Annotated[FeedbackTables, Depends(_feedback)]
