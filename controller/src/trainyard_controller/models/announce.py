"""The few Events that `kubectl describe` shows of a Model."""

from trainyard_schema import ModelConditionType, ModelStatus, Phase

from trainyard_controller.announce import Announcement
from trainyard_controller.models.plan import Plan, utc


def announcements(before: ModelStatus, after: ModelStatus, plan: Plan) -> list[Announcement]:
    """What a change of status has to tell: a start, a failure, what was skipped, what is wrong."""
    told = []
    if plan.skipped:
        told.append(Announcement(type="Warning", reason="RunSkipped", message=plan.skipped))
    if plan.start:
        why = []
        if plan.start.request is not None:
            why.append(f"requested by {plan.start.request!r}")
        if plan.start.scheduled_time is not None:
            why.append(f"scheduled for {utc(plan.start.scheduled_time)}")
        message = f"{plan.start.name}: {', '.join(why)}"
        told.append(Announcement(type="Normal", reason="RunStarted", message=message))
    run = after.last_run
    failed = run is not None and run.phase is Phase.FAILED
    if run is not None and failed and (before.last_run is None or before.last_run != run):
        message = f"{run.name}: {run.reason}: {run.message}"
        told.append(Announcement(type="Warning", reason="RunFailed", message=message))
    problem, known = _problem(after), _problem(before)
    if problem is not None and problem != known:
        told.append(Announcement(type="Warning", reason=problem[0], message=problem[1]))
    return told


def _problem(status: ModelStatus) -> tuple[str, str] | None:
    for condition in status.conditions:
        if condition.type is ModelConditionType.READY and condition.status == "False":
            return condition.reason, condition.message
    return None
