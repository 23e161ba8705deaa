"""What a Model is to do now: a pure function of the Model, its runs and the time."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from trainyard_schema import ModelSpec, names
from trainyard_schema.retraining import parse_duration

from trainyard_controller.models.objects import Model, RetrainRequest
from trainyard_controller.models.schedule import Schedule
from trainyard_controller.objects import TrainingJob

CLOCK_STEP = timedelta(days=1)
"""A time that lies further ahead than this was written by a clock that was wrong."""
_WAITING = "waiting to retrain: "
_MODES = ("full", "incremental")


@dataclass(frozen=True, kw_only=True)
class Start:
    """A run that is to be created. It may answer a request and a time of the schedule at once."""

    name: str
    request: RetrainRequest | None
    scheduled_time: datetime | None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to do, and what the status says once it is done."""

    start: Start | None = None
    cancel: tuple[str, ...] = ()
    skipped: str | None = None
    """Why a time of the schedule gets no run."""
    message: str | None = None
    last_schedule_time: datetime | None = None
    next_schedule_time: datetime | None = None
    last_handled_retrain: str | None = None
    look_again: datetime | None = None
    """When time alone changes the plan."""

    def held_up(self, model: Model) -> "Plan":
        """The plan where the run could not be created: what it answers is still to be answered."""
        due = self.start and self.start.scheduled_time
        return replace(
            self,
            start=None,
            last_schedule_time=model.status.last_schedule_time,
            next_schedule_time=due or self.next_schedule_time,
            last_handled_retrain=model.status.last_handled_retrain,
        )


def no_plan(model: Model) -> Plan:
    """Nothing is done, and nothing promised, for a Model that cannot be understood."""
    message = model.status.message or ""
    return Plan(
        message=None if message.startswith(_WAITING) else message or None,
        last_schedule_time=model.status.last_schedule_time,
        last_handled_retrain=model.status.last_handled_retrain,
    )


def utc(time: datetime) -> str:
    """A time for people."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def decide(
    model: Model,
    spec: ModelSpec,
    schedule: Schedule | None,
    runs: Sequence[TrainingJob],
    now: datetime,
) -> Plan:
    """Which run to start, which to cancel, and which time of the schedule to leave out.

    Each time of the schedule is decided once: `status.nextScheduleTime` is the promise that is
    kept or, for a reason, not. A request is never left out, it waits.
    """
    status = model.status
    due = _due(model, schedule, now) if schedule and not spec.suspend else None
    request = model.retrain
    if request and request.value == status.last_handled_retrain:
        request = None
    last, handled = status.last_schedule_time, status.last_handled_retrain
    started = _last_start(model, runs, now)

    if request and names.requested_run_name(model.name, model.uid, request.value) in _names(runs):
        handled, request = request.value, None
    if due and (
        names.scheduled_run_name(model.name, due) in _names(runs) or (started and started >= due)
    ):
        last, due = due, None

    plan = _answer(model, spec, runs, now, due=due, request=request, started=started)
    if plan.start:
        handled = plan.start.request.value if plan.start.request else handled
    held = due if not (plan.start or plan.skipped) else None
    if due and not held:
        last = due
    upcoming = None
    if schedule and not spec.suspend:
        upcoming = held or schedule.following(_later(last, now))
    message = plan.message
    if not (message or plan.start or (status.message or "").startswith(_WAITING)):
        message = status.message
    wakes = [time for time in (plan.look_again, upcoming) if time and time > now]
    return replace(
        plan,
        message=message,
        last_schedule_time=last,
        next_schedule_time=upcoming,
        last_handled_retrain=handled,
        look_again=min(wakes, default=None),
    )


def _answer(
    model: Model,
    spec: ModelSpec,
    runs: Sequence[TrainingJob],
    now: datetime,
    *,
    due: datetime | None,
    request: RetrainRequest | None,
    started: datetime | None,
) -> Plan:
    """How a due time and a pending request are answered, without the times in the status."""
    active = [run for run in runs if not run.finished]
    to_cancel = tuple(run.name for run in active if not run.spec.get("cancel"))
    replaces = spec.concurrency_policy == "Replace"
    makes_room = replaces and len(to_cancel) < len(active)

    skipped = None
    if due and _too_late(spec, due, now) and not makes_room:
        skipped = _left_out(due, f"more than {spec.starting_deadline_seconds} s have passed since")
        due = None
    refused = _refused(request) if request else None
    if refused:
        request = None
    if not due and not request:
        return Plan(skipped=skipped, message=refused or skipped)
    if spec.suspend:
        return Plan(message=f"{_WAITING}spec.suspend is true")
    rest = started + parse_duration(spec.cooldown) if started else now
    if rest > now or (active and not replaces):
        cooling = rest > now
        why = f"cooldown until {utc(rest)}" if cooling else f"{active[0].name} is active"
        if due:
            skipped = _left_out(due, why)
        return Plan(
            skipped=skipped,
            message=f"{_WAITING}{why}" if request else refused or skipped,
            look_again=rest if request and cooling else None,
        )
    if active:
        return Plan(
            cancel=to_cancel,
            skipped=skipped,
            message=f"{_WAITING}{active[0].name} is being cancelled",
        )
    return Plan(start=_start(model, request, due), skipped=skipped, message=refused)


def _refused(request: RetrainRequest) -> str | None:
    """Why a request cannot be answered as it is."""
    if request.mode in (None, *_MODES):
        return None
    annotation = names.RETRAIN_MODE_ANNOTATION
    return f"{_WAITING}{annotation} is {request.mode!r}; write {' or '.join(_MODES)}"


def _start(model: Model, request: RetrainRequest | None, due: datetime | None) -> Start | None:
    if request is not None:
        name = names.requested_run_name(model.name, model.uid, request.value)
    elif due is not None:
        name = names.scheduled_run_name(model.name, due)
    else:
        return None
    return Start(name=name, request=request, scheduled_time=due)


def _left_out(due: datetime, why: str) -> str:
    return f"skipped the run of {utc(due)}: {why}"


def _due(model: Model, schedule: Schedule, now: datetime) -> datetime | None:
    """The latest time of the schedule that was promised, and has come."""
    status = model.status
    if status.observed_generation is None:
        return schedule.latest(model.created, now)
    promised = status.next_schedule_time
    if promised is None or promised > now:
        return None
    before = promised - timedelta(seconds=1)
    if schedule.following(before) != promised:
        # Promised by a schedule that has been changed since.
        return None
    return schedule.latest(before, now)


def _too_late(spec: ModelSpec, due: datetime, now: datetime) -> bool:
    deadline = spec.starting_deadline_seconds
    return deadline is not None and now - due > timedelta(seconds=deadline)


def _last_start(model: Model, runs: Sequence[TrainingJob], now: datetime) -> datetime | None:
    starts = [run.created for run in runs]
    if model.status.last_run is not None:
        starts.append(model.status.last_run.start_time)
    return max((start for start in starts if start <= now + CLOCK_STEP), default=None)


def _later(last: datetime | None, now: datetime) -> datetime:
    """The moment after which to promise: a clock that was set back does not bring times back."""
    return last if last is not None and now < last <= now + CLOCK_STEP else now


def _names(runs: Sequence[TrainingJob]) -> set[str]:
    return {run.name for run in runs}
