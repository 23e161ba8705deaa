"""Plans: the configured Models and their schedules."""

from collections.abc import Collection
from datetime import datetime
from http import HTTPStatus
from statistics import median
from typing import Any, Final, Literal, Self

from fastapi import APIRouter
from pydantic import BaseModel, Field
from trainyard_schema import Phase, names

from trainyard_api.auth import ViewerDep
from trainyard_api.deps import JobsDep, ModelsDep
from trainyard_api.http.problems import documented_failures
from trainyard_api.models.views import is_retrainable, status_of
from trainyard_api.trainings.views import View

router = APIRouter(prefix="/api", tags=["retraining"])

_RUNS: Final = 10


class Plan(View):
    """A Model: what is trained, when, and how long that takes."""

    name: str = Field(description="What POST /api/retrain takes as model_type.")
    model_type: str
    schedule: str | None = Field(description="Cron; null: on request only.")
    time_zone: str
    suspended: bool
    retrainable: bool = Field(description="Whether POST /api/retrain of all means it.")
    next_run: datetime | None
    last_run: datetime | None = Field(description="When the latest run was created.")
    last_run_status: str | None = Field(description="Its phase.")
    champion: str | None = Field(description="The version that consumers load.")
    champion_metric: str | None
    typical_seconds: float | None = Field(
        description="Median of the latest completed runs that are still there; null: none is."
    )

    @classmethod
    def of(cls, model: dict[str, Any], seconds: list[float]) -> Self:
        """The plan of a Model, and how long its runs took."""
        metadata, spec, status = model["metadata"], model["spec"], status_of(model)
        suspended = spec.get("suspend", False)
        return cls(
            name=metadata["name"],
            model_type=spec["template"]["spec"]["modelType"],
            schedule=spec.get("schedule"),
            time_zone=spec.get("timeZone", "UTC"),
            suspended=suspended,
            retrainable=is_retrainable(model),
            next_run=None if suspended else status.next_schedule_time,
            last_run=status.last_run.start_time if status.last_run else None,
            last_run_status=status.last_run.phase if status.last_run else None,
            champion=status.champion.version if status.champion else None,
            champion_metric=status.champion.metric if status.champion else None,
            typical_seconds=median(seconds) if seconds else None,
        )


class Plans(BaseModel):
    """All Models, by name."""

    success: Literal[True] = True
    data: list[Plan]


@router.get(
    "/plans",
    summary="Show what is trained when",
    responses=documented_failures(
        HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.SERVICE_UNAVAILABLE
    ),
)
async def plans(models: ModelsDep, jobs: JobsDep, _: ViewerDep) -> Plans:
    """The configured Models with their schedules, next and last run, and champion."""
    durations = _durations(jobs.all())
    found = sorted(models.all(), key=lambda model: str(model["metadata"]["name"]))
    return Plans(data=[Plan.of(one, durations.get(one["metadata"]["uid"], [])) for one in found])


def _durations(jobs: Collection[dict[str, Any]]) -> dict[str, list[float]]:
    """Seconds of the latest completed runs, by the uid of their Model."""
    ended: dict[str, list[tuple[datetime, float]]] = {}
    for job in jobs:
        status, metadata = job.get("status") or {}, job["metadata"]
        uid = (metadata.get("labels") or {}).get(names.MODEL_UID_LABEL)
        if uid and status.get("phase") == Phase.SUCCEEDED and status.get("completionTime"):
            end = datetime.fromisoformat(status["completionTime"])
            start = datetime.fromisoformat(metadata["creationTimestamp"])
            ended.setdefault(uid, []).append((end, (end - start).total_seconds()))
    return {uid: [seconds for _, seconds in sorted(runs)[-_RUNS:]] for uid, runs in ended.items()}
