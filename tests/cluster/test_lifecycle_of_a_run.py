"""Cancel, suspend, delete, clean-up, and an operator that goes away in between."""

import httpx
import pytest
from kubernetes.client import ApiException
from trainyard_devtools import token
from trainyard_devtools.kube import Kube
from trainyard_devtools.repo import API_URL, RELEASE
from trainyard_devtools.steps import StepError
from trainyard_schema import Phase

from .conftest import Submit
from .jobs import Run, condition
from .probes import until
from .store import keys

pytestmark = pytest.mark.cluster
CONTROLLER = f"deployment/{RELEASE}-controller"
ENDLESS = {
    "modelType": "neural-net",
    "hyperparameters": {"max_epochs": 10000, "patience": 1000, "learning_rate": 1e-6},
}


@pytest.fixture
def running(submit: Submit) -> Run:
    """A run in the midst of training that would go on for a long time."""
    run = submit(**ENDLESS)
    run.until(lambda status: status.stage == "Training")
    return run


def test_cancel_by_kubectl_deletes_the_pod_and_keeps_the_record(kube: Kube, running: Run) -> None:
    running.patch(cancel=True)
    status = running.until_phase(Phase.CANCELLED, timeout=30)
    assert running.pods == []
    assert status.completion_time is not None
    assert condition(status, "Complete") != "True"
    with pytest.raises(ApiException, match="404"):
        kube.batch.read_namespaced_job(str(status.job_name), kube.namespace)


def test_cancel_saves_what_is_trained_by_then(kube: Kube, submit: Submit) -> None:
    run = submit(**ENDLESS, model="test-saved", onCancel="save")
    run.until(lambda status: status.progress is not None and (status.progress.done or 0) > 0)
    run.patch(cancel=True)
    status = run.until_phase(Phase.CANCELLED, timeout=60)
    (saved,) = status.models
    assert saved.partial
    assert saved.version in str(status.message)
    files = keys(kube, f"models/{status.model}/")
    assert f"models/{status.model}/neural-net/{saved.version}/manifest.json" in files
    assert not any(name.endswith("current.json") for name in files)
    assert run.pods == []


def test_cancel_is_final(running: Run) -> None:
    running.patch(cancel=True)
    with pytest.raises(StepError, match="cancel is final"):
        running.patch(cancel=False)


def test_cancel_by_rest_deletes_the_pod(kube: Kube, running: Run) -> None:
    secret = kube.secret(f"{RELEASE}-auth")["jwt-secret"]
    headers = {"Authorization": f"Bearer {token.sign(secret, subject='tests')}"}
    with httpx.Client(base_url=API_URL, headers=headers, timeout=30) as api:

        def tells(status: str) -> bool:
            """What the API's watch tells it comes a moment later than what a reader is told."""
            answer = api.get(f"/train/status/{running.name}")
            return bool(answer.json()["status"] == status)

        until(lambda: tells("running"), seconds=5)
        answer = api.delete(f"/train/job/{running.name}")
        assert answer.is_success, answer.text
        running.until_phase(Phase.CANCELLED, timeout=30)
        until(lambda: tells("cancelled"), seconds=5)
    assert running.pods == []


def test_suspend_stops_the_pod_and_resume_finishes_the_run(submit: Submit) -> None:
    run = submit(suspend=True, hyperparameters={"n_estimators": 20})
    status = run.until_phase(Phase.SUSPENDED)
    assert condition(status, "Suspended") == "True"
    assert run.pods == []
    run.patch(suspend=False)
    status = run.until_phase(Phase.SUCCEEDED)
    assert condition(status, "Suspended") == "False"


def test_a_running_run_can_be_suspended(running: Run) -> None:
    running.patch(suspend=True)
    running.until_phase(Phase.SUSPENDED, timeout=60)
    running.wait_pods_gone()


def test_a_pod_that_is_deleted_as_it_starts_is_replaced(kube: Kube, submit: Submit) -> None:
    run = submit(modelType="neural-net", hyperparameters={"max_epochs": 30, "patience": 30})
    until(lambda: any(pod.status and pod.status.phase == "Running" for pod in run.pods))
    kube.kubectl("delete", "pod", "-l", run.selector, "--wait=false")
    status = run.until_phase(Phase.SUCCEEDED)
    assert status.attempts == 2


def test_the_trainer_has_an_init(kube: Kube, running: Run) -> None:
    """The kernel would keep SIGTERM from a process 1 that does not listen yet."""
    [pod] = running.pods
    assert pod.metadata
    assert pod.metadata.name
    process = kube.kubectl("exec", pod.metadata.name, "--", "cat", "/proc/1/comm")
    assert process.strip() == "tini"


def test_delete_removes_the_pod_with_the_operator_down(kube: Kube, running: Run) -> None:
    kube.kubectl("scale", CONTROLLER, "--replicas=0")
    kube.kubectl("wait", "pod", "-l", "app.kubernetes.io/component=controller", "--for=delete")
    try:
        kube.kubectl("delete", "tj", running.name, "--timeout=30s")
        running.wait_pods_gone()
    finally:
        kube.kubectl("scale", CONTROLLER, "--replicas=1")
        kube.kubectl("rollout", "status", CONTROLLER, "--timeout=120s")


def test_an_operator_restart_in_mid_run_changes_nothing(kube: Kube, submit: Submit) -> None:
    run = submit(
        modelType="neural-net", hyperparameters={"max_epochs": 60, "patience": 60, "batch_size": 16}
    )
    run.until(lambda status: status.stage == "Training")
    before = run.pod_uids
    kube.kubectl("delete", "pod", "-l", "app.kubernetes.io/component=controller", "--wait=false")
    status = run.until_phase(Phase.SUCCEEDED, timeout=240)
    assert status.attempts == 1
    assert run.pod_uids == before


def test_the_finished_job_is_removed_after_its_time_and_the_record_stays(
    kube: Kube, submit: Submit
) -> None:
    run = submit(ttlSecondsAfterFinished=1, hyperparameters={"n_estimators": 5})
    done = run.until_phase(Phase.SUCCEEDED)
    kube.kubectl("wait", f"job/{done.job_name}", "--for=delete", "--timeout=60s")
    run.wait_pods_gone()
    assert run.status == done


def test_nothing_is_written_when_nothing_changes(kube: Kube, submit: Submit) -> None:
    run = submit(hyperparameters={"n_estimators": 5})
    run.until_phase(Phase.SUCCEEDED)
    before = kube.training_job(run.name)["metadata"]["resourceVersion"]
    kube.kubectl("rollout", "restart", CONTROLLER)
    kube.kubectl("rollout", "status", CONTROLLER, "--timeout=120s")
    another = submit(hyperparameters={"n_estimators": 5})
    another.until_phase(Phase.SUCCEEDED)
    assert kube.training_job(run.name)["metadata"]["resourceVersion"] == before
