"""spec.pendingDeadlineSeconds: what counts, when it is over, and how the run ends."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from trainyard_controller.observation import Observation
from trainyard_controller.outcome import outcome
from trainyard_controller.pending import pending_since, seconds_left
from trainyard_controller.status import desired_status
from trainyard_schema import GUIDES, ModelType, Phase, Reason, TrainingJobSpec, TrainingJobStatus

from .samples import COMPLETE, JOB_NAME, NOW, job, pod, running, succeeded, training_job, waiting

EARLIER = NOW - timedelta(seconds=59)
LATE = NOW - timedelta(seconds=60)
NO_ROOM = {
    "type": "PodScheduled",
    "status": "False",
    "reason": "Unschedulable",
    "message": "0/1 nodes are available: 1 Insufficient memory.",
}


def stored(since: datetime, **more: Any) -> dict[str, Any]:
    text = since.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"phase": "Starting", "jobName": JOB_NAME, "pendingSince": text, **more}


def status_of(
    since: datetime, *, spec: dict[str, Any] | None = None, **seen: Any
) -> dict[str, Any]:
    one = training_job(
        status=stored(since, **seen.pop("status", {})),
        **{"pendingDeadlineSeconds": 60, **(spec or {})},
    )
    observation = Observation(
        training_job=one,
        spec=TrainingJobSpec.from_stored(one.spec),
        **{"job": job(), "now": NOW, **seen},
    )
    return desired_status(observation).to_dict()


@pytest.mark.parametrize(
    ("before", "phase", "since"),
    [
        (TrainingJobStatus(), Phase.PENDING, NOW),
        (TrainingJobStatus(phase=Phase.PENDING, pending_since=LATE), Phase.STARTING, LATE),
        (TrainingJobStatus(phase=Phase.STARTING), Phase.STARTING, NOW),
        (TrainingJobStatus(phase=Phase.STARTING, pending_since=LATE), Phase.RUNNING, None),
        (TrainingJobStatus(phase=Phase.RUNNING), Phase.STARTING, NOW),
        (TrainingJobStatus(phase=Phase.SUSPENDED), Phase.STARTING, NOW),
        (TrainingJobStatus(phase=Phase.QUEUED), Phase.PENDING, NOW),
        (TrainingJobStatus(phase=Phase.STARTING, pending_since=LATE), Phase.SUSPENDED, None),
    ],
)
def test_since_when(before: TrainingJobStatus, phase: Phase, since: datetime | None) -> None:
    assert pending_since(before, phase, NOW) == since


def test_without_the_field_and_while_suspended_it_may_wait_for_ever() -> None:
    assert seconds_left(spec_with(), LATE, NOW) is None
    assert seconds_left(spec_with(pendingDeadlineSeconds=60, suspend=True), LATE, NOW) is None
    assert seconds_left(spec_with(pendingDeadlineSeconds=60), EARLIER, NOW) == 1


def spec_with(**spec: Any) -> TrainingJobSpec:
    return TrainingJobSpec.from_stored(training_job(**spec).spec)


def test_a_second_before_it_still_waits() -> None:
    status = status_of(EARLIER, pods=[pod(conditions=[NO_ROOM])])
    assert (status["phase"], status["reason"]) == ("Starting", "Unschedulable")


def test_what_it_waited_for_is_told_and_the_end_waits_for_the_pod() -> None:
    advice = GUIDES[Reason.PENDING_DEADLINE_EXCEEDED].advice
    message = (
        "no trainer started within spec.pendingDeadlineSeconds (60 s): Unschedulable: "
        f"no node takes the pod: 0/1 nodes are available: 1 Insufficient memory; {advice}"
    )
    first = status_of(LATE, pods=[pod(conditions=[NO_ROOM])])
    assert (first["phase"], first["reason"]) == ("Starting", "PendingDeadlineExceeded")
    assert first["message"] == message
    known = {key: first[key] for key in ("reason", "message")}
    stopping = status_of(LATE, status=known, job=None, pods=[pod(deleted=True)])
    assert "completionTime" not in stopping
    last = status_of(LATE, status=known, job=None)
    assert (last["phase"], last["reason"]) == ("Failed", "PendingDeadlineExceeded")
    assert last["message"] == message
    assert "pendingSince" not in last


def test_it_is_not_taken_back_when_the_trainer_starts_after_all() -> None:
    known = {"reason": "PendingDeadlineExceeded", "message": "too long"}
    assert status_of(LATE, status=known, pods=[running()])["reason"] == known["reason"]


def test_but_a_version_wins() -> None:
    known = {"reason": "PendingDeadlineExceeded", "message": "too long"}
    done = succeeded(ModelType.XGBOOST, "0.8")
    assert status_of(LATE, status=known, job=job(COMPLETE), pods=[done])["phase"] == "Succeeded"
    assert status_of(LATE, status=known, job=None, gone_pods=[done])["phase"] == "Succeeded"


def test_and_so_does_cancel() -> None:
    known = {"reason": "PendingDeadlineExceeded", "message": "too long"}
    cancelled = status_of(LATE, status=known, spec={"cancel": True}, job=None)
    assert cancelled["phase"] == "Cancelled"


def test_a_trainer_that_runs_has_all_the_time() -> None:
    assert status_of(LATE, pods=[running()])["phase"] == "Running"


def test_without_a_job_it_ends_at_once() -> None:
    one = training_job(
        status={"phase": "Pending", "pendingSince": LATE.isoformat()}, pendingDeadlineSeconds=60
    )
    seen = Observation(
        training_job=one, spec=TrainingJobSpec.from_stored(one.spec), job=None, now=NOW
    )
    assert outcome(seen).completion_time == NOW


def test_the_last_word_is_used_where_there_is_no_newer_one() -> None:
    image = waiting("ImagePullBackOff", "no such image")
    before = status_of(EARLIER, pods=[image])
    known = {key: before[key] for key in ("reason", "message")}
    after = status_of(LATE, status=known, pods=[pod()])
    assert (
        "(60 s): ImagePullFailed: cannot pull image registry/trainer:1: no such image; "
        in (after["message"])
    )
