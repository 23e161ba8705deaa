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
        request = plan.start.request
        if request is not None:
            by = f"{request.by}: " if request.by else ""
            why.append(f"requested by {by}{request.value!r}")
        if plan.start.scheduled_time is not None:
            why.append(f"scheduled for {utc(plan.start.scheduled_time)}")
        message = f"{plan.start.name}: {', '.join(why)}"
        told.append(Announcement(type="Normal", reason="RunStarted", message=message))
    run = after.last_run
    failed = run is not None and run.phase is Phase.FAILED
    if run is not None and failed and (before.last_run is None or before.last_run != run):
        message = f"{run.name}: {run.reason}: {run.message}"
        told.append(Announcement(type="Warning", reason="RunFailed", message=message))
    known = _problems(before)
    fresh = [problem for problem in _problems(after) if problem not in known]
    told += [Announcement(type="Warning", reason=reason, message=text) for reason, text in fresh]
    return told


def _problems(status: ModelStatus) -> list[tuple[str, str]]:
    """What is wrong. That nothing was promoted, or is not published yet, is not."""
    return [
        (condition.reason, condition.message)
        for condition in status.conditions
        if condition.status == "False"
        and (
            condition.type is ModelConditionType.READY
            or (
                condition.type is ModelConditionType.PUBLISHED
                and condition.reason not in ("NoChampion", "Pending")
            )
        )
    ]
