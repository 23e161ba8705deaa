from datetime import UTC, datetime

from trainyard_controller.errors import RefusedError
from trainyard_controller.refusals import job_refusal, pod_refusal
from trainyard_schema import Reason

SINCE = datetime(2026, 11, 23, 9, 0, 0, tzinfo=UTC)
QUOTA = 'Error creating: pods "churn-1-0-x7k2p" is forbidden: exceeded quota: q, requested: cpu=1'


def event(message: str, at: str = "2026-11-23T09:00:10Z") -> dict[str, str]:
    return {"message": message, "lastTimestamp": at}


def test_no_room_for_the_pod() -> None:
    problem = pod_refusal([event(QUOTA)], since=SINCE)
    assert problem is not None
    assert problem.reason is Reason.QUOTA_EXCEEDED
    assert problem.message.endswith("exceeded quota: q, requested: cpu=1")


def test_the_name_of_a_pod_that_never_was_does_not_show() -> None:
    again = QUOTA.replace("x7k2p", "zzzzz")
    assert pod_refusal([event(QUOTA)], since=SINCE) == pod_refusal([event(again)], since=SINCE)


def test_another_cause_and_the_latest_word_counts() -> None:
    problem = pod_refusal(
        [event(QUOTA), event('Error creating: pods "x" is forbidden: violates PodSecurity',
                             "2026-11-23T09:00:20Z")],
        since=SINCE,
    )  # fmt: skip
    assert problem is not None
    assert problem.reason is Reason.JOB_CREATION_FAILED
    assert problem.message == "the pod cannot be created: violates PodSecurity"


def test_what_was_told_before_is_over() -> None:
    assert pod_refusal([event(QUOTA, "2026-11-23T08:59:00Z")], since=SINCE) is None
    assert pod_refusal([], since=SINCE) is None


def test_a_refused_job() -> None:
    full = RefusedError("POST: 403 jobs is forbidden: exceeded quota: q", status=403)
    assert job_refusal(full).reason is Reason.QUOTA_EXCEEDED
    forbidden = RefusedError("POST: 403 jobs is forbidden: no permission", status=403)
    assert job_refusal(forbidden).reason is Reason.JOB_CREATION_FAILED
