"""A failing run says why, in one attempt where another could not help."""

import pytest
from kubernetes.client import ApiException
from trainyard_devtools.churn import TARGET
from trainyard_devtools.kube import Kube
from trainyard_devtools.repo import BUCKET
from trainyard_schema import Phase, Reason

from .conftest import Submit
from .jobs import DATASET, condition

pytestmark = pytest.mark.cluster
DATA = {"uri": f"s3://{BUCKET}/{DATASET}", "target": TARGET}


def test_a_wrong_column_fails_in_one_attempt_and_is_named(submit: Submit) -> None:
    status = submit(data=DATA | {"target": "churn"}).until_phase(Phase.FAILED)
    assert (status.reason, status.attempts) == (Reason.INVALID_DATA, 1)
    assert "churn" in (status.message or "")
    assert "churned" in (status.message or ""), "the message names the nearest column"
    assert condition(status, "Failed") == "True"


def test_a_missing_object_fails_in_one_attempt_and_is_named(submit: Submit) -> None:
    data = DATA | {"uri": f"s3://{BUCKET}/tests/nothing-here.csv"}
    status = submit(data=data).until_phase(Phase.FAILED)
    assert (status.reason, status.attempts) == (Reason.DATA_NOT_FOUND, 1)
    assert "tests/nothing-here.csv" in (status.message or "")


def test_out_of_memory_is_told_with_its_limit_and_not_retried(submit: Submit) -> None:
    small = {"cpu": "500m", "memory": "64Mi"}
    status = submit(resources={"requests": small, "limits": small}).until_phase(Phase.FAILED)
    assert (status.reason, status.attempts) == (Reason.OOM_KILLED, 1)
    assert "64Mi" in (status.message or "")
    assert status.last_failure is not None
    assert status.last_failure.exit_code == 137


def test_out_of_memory_is_tried_again_with_more_of_it(submit: Submit) -> None:
    small = {"cpu": "500m", "memory": "64Mi"}
    run = submit(
        resources={"requests": small, "limits": small},
        oomRetry={"factor": 10, "maxMemory": "1Gi"},
        hyperparameters={"n_estimators": 20},
    )
    status = run.until_phase(Phase.SUCCEEDED, timeout=300)
    assert [entry.memory for entry in status.oom_retries or []] == ["640Mi"]
    assert status.attempts == 2
    assert status.last_failure is not None
    assert status.last_failure.reason == Reason.OOM_KILLED
    assert str(status.job_name).endswith("-r1")
    [pod] = run.pods
    assert pod.spec
    assert pod.spec.containers[0].resources
    assert pod.spec.containers[0].resources.limits == {"cpu": "500m", "memory": "640Mi"}


def test_what_fits_nowhere_ends_at_its_pending_deadline(submit: Submit) -> None:
    large = {"cpu": "1", "memory": "500Gi"}
    run = submit(resources={"requests": large, "limits": large}, pendingDeadlineSeconds=5)
    status = run.until_phase(Phase.FAILED, timeout=60)
    assert status.reason == Reason.PENDING_DEADLINE_EXCEEDED
    assert "Unschedulable" in (status.message or "")
    assert "memory" in (status.message or "")
    assert run.pods == []


def test_a_wrong_hyperparameter_fails_without_a_pod(submit: Submit) -> None:
    run = submit(hyperparameters={"max_depth": 0})
    status = run.until_phase(Phase.FAILED)
    assert status.reason == Reason.INVALID_HYPERPARAMETER
    assert "spec.hyperparameters.max_depth" in (status.message or "")
    assert condition(status, "Accepted") == "False"
    assert run.pods == []


def test_a_pod_that_fits_nowhere_says_so(submit: Submit) -> None:
    run = submit(
        resources={
            "requests": {"cpu": "1", "memory": "500Gi"},
            "limits": {"cpu": "1", "memory": "500Gi"},
        }
    )
    status = run.until(lambda status: status.reason is not None, timeout=30)
    assert (status.phase, status.reason) == (Phase.STARTING, Reason.UNSCHEDULABLE)
    assert "memory" in (status.message or "")


def test_the_deadline_ends_a_run(submit: Submit) -> None:
    long = {"max_epochs": 10000, "patience": 1000, "learning_rate": 1e-6}
    run = submit(modelType="neural-net", hyperparameters=long, activeDeadlineSeconds=5)
    status = run.until_phase(Phase.FAILED)
    assert status.reason == Reason.DEADLINE_EXCEEDED
    assert "5 s" in (status.message or "")
    run.wait_pods_gone()


def test_a_job_deleted_by_hand_is_an_outcome_and_not_run_again(kube: Kube, submit: Submit) -> None:
    run = submit(modelType="neural-net", hyperparameters={"max_epochs": 10000, "patience": 1000})
    job = run.until_phase(Phase.RUNNING).job_name
    kube.kubectl("delete", "job", str(job))
    status = run.until_phase(Phase.FAILED)
    assert status.reason == Reason.JOB_DELETED
    with pytest.raises(ApiException, match="404"):
        kube.batch.read_namespaced_job(str(job), kube.namespace)
