from datetime import UTC, datetime

import pytest
from trainyard_controller.errors import RefusedError
from trainyard_controller.refusals import job_refusal, pod_refusal
from trainyard_schema import Reason

SINCE = datetime(2026, 11, 23, 9, 0, 0, tzinfo=UTC)
QUOTA = 'Error creating: pods "churn-1-0-x7k2p" is forbidden: exceeded quota: q, requested: cpu=1'

ACCOUNT = 'error looking up service account lab/trainer: serviceaccount "trainer" not found'
POLICY = "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no"


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
    assert problem.reason is Reason.ADMISSION_REFUSED
    assert problem.message == "the pod cannot be created: violates PodSecurity"


@pytest.mark.parametrize(
    ("message", "reason", "told"),
    [
        (
            f'pods "x" is forbidden: {ACCOUNT}',
            Reason.SERVICE_ACCOUNT_MISSING,
            ACCOUNT,
        ),
        (
            f'pods "x" is forbidden: {POLICY}',
            Reason.ADMISSION_REFUSED,
            POLICY,
        ),
        (
            'admission webhook "w.example.com" denied the request: no',
            Reason.ADMISSION_REFUSED,
            'admission webhook "w.example.com" denied the request: no',
        ),
        (
            'Internal error occurred: failed calling webhook "w.example.com": timeout',
            Reason.ADMISSION_REFUSED,
            'Internal error occurred: failed calling webhook "w.example.com": timeout',
        ),
        (
            'pods "x" is forbidden: maximum memory usage per Container is 64Mi, but limit is 1Gi',
            Reason.ADMISSION_REFUSED,
            "maximum memory usage per Container is 64Mi, but limit is 1Gi",
        ),
        (
            'Pod "x" is invalid: spec.tolerations: Invalid value',
            Reason.JOB_CREATION_FAILED,
            'Pod "x" is invalid: spec.tolerations: Invalid value',
        ),
    ],
)
def test_why_a_pod_is_refused(message: str, reason: Reason, told: str) -> None:
    problem = pod_refusal([event(f"Error creating: {message}")], since=SINCE)
    assert problem is not None
    assert (problem.reason, problem.message) == (reason, f"the pod cannot be created: {told}")


def test_what_was_told_before_is_over() -> None:
    assert pod_refusal([event(QUOTA, "2026-11-23T08:59:00Z")], since=SINCE) is None
    assert pod_refusal([], since=SINCE) is None


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ('POST /x: 403 jobs "x" is forbidden: exceeded quota: q', Reason.QUOTA_EXCEEDED),
        (
            'POST /x: 400 admission webhook "w" denied the request: no',
            Reason.ADMISSION_REFUSED,
        ),
        (
            'POST /x: 403 jobs.batch is forbidden: User "u" cannot create resource "jobs"',
            Reason.JOB_CREATION_FAILED,
        ),
        ("the Job x exists and belongs to something else", Reason.JOB_CREATION_FAILED),
    ],
)
def test_why_a_job_is_refused(message: str, reason: Reason) -> None:
    assert job_refusal(RefusedError(message, status=403)).reason is reason


def test_what_the_operator_asked_does_not_show() -> None:
    message = "POST /apis/batch/v1/namespaces/lab/jobs: 500 Internal error occurred: no"
    told = job_refusal(RefusedError(message, status=500)).message
    assert told == "the Job cannot be created: Internal error occurred: no"
