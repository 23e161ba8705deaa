"""What the status of a Model should say: a pure function of what is there."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from trainyard_schema import (
    TERMINAL_PHASES,
    ModelCondition,
    ModelConditionType,
    ModelStatus,
    Phase,
    RunSummary,
    SuccessfulRun,
)
from trainyard_schema.artifacts import champion_key

from trainyard_controller.conditions import Conditions
from trainyard_controller.models.history import turn
from trainyard_controller.models.objects import Model
from trainyard_controller.models.plan import Plan
from trainyard_controller.objects import TrainingJob

_ACTIVE_LENGTH = 100
_NO_GATE = (
    "every version that is trained is promoted, if only it can be loaded: set spec.promotion.gate"
)


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Why a Model cannot train, or its champion cannot be published."""

    reason: str
    message: str


def model_status(
    model: Model,
    runs: Sequence[TrainingJob],
    plan: Plan,
    now: datetime,
    *,
    problem: Problem | None = None,
    unpublished: Problem | None = None,
) -> ModelStatus:
    """The status that follows from a Model, its runs, and what was done about them."""
    return with_runs(model.status, runs).model_copy(
        update={
            "observed_generation": model.generation,
            "message": plan.message,
            "conditions": _conditions(model, problem, unpublished, now),
            "last_schedule_time": plan.last_schedule_time,
            "next_schedule_time": plan.next_schedule_time,
            "last_handled_retrain": plan.last_handled_retrain,
        }
    )


def with_runs(status: ModelStatus, runs: Sequence[TrainingJob]) -> ModelStatus:
    """The status with what it tells of runs as they are now."""
    active = sorted(run.name for run in runs if not run.finished)
    return status.model_copy(
        update={
            "active": active[:_ACTIVE_LENGTH],
            "last_run": _last_run(status.last_run, runs),
            "last_successful_run": _last_successful_run(status.last_successful_run, runs),
        }
    )


def _conditions(
    model: Model, problem: Problem | None, unpublished: Problem | None, now: datetime
) -> list[ModelCondition]:
    conditions = Conditions(
        ModelCondition, model.status.conditions, generation=model.generation, now=now
    )
    if problem is not None:
        conditions.set(ModelConditionType.READY, "False", problem.reason, problem.message)
    elif model.spec.get("schedule"):
        conditions.set(ModelConditionType.READY, "True", "Scheduled")
    else:
        conditions.set(ModelConditionType.READY, "True", "OnRequest")
    if model.spec.get("suspend"):
        conditions.set(ModelConditionType.SUSPENDED, "True", "Suspended")
    elif ModelConditionType.SUSPENDED in conditions:
        conditions.set(ModelConditionType.SUSPENDED, "False", "Resumed")
    promotion = model.spec.get("promotion") or {}
    if promotion.get("gate") is not None:
        conditions.set(ModelConditionType.GATED, "True", "Gate")
    elif promotion.get("approval") == "manual":
        conditions.set(ModelConditionType.GATED, "True", "ManualApproval")
    else:
        conditions.set(ModelConditionType.GATED, "False", "NoGate", _NO_GATE)
    _set_published(conditions, model, model.status, unpublished)
    return conditions.list()


def with_publication(model: Model, status: ModelStatus, now: datetime) -> ModelStatus:
    """A status whose champion has just moved, and says that this is not published yet."""
    conditions = Conditions(ModelCondition, status.conditions, generation=model.generation, now=now)
    _set_published(conditions, model, status, None)
    return status.model_copy(update={"conditions": conditions.list()})


def _set_published(
    conditions: Conditions[ModelCondition],
    model: Model,
    status: ModelStatus,
    unpublished: Problem | None,
) -> None:
    published = ModelConditionType.PUBLISHED
    champion = status.champion
    if unpublished is not None:
        conditions.set(published, "False", unpublished.reason, unpublished.message)
    elif champion is None:
        conditions.set(published, "False", "NoChampion", "no version has been promoted yet")
    elif (status.published or 0) < champion.transition:
        conditions.set(published, "False", "Pending")
    else:
        conditions.set(published, "True", "Published", champion_key(model.name))


def _last_run(before: RunSummary | None, runs: Sequence[TrainingJob]) -> RunSummary | None:
    names = {run.name for run in runs}
    gone = [_gone(before)] if before is not None and before.name not in names else []
    there = [_summary(max(runs, key=turn))] if runs else []
    # Of two that were created within one second, the one that goes on is the later one, else that
    # which was the last before it was deleted.
    return max(
        [*gone, *there],
        key=lambda run: (run.start_time, run.completion_time is None),
        default=None,
    )


def _last_successful_run(
    before: SuccessfulRun | None, runs: Sequence[TrainingJob]
) -> SuccessfulRun | None:
    succeeded = [run for run in runs if run.status.phase is Phase.SUCCEEDED]
    known = [_success(max(succeeded, key=turn))] if succeeded else []
    if before is not None:
        known.append(before)
    return max(known, key=lambda run: run.start_time, default=None)


def _gone(run: RunSummary) -> RunSummary:
    if run.phase in TERMINAL_PHASES:
        return run
    return run.model_copy(
        update={
            "phase": Phase.CANCELLED,
            "reason": None,
            "message": "the TrainingJob was deleted before it ended",
        }
    )


def _summary(run: TrainingJob) -> RunSummary:
    return RunSummary(
        name=run.name,
        phase=run.status.phase or Phase.PENDING,
        reason=run.status.reason,
        message=run.status.message,
        start_time=run.created,
        completion_time=run.status.completion_time,
        primary_metric=run.status.primary_metric,
    )


def _success(run: TrainingJob) -> SuccessfulRun:
    return SuccessfulRun(
        name=run.name,
        start_time=run.created,
        completion_time=run.status.completion_time,
        primary_metric=run.status.primary_metric,
        models=run.status.models,
    )
