"""What the status of a TrainingJob should say: a pure function of what is there."""

from datetime import datetime

from trainyard_schema import (
    Condition,
    ConditionType,
    LastFailure,
    MemoryRaise,
    Phase,
    Progress,
    Reason,
    TrainingJobStatus,
)

from trainyard_controller import leaderboard, progress
from trainyard_controller.by_type import by_type
from trainyard_controller.conditions import Conditions
from trainyard_controller.objects import TrainingJob
from trainyard_controller.observation import Observation
from trainyard_controller.oom_retry import next_raise
from trainyard_controller.outcome import Outcome, outcome, raised_message, uploaded_message
from trainyard_controller.pending import pending_since
from trainyard_controller.pods import Problem


def desired_status(seen: Observation) -> TrainingJobStatus:
    """The status that follows from a TrainingJob, its Job and its pods."""
    before = seen.training_job.status
    following = next_raise(seen)
    stands = outcome(seen) if following is None else _tried_again(following)
    stage = None
    if stands.phase is Phase.RUNNING:
        stage = progress.stage(list(seen.running.values())) or before.stage
    return TrainingJobStatus(
        observed_generation=seen.training_job.generation,
        model=seen.spec.model or seen.training_job.name,
        phase=stands.phase,
        stage=stage,
        reason=stands.reason,
        message=stands.message,
        pending_since=seen.now if following else pending_since(before, stands.phase, seen.now),
        job_name=None if following else _job_name(seen, stands),
        start_time=before.start_time or next(iter(seen.starts), None),
        completion_time=stands.completion_time,
        attempts=seen.attempts,
        last_start_time=seen.last_start,
        last_failure=_last_failure(seen),
        oom_retries=[*(before.oom_retries or []), following] if following else before.oom_retries,
        model_types=by_type(seen, stands, following),
        conditions=_conditions(seen, stands),
        queue=seen.wait and seen.wait.place if stands.phase is Phase.QUEUED else None,
        progress=_progress(seen, stands),
        primary_metric=leaderboard.primary_metric(seen.metrics),
        metrics=seen.metrics,
        models=seen.models,
        verdicts=seen.verdicts or None,
    )


def _tried_again(following: MemoryRaise) -> Outcome:
    """Where a run stands between two Jobs: that there is to be another is put on record first."""
    return Outcome(phase=Phase.STARTING, message=raised_message(following))


def rejected_status(
    training_job: TrainingJob, problem: Problem, now: datetime
) -> TrainingJobStatus:
    """The final status of a TrainingJob that cannot be run, whatever is tried."""
    generation = training_job.generation
    conditions = Conditions(
        Condition, training_job.status.conditions, generation=generation, now=now
    )
    conditions.set(ConditionType.ACCEPTED, "False", problem.reason, problem.advised)
    conditions.set(ConditionType.FAILED, "True", problem.reason, problem.advised)
    return TrainingJobStatus(
        observed_generation=generation,
        phase=Phase.FAILED,
        reason=problem.reason,
        message=problem.advised[:4096],
        completion_time=now,
        conditions=conditions.list(),
    )


def _job_name(seen: Observation, stands: Outcome) -> str | None:
    if seen.withdrawn and stands.completion_time is None:
        return None
    before = seen.training_job.status.job_name
    return before if seen.job is None else seen.training_job.job_name


def _progress(seen: Observation, stands: Outcome) -> Progress | None:
    previous = seen.training_job.status.progress
    if stands.phase is Phase.SUCCEEDED:
        return progress.complete(previous, seen.models, stands.completion_time or seen.now)
    if not seen.running:
        return progress.unheard(previous, runs=seen.trainer_runs, silent=seen.silent)
    failed = {failure.model_type for failure in seen.failures} | seen.failed
    ended = failed | set(seen.uploaded)
    return progress.combine(
        seen.spec.model_types,
        done=frozenset(ended - seen.running.keys()),
        heard=seen.running,
        judged=seen.estimates,
        silent=seen.silent,
        previous=previous,
    )


def _last_failure(seen: Observation) -> LastFailure | None:
    before = seen.training_job.status.last_failure
    if not seen.failures:
        return before
    last = seen.failures[-1]
    if before is not None and before.time >= last.time:
        return before
    earlier = seen.last_raise.attempts if seen.last_raise else 0
    return LastFailure(
        attempt=max(1, earlier + sum(start <= last.time for start in seen.starts)),
        model_type=last.model_type,
        reason=last.problem.reason,
        exit_code=last.exit_code,
        message=last.problem.message[:4096],
        time=last.time,
    )


def _conditions(seen: Observation, stands: Outcome) -> list[Condition]:
    conditions = Conditions(
        Condition,
        seen.training_job.status.conditions,
        generation=seen.training_job.generation,
        now=seen.now,
    )
    _set_way(conditions, seen, stands)
    if stands.completion_time is not None:
        _set_end(conditions, seen, stands)
    return conditions.list()


def _set_way(conditions: Conditions[Condition], seen: Observation, stands: Outcome) -> None:
    if seen.job is None and seen.refusal is not None:
        conditions.set(ConditionType.ACCEPTED, "False", seen.refusal.reason, seen.refusal.message)
    else:
        conditions.set(ConditionType.ACCEPTED, "True", "Accepted")

    if seen.trainer_runs:
        conditions.set(ConditionType.POD_READY, "True", "TrainerRunning")
    elif stands.phase is not Phase.RUNNING:
        why = "Finished" if stands.completion_time else stands.reason or stands.phase
        conditions.set(ConditionType.POD_READY, "False", why)

    if not seen.missing:
        message = uploaded_message(seen.models)
        conditions.set(ConditionType.MODEL_UPLOADED, "True", "Uploaded", message)

    if stands.phase is Phase.SUSPENDED:
        conditions.set(ConditionType.SUSPENDED, "True", "Suspended")
    elif ConditionType.SUSPENDED in conditions:
        conditions.set(ConditionType.SUSPENDED, "False", "Resumed")


def _set_end(conditions: Conditions[Condition], seen: Observation, stands: Outcome) -> None:
    if stands.phase is Phase.SUCCEEDED:
        conditions.set(ConditionType.COMPLETE, "True", "Succeeded")
        return
    reason, message = stands.reason or stands.phase, stands.message or ""
    if seen.missing:
        conditions.set(ConditionType.MODEL_UPLOADED, "False", reason, message)
    if stands.phase is Phase.FAILED:
        reason = stands.reason or Reason.TRAINER_CRASHED
        conditions.set(ConditionType.FAILED, "True", reason, message)
    else:
        conditions.set(ConditionType.COMPLETE, "False", reason, message)
