"""Where a run stands: how it ended, or what it is doing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from trainyard_schema import MemoryRaise, ModelVersion, Phase, Reason

from trainyard_controller import pods, verdicts
from trainyard_controller.objects import Document, parse_time
from trainyard_controller.observation import Observation
from trainyard_controller.pending import (
    has_given_up,
    pending_since,
    seconds_left,
    waited_too_long,
)
from trainyard_controller.pods import Problem
from trainyard_controller.queue.wait import Wait, for_kueue

MESSAGE_LENGTH = 4096


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Where a run stands. A completion time makes it final."""

    phase: Phase
    reason: Reason | None = None
    message: str | None = None
    completion_time: datetime | None = None
    problem: Problem | None = None
    """What ended the run as a whole, if it is not the failures of its model types."""


def outcome(seen: Observation) -> Outcome:
    """The end of the run, or where it stands as long as it has none."""
    return _end(seen) or _patience(seen, _way(seen))


def finished_condition(job: Document) -> Document | None:
    """The condition with which the Job ended; None while it has not.

    Complete and Failed come after the last pod has ended, unlike SuccessCriteriaMet and
    FailureTarget.
    """
    for condition in job["status"].get("conditions", []):
        if condition["type"] in ("Complete", "Failed") and condition["status"] == "True":
            return dict(condition)
    return None


def uploaded_message(models: Sequence[ModelVersion]) -> str:
    """Says which model types have a new version, and which one that was there before."""
    whole = [model for model in models if not model.partial]
    new = [str(model.model_type) for model in whole if not model.unchanged]
    same = [f"{model.model_type} {model.version}" for model in whole if model.unchanged]
    told = [("uploaded", new), ("unchanged since", same)]
    return "; ".join(f"{what} {', '.join(names)}" for what, names in told if names)


def _saved_message(model: ModelVersion) -> str:
    return f"saved partial version {model.version} of {model.model_type}"


def _success(seen: Observation, otherwise: datetime) -> Outcome:
    """The end of a run that has all it should have, when the last of its pods ended.

    `otherwise` is the time where no such pod is known any more.
    """
    parts = [uploaded_message(seen.models), verdicts.summary(seen.verdicts)]
    return Outcome(
        phase=Phase.SUCCEEDED,
        message="; ".join(filter(None, parts))[:MESSAGE_LENGTH],
        completion_time=max(seen.ends, default=otherwise),
    )


def _end(seen: Observation) -> Outcome | None:
    if seen.job is not None:
        return _end_of_job(seen, seen.job)
    name = seen.training_job.status.job_name
    if not seen.missing:
        return _success(seen, seen.now)
    if seen.spec.cancel:
        if seen.pods:
            return None
        message = "; ".join(["cancelled by spec.cancel", *map(_saved_message, seen.partial)])
        return Outcome(phase=Phase.CANCELLED, message=message, completion_time=seen.now)
    if name is None or seen.active_pods or has_given_up(seen.training_job.status):
        return None
    problem = Problem(
        reason=Reason.JOB_DELETED, message=f"the Job {name} was deleted before it finished"
    )
    return _failure(seen, seen.now, problem)


def _end_of_job(seen: Observation, job: Document) -> Outcome | None:
    condition = finished_condition(job)
    if condition is None:
        # Of pods that have succeeded nothing more can come, and a busy Job controller may be
        # minutes late to say so.
        return None if seen.missing or seen.uncompleted else _success(seen, seen.now)
    time = parse_time(job["status"].get("completionTime") or condition["lastTransitionTime"])
    if not seen.missing:
        return _success(seen, time)
    if condition.get("reason") == "DeadlineExceeded":
        return _failure(seen, time, _deadline(seen))
    return _failure(seen, time, None if seen.causes else _without_a_trace(seen, condition))


def _failure(seen: Observation, time: datetime, whole: Problem | None) -> Outcome:
    """The end of a run that has not all it should have: for a reason of its own, or for those of
    its model types.
    """
    problems = [whole] if whole else list(seen.causes.values())
    reason = problems[0].reason
    messages = [problem.message for problem in problems]
    if seen.uploaded:
        reason = Reason.PARTIAL_SUCCESS
        trained = f"{len(seen.uploaded)} of {len(seen.spec.model_types)} model types trained"
        messages = [
            f"{trained} ({', '.join(seen.uploaded)})",
            *(f"{problem.reason}: {problem.message}" for problem in problems),
        ]
    message = Problem(reason=reason, message="; ".join(messages)).advised
    return Outcome(
        phase=Phase.FAILED,
        reason=reason,
        message=message[:MESSAGE_LENGTH],
        completion_time=time,
        problem=whole,
    )


def _deadline(seen: Observation) -> Problem:
    message = f"not done within spec.activeDeadlineSeconds ({seen.spec.active_deadline_seconds} s)"
    before = seen.training_job.status
    if (cause := Problem.told(before.reason, before.message)) is not None:
        message += f"; last seen: {cause.reason}: {cause.message}"
    return Problem(reason=Reason.DEADLINE_EXCEEDED, message=message)


def _without_a_trace(seen: Observation, condition: Document) -> Problem:
    why = condition.get("message") or condition.get("reason") or "no reason given"
    left = f"{', '.join(seen.missing)} left no result, and the pods are gone: {why}"
    return Problem(reason=Reason.TRAINER_CRASHED, message=left)


def _way(seen: Observation) -> Outcome:
    if seen.spec.cancel:
        return Outcome(phase=Phase.CANCELLING, message="waiting for the pods to stop")
    if seen.job is None and seen.training_job.status.job_name is not None:
        return Outcome(
            phase=seen.training_job.status.phase or Phase.RUNNING,
            reason=Reason.JOB_DELETED,
            message="the Job was deleted; waiting for its pods to stop",
        )
    if not seen.active_pods:
        return _without_pod(seen)
    return _with_pods(seen)


def _patience(seen: Observation, way: Outcome) -> Outcome:
    """The way, unless the run has waited too long on it. Then it ends when no pod is left."""
    if seen.spec.cancel:
        return way
    before = seen.training_job.status
    known = Problem.told(before.reason, before.message)
    if known is not None and has_given_up(before):
        problem = known
    else:
        since = pending_since(before, way.phase, seen.now)
        left = seconds_left(seen.spec, since, seen.now)
        if left is None or left > 0:
            return way
        problem = waited_too_long(seen.spec, Problem.told(way.reason, way.message) or known)
    if seen.job is None and not seen.pods:
        return _failure(seen, seen.now, problem)
    message = problem.advised[:MESSAGE_LENGTH]
    return Outcome(phase=way.phase, reason=problem.reason, message=message)


def _without_pod(seen: Observation) -> Outcome:
    if seen.refusal is not None:
        message = seen.refusal.advised[:MESSAGE_LENGTH]
        return Outcome(phase=Phase.PENDING, reason=seen.refusal.reason, message=message)
    if (wait := _wait(seen)) is not None:
        return Outcome(phase=Phase.QUEUED, reason=wait.reason, message=wait.message)
    if seen.spec.suspend and (seen.job is None or seen.job["spec"]["suspend"]):
        return Outcome(phase=Phase.SUSPENDED, message="to go on, set spec.suspend to false")
    if seen.job is None:
        return Outcome(phase=Phase.PENDING)
    # Between a pod's end and the Job's, and between two attempts, a run that has started goes on.
    started = seen.training_job.status.phase is Phase.RUNNING
    return Outcome(phase=Phase.RUNNING if started else Phase.STARTING, message=_retrying(seen))


def _wait(seen: Observation) -> Wait | None:
    suspended = seen.job is not None and seen.job["spec"]["suspend"]
    if seen.kueue is not None and suspended and not seen.spec.suspend:
        return for_kueue(seen.kueue)
    return seen.wait


def _with_pods(seen: Observation) -> Outcome:
    waiting = (p for pod in seen.active_pods if (p := pods.waiting_problem(pod)))
    problem = next(waiting, seen.refusal)
    return Outcome(
        phase=Phase.RUNNING if seen.trainer_runs else Phase.STARTING,
        reason=problem.reason if problem else None,
        message=problem.advised[:MESSAGE_LENGTH] if problem else _retrying(seen),
    )


def _retrying(seen: Observation) -> str | None:
    if seen.failures:
        return f"after a failed attempt: {seen.failures[-1].problem.message}"[:MESSAGE_LENGTH]
    if seen.last_raise is not None:
        return raised_message(seen.last_raise)
    return None


def raised_message(one: MemoryRaise) -> str:
    """Tells of a Job with more memory."""
    return f"{', '.join(one.model_types)} ran out of memory and is tried again with {one.memory}"
