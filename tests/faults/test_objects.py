"""What becomes of a life when others change what belongs to it."""

from contextlib import suppress

import pytest
from trainyard_schema import Phase, Reason, names

from .. import trainer_pods as pods
from ..component.control_plane import OPERATOR
from ..trainer_pods import OUT_OF_MEMORY, uploaded
from .conftest import Worlds
from .lives import LIVES, start
from .sweep import References
from .upstream import Document
from .world import NAME, World

pytestmark = [pytest.mark.component, pytest.mark.timeout(120)]

RBAC = "/apis/rbac.authorization.k8s.io/v1/namespaces"


def finish(world: World) -> None:
    world.end(uploaded())
    world.until("Succeeded")


@pytest.mark.parametrize("by", ["hand", "time"])
def test_a_job_that_goes_after_the_end_stays_away(world: World, by: str) -> None:
    world.operator.start()
    LIVES["success"].script(world)
    done, job = world.get(), world.job()
    assert done is not None
    assert job is not None
    if by == "hand":
        world.rest.delete(f"{world.jobs}/{job['metadata']['name']}", propagationPolicy="Background")
    else:
        world.patch(ttlSecondsAfterFinished=0)
    world.wait("the Job is gone", lambda: world.job() is None and not world.pods())
    world.operator.kill()
    world.settle()
    world.submit("another")
    world.until("Running", name="another")
    assert world.job() is None
    assert world.status() == world.status().model_validate(done["status"])
    assert world.witness.violations == []


def test_the_same_name_again_is_another_run(world: World, references: References) -> None:
    world.operator.start()
    start(world)
    first = world.job()
    assert first is not None
    world.delete()
    LIVES["success"].script(world)
    second = world.job()
    assert second is not None
    assert second["metadata"]["name"] != first["metadata"]["name"]
    world.converge(references["success"].state)


@pytest.mark.parametrize("how", ["deleted", "drained", "lost"])
def test_a_pod_that_is_taken_away_is_replaced_and_not_counted(world: World, how: str) -> None:
    world.operator.start()
    start(world, backoffLimit=1)
    pod = world.running_pod()
    if how != "deleted":
        world.report(pod, pods.disrupted())
    if how == "lost":
        world.report(pod, {"phase": "Failed", "reason": "NodeLost"})
        world.remove(pod)
    else:
        world.rest.delete(f"{world.core}/pods/{pod['metadata']['name']}")
    world.wait("the pod is gone", lambda: world.has_gone(pod), timeout=20)
    finish(world)
    status, job = world.status(), world.job()
    assert job is not None
    assert status.attempts == 2
    assert job["status"].get("failed") in (None, 0)
    assert world.witness.violations == []


def test_out_of_memory_is_told_and_not_tried_again(world: World) -> None:
    world.operator.start()
    start(world, backoffLimit=3)
    world.end(OUT_OF_MEMORY)
    status = world.until("Failed")
    assert status.reason == Reason.OOM_KILLED
    assert "memory limit of 1Gi" in str(status.message)
    assert len(world.pods()) == 1


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (pods.waiting("ImagePullBackOff", "not found"), Reason.IMAGE_PULL_FAILED),
        (
            pods.waiting("CreateContainerConfigError", 'secret "s3" not found'),
            Reason.CONTAINER_CONFIG_ERROR,
        ),
        (
            pods.unschedulable("0/1 nodes are available: 1 Insufficient cpu."),
            Reason.UNSCHEDULABLE,
        ),
    ],
    ids=["image", "secret", "no-room"],
)
def test_what_keeps_a_pod_from_starting_is_told_and_forgotten(
    world: World, references: References, status: Document, reason: Reason
) -> None:
    world.operator.start()
    world.cordon()
    world.submit()
    world.until("Starting")
    world.report(world.any_pod(), status)
    world.wait(f"{reason} is told", lambda: world.status().reason == reason, timeout=30)
    world.uncordon()
    world.until("Running")
    finish(world)
    assert world.status().reason is None
    world.converge(references["success"].state)


def test_a_pod_that_never_starts_ends_at_its_deadline(world: World) -> None:
    world.operator.start()
    world.cordon()
    world.submit(pendingDeadlineSeconds=3)
    world.until("Starting")
    world.report(world.any_pod(), pods.unschedulable("0/1 nodes are available: 1 too small."))
    status = world.until("Failed", timeout=15)
    assert status.reason == Reason.PENDING_DEADLINE_EXCEEDED
    assert "too small" in str(status.message)
    assert (world.job(), world.pods()) == (None, [])
    assert world.witness.violations == []


def test_a_full_namespace_holds_up_and_does_not_fail(world: World, references: References) -> None:
    world.operator.start()
    quotas = f"{world.core}/resourcequotas"
    world.rest.post(quotas, {"metadata": {"name": "full"}, "spec": {"hard": {"pods": "0"}}})

    def counts() -> bool:
        quota = world.rest.get(f"{quotas}/full")
        return quota is not None and "hard" in quota.get("status", {})

    world.wait("the quota counts", counts)
    world.submit()
    world.wait("it is told", lambda: world.status().reason == Reason.QUOTA_EXCEEDED, timeout=30)
    world.rest.delete(f"{quotas}/full")
    world.until("Running", timeout=60)
    finish(world)
    world.converge(references["success"].state)


STRIPPED = {
    "uid": {"labels": {names.UID_LABEL: None}},
    "managed-by": {"labels": {names.MANAGED_BY_LABEL: None}},
    "owner": {"ownerReferences": None},
}


@pytest.mark.parametrize("what", list(STRIPPED))
def test_a_job_that_is_not_marked_as_ours_any_more_ends_as_its_trainer_does(
    worlds: Worlds, what: str
) -> None:
    # The operator loses sight of it: what shows it again is the comparison every few minutes.
    with worlds(TRAINYARD_RESYNC_SECONDS="2") as world:
        world.operator.start()
        start(world)
        job = world.job()
        assert job is not None
        world.rest.patch(f"{world.jobs}/{job['metadata']['name']}", {"metadata": STRIPPED[what]})
        finish(world)
        assert world.status().reason is None
        assert [one.version for one in world.status().models] == [pods.VERSION]
        assert world.witness.violations == []


def test_permissions_that_were_taken_away_and_come_back(
    world: World, references: References
) -> None:
    world.operator.start()
    role = f"{RBAC}/{world.namespace}/roles/{OPERATOR}"
    before = world.rest.get(role)
    assert before is not None
    without = [rule for rule in before["rules"] if "jobs" not in rule["resources"]]
    reading = {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get", "list", "watch"]}
    world.rest.patch(role, {"rules": [*without, reading]})
    world.submit()
    status = world.until("Pending")
    assert status.reason == Reason.JOB_CREATION_FAILED
    assert 'cannot create resource "jobs"' in str(status.message)
    assert status.conditions[0].status == "False"
    # Nothing at all is allowed: the operator can say so in its log only.
    world.rest.patch(role, {"rules": []})
    world.operator.kill()
    world.wait("it says so", lambda: "cannot list resource" in world.log)
    world.cordon()
    world.rest.patch(role, {"rules": before["rules"]})
    world.until("Starting")
    world.uncordon()
    world.until("Running")
    finish(world)
    world.converge(references["success"].state)


def test_a_status_of_an_older_version_is_taken_up(world: World, references: References) -> None:
    world.operator.start()
    start(world)
    world.operator.stop()
    path = f"{world.training_jobs}/{NAME}/status"
    world.rest.patch(path, {"status": None})
    world.rest.patch(path, {"status": {"phase": "Running"}})
    world.operator.start()
    finish(world)
    world.converge(references["success"].state)


def test_what_can_be_refused_is_refused_at_once(world: World) -> None:
    world.operator.start()
    with suppress(AssertionError):
        world.submit("never", modelType="oracle")
        pytest.fail("the API server took it")
    world.submit("late", hyperparameters={"max_dept": 3})
    status = world.until("Failed", name="late")
    assert (status.phase, status.reason) == (Phase.FAILED, Reason.INVALID_HYPERPARAMETER)
    assert world.job("late") is None


CLOCK = """
import datetime, os, pathlib
from trainyard_controller import jobs, objects, reconcile, recorder
clock = pathlib.Path(os.environ["CLOCK"])
def now():
    return objects.utc_now() + datetime.timedelta(seconds=float(clock.read_text()))
for one in (jobs.Jobs, reconcile.Reconciler, recorder.Recorder):
    one.__init__.__kwdefaults__["now"] = now
"""


@pytest.mark.parametrize("step", [300, -300])
def test_a_clock_that_steps(
    worlds: Worlds, references: References, tmp_path_factory: pytest.TempPathFactory, step: int
) -> None:
    clock = tmp_path_factory.mktemp("clock") / "offset"
    clock.write_text("0")
    with worlds(CLOCK=str(clock)) as world:
        world.operator.start(CLOCK)
        start(world)
        clock.write_text(str(step))
        finish(world)
        world.converge(references["success"].state)
        status = world.status()
        assert status.start_time is not None
        assert status.completion_time is not None
        assert 0 <= (status.completion_time - status.start_time).total_seconds() < 60
