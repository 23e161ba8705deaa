"""How long a run may wait for a trainer to start, and what it ends with when that is over."""

from datetime import datetime, timedelta

from trainyard_schema import Phase, Reason, TrainingJobSpec, TrainingJobStatus

from trainyard_controller.pods import Problem

PENDING_PHASES = frozenset({Phase.PENDING, Phase.STARTING})
"""A trainer could run, and none does. What is queued or suspended waits for something else."""


def pending_since(before: TrainingJobStatus, phase: Phase, now: datetime) -> datetime | None:
    """Since when the run waits for a trainer; None in a phase in which it does not.

    It begins when the operator first looks at the run, not with its creation: nobody tried before.
    """
    if phase not in PENDING_PHASES:
        return None
    waited = before.phase in PENDING_PHASES
    return (before.pending_since if waited else None) or now


def seconds_left(spec: TrainingJobSpec, since: datetime | None, now: datetime) -> float | None:
    """How much longer it may wait, negative where it has waited too long; None: for ever."""
    if since is None or spec.pending_deadline_seconds is None or spec.suspend:
        return None
    return (since + timedelta(seconds=spec.pending_deadline_seconds) - now).total_seconds()


def has_given_up(status: TrainingJobStatus) -> bool:
    """Whether it is on record that the run has waited too long. That is not taken back."""
    return status.reason is Reason.PENDING_DEADLINE_EXCEEDED


def waited_too_long(spec: TrainingJobSpec, cause: Problem | None) -> Problem:
    """The end of a run that no trainer has started for."""
    told = f": {cause.reason}: {cause.message}" if cause else ""
    return Problem(
        reason=Reason.PENDING_DEADLINE_EXCEEDED,
        message="no trainer started within spec.pendingDeadlineSeconds "
        f"({spec.pending_deadline_seconds} s){told}",
    )
