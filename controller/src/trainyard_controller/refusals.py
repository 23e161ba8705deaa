"""Why the API server refuses a Job, or the pods of a Job."""

from collections.abc import Sequence
from datetime import datetime

from trainyard_schema import Reason

from trainyard_controller.errors import RefusedError
from trainyard_controller.objects import Document, parse_time
from trainyard_controller.pods import Problem


def job_refusal(error: RefusedError) -> Problem:
    """Why the Job could not be created."""
    reason = Reason.QUOTA_EXCEEDED if error.over_quota else Reason.JOB_CREATION_FAILED
    return Problem(reason=reason, message=f"the Job cannot be created: {error}")


def _time(event: Document) -> datetime:
    text = (
        event.get("lastTimestamp")
        or event.get("eventTime")
        or event["metadata"]["creationTimestamp"]
    )
    return parse_time(text)


def pod_refusal(failed_creates: Sequence[Document], *, since: datetime) -> Problem | None:
    """Why the Job's pods could not be created, as told since a moment; None if nothing was."""
    fresh = [event for event in failed_creates if _time(event) >= since]
    if not fresh:
        return None
    message = max(fresh, key=_time).get("message", "")
    # What comes before names a pod that never was, another one each time.
    told = message.partition("is forbidden: ")[2] or message
    if "exceeded quota" in message:
        return Problem(
            reason=Reason.QUOTA_EXCEEDED,
            message=f"the namespace has no room for the pod, it starts when there is: {told}",
        )
    return Problem(reason=Reason.JOB_CREATION_FAILED, message=f"the pod cannot be created: {told}")
