"""What has become of the run that a retrain asked for: a pure function of what is there."""

from dataclasses import dataclass
from datetime import datetime

from trainyard_schema import TERMINAL_PHASES, Phase

from trainyard_api.database.tables import RetrainRun, RetrainStatus
from trainyard_api.retraining.selection import Document, Target, handled, requested

_DELETED = "its TrainingJob was deleted before it ended"


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long is waited before a request is given up, in seconds since it was admitted."""

    lost_seconds: float
    """For the replica to ask the Model."""
    start_seconds: float
    """For the Model to start a run."""


@dataclass(frozen=True, kw_only=True)
class Keep:
    """Nothing is to be done."""


@dataclass(frozen=True, kw_only=True)
class Withdraw:
    """The Model has not answered for too long: it is to be asked no longer."""


@dataclass(frozen=True, kw_only=True)
class Become:
    """The row is to say this."""

    status: RetrainStatus
    started_at: datetime | None = None
    completed_at: datetime | None = None
    error: str | None = None
    doubtful: bool = False
    """Whether it follows from what is not there, which may be just about to come."""


Step = Keep | Withdraw | Become


def follow(
    run: RetrainRun,
    value: str,
    *,
    age_seconds: float,
    model: Document | None,
    job: Document | None,
    patience: Patience,
) -> Step:
    """The next step of an open run. `value` is what its Model was asked with."""
    if job is not None:
        return _of_job(run, job)
    if model is None or Target(model).run(value) != run.run:
        return _lost("the Model was deleted before its run ended")
    if handled(model) == value:
        return _of_status(model, run.run)
    if requested(model) == value:
        return Withdraw() if age_seconds > patience.start_seconds else _asked(run)
    return _unasked(run, age_seconds, patience)


def _asked(run: RetrainRun) -> Step:
    processing = Become(status=RetrainStatus.PROCESSING)
    return Keep() if run.status == processing.status else processing


def _unasked(run: RetrainRun, age_seconds: float, patience: Patience) -> Step:
    if age_seconds > patience.start_seconds:
        return _lost(f"no run was started within {patience.start_seconds:g} s")
    if run.status == RetrainStatus.PROCESSING:
        return _lost("the request was replaced or taken back before it was answered")
    if age_seconds > patience.lost_seconds:
        return _lost("the API was interrupted before it had asked the Model")
    return Keep()


def _of_job(run: RetrainRun, job: Document) -> Step:
    status = job.get("status") or {}
    phase, started = status.get("phase"), _time(job["metadata"]["creationTimestamp"])
    if phase not in TERMINAL_PHASES:
        running = Become(status=RetrainStatus.PROCESSING, started_at=started)
        return Keep() if run.started_at else running
    return _ended(
        phase, started, _time(status.get("completionTime")), status.get("reason"),
        status.get("message"),
    )  # fmt: skip


def _of_status(model: Document, run: str) -> Step:
    """Of a run whose TrainingJob is gone: what the Model remembers of it."""
    status = model.get("status") or {}
    successful = status.get("lastSuccessfulRun") or {}
    if successful.get("name") == run:
        return _ended(
            Phase.SUCCEEDED, _time(successful.get("startTime")),
            _time(successful.get("completionTime")), None, None,
        )  # fmt: skip
    last = status.get("lastRun") or {}
    if last.get("name") == run and last.get("phase") in TERMINAL_PHASES:
        return _ended(
            last["phase"], _time(last.get("startTime")), _time(last.get("completionTime")),
            last.get("reason"), last.get("message"),
        )  # fmt: skip
    return _lost(_DELETED)


def _ended(
    phase: str,
    started: datetime | None,
    completed: datetime | None,
    reason: str | None,
    message: str | None,
) -> Become:
    if phase == Phase.SUCCEEDED:
        return Become(status=RetrainStatus.COMPLETED, started_at=started, completed_at=completed)
    why = ": ".join(part for part in (reason, message) if part)
    what = "the run was cancelled" if phase == Phase.CANCELLED else "the run failed"
    error = f"{what}: {why}" if why else what
    return Become(
        status=RetrainStatus.FAILED, started_at=started, completed_at=completed, error=error
    )


def _lost(error: str) -> Become:
    return Become(status=RetrainStatus.FAILED, error=error, doubtful=True)


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
