"""What the routes are given, as `Annotated` dependencies."""

from typing import Annotated

from fastapi import Depends, Request

from trainyard_api.cluster import TrainingJobs
from trainyard_api.database import Database
from trainyard_api.metrics import Metrics
from trainyard_api.settings import Settings
from trainyard_api.store import ModelStore

# Coroutines, because FastAPI would run plain functions in a thread each.


async def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


async def _cluster(request: Request) -> TrainingJobs:
    cluster: TrainingJobs = request.app.state.cluster
    return cluster


async def _store(request: Request) -> ModelStore:
    store: ModelStore = request.app.state.store
    return store


async def _metrics(request: Request) -> Metrics:
    metrics: Metrics = request.app.state.metrics
    return metrics


async def _database(request: Request) -> Database:
    database: Database = request.app.state.database
    return database


SettingsDep = Annotated[Settings, Depends(_settings)]
ClusterDep = Annotated[TrainingJobs, Depends(_cluster)]
StoreDep = Annotated[ModelStore, Depends(_store)]
MetricsDep = Annotated[Metrics, Depends(_metrics)]
DatabaseDep = Annotated[Database, Depends(_database)]
