"""Where each of several model types stands."""

from trainyard_schema import MemoryRaise, ModelType, ModelTypeStatus, Phase

from trainyard_controller import pods
from trainyard_controller.observation import Observation
from trainyard_controller.outcome import Outcome
from trainyard_controller.pods import Problem

MESSAGE_LENGTH = 1024


def by_type(
    seen: Observation, stands: Outcome, following: MemoryRaise | None
) -> list[ModelTypeStatus] | None:
    """The status of each model type, in their order; None for a run of one.

    `following` is the Job that comes after the one that has ended, if there is one.
    """
    if len(seen.spec.model_types) == 1:
        return None
    return [_one(seen, stands, following, kind) for kind in seen.spec.model_types]


def _one(
    seen: Observation, stands: Outcome, following: MemoryRaise | None, kind: ModelType
) -> ModelTypeStatus:
    if kind in seen.uploaded:
        return _status(seen, kind, Phase.SUCCEEDED, percent=100)
    if stands.phase is Phase.CANCELLED:
        return _status(seen, kind, Phase.CANCELLED)
    if following is not None and kind in following.model_types:
        return ModelTypeStatus(model_type=kind, phase=Phase.STARTING, message=_cut(stands.message))
    if kind in seen.failed or stands.completion_time is not None or following is not None:
        by_itself = kind in seen.failed or stands.problem is None
        cause = seen.causes.get(kind) if by_itself else stands.problem
        return _status(seen, kind, Phase.FAILED, cause)
    return _under_way(seen, kind)


def _under_way(seen: Observation, kind: ModelType) -> ModelTypeStatus:
    active = [pod for pod in seen.active_pods if pods.model_type(pod, seen.spec) == kind]
    if any(pods.is_running(pod) for pod in active):
        status = _status(seen, kind, Phase.RUNNING)
        if kind not in seen.running:
            return status
        stage, percent = seen.running[kind].report.stage, seen.estimates[kind].percent
        return status.model_copy(update={"stage": stage, "percent": percent})
    if active:
        return _status(seen, kind, Phase.STARTING, pods.waiting_problem(active[0]))
    return _status(seen, kind, Phase.PENDING, seen.refusal)


def _status(
    seen: Observation,
    kind: ModelType,
    phase: Phase,
    problem: Problem | None = None,
    percent: int | None = None,
) -> ModelTypeStatus:
    return ModelTypeStatus.model_validate(
        {
            "model_type": kind,
            "phase": phase,
            "reason": problem.reason if problem else None,
            "message": _cut(problem.message) if problem else None,
            "attempts": _attempts(seen, kind),
            "percent": percent,
        }
    )


def _attempts(seen: Observation, kind: ModelType) -> int:
    """Of the present Job; those of a model type that it does not train are as they were."""
    before = seen.recorded.get(kind)
    started = sum(
        pods.model_type(pod, seen.spec) == kind
        for pod in seen.all_pods
        if pods.started_at(pod) is not None
    )
    return max(started, (before.attempts or 0) if before else 0)


def _cut(text: str | None) -> str | None:
    return text[:MESSAGE_LENGTH] if text else None
