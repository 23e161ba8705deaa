"""What is tried again, what counts, and what `backoffLimit: 0` means."""

from typing import Any

import pytest
from trainyard_schema import Phase, Reason, RunResult

from ..control_plane import wait_for
from .conftest import Lab
from .results import result

pytestmark = [pytest.mark.component, pytest.mark.timeout(180)]
INTERRUPTED = RunResult(reason=Reason.INTERRUPTED).to_json()
OOM_EXIT_CODE = 137


def test_bad_data_fails_in_one_attempt(lab: Lab) -> None:
    lab.start()
    name = lab.submit(backoffLimit=5)
    bad = RunResult(reason=Reason.DATA_NOT_FOUND, message="s3://trainyard/churn.csv: no such key")
    lab.end_pod(lab.run_pod(name), 66, bad.to_json())
    status = lab.until(name, "Failed")
    assert status.reason == Reason.DATA_NOT_FOUND
    assert str(status.message).startswith("xgboost: s3://trainyard/churn.csv: no such key; ")
    assert (status.attempts, len(lab.pods(name))) == (1, 1)


def test_out_of_memory_is_not_tried_again(lab: Lab) -> None:
    lab.start()
    name = lab.submit(backoffLimit=5)
    lab.end_pod(lab.run_pod(name), OOM_EXIT_CODE, "")
    status = lab.until(name, "Failed")
    assert status.reason == Reason.OOM_KILLED
    assert len(lab.pods(name)) == 1


def test_an_interrupted_attempt_is_tried_again_and_not_counted(lab: Lab) -> None:
    lab.start()
    name = lab.submit(backoffLimit=1)
    for _ in range(2):
        lab.end_pod(lab.run_pod(name), 143, INTERRUPTED)
    lab.end_pod(lab.run_pod(name), 0, result())
    status = lab.until(name, "Succeeded", timeout=60)
    assert status.attempts == 3


def delete(lab: Lab, pod: dict[str, Any]) -> None:
    """Delete the pod, and be its kubelet: the trainer ends in its grace period."""
    path = f"{lab.core}/pods/{pod['metadata']['name']}"
    lab.rest.delete(path)
    lab.end_pod(pod, 143, INTERRUPTED)
    lab.rest.delete(path, gracePeriodSeconds=0)


def test_a_deleted_pod_is_replaced_and_not_counted(lab: Lab) -> None:
    lab.start()
    name = lab.submit(backoffLimit=1)
    for _ in range(2):
        pod = lab.bind(name)
        lab.run_pod(name)
        delete(lab, pod)
    lab.end_pod(lab.run_pod(name), 0, result())
    lab.until(name, "Succeeded", timeout=60)


def test_without_retries_a_deleted_pod_is_the_end(lab: Lab) -> None:
    lab.start()
    name = lab.submit(backoffLimit=0)
    pod = lab.bind(name)
    lab.run_pod(name)
    lab.until(name, "Running")
    delete(lab, pod)
    status = lab.until(name, "Failed")
    assert (status.reason, status.attempts) == (Reason.INTERRUPTED, 1)
    assert "spec.backoffLimit of at least 1" in str(status.message)


def test_without_retries_an_evicted_pod_is_the_end(lab: Lab) -> None:
    lab.start()
    name = lab.submit(backoffLimit=0)
    pod = lab.bind(name)
    lab.run_pod(name)
    disrupted = {"type": "DisruptionTarget", "status": "True", "message": "the node is drained"}
    path = f"{lab.core}/pods/{pod['metadata']['name']}"
    lab.rest.patch(f"{path}/status", {"status": {"conditions": [disrupted]}})
    delete(lab, pod)
    status = lab.until(name, "Failed")
    assert (status.reason, status.attempts) == (Reason.PREEMPTED, 1)
    assert "the node is drained" in str(status.message)


def test_without_retries_it_can_be_suspended_and_resumed_all_the_same(lab: Lab) -> None:
    lab.start()
    name = lab.submit(backoffLimit=0)
    pod = lab.bind(name)
    path = f"{lab.core}/pods/{pod['metadata']['name']}"
    lab.run_pod(name)
    lab.until(name, "Running")
    lab.patch(name, suspend=True)
    wait_for("the pod is being deleted", lambda: lab.is_deleting(path))
    lab.end_pod(pod, 143, INTERRUPTED)
    lab.rest.delete(path, gracePeriodSeconds=0)
    lab.until(name, "Suspended")
    lab.patch(name, suspend=False)
    lab.end_pod(lab.run_pod(name), 0, result())
    status = lab.until(name, "Succeeded")
    assert (status.phase, status.last_failure) == (Phase.SUCCEEDED, None)
