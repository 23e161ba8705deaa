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
