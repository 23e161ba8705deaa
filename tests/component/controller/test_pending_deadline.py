"""spec.pendingDeadlineSeconds: a run that cannot start ends, whoever is killed on the way."""

import secrets

import pytest
from trainyard_schema import Phase, Reason

from ..control_plane import wait_for
from .conftest import Lab

pytestmark = [pytest.mark.component, pytest.mark.timeout(180)]
NO_ROOM = "0/1 nodes are available: 1 Insufficient memory."


def test_it_ends_with_its_cause_when_no_pod_is_left(lab: Lab) -> None:
    lab.start()
    name = lab.submit(pendingDeadlineSeconds=3)
    lab.unschedulable(name, NO_ROOM)
    status = lab.until(name, "Failed")
    assert status.reason == Reason.PENDING_DEADLINE_EXCEEDED
    assert str(status.message).startswith(
        "no trainer started within spec.pendingDeadlineSeconds (3 s): Unschedulable: no node takes "
        "the pod: 0/1 nodes are available: 1 Insufficient memory; "
    )
    assert lab.pods(name) == []
    assert lab.rest.get(lab.job_path(name)) is None


def test_a_job_that_is_always_refused_ends_as_well(lab: Lab) -> None:
    quota = {"metadata": {"name": "full"}, "spec": {"hard": {"count/jobs.batch": "0"}}}
    lab.rest.post(f"{lab.core}/resourcequotas", quota)
    wait_for("the quota counts", lambda: lab.quota_counts("full"))
    lab.start()
    name = lab.submit(pendingDeadlineSeconds=2)
    status = lab.until(name, "Failed")
    assert status.reason == Reason.PENDING_DEADLINE_EXCEEDED
    assert ": QuotaExceeded: " in str(status.message)


def test_the_time_in_which_it_is_suspended_does_not_count(lab: Lab) -> None:
    lab.start()
    name = lab.submit(pendingDeadlineSeconds=2, suspend=True)
    lab.until(name, "Suspended")
    other = lab.submit(pendingDeadlineSeconds=2)
    lab.unschedulable(other, NO_ROOM)
    lab.until(other, "Failed")
    assert lab.status(name).phase == Phase.SUSPENDED
    lab.patch(name, suspend=False)
    lab.run_pod(name)
    assert lab.until(name, "Running").pending_since is None


def test_killed_after_it_was_decided_it_ends_in_the_same_way(lab: Lab) -> None:
    process = lab.start()
    name = lab.submit(pendingDeadlineSeconds=2)
    # A node that does not answer: the pod stays until its kubelet confirms that it has stopped.
    pod = lab.bind(name)
    lab.set_pod(pod, "Pending", {"waiting": {"reason": "ErrImagePull", "message": "no such image"}})
    wait_for("it is decided", lambda: lab.status(name).reason == Reason.PENDING_DEADLINE_EXCEEDED)
    process.kill()
    process.wait()
    lab.start()
    path = f"{lab.core}/pods/{pod['metadata']['name']}"
    wait_for("the pod is being deleted", lambda: lab.is_deleting(path))
    assert lab.status(name).completion_time is None
    lab.rest.delete(path, gracePeriodSeconds=0)
    status = lab.until(name, "Failed")
    assert ": ImagePullFailed: cannot pull image" in str(status.message)
    assert lab.pods(name) == []


def test_another_operator_stops_what_was_decided_before_anything_was_deleted(lab: Lab) -> None:
    lab.start()
    name = lab.submit(pendingDeadlineSeconds=600)
    lab.until(name, "Starting")
    lab.stop()
    stored = lab.training_job(name)
    message = f"too long {secrets.token_hex(3)}"
    stored["status"] |= {"reason": Reason.PENDING_DEADLINE_EXCEEDED, "message": message}
    lab.rest.patch(f"{lab.training_jobs}/{name}/status", {"status": stored["status"]})
    lab.start()
    status = lab.until(name, "Failed")
    assert status.reason == Reason.PENDING_DEADLINE_EXCEEDED
    assert str(status.message).startswith(message)
