"""Probes and metrics. None asks for a token."""

from http import HTTPStatus

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, ConfigDict

from trainyard_api.deps import ClusterDep, JobsDep, MetricsDep, ModelsDep
from trainyard_api.http.problems import documented

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """The answer of a probe."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "ok"}]})

    status: str = "ok"


@router.get("/healthz", summary="Is the process alive?")
async def healthz() -> Health:
    """Answers whenever the process can answer at all."""
    return Health()


@router.get(
    "/readyz",
    summary="Can TrainingJobs be created?",
    responses=documented(HTTPStatus.SERVICE_UNAVAILABLE),
)
async def readyz(cluster: ClusterDep, jobs: JobsDep, models: ModelsDep) -> Health:
    """Answers 200 when the API server answers and TrainingJobs and Models are known, else 503."""
    await cluster.check()
    jobs.require_recent()
    models.require_recent()
    return Health()


@router.get(
    "/metrics",
    summary="Prometheus metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(metrics: MetricsDep) -> Response:
    """Requests by method, route template and status; their duration; the process.

    It names no job, user or dataset, so it is served without a token on the same port.
    """
    return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)
