"""Why the API server refuses a Job, or the pods of a Job."""

import re
from collections.abc import Sequence
from datetime import datetime

from trainyard_schema import Reason

from trainyard_controller.errors import RefusedError
from trainyard_controller.objects import Document, parse_time
from trainyard_controller.pods import Problem

_ADMISSION = ("admission webhook", "calling webhook", "AdmissionPolicy", "is forbidden: ")
"""What the API server's answer has where a webhook, a policy or a limit refuses an object."""

_BEGINNING = re.compile(r"^(Error creating: |POST \S+: [0-9]+ )")


def job_refusal(error: RefusedError) -> Problem:
    """Why the Job could not be created."""
    text = str(error)
    return Problem(reason=_reason(text), message=f"the Job cannot be created: {_told(text)}")


def _reason(text: str) -> Reason:
    if "exceeded quota" in text:
        return Reason.QUOTA_EXCEEDED
    if "error looking up service account" in text:
        return Reason.SERVICE_ACCOUNT_MISSING
    # Nor is it admission that refuses the operator for want of a permission.
    if any(sign in text for sign in _ADMISSION) and "cannot create resource" not in text:
        return Reason.ADMISSION_REFUSED
    return Reason.JOB_CREATION_FAILED


def _told(text: str) -> str:
    """Without the beginning, which names a pod that never was, or says what the operator asked."""
    return text.partition("is forbidden: ")[2] or _BEGINNING.sub("", text)


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
    return Problem(reason=_reason(message), message=f"the pod cannot be created: {_told(message)}")
