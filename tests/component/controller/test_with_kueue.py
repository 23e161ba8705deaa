"""Runs that Kueue itself admits, holds back and evicts; the tests play the kubelet only."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from trainyard_schema import Reason, names

from ..control_plane import ControlPlane, control_plane, serve_kinds, wait_for
from .conftest import Lab
from .kueue import API, GROUP, given, open_queue, running
from .queueing import succeed

pytestmark = [
    pytest.mark.component,
    pytest.mark.timeout(180),
    pytest.mark.skipif(given() is None, reason="Kueue is not given: see kueue.py"),
]

QUEUE = {names.KUEUE_QUEUE_LABEL: "team-a"}
URGENT = QUEUE | {names.KUEUE_PRIORITY_LABEL: "high"}


@pytest.fixture(scope="module")
def kubernetes(
    node_program: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ControlPlane]:
    """A control plane of its own: Kueue's webhooks are called for every Job."""
    where = given()
    assert where is not None
    folder = tmp_path_factory.mktemp("kueue")
    with control_plane(node_program, folder) as plane:
        serve_kinds(plane)
        with running(plane, *where, folder):
            plane.rest.post(
                f"{API}/workloadpriorityclasses",
                {
                    "apiVersion": f"{GROUP}/v1beta2",
                    "kind": "WorkloadPriorityClass",
                    "metadata": {"name": "high"},
                    "value": 1000,
                },
            )
            yield plane


@pytest.fixture(autouse=True)
def _room_for_one(lab: Lab) -> None:
    """A run asks for 500m by default."""
    open_queue(lab.rest, lab.namespace, cpu="900m")
    lab.start()


def until_waiting(lab: Lab, name: str) -> None:
    assert lab.until(name, "Queued").reason == Reason.WAITING_FOR_KUEUE


def until_running(lab: Lab, name: str) -> None:
    lab.until(name, "Starting")
    lab.run_pod(name)
    lab.until(name, "Running")


def admitted(lab: Lab) -> int:
    """How many runs hold quota."""
    workloads = lab.rest.items(f"{API}/namespaces/{lab.namespace}/workloads")
    return sum(_true(one) & {"Admitted", "Finished"} == {"Admitted"} for one in workloads)


def _true(workload: dict[str, Any]) -> set[str]:
    conditions = workload.get("status", {}).get("conditions", [])
    return {one["type"] for one in conditions if one["status"] == "True"}


def test_runs_go_as_there_is_quota(lab: Lab) -> None:
    first = lab.submit(QUEUE)
    until_running(lab, first)
    second = lab.submit(QUEUE)
    until_waiting(lab, second)
    assert admitted(lab) == 1
    succeed(lab, first)
    until_running(lab, second)
    succeed(lab, second)
    wait_for("the quota is given back", lambda: admitted(lab) == 0)


def test_a_suspended_run_gives_its_quota_back(lab: Lab) -> None:
    first = lab.submit(QUEUE)
    until_running(lab, first)
    second = lab.submit(QUEUE)
    until_waiting(lab, second)
    lab.patch(first, suspend=True)
    lab.until(first, "Suspended")
    until_running(lab, second)
    lab.patch(first, suspend=False)
    until_waiting(lab, first)
    succeed(lab, second)
    until_running(lab, first)
    succeed(lab, first)


def test_an_urgent_run_takes_the_place_of_another_which_comes_back(lab: Lab) -> None:
    usual = lab.submit(QUEUE)
    until_running(lab, usual)
    urgent = lab.submit(URGENT)
    until_waiting(lab, usual)
    until_running(lab, urgent)
    succeed(lab, urgent)
    until_running(lab, usual)
    succeed(lab, usual)
    status = lab.status(usual)
    assert status.last_failure is None
    assert lab.writes["create jobs"] == 2


def test_a_cancelled_run_gives_its_quota_or_its_place_back(lab: Lab) -> None:
    going = lab.submit(QUEUE)
    until_running(lab, going)
    waiting, last = lab.submit(QUEUE), lab.submit(QUEUE)
    for name in (waiting, last):
        until_waiting(lab, name)
    for name in (waiting, going):
        lab.patch(name, cancel=True)
        lab.until(name, "Cancelled")
    until_running(lab, last)
    succeed(lab, last)
