"""What is said about a Model."""

from datetime import datetime
from typing import Any, Final, Self

from pydantic import Field, ValidationError
from trainyard_schema import ModelStatus, ModelType, names

from trainyard_api.models.requests import REQUESTS, RequestView
from trainyard_api.trainings.views import View
from trainyard_api.versions.views import VerdictView

_KEPT: Final = ("nextScheduleTime", "lastScheduleTime", "active")


class ChampionView(View):
    """A version that was promoted."""

    model_type: ModelType
    version: str
    uri: str
    sha256: str = Field(description="Of the model file.")
    run: str = Field(description="The TrainingJob that trained it.")
    metric: str | None = Field(description="Of the holdout, as name=value.")
    since: datetime
    transition: int


class CandidateView(View):
    """A version that awaits approval."""

    model_type: ModelType
    version: str
    uri: str
    run: str
    metric: str | None
    since: datetime
    reasons: list[str] = Field(description="Why it was not promoted at once.")
    verdict: VerdictView | None


class LastRunView(View):
    """The latest TrainingJob of a Model."""

    name: str
    phase: str
    reason: str | None
    message: str | None
    start_time: datetime
    completion_time: datetime | None
    primary_metric: str | None


class ConditionView(View):
    """A condition of a Model."""

    type: str
    status: str
    reason: str
    message: str
    last_transition_time: datetime


class ModelView(View):
    """A Model: what it is trained from and when, its champion, and what was asked of it."""

    name: str
    model_type: str
    data_uri: str
    target: str
    schedule: str | None = Field(description="Cron; null: on request only.")
    time_zone: str
    suspend: bool
    approval: str = Field(description="automatic or manual.")
    retrainable: bool = Field(description="Whether POST /api/retrain of all means it.")
    champion: ChampionView | None
    previous: ChampionView | None = Field(description="What a rollback goes back to.")
    candidates: list[CandidateView]
    active: list[str] = Field(description="TrainingJobs that have not ended.")
    last_run: LastRunView | None
    last_schedule_time: datetime | None
    next_schedule_time: datetime | None
    message: str | None = Field(
        description="What a request waits for or why it was refused, or why a time was skipped."
    )
    requests: list[RequestView] = Field(description="The latest one of each kind.")
    conditions: list[ConditionView]
    created_at: datetime

    @classmethod
    def of(cls, model: dict[str, Any]) -> Self:
        """The view of a Model as the API server gives it."""
        metadata, spec, status = model["metadata"], model["spec"], status_of(model)
        training = spec["template"]["spec"]
        return cls(
            name=metadata["name"],
            model_type=training["modelType"],
            data_uri=training["data"]["uri"],
            target=training["data"]["target"],
            schedule=spec.get("schedule"),
            time_zone=spec.get("timeZone", "UTC"),
            suspend=spec.get("suspend", False),
            approval=spec.get("promotion", {}).get("approval", "automatic"),
            retrainable=is_retrainable(model),
            champion=_champion(status.champion),
            previous=_champion(status.previous),
            candidates=[
                CandidateView(
                    **one.model_dump(include=set(CandidateView.model_fields) - {"verdict"}),
                    verdict=None if one.verdict is None else VerdictView.of(one.verdict),
                )
                for one in status.candidates
            ],
            active=status.active,
            last_run=LastRunView.model_validate(status.last_run) if status.last_run else None,
            last_schedule_time=status.last_schedule_time,
            next_schedule_time=status.next_schedule_time,
            message=status.message,
            requests=[view for kind in REQUESTS if (view := RequestView.of(kind, model))],
            conditions=[ConditionView.model_validate(one) for one in status.conditions],
            created_at=metadata["creationTimestamp"],
        )


def is_retrainable(model: dict[str, Any]) -> bool:
    """Whether a Model has the label by which `all` means it."""
    labels = model["metadata"].get("labels") or {}
    return bool(labels.get(names.RETRAINABLE_LABEL) == "true")


def status_of(model: dict[str, Any]) -> ModelStatus:
    """The status, as far as it can be read if another version of Trainyard has written it."""
    stored = model.get("status") or {}
    try:
        return ModelStatus.from_stored(stored)
    except ValidationError:
        # A list of Models must not fail for one of them.
        kept = {name: stored[name] for name in _KEPT if name in stored}
        message = "the status was written by another version of Trainyard; see kubectl describe"
        return ModelStatus.from_stored({**kept, "message": message})


def _champion(champion: Any) -> ChampionView | None:
    return None if champion is None else ChampionView.model_validate(champion)
