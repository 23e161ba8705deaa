"""Trainings: start, look at, cancel."""

import heapq
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Body, Header, Query, Request, Response
from trainyard_schema.spec import ModelTypeOrAll

from trainyard_api.auth import Identity, TrainTrainerDep, TrainViewerDep
from trainyard_api.cluster import NotFoundError
from trainyard_api.deps import JobsDep, SettingsDep, TrainingJobsDep
from trainyard_api.http.problems import Problem, documented
from trainyard_api.settings import Settings
from trainyard_api.trainings import manifests
from trainyard_api.trainings.objects import TrainingJobs
from trainyard_api.trainings.requests import ModelName, TrainingOptions, TrainingRequest
from trainyard_api.trainings.submission import submit
from trainyard_api.trainings.training_job import rendered
from trainyard_api.trainings.views import (
    JobList,
    JobView,
    Status,
    TrainingResponse,
)

router = APIRouter(prefix="/train", tags=["training"])

_ALWAYS = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
_BODY = (HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
_LOCATION: dict[int | str, dict[str, Any]] = {
    202: {
        "headers": {
            "Location": {"description": "Where its status is.", "schema": {"type": "string"}}
        }
    }
}

IdempotencyKey = Annotated[
    str | None,
    Header(
        pattern=r"^[\x21-\x7e]{1,255}$",
        description="Sent again with the same body, it starts nothing new and gets the same "
        "answer; with another body it is refused (422). It holds as long as the job exists.",
    ),
]


@router.post(
    "/{model_type}",
    status_code=HTTPStatus.ACCEPTED,
    summary="Train one model type",
    responses=_LOCATION | documented(*_BODY, *_ALWAYS),
)
async def train_model_type(
    *,
    model_type: ModelTypeOrAll,
    response: Response,
    training_jobs: TrainingJobsDep,
    settings: SettingsDep,
    requester: TrainTrainerDep,
    options: Annotated[TrainingOptions | None, Body()] = None,
    idempotency_key: IdempotencyKey = None,
) -> TrainingResponse:
    """Start training. The body is optional; dataset and resources default to the server's."""
    given = options.model_dump() if options else {}
    request = TrainingRequest(model_type=model_type, **given)
    name = await _submit(request, idempotency_key, requester, settings, training_jobs)
    return _accepted(name, request, response)


@router.post(
    "",
    status_code=HTTPStatus.ACCEPTED,
    summary="Train with a configuration",
    responses=_LOCATION | documented(*_BODY, *_ALWAYS),
)
async def train(
    *,
    request: TrainingRequest,
    response: Response,
    training_jobs: TrainingJobsDep,
    settings: SettingsDep,
    requester: TrainTrainerDep,
    idempotency_key: IdempotencyKey = None,
) -> TrainingResponse:
    """Start training; `all` trains every model type on one identical split."""
    name = await _submit(request, idempotency_key, requester, settings, training_jobs)
    return _accepted(name, request, response)


@router.get(
    "/status/{job_id}",
    summary="Show a training",
    response_model=JobView,
    responses=documented(HTTPStatus.NOT_FOUND, *_ALWAYS),
)
async def status(job_id: str, request: Request, _: TrainViewerDep) -> Response:
    """Where it stands, how far it is, and what came out of it."""
    # Asked far more often than anything else; each dependency costs as much as all that is here.
    training_jobs: TrainingJobs = request.app.state.training_jobs
    try:
        job = await training_jobs.find(job_id)
    except NotFoundError:
        raise _no_such_job(job_id) from None
    return Response(job.view_json, media_type="application/json")


@router.get(
    "/jobs", summary="List trainings", response_model=JobList, responses=documented(*_ALWAYS)
)
async def list_jobs(
    jobs: JobsDep,
    _: TrainViewerDep,
    status: Annotated[Status | None, Query(description="Only those with this status.")] = None,
    model_type: Annotated[
        ModelTypeOrAll | None, Query(description="Only those that train this type.")
    ] = None,
    model: Annotated[ModelName | None, Query(description="Only those of this model.")] = None,
    limit: Annotated[int, Query(ge=1, le=500, description="At most so many.")] = 50,
) -> Response:
    """The most recent first, those that kubectl created included."""
    matching = [
        job
        for job in jobs.all()
        if (status is None or job.status == status)
        and (model_type is None or job["spec"]["modelType"] == model_type)
        and (model is None or job.model == model)
    ]
    recent = heapq.nlargest(limit, matching, key=lambda job: job.age)
    return rendered("jobs", recent, total=len(matching))


@router.delete(
    "/job/{job_id}",
    status_code=HTTPStatus.ACCEPTED,
    summary="Cancel a training",
    responses=documented(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, *_ALWAYS),
)
async def cancel(
    job_id: str, training_jobs: TrainingJobsDep, _: TrainTrainerDep
) -> TrainingResponse:
    """Stop it for good: the operator deletes its pods, the record is kept.

    The status becomes `cancelled` once no pod is left. Asking again changes nothing and is answered
    alike; a training that has completed or failed cannot be cancelled any more (409).
    """
    try:
        job = await training_jobs.cancel(job_id)
    except NotFoundError:
        raise _no_such_job(job_id) from None
    view = JobView.of(job)
    if view.status in (Status.COMPLETED, Status.FAILED):
        raise Problem(
            HTTPStatus.CONFLICT,
            f"Training job {job_id} has already {view.status}; there is nothing to cancel.",
        )
    message = (
        "Training is cancelled"
        if view.status == Status.CANCELLED
        else "Cancelling: the status becomes cancelled once its pods are gone"
    )
    return TrainingResponse(
        job_id=job_id, status=view.status, message=message, model_type=view.model_type
    )


def _subject(requester: Identity | None) -> str | None:
    return requester.subject if requester else None


async def _submit(
    request: TrainingRequest,
    key: str | None,
    identity: Identity | None,
    settings: Settings,
    training_jobs: TrainingJobs,
) -> str:
    requester = _subject(identity)

    def manifest(name: str) -> dict[str, Any]:
        return manifests.training_job(request, name=name, requester=requester, settings=settings)

    job = await submit(
        manifest,
        model_type=request.model_type,
        key=key,
        requester=requester,
        training_jobs=training_jobs,
    )
    return job.name


def _accepted(name: str, request: TrainingRequest, response: Response) -> TrainingResponse:
    location = f"/train/status/{name}"
    response.headers["Location"] = location
    return TrainingResponse(
        job_id=name,
        status=Status.STARTED,
        message=f"Training of {request.model_type} has started; follow it at {location}",
        model_type=request.model_type,
    )


def _no_such_job(job_id: str) -> Problem:
    return Problem(HTTPStatus.NOT_FOUND, f"There is no training job {job_id}.")
