"""The application: routes, errors and middleware around a cluster and an object store."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Final

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from fastapi_offline import FastAPIOffline
from starlette.datastructures import State

from trainyard_api.cluster import Cluster, RefusedError, UnavailableError
from trainyard_api.database import DatabaseUnavailableError
from trainyard_api.database.engine import RETRY_AFTER_SECONDS
from trainyard_api.http import examples, problems
from trainyard_api.http.middleware import LimitBody, Observe
from trainyard_api.routes import ROUTERS
from trainyard_api.services import Services
from trainyard_api.settings import Settings
from trainyard_api.store import ModelStore, StoreError

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
    services = Services.of(settings, cluster, store)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with services.running():
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
    app.state = State(dict(vars(services)))
    for router in ROUTERS:
        app.include_router(router)
    problems.install(app)
    examples.install(app)
    app.add_exception_handler(RefusedError, _on_refused)
    app.add_exception_handler(UnavailableError, _on_unavailable)
    app.add_exception_handler(StoreError, _on_store_error)
    app.add_exception_handler(DatabaseUnavailableError, _on_database_unavailable)
    app.add_middleware(LimitBody)
    app.add_middleware(Observe, metrics=services.metrics)
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
