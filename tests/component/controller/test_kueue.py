"""Runs about which others decide: Kueue, whose part the test plays, or another controller."""

import pytest
from trainyard_schema import Reason, names

from ..control_plane import wait_for
from .conftest import Lab
from .queueing import PROMPT, place, queued, succeed, watched
from .rbac import allow_queue

pytestmark = [pytest.mark.component, pytest.mark.timeout(180)]

QUEUE = {names.KUEUE_QUEUE_LABEL: "team-a", names.KUEUE_PRIORITY_LABEL: "high"}


def set_suspended(lab: Lab, name: str, suspend: bool) -> None:
    """What Kueue does when it admits a Job, or evicts it."""
    lab.rest.patch(lab.job_path(name), {"spec": {"suspend": suspend}})


def job_is_there(lab: Lab, name: str) -> bool:
    return lab.rest.get(lab.job_path(name)) is not None


def test_the_job_is_created_suspended_and_kueue_lets_it_go_and_takes_it_back(lab: Lab) -> None:
    lab.start()
    name = lab.submit(QUEUE)
    status = lab.until(name, "Queued")
    assert status.reason == Reason.WAITING_FOR_KUEUE
    assert "team-a" in str(status.message)
    assert status.queue is None
    job = lab.rest.get(lab.job_path(name))
    assert job is not None
    assert QUEUE.items() <= job["metadata"]["labels"].items()
    # On the pods they would ask Kueue's integration of plain pods to queue these as well.
    assert not QUEUE.keys() & job["spec"]["template"]["metadata"]["labels"].keys()
    assert job["spec"]["suspend"] is True

    set_suspended(lab, name, False)
    lab.run_pod(name)
    lab.until(name, "Running")
    set_suspended(lab, name, True)
    status = lab.until(name, "Queued")
    assert status.reason == Reason.WAITING_FOR_KUEUE
    assert status.last_failure is None
    set_suspended(lab, name, False)
    succeed(lab, name)
    assert lab.writes["create jobs"] == 1
    assert "patch jobs" not in lab.writes


def test_a_suspended_run_has_no_job_that_kueue_could_let_go(lab: Lab) -> None:
    lab.start()
    name = lab.submit(QUEUE)
    lab.until(name, "Queued")
    set_suspended(lab, name, False)
    pod = lab.run_pod(name)
    lab.until(name, "Running")
    path = f"{lab.core}/pods/{pod['metadata']['name']}"
    binding = {"metadata": {"name": pod["metadata"]["name"]}, "target": {"name": "node"}}
    lab.rest.post(f"{path}/binding", binding)

    lab.patch(name, suspend=True)
    wait_for("its Job is gone", lambda: not job_is_there(lab, name))
    wait_for("its pod is being deleted", lambda: lab.is_deleting(path))
    lab.patch(name, suspend=False)
    # Not before the pod has stopped: two generations of pods must not train at the same time.
    lab.patch(name, ttlSecondsAfterFinished=60)
    wait_for(
        "it has been looked at",
        lambda: (
            lab.status(name).observed_generation == lab.training_job(name)["metadata"]["generation"]
        ),
    )
    assert not job_is_there(lab, name)
    lab.rest.delete(path, gracePeriodSeconds=0)
    status = lab.until(name, "Queued")
    assert status.job_name is not None
    job = lab.rest.get(lab.job_path(name))
    assert job is not None
    assert job["spec"]["suspend"] is True
    set_suspended(lab, name, False)
    succeed(lab, name)
    assert lab.status(name).last_failure is None


def test_a_job_that_kueue_has_labelled_itself_is_kueues_as_well(lab: Lab) -> None:
    lab.start()
    name = lab.submit()
    lab.until(name, "Starting")
    # What its webhook does to Jobs in a namespace with a LocalQueue named default.
    defaulted = {names.KUEUE_QUEUE_LABEL: "default"}
    lab.rest.patch(
        lab.job_path(name), {"metadata": {"labels": defaulted}, "spec": {"suspend": True}}
    )
    assert "default" in str(lab.until(name, "Queued").message)
    lab.patch(name, suspend=True)
    lab.until(name, "Suspended")
    wait_for("its Job is gone", lambda: not job_is_there(lab, name))
    seen = lab.reconciliations
    lab.patch(name, ttlSecondsAfterFinished=60)
    wait_for("it has been looked at", lambda: lab.reconciliations > seen)
    # Another Job would get the label as well, be let go, and be taken back again.
    assert (lab.writes["create jobs"], lab.writes["delete jobs"]) == (1, 1)
    assert "patch jobs" not in lab.writes
    lab.patch(name, suspend=False)
    lab.until(name, "Starting")


def test_killed_while_it_takes_the_job_back_it_goes_on(lab: Lab) -> None:
    process = lab.start()
    name = lab.submit(QUEUE, suspend=True)
    status = lab.until(name, "Suspended")
    assert status.job_name is None
    assert not job_is_there(lab, name)
    lab.patch(name, suspend=False)
    lab.until(name, "Queued")
    process.kill()
    process.wait()
    # As if it had been killed between the status that no longer names the Job and its deletion.
    lab.patch(name, suspend=True)
    stored = lab.training_job(name)["status"]
    lab.rest.patch(f"{lab.training_jobs}/{name}/status", {"status": {**stored, "jobName": None}})
    lab.start()
    lab.until(name, "Suspended")
    wait_for("its Job is gone", lambda: not job_is_there(lab, name))
    lab.patch(name, suspend=False)
    lab.until(name, "Queued")
    set_suspended(lab, name, False)
    succeed(lab, name)


def test_cancel_works_before_and_after_kueue_has_let_it_go(lab: Lab) -> None:
    lab.start()
    waiting, going = lab.submit(QUEUE), lab.submit(QUEUE)
    for name in (waiting, going):
        lab.until(name, "Queued")
    set_suspended(lab, going, False)
    lab.run_pod(going)
    lab.until(going, "Running")
    for name in (waiting, going):
        lab.patch(name, cancel=True)
        lab.until(name, "Cancelled")
        wait_for("its Job is gone", lambda name=name: not job_is_there(lab, name))  # type: ignore[misc]


def test_the_own_queue_does_not_count_what_kueue_admits(lab: Lab) -> None:
    allow_queue(lab.rest)
    lab.start(PROMPT, TRAINYARD_MAX_CONCURRENT_JOBS="1")
    admitted = lab.submit(QUEUE)
    lab.until(admitted, "Queued")
    set_suspended(lab, admitted, False)
    lab.until(admitted, "Starting")
    own, waits = lab.submit(), lab.submit()
    wait_for("one of them waits", lambda: place(lab, own) or place(lab, waits))
    first, second = (own, waits) if place(lab, waits) else (waits, own)
    lab.until(first, "Starting")
    queued(lab, second, 1)


def test_a_run_that_another_controller_manages_is_left_alone(lab: Lab) -> None:
    allow_queue(lab.rest)
    lab.start(PROMPT, TRAINYARD_MAX_CONCURRENT_JOBS="1", TRAINYARD_RESYNC_SECONDS="1")
    theirs = lab.submit(managedBy="kueue.x-k8s.io/multikueue")
    before = lab.training_job(theirs)
    with watched(lab.rest, lab.namespace) as jobs:
        ours = lab.submit(managedBy=names.CONTROLLER)
        lab.until(ours, "Starting")
        seen = lab.reconciliations
        lab.rest.patch(f"{lab.training_jobs}/{theirs}", {"metadata": {"labels": {"a": "b"}}})
        wait_for("it has looked again", lambda: lab.reconciliations > seen)
        succeed(lab, ours)
        # The status is its controller's to write, and final or not, nothing follows from it.
        finished = {"phase": "Succeeded", "completionTime": "2026-11-23T09:00:00Z"}
        lab.rest.patch(f"{lab.training_jobs}/{theirs}/status", {"status": finished})
        lab.until(lab.submit(), "Starting")
    assert len(jobs.created) == 2
    after = lab.training_job(theirs)
    assert after["spec"] == before["spec"]
    assert after["status"] == finished
    assert lab.events(theirs) == []
