"""Several operators at once: by a lease, and by accident."""

import secrets
import signal
import time
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from trainyard_schema import ModelType, names

from ...forking.forks import Fork
from ..control_plane import ControlPlane, wait_for
from .conftest import Lab
from .rbac import LEASE
from .results import result, succeed

pytestmark = [pytest.mark.component, pytest.mark.timeout(180)]

SHORT = 3.0
"""A lease's duration for tests that wait for its end, in seconds."""


@dataclass
class Replica:
    """One of several processes."""

    process: Fork
    port: int

    @property
    def role(self) -> str:
        found: str = httpx.get(f"http://127.0.0.1:{self.port}/healthz").json()["role"]
        return found

    @property
    def leads(self) -> bool:
        return self.role == "leader"


def start(lab: Lab, seconds: float = 15.0, sabotage: str = "") -> Replica:
    process = lab.start(sabotage, TRAINYARD_LEASE_NAME=LEASE, TRAINYARD_LEASE_SECONDS=str(seconds))
    return Replica(process, lab.port)


def start_two(lab: Lab, seconds: float = 15.0, sabotage: str = "") -> tuple[Replica, Replica]:
    """The leader and its standby, which may be sabotaged."""
    leader = start(lab, seconds)
    wait_for("the first leads", lambda: leader.leads)
    standby = start(lab, seconds, sabotage)
    wait_for("the second has seen the lease", lambda: "standing by" in lab.log)
    return leader, standby


def until_leading(replica: Replica, timeout: float) -> float:
    """Seconds until it leads."""
    since = time.monotonic()
    wait_for("the other leads", lambda: replica.leads, timeout)
    return time.monotonic() - since


def test_at_sigterm_the_other_takes_over_within_three_seconds(lab: Lab) -> None:
    leader, standby = start_two(lab)
    name = lab.submit()
    lab.until(name, "Starting")
    assert standby.role == "standby"
    assert lab.writes == {}  # of the standby, which was started last
    leader.process.send_signal(signal.SIGTERM)
    lab.patch(name, suspend=True)
    assert until_leading(standby, 10) < 3
    lab.until(name, "Suspended")
    assert leader.process.wait(timeout=10) == 0
    assert standby.process.poll() is None


def test_after_a_kill_the_other_waits_for_the_end_of_the_lease(lab: Lab) -> None:
    leader, standby = start_two(lab, SHORT)
    name = lab.submit()
    lab.until(name, "Starting")
    leader.process.kill()
    # The last renewal was up to a sixth of the duration ago.
    assert SHORT * 0.8 < until_leading(standby, 20) < SHORT * 1.5
    succeed(lab, name)
    assert len(lab.rest.items(lab.jobs)) == 1


def test_a_leader_that_was_frozen_finds_its_place_taken_and_ends(lab: Lab) -> None:
    leader, standby = start_two(lab, SHORT)
    leader.process.send_signal(signal.SIGSTOP)
    until_leading(standby, 20)
    name = lab.submit()
    lab.until(name, "Starting")
    leader.process.send_signal(signal.SIGCONT)
    assert leader.process.wait(timeout=20) == 1
    assert "leadership lost" in lab.log
    succeed(lab, name)
    assert standby.leads


def test_a_leader_without_an_api_server_ends_and_nobody_leads_until_it_is_back(
    lab: Lab, kubernetes: ControlPlane
) -> None:
    leader, standby = start_two(lab, SHORT)
    with kubernetes.killed():
        assert leader.process.wait(timeout=20) == 1
        assert not standby.leads
    until_leading(standby, 30)
    lab.until(lab.submit(), "Starting")


def test_a_lease_that_is_deleted_stays_with_its_holder(lab: Lab) -> None:
    leader, standby = start_two(lab, SHORT)
    path = f"/apis/coordination.k8s.io/v1/namespaces/{lab.namespace}/leases/{LEASE}"
    holder = (lab.rest.get(path) or {})["spec"]["holderIdentity"]
    lab.rest.delete(path)
    found: dict[str, Any] = wait_for("the lease is there again", lambda: lab.rest.get(path))
    assert found["spec"]["holderIdentity"] == holder
    assert (leader.role, standby.role) == ("leader", "standby")


LATE = """
from trainyard_controller import cache, kube
put, get = cache.Cache.put_training_job, kube.Api.get_training_job
def late(self, document):
    return bool(cache.asked or not document.get("status")) and put(self, document)
async def ask(self, *args):
    cache.asked = True
    return await get(self, *args)
cache.asked = False
cache.Cache.put_training_job, kube.Api.get_training_job = late, ask
"""
"""Its watch has yet to tell what became of TrainingJobs when it takes over."""


def test_what_the_last_leader_did_a_moment_ago_is_looked_at_before_a_job_is_created(
    lab: Lab,
) -> None:
    leader, standby = start_two(lab, sabotage=LATE)
    name = lab.submit()
    lab.until(name, "Starting")
    lab.patch(name, cancel=True)
    lab.until(name, "Cancelled")
    leader.process.send_signal(signal.SIGTERM)
    until_leading(standby, 10)
    wait_for("it has looked", lambda: lab.reconciliations)
    succeed(lab, lab.submit())
    assert lab.rest.get(lab.job_path(name)) is None


def test_what_is_under_way_at_sigterm_is_finished(lab: Lab) -> None:
    slow = """
import asyncio
from trainyard_controller import kube
sent = kube.Api.replace_status
async def late(self, *args, **kwargs):
    print("held up", flush=True)
    await asyncio.sleep(1)
    return await sent(self, *args, **kwargs)
kube.Api.replace_status = late
"""
    process = lab.start(slow)
    name = lab.submit()
    wait_for("a status is being written", lambda: "held up" in lab.log)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 0
    assert lab.status(name).phase == "Starting"


def test_a_start_waits_for_an_api_server_that_is_away(lab: Lab, kubernetes: ControlPlane) -> None:
    impatient = "main.START_RETRY_SECONDS = 0.5\n"
    with kubernetes.killed():
        process = lab.start(impatient, until="healthz")
        assert httpx.get(f"http://127.0.0.1:{lab.port}/readyz").status_code == 503
    wait_for("it is ready", lambda: httpx.get(f"http://127.0.0.1:{lab.port}/readyz").is_success)
    # The Job controller, too, has to find its way back, but takes its time.
    lab.until(lab.submit(), "Starting")
    assert process.poll() is None


def test_two_operators_without_a_lease_do_nothing_twice(lab: Lab) -> None:
    for _ in range(2):
        lab.start()
    runs = [lab.submit(modelType="all") for _ in range(2)] + [lab.submit() for _ in range(6)]
    cancelled, *others = runs[2:]
    for name in runs:
        lab.until(name, "Starting")
    lab.patch(cancelled, cancel=True)
    for name in others:
        succeed(lab, name)
    for name in runs[:2]:
        for index, kind in enumerate(ModelType):
            lab.end_pod(lab.run_pod(name, index), 0, result(kind, f"0.8{index}"))
        assert lab.until(name, "Succeeded").attempts == 3
    lab.until(cancelled, "Cancelled")
    uids = [job["metadata"]["labels"][names.UID_LABEL] for job in lab.rest.items(lab.jobs)]
    wanted = [lab.training_job(name)["metadata"]["uid"] for name in runs if name != cancelled]
    assert sorted(uids) == sorted(wanted)
    for name in others:
        assert len(lab.pods(name)) == 1
    wait_for("it is told once", lambda: lab.events(cancelled) == ["Cancelled"])
    # What one wrote is news to the other, and no reason to write.
    versions = [lab.training_job(name)["metadata"]["resourceVersion"] for name in runs]
    late = lab.submit(model=f"late-{secrets.token_hex(2)}")
    succeed(lab, late)
    assert [lab.training_job(name)["metadata"]["resourceVersion"] for name in runs] == versions
