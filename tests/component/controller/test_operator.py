"""What the operator does to a real API server, fault by fault."""

import json
import signal
import time

import pytest
from trainyard_schema import ModelType, Reason, RunResult, Verdict, names

from ..control_plane import wait_for
from .conftest import DEAF, Lab
from .results import result, succeed

pytestmark = [pytest.mark.component, pytest.mark.timeout(180)]


def test_a_whole_life_takes_four_writes_and_a_restart_none(lab: Lab) -> None:
    lab.start()
    name = lab.submit()
    lab.until(name, "Starting")
    succeed(lab, name)
    assert lab.writes == {"create jobs": 1, "update trainingjobs/status": 3}
    before = lab.training_job(name)
    lab.stop()
    lab.start()
    another = lab.submit()
    lab.until(another, "Starting")
    assert lab.writes == {"create jobs": 1, "update trainingjobs/status": 1}
    assert lab.training_job(name) == before


def test_it_serves_every_namespace_that_it_is_given(lab: Lab, other: Lab) -> None:
    lab.start(TRAINYARD_NAMESPACES=f"{lab.namespace},{other.namespace}")
    succeed(lab, lab.submit())
    succeed(other, other.submit())
    name = other.submit()
    other.until(name, "Starting")
    other.patch(name, cancel=True)
    other.until(name, "Cancelled")
    assert lab.rest.get(f"{lab.training_jobs}/{name}") is None


def test_a_verdict_is_in_the_status_and_told(lab: Lab) -> None:
    lab.start()
    name = lab.submit(gate={"floor": 0.9})
    left = RunResult.model_validate_json(result())
    verdict = Verdict(
        model_type=ModelType.XGBOOST,
        version="20261123T090000Z-0badcafe",
        passed=False,
        reasons=["roc_auc is 0.84, below the floor of 0.9"],
        metric="roc_auc",
        value="0.84",
    )
    pod = lab.run_pod(name)
    lab.until(name, "Running")
    lab.end_pod(pod, 0, left.model_copy(update={"verdict": verdict}).to_json())
    status = lab.until(name, "Succeeded")
    assert status.verdicts == [verdict]
    assert status.message == (
        "uploaded xgboost; xgboost did not pass the gate: roc_auc is 0.84, below the floor of 0.9"
    )
    wait_for("it is told", lambda: lab.events(name) == ["GateFailed"])


def test_sigterm_ends_it_well_and_soon(lab: Lab) -> None:
    process = lab.start()
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 0


def test_a_token_that_rotates_does_not_disturb_the_watches(lab: Lab) -> None:
    process = lab.start()
    wait_for("the token has rotated", lambda: lab.log.count("authentication has finished") > 1)
    name = lab.submit()
    succeed(lab, name)
    assert process.poll() is None


def test_with_dead_watches_it_sees_by_itself_and_then_makes_room_for_a_fresh_process(
    lab: Lab,
) -> None:
    process = lab.start(DEAF, TRAINYARD_RESYNC_SECONDS="1", TRAINYARD_STALE_SECONDS="3")
    name = lab.submit()
    lab.until(name, "Starting")
    lab.run_pod(name)
    lab.until(name, "Running")
    assert process.wait(timeout=30) == 1
    assert "a watch has been dead" in lab.log


def test_a_watch_that_stops_asking_is_noticed_in_a_quiet_cluster(lab: Lab) -> None:
    impatient = "from trainyard_controller import health\nhealth.ASKS_AGAIN_SECONDS = 1\n"
    process = lab.start(DEAF + impatient, TRAINYARD_STALE_SECONDS="2")
    assert process.wait(timeout=30) == 1
    assert "has asked for nothing" in lab.log


def slow(seconds: float) -> str:
    """Sabotage: each look at a TrainingJob takes so long."""
    return f"""
import asyncio
from trainyard_controller.reconcile import Reconciler
quick = Reconciler.__call__
async def slow(self, key):
    await asyncio.sleep({seconds})
    await quick(self, key)
Reconciler.__call__ = slow
"""


def test_workers_that_hang_make_room_for_a_fresh_process(lab: Lab) -> None:
    process = lab.start(slow(3600), TRAINYARD_STALE_SECONDS="2")
    lab.submit()
    assert process.wait(timeout=30) == 1
    assert "no worker has got on for" in lab.log


def test_workers_that_are_far_behind_are_left_to_their_work(lab: Lab) -> None:
    impatient = "from trainyard_controller import health\nhealth.CHECK_SECONDS = 0.2\n"
    process = lab.start(slow(0.5) + impatient, TRAINYARD_STALE_SECONDS="2", TRAINYARD_WORKERS="1")
    for name in [lab.submit() for _ in range(8)]:
        lab.until(name, "Starting")
    assert process.poll() is None


def test_a_watch_that_lives_asks_again_and_again(lab: Lab) -> None:
    process = lab.start()
    for _ in range(2):
        since = time.monotonic()

        def all_have_asked(since: float = since) -> bool:
            ages = lab.watch_requests().values()
            return max(ages) < time.monotonic() - since

        wait_for("each watch has asked since", all_have_asked)
    assert process.poll() is None


def test_each_line_about_an_object_has_its_reference(lab: Lab) -> None:
    lab.start(TRAINYARD_LOG_LEVEL="DEBUG")
    name = lab.submit()
    pod = lab.run_pod(name)
    path = f"{lab.core}/pods/{pod['metadata']['name']}/status"
    # Nobody listens there.
    lab.rest.patch(path, {"status": {"podIP": "127.0.0.1", "podIPs": [{"ip": "127.0.0.1"}]}})
    wait_for("its trainer is asked", lambda: "no progress from the trainer" in lab.log)
    lab.end_pod(pod, 0, result())
    lab.until(name, "Succeeded")
    reference = {
        "kind": names.KIND,
        "namespace": lab.namespace,
        "name": name,
        "uid": lab.training_job(name)["metadata"]["uid"],
    }
    told = [line for line in lab.lines if name in json.dumps(line)]
    assert {"status", "no progress from the trainer"} <= {line["event"] for line in told}
    for line in told:
        # The Job controller's objects are known to kopf only.
        if line["logger"].startswith("trainyard_controller"):
            assert reference.items() <= line.items()


def test_what_there_is_and_what_ended_is_counted(lab: Lab) -> None:
    lab.start()
    bad = RunResult(reason=Reason.DATA_NOT_FOUND, message="s3://trainyard/churn.csv: no such key")
    failed = lab.submit()
    lab.end_pod(lab.run_pod(failed), 66, bad.to_json())
    lab.until(failed, "Failed")
    succeed(lab, lab.submit())
    counted = {
        'trainyard_training_jobs{phase="Failed",reason="DataNotFound"} 1.0',
        'trainyard_training_jobs{phase="Succeeded",reason=""} 1.0',
        'trainyard_training_jobs{phase="Running",reason=""} 0.0',
        'trainyard_training_jobs_finished_total{phase="Failed",reason="DataNotFound"} 1.0',
        'trainyard_training_jobs_finished_total{phase="Succeeded",reason=""} 1.0',
        "trainyard_leader 1.0",
    }
    wait_for("all is counted", lambda: counted <= set(lab.metrics.splitlines()))


def test_killed_in_between_it_goes_on_where_it_was(lab: Lab) -> None:
    process = lab.start()
    name = lab.submit(modelType="all")
    first = lab.run_pod(name, 0)
    lab.end_pod(first, 0, result(ModelType.XGBOOST, "0.81"))
    lab.until(name, "Starting")
    process.kill()
    for index, kind in enumerate(ModelType):
        if index:
            lab.end_pod(lab.run_pod(name, index), 0, result(kind, f"0.8{index}"))
    lab.start()
    status = lab.until(name, "Succeeded")
    assert [model.model_type for model in status.models] == list(ModelType)
    assert status.attempts == 3
    assert len(lab.rest.items(lab.jobs)) == 1


def test_a_job_that_was_created_without_an_answer_is_taken_as_it_is(lab: Lab) -> None:
    name = lab.submit()
    lab.start()
    lab.until(name, "Starting")
    created = lab.rest.get(lab.job_path(name))
    lab.stop()
    # As if the operator had been killed after the Job's creation: nothing of it is in the status.
    lab.rest.patch(f"{lab.training_jobs}/{name}/status", {"status": None})
    lab.start()
    lab.until(name, "Starting")
    assert lab.rest.get(lab.job_path(name)) == created


def test_a_name_taken_by_someone_else_waits_and_says_so(lab: Lab) -> None:
    name = lab.submit()
    path = lab.job_path(name)
    container = {"name": "main", "image": "other"}
    lab.rest.post(
        lab.jobs,
        {
            "metadata": {"name": path.rpartition("/")[2]},
            "spec": {"template": {"spec": {"containers": [container], "restartPolicy": "Never"}}},
        },
    )
    lab.start()
    status = lab.until(name, "Pending")
    assert status.reason == Reason.JOB_CREATION_FAILED
    assert "belongs to something else" in str(status.message)
    assert status.conditions[0].status == "False"
    lab.rest.delete(path, propagationPolicy="Background")
    status = lab.until(name, "Starting", timeout=40)
    assert status.conditions[0].status == "True"


def test_cancel_lasts_until_the_pod_is_gone(lab: Lab) -> None:
    lab.start()
    name = lab.submit()
    uid = lab.training_job(name)["metadata"]["uid"]
    for key in (uid, f"{uid}0"):
        lab.s3.put(f"checkpoints/{key}/xgboost/checkpoint.json", "{}")
    pod = lab.bind(name)
    path = f"{lab.core}/pods/{pod['metadata']['name']}"
    lab.run_pod(name)
    lab.until(name, "Running")
    lab.patch(name, cancel=True)
    lab.until(name, "Cancelling")
    wait_for("the Job is gone", lambda: lab.rest.get(lab.job_path(name)) is None)
    wait_for("the pod is being deleted", lambda: lab.is_deleting(path))
    assert lab.status(name).phase == "Cancelling"
    lab.rest.delete(path, gracePeriodSeconds=0)
    status = lab.until(name, "Cancelled")
    assert status.attempts == 1
    assert status.last_failure is None
    wait_for("its checkpoint is gone", lambda: lab.s3.keys(f"checkpoints/{uid}/") == [])
    assert lab.s3.keys(f"checkpoints/{uid}0/") != []


def test_checkpoints_are_removed_when_the_store_is_back(lab: Lab) -> None:
    lab.start()
    name = lab.submit()
    uid = lab.training_job(name)["metadata"]["uid"]
    lab.s3.put(f"checkpoints/{uid}/xgboost/checkpoint.json", "{}")
    lab.until(name, "Starting")
    with lab.s3.away():
        lab.patch(name, cancel=True)
        lab.until(name, "Cancelled")
    wait_for("its checkpoint is gone", lambda: lab.s3.keys(f"checkpoints/{uid}/") == [])


@pytest.mark.parametrize("away", [False, True])
def test_what_a_cancelled_pod_saved_is_heard(lab: Lab, away: bool) -> None:
    process = lab.start()
    name = lab.submit(onCancel="save")
    pod = lab.bind(name)
    path = f"{lab.core}/pods/{pod['metadata']['name']}"
    lab.run_pod(name)
    lab.until(name, "Running")
    lab.patch(name, cancel=True)
    lab.until(name, "Cancelling")
    wait_for("the pod is being deleted", lambda: lab.is_deleting(path))
    if away:
        process.kill()
        process.wait()
    document = json.loads(result()) | {"reason": "Interrupted", "message": "stopped"}
    document["version"] |= {"partial": True, "current": False}
    lab.end_pod(pod, 143, json.dumps(document))
    if away:
        lab.start()
        wait_for("the version is recorded", lambda: lab.status(name).models)
    # A kubelet deletes the pod as soon as its last words are told.
    lab.rest.delete(path, gracePeriodSeconds=0)
    status = lab.until(name, "Cancelled")
    assert [model.partial for model in status.models] == [True]
    assert status.message == (
        "cancelled by spec.cancel; saved partial version 20261123T090000Z-0badcafe of xgboost"
    )
    assert lab.pods(name) == []


def test_cancelled_while_the_operator_was_away(lab: Lab) -> None:
    lab.start()
    name = lab.submit()
    lab.until(name, "Starting")
    lab.stop()
    lab.patch(name, cancel=True)
    lab.start()
    lab.until(name, "Cancelled")
    assert lab.pods(name) == []
    assert lab.rest.get(lab.job_path(name)) is None


def test_a_job_deleted_by_someone_else_is_not_run_again(lab: Lab) -> None:
    lab.start()
    name = lab.submit()
    lab.until(name, "Starting")
    path = lab.job_path(name)
    lab.rest.delete(path, propagationPolicy="Background")
    assert lab.until(name, "Failed").reason == Reason.JOB_DELETED
    lab.stop()
    lab.start()
    other = lab.submit()
    lab.until(other, "Starting")
    assert lab.rest.get(path) is None


def test_the_job_of_a_finished_run_goes_when_its_time_is_over(lab: Lab) -> None:
    lab.start()
    name = lab.submit(ttlSecondsAfterFinished=None)
    succeed(lab, name)
    done = lab.status(name)
    lab.patch(name, ttlSecondsAfterFinished=1)
    path = lab.job_path(name)
    wait_for("the Job is gone", lambda: lab.rest.get(path) is None)
    assert lab.status(name) == done


def test_suspended_and_resumed(lab: Lab) -> None:
    lab.start()
    name = lab.submit()
    lab.run_pod(name)
    lab.until(name, "Running")
    lab.patch(name, suspend=True)
    assert lab.until(name, "Suspended").attempts == 1
    assert lab.pods(name) == []
    lab.patch(name, suspend=False)
    lab.until(name, "Starting")
    pod = lab.run_pod(name)
    assert lab.until(name, "Running").attempts == 2
    lab.end_pod(pod, 0, result())
    status = lab.until(name, "Succeeded")
    assert status.last_failure is None
    assert sorted(lab.events(name)) == ["Resumed", "Suspended"]


def test_a_hyperparameter_that_is_none_creates_no_job(lab: Lab) -> None:
    lab.start()
    name = lab.submit(hyperparameters={"max_dept": 3})
    status = lab.until(name, "Failed")
    assert status.reason == Reason.INVALID_HYPERPARAMETER
    assert "spec.hyperparameters.max_dept" in str(status.message)
    assert lab.writes == {"update trainingjobs/status": 1, "create events": 1}


def test_what_another_version_started_in_error_is_stopped(lab: Lab) -> None:
    name = lab.submit(hyperparameters={"max_dept": 3})
    uid = lab.training_job(name)["metadata"]["uid"]
    labels = {names.MANAGED_BY_LABEL: names.MANAGED_BY, names.UID_LABEL: uid}
    container = {"name": "trainer", "image": "trainer:0"}
    pod = {"containers": [container], "restartPolicy": "Never"}
    path = lab.job_path(name)
    lab.rest.post(
        lab.jobs,
        {
            "metadata": {"name": path.rpartition("/")[2], "labels": labels},
            "spec": {"template": {"metadata": {"labels": labels}, "spec": pod}},
        },
    )
    lab.start()
    lab.until(name, "Failed")
    wait_for("the Job is gone", lambda: lab.rest.get(path) is None)


def test_deleted_and_created_again_it_is_another_run(lab: Lab) -> None:
    lab.start()
    name = lab.submit()
    lab.until(name, "Starting")
    first = lab.job_path(name)
    body = lab.training_job(name)
    lab.rest.delete(f"{lab.training_jobs}/{name}")
    lab.rest.post(
        lab.training_jobs,
        {
            "apiVersion": names.API_VERSION,
            "kind": names.KIND,
            "metadata": {"name": name},
            "spec": body["spec"],
        },
    )
    lab.until(name, "Starting")
    assert lab.job_path(name) != first
    wait_for("the first Job is collected", lambda: lab.rest.get(first) is None)
