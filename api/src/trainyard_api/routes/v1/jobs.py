"""Trainings as resources: list, show, start, cancel, follow."""

import heapq
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from trainyard_schema import Phase, TrainingJobSpec
from trainyard_schema.spec import ModelTypeOrAll

from trainyard_api.auth import TrainerDep, ViewerDep
from trainyard_api.cluster import NotFoundError
from trainyard_api.deps import JobsDep, SettingsDep, TrainingJobsDep
from trainyard_api.http import conditional, paging, sse
from trainyard_api.http.conditional import IfNoneMatch
from trainyard_api.http.paging import Cursor, Limit, Page
from trainyard_api.http.problems import Problem, documented
from trainyard_api.http.sse import ClosingDep, EventStream, LastEventId
from trainyard_api.routes.jobs import IdempotencyKey
from trainyard_api.trainings import manifests
from trainyard_api.trainings.events import job_events, seen_version
from trainyard_api.trainings.objects import TrainingJobs
from trainyard_api.trainings.requests import ModelName
from trainyard_api.trainings.submission import submit
from trainyard_api.trainings.training_job import TrainingJob, rendered
from trainyard_api.trainings.views import JobView, Status

router = APIRouter(prefix="/api/v1/jobs", tags=["training"])

ALWAYS = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
Name = Annotated[str, Path(description="The TrainingJob's name.", examples=["churn-xgboost"])]
_Label = Annotated[
    str,
    StringConstraints(
        pattern=r"^[A-Za-z0-9]([-A-Za-z0-9_./]{0,315}[A-Za-z0-9])?"
        r"(=([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?)?$"
    ),
]


class NewJob(BaseModel):
    """A training to start."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "spec": {
                        "model": "churn",
                        "modelType": "xgboost",
                        "data": {
                            "uri": "s3://trainyard/datasets/churn.csv",
                            "target": "churned",
                            "exclude": ["customer_id"],
                        },
                    }
                }
            ]
        },
    )

    name: (
        Annotated[
            str,
            StringConstraints(
                pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
                max_length=253,
            ),
        ]
        | None
    ) = Field(default=None, description="The TrainingJob's name; absent: one is made.")
    spec: TrainingJobSpec = Field(
        description="As in a TrainingJob's YAML; see docs/trainingjob.md."
    )


@router.get(
    "",
    summary="List trainings",
    response_model=Page[JobView],
    responses=documented(*ALWAYS),
)
async def list_jobs(
    *,
    jobs: JobsDep,
    _: ViewerDep,
    status: Annotated[Status | None, Query(description="Only those with this status.")] = None,
    phase: Annotated[Phase | None, Query(description="Only those in this phase.")] = None,
    model: Annotated[ModelName | None, Query(description="Only those of this model.")] = None,
    model_type: Annotated[
        ModelTypeOrAll | None, Query(description="Only those that train this type.")
    ] = None,
    label: Annotated[
        list[_Label] | None,
        Query(max_length=8, description="Only those with this label: `key=value`, or `key`."),
    ] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """The most recent first, those that kubectl or a Model's schedule created included."""
    before = None if cursor is None else paging.decode(cursor, str, str)
    matching = [
        job
        for job in jobs.all()
        if (before is None or job.age < before)
        and (status is None or job.status == status)
        and (phase is None or job.phase == phase)
        and (model_type is None or job["spec"]["modelType"] == model_type)
        and (model is None or job.model == model)
        and all(_has_label(job, one) for one in label or ())
    ]
    page = heapq.nlargest(limit, matching, key=lambda job: job.age)
    more = len(matching) > limit
    return rendered("items", page, next_cursor=paging.encode(page[-1].age) if more else None)


def _has_label(job: TrainingJob, wanted: str) -> bool:
    key, equals, value = wanted.partition("=")
    return job.labels.get(key) == value if equals else key in job.labels


_CREATED: dict[int | str, dict[str, Any]] = {
    202: {"headers": {"Location": {"description": "Where it is.", "schema": {"type": "string"}}}}
}


@router.post(
    "",
    status_code=HTTPStatus.ACCEPTED,
    summary="Start a training",
    responses=_CREATED
    | documented(
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.CONFLICT,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        *ALWAYS,
    ),
)
async def create(
    *,
    new: NewJob,
    response: Response,
    training_jobs: TrainingJobsDep,
    settings: SettingsDep,
    identity: TrainerDep,
    idempotency_key: IdempotencyKey = None,
) -> JobView:
    """Create a TrainingJob. What the spec leaves out has the defaults of the CRD.

    The answer is the training as it was created. A `name` that is taken is refused (409), unless
    key and body are those of the request that took it.
    """

    def manifest(name: str) -> dict[str, Any]:
        return manifests.training_job_of_spec(
            new.spec,
            name=name,
            requester=identity.subject,
            key=idempotency_key,
            settings=settings,
        )

    job = await submit(
        manifest,
        name=new.name,
        model_type=new.spec.model_type,
        key=idempotency_key,
        requester=identity.subject,
        training_jobs=training_jobs,
    )
    response.headers["Location"] = f"{router.prefix}/{job.name}"
    return JobView.of(_as_created(job))


def _as_created(job: TrainingJob) -> dict[str, Any]:
    """What the first answer told; a repeated request is answered alike."""
    spec = {name: value for name, value in job["spec"].items() if name != "cancel"}
    return {"metadata": job["metadata"], "spec": spec}


@router.get(
    "/{name}",
    summary="Show a training",
    response_model=JobView,
    responses=conditional.DOCUMENTED | documented(HTTPStatus.NOT_FOUND, *ALWAYS),
)
async def show(
    name: Name, training_jobs: TrainingJobsDep, _: ViewerDep, if_none_match: IfNoneMatch = None
) -> Response:
    """Where it stands, how far it is, and what came out of it.

    To poll, send the ETag of the last answer: 304 costs next to nothing.
    """
    job = await find(training_jobs, name)
    return conditional.conditional(
        job.view_json, tag=job.resource_version, if_none_match=if_none_match
    )


@router.delete(
    "/{name}",
    status_code=HTTPStatus.ACCEPTED,
    summary="Cancel a training",
    responses=documented(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, *ALWAYS),
)
async def cancel(name: Name, training_jobs: TrainingJobsDep, _: TrainerDep) -> JobView:
    """Stop it for good: the operator deletes its pods, the record is kept.

    The status becomes `cancelled` once no pod is left. Asking again changes nothing and is answered
    alike; a training that has completed or failed cannot be cancelled any more (409).
    """
    try:
        job = await training_jobs.cancel(name)
    except NotFoundError:
        raise no_such_job(name) from None
    if job.status in (Status.COMPLETED, Status.FAILED):
        raise Problem(
            HTTPStatus.CONFLICT,
            f"Training job {name} has already {job.status}; there is nothing to cancel.",
        )
    return JobView.of(job)


@router.get(
    "/{name}/events",
    summary="Follow a training",
    response_class=StreamingResponse,
    responses=sse.DOCUMENTED | documented(HTTPStatus.NOT_FOUND, *ALWAYS),
)
async def events(
    *,
    name: Name,
    jobs: JobsDep,
    training_jobs: TrainingJobsDep,
    closing: ClosingDep,
    _: ViewerDep,
    last_event_id: LastEventId = None,
) -> EventStream:
    """Server-sent events: `job` with the training as GET shows it, now and after each change, and
    `end` after the last one.

    A stream that ends without `end` is to be opened again with `Last-Event-ID`, by which a state is
    not sent twice.
    """
    await find(training_jobs, name)
    return EventStream(job_events(jobs, name, seen=seen_version(last_event_id)), closing=closing)


async def find(training_jobs: TrainingJobs, name: str) -> TrainingJob:
    """The training of that name. Raises `Problem` (404)."""
    try:
        return await training_jobs.find(name)
    except NotFoundError:
        raise no_such_job(name) from None


def no_such_job(name: str) -> Problem:
    """404."""
    return Problem(HTTPStatus.NOT_FOUND, f"There is no training job {name}.")
