"""The application: routes, errors and middleware around a cluster and an object store."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from fastapi_offline import FastAPIOffline

from trainyard_api.alerts.service import alerting
from trainyard_api.auth import Authenticator
from trainyard_api.cluster import MODEL, TRAINING_JOB, Cluster, RefusedError, UnavailableError
from trainyard_api.cluster.cache import ObjectCache
from trainyard_api.cluster.reflector import Reflector, running
from trainyard_api.database import Database, DatabaseUnavailableError
from trainyard_api.database.engine import RETRY_AFTER_SECONDS
from trainyard_api.datasets.service import Datasets
from trainyard_api.datasets.sweeping import sweeping
from trainyard_api.feedback.service import FeedbackTables
from trainyard_api.http import problems
from trainyard_api.http.middleware import LimitBody, Observe
from trainyard_api.idempotency import pruning
from trainyard_api.metrics import Metrics
from trainyard_api.models.objects import Models
from trainyard_api.retraining.data import TrainingData
from trainyard_api.retraining.reconciler import Reconciler
from trainyard_api.retraining.service import Retraining
from trainyard_api.routes import feedback as feedback_routes
from trainyard_api.routes import health, history, jobs, models, plans, retrain, upload
from trainyard_api.routes.v1 import alerts as v1_alerts
from trainyard_api.routes.v1 import datasets as v1_datasets
from trainyard_api.routes.v1 import feedback as v1_feedback
from trainyard_api.routes.v1 import jobs as v1_jobs
from trainyard_api.routes.v1 import logs, me, retrains, versions
from trainyard_api.routes.v1 import models as v1_models
from trainyard_api.settings import Settings
from trainyard_api.store import ModelStore, StoreError
from trainyard_api.trainings.logs import JobLogs
from trainyard_api.trainings.objects import TrainingJobs
from trainyard_api.trainings.training_job import TrainingJob

_STORE_RETRY_SECONDS: Final = 10

_DESCRIPTION = """\
Trains tabular models on Kubernetes. Each training is a `TrainingJob`: see `kubectl get tj`.

Errors are `application/problem+json` (RFC 9457). Each answer carries its `X-Request-ID`.
"""
_TAGS: Final = [
    {"name": "training", "description": "Start, follow and cancel trainings."},
    {"name": "models", "description": "What trainings left in the object store."},
    {"name": "versions", "description": "Versions of a model, compared and in their history."},
    {"name": "datasets", "description": "Upload tables to train on."},
    {"name": "feedback", "description": "Tell what really came of predictions."},
    {"name": "audit", "description": "Who asked for what, and what became of it."},
    {"name": "alerts", "description": "Failures that somebody should hear of."},
    {"name": "retraining", "description": "Have Models trained again, and see who did."},
    {"name": "account", "description": "Who you are here."},
    {"name": "health", "description": "For probes and Prometheus; without a token."},
]


def create_app(settings: Settings, cluster: Cluster, store: ModelStore) -> FastAPI:
    """The Train API. Its lifespan enters and leaves `cluster`."""
    job_cache = ObjectCache(TRAINING_JOB.name, make=TrainingJob)
    model_cache = ObjectCache(MODEL.name, make=dict[str, Any])
    reflectors = [
        Reflector(cluster, TRAINING_JOB, job_cache),
        Reflector(cluster, MODEL, model_cache),
    ]
    authenticator = Authenticator(settings)
    datasets = Datasets.in_bucket_of(settings)
    database = Database(settings.database_url.get_secret_value())
    metrics = Metrics()
    training_jobs, model_objects = TrainingJobs(cluster, job_cache), Models(cluster, model_cache)
    reconciler = Reconciler(
        database=database,
        models=model_objects,
        model_cache=model_cache,
        jobs=training_jobs,
        job_cache=job_cache,
        patience=settings.retrain_patience,
    )
    retraining = Retraining(
        database=database,
        models=model_objects,
        model_cache=model_cache,
        job_cache=job_cache,
        data=TrainingData(store.bucket),
        limits=settings.retrain_limits,
        on_admitted=reconciler.wake,
    )

    feedback = FeedbackTables(database, store.bucket)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with (
            cluster,
            authenticator,
            database,
            alerting(
                settings,
                cluster=cluster,
                database=database,
                jobs=job_cache,
                models=model_cache,
                metrics=metrics,
            ),
            pruning(database),
            running(reflectors),
            sweeping(datasets.bucket),
            feedback.repairing(),
            reconciler.running(),
        ):
            yield

    # Swagger UI comes with the package: clusters are often cut off from any CDN.
    app = FastAPIOffline(
        redoc_url=None,
        title="Trainyard Train API",
        version=version("trainyard-api"),
        description=_DESCRIPTION,
        openapi_tags=_TAGS,
        lifespan=lifespan,
    )
    app.state.settings = settings
    app.state.cluster = cluster
    app.state.jobs = job_cache
    app.state.models = model_cache
    app.state.training_jobs = training_jobs
    app.state.model_objects = model_objects
    app.state.store = store
    app.state.job_logs = JobLogs(cluster, job_cache, store)
    app.state.closing = asyncio.Event()
    app.state.datasets = datasets
    app.state.authenticator = authenticator
    app.state.database = database
    app.state.retraining = retraining
    app.state.feedback = feedback
    app.state.metrics = metrics

    # What is asked most comes first: routes are tried in their order.
    for resource in (
        jobs,
        v1_jobs,
        health,
        models,
        logs,
        me,
        versions,
        v1_models,
        v1_datasets,
        upload,
        feedback_routes,
        v1_feedback,
        retrain,
        retrains,
        history,
        plans,
        v1_alerts,
    ):
        app.include_router(resource.router)
    problems.install(app)
    app.add_exception_handler(RefusedError, _on_refused)
    app.add_exception_handler(UnavailableError, _on_unavailable)
    app.add_exception_handler(StoreError, _on_store_error)
    app.add_exception_handler(DatabaseUnavailableError, _on_database_unavailable)
    app.add_middleware(LimitBody)
    app.add_middleware(Observe, metrics=metrics)
    return app


async def _on_refused(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RefusedError)
    return problems.problem_response(422, f"The cluster refuses the {error.kind}: {error}")


async def _on_unavailable(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, UnavailableError)
    return problems.problem_response(
        503, _sentence(error), headers={"Retry-After": str(error.retry_after_seconds)}
    )


async def _on_store_error(_: Request, error: Exception) -> JSONResponse:
    return problems.problem_response(
        503, _sentence(error), headers={"Retry-After": str(_STORE_RETRY_SECONDS)}
    )


async def _on_database_unavailable(_: Request, error: Exception) -> JSONResponse:
    return problems.problem_response(
        503, _sentence(error), headers={"Retry-After": str(RETRY_AFTER_SECONDS)}
    )


def _sentence(error: Exception) -> str:
    text = str(error)
    return f"{text[0].upper()}{text[1:]}; try again later."
