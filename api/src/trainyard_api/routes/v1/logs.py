"""The log of a training, and the history of its metrics."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse
from trainyard_schema import ModelType

from trainyard_api.auth import ViewerDep
from trainyard_api.deps import JobLogsDep, StoreDep, TrainingJobsDep
from trainyard_api.http.problems import documented
from trainyard_api.http.sse import ClosingDep, EventStream, LastEventId
from trainyard_api.routes.v1.jobs import ALWAYS, Name, find
from trainyard_api.trainings.log_lines import Position
from trainyard_api.trainings.logs import wanted_type
from trainyard_api.trainings.metrics_history import training_history

router = APIRouter(prefix="/api/v1/jobs/{name}", tags=["training"])

_TEXT: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The log so far; with `follow` server-sent events.",
        "content": {
            "text/plain": {"schema": {"type": "string"}},
            "text/event-stream": {},
        },
    }
}


@router.get(
    "/logs",
    summary="Read the log of a training",
    response_class=StreamingResponse,
    responses=_TEXT | documented(HTTPStatus.NOT_FOUND, *ALWAYS),
)
async def logs(
    *,
    name: Name,
    training_jobs: TrainingJobsDep,
    job_logs: JobLogsDep,
    closing: ClosingDep,
    _: ViewerDep,
    model_type: Annotated[
        ModelType | None, Query(description="Whose log; needed where `all` were trained.")
    ] = None,
    follow: Annotated[
        bool, Query(description="Stream server-sent events, also of the lines to come.")
    ] = False,
    last_event_id: LastEventId = None,
) -> Response:
    """What the trainer prints, one JSON document a line: from its pod and, once that is gone, from
    the version that it uploaded. A training without version leaves nothing but its pod (404).

    With `follow`, events `line`, and `end` after the last one; where a trainer is started anew, its
    lines follow. A stream that ends without `end` is to be opened again with `Last-Event-ID`.
    """
    job = await find(training_jobs, name)
    chosen = wanted_type(job, model_type)
    if not follow:
        return StreamingResponse(
            await job_logs.text(job, chosen), media_type="text/plain; charset=utf-8"
        )
    await job_logs.require(job, chosen)
    events = job_logs.follow(name, chosen, Position.of(last_event_id))
    return EventStream(events, closing=closing)


@router.get(
    "/metrics",
    summary="Show how the metrics moved while it trained",
    responses=documented(HTTPStatus.NOT_FOUND, *ALWAYS),
)
async def metrics(
    name: Name, training_jobs: TrainingJobsDep, store: StoreDep, _: ViewerDep
) -> dict[ModelType, list[dict[str, Any]]]:
    """By model type, one object for each round, epoch or number of trees, as in the version's
    `history.jsonl`. A type is missing until its version has been uploaded.
    """
    return await training_history(store, await find(training_jobs, name))
