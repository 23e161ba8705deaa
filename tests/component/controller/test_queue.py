"""The operator's own queue, against a real API server and with two namespaces."""

import secrets
import signal
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from trainyard_schema import Reason

from ..control_plane import wait_for
from .conftest import Lab
from .queueing import (
    PROMPT,
    end_whatever_runs,
    next_second,
    place,
    queued,
    succeed,
    watched,
)
from .rbac import LEASE, allow_queue
from .results import result

pytestmark = [pytest.mark.component, pytest.mark.timeout(180)]


@pytest.fixture(autouse=True)
def _allowed(lab: Lab) -> None:
    allow_queue(lab.rest)


def start(lab: Lab, *others: Lab, total: int | None = None, each: int | None = None) -> Any:
    namespaces = ",".join(one.namespace for one in (lab, *others))
    limits = {
        "TRAINYARD_MAX_CONCURRENT_JOBS": total,
        "TRAINYARD_MAX_CONCURRENT_JOBS_PER_NAMESPACE": each,
    }
    given = {name: str(limit) for name, limit in limits.items() if limit is not None}
    return lab.start(PROMPT, TRAINYARD_NAMESPACES=namespaces, **given)


def priority_class(lab: Lab, value: int) -> str:
    name = f"priority-{secrets.token_hex(4)}"
    path = "/apis/scheduling.k8s.io/v1/priorityclasses"
    lab.rest.post(path, {"metadata": {"name": name}, "value": value})
    return name


def test_limits_hold_in_a_burst_in_which_the_operator_is_killed(lab: Lab, other: Lab) -> None:
    process = start(lab, other, total=3, each=2)
    with watched(lab.rest, lab.namespace, other.namespace) as jobs:
        runs = [(one, one.submit()) for _ in range(6) for one in (lab, other)]
        wait_for("all slots are taken", lambda: jobs.most == 3)
        process.kill()
        process.wait()
        runs += [(one, one.submit()) for one in (lab, other)]
        process = start(lab, other, total=3, each=2)
        ended: set[str] = set()

        def all_ended(enough: int) -> bool:
            end_whatever_runs(lab, other)
            ended.update(name for one, name in runs if one.status(name).phase == "Succeeded")
            return len(ended) >= enough

        wait_for("half of them have ended", lambda: all_ended(7), timeout=60)
        process.kill()
        process.wait()
        start(lab, other, total=3, each=2)
        wait_for("all have ended", lambda: all_ended(len(runs)), timeout=60)
        wait_for("the last Job is known", lambda: len(jobs.created) >= len(runs))
    assert jobs.most == 3
    assert jobs.most_of_a_namespace == 2
    assert len(jobs.created) == len(set(jobs.created)) == len(runs)


def test_limits_hold_when_another_replica_takes_over(lab: Lab) -> None:
    limits = {"TRAINYARD_MAX_CONCURRENT_JOBS": "2", "TRAINYARD_LEASE_NAME": LEASE}
    with watched(lab.rest, lab.namespace) as jobs:
        leader = lab.start(PROMPT, **limits)
        runs = [lab.submit()]
        lab.until(runs[0], "Starting")
        lab.start(PROMPT, **limits)
        wait_for("the second stands by", lambda: "standing by" in lab.log)
        runs += [lab.submit() for _ in range(6)]
        wait_for("another one goes", lambda: len(jobs.created) == 2)
        leader.send_signal(signal.SIGTERM)

        def all_ended() -> bool:
            end_whatever_runs(lab)
            return all(lab.status(name).phase == "Succeeded" for name in runs)

        wait_for("all have ended", all_ended, timeout=60)
    assert jobs.most == 2
    assert len(jobs.created) == len(set(jobs.created)) == len(runs)


def test_priority_goes_first_then_the_namespace_with_less_then_who_came_first(
    lab: Lab, other: Lab
) -> None:
    start(lab, other, total=2)
    urgent = priority_class(lab, 1000)
    first, second = lab.submit(), lab.submit()
    lab.until(first, "Starting")
    lab.until(second, "Starting")
    third = lab.submit()
    next_second()
    fourth = lab.submit()
    next_second()
    fair = other.submit()
    next_second()
    preferred = lab.submit(priorityClassName=urgent)
    for position, (one, name) in enumerate(
        [(lab, preferred), (other, fair), (lab, third), (lab, fourth)], start=1
    ):
        told = queued(one, name, position)
        status = one.status(name)
        assert status.phase == "Queued"
        assert status.reason == Reason.WAITING_FOR_SLOT
        assert status.message == f"position {told.position} of {told.length}"
    assert lab.rest.get(lab.job_path(third)) is None
    for ends, (one, begins) in (
        (first, (lab, preferred)),
        (second, (other, fair)),
        (preferred, (lab, third)),
    ):
        succeed(lab, ends)
        status = one.until(begins, "Starting")
        assert status.queue is None
        assert lab.status(fourth).phase == "Queued"
    assert queued(lab, fourth, 1).length == 1
    assert lab.events(fourth) == []


def test_the_start_is_estimated_by_how_long_past_runs_took(lab: Lab) -> None:
    start(lab, total=1)
    model = f"m{secrets.token_hex(3)}"
    ago = (datetime.now(UTC) - timedelta(minutes=10)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def begin(name: str) -> dict[str, Any]:
        pod = lab.pod(name)
        lab.set_pod(pod, "Running", {"running": {"startedAt": ago}})
        lab.until(name, "Running")
        return pod

    first = lab.submit(model=model)
    pod = begin(first)
    waits = lab.submit(model=model)
    assert queued(lab, waits, 1).estimated_start_time is None
    lab.end_pod(pod, 0, result())
    ended = lab.until(first, "Succeeded")
    duration = ended.completion_time - ended.start_time  # type: ignore[operator]
    started = lab.run_pod(waits)
    lab.until(waits, "Running")
    third = lab.submit(model=model)
    next_second()
    fourth = lab.submit(model=model)
    told = wait_for("a start is estimated", lambda: (p := place(lab, third)) and p)
    begun = lab.status(waits).start_time
    assert begun is not None
    expected = begun + duration
    assert told.estimated_start_time is not None
    assert abs((told.estimated_start_time - expected).total_seconds()) <= 2
    clock = f"{told.estimated_start_time:%H:%M} UTC"
    message = str(lab.status(third).message)
    assert message.startswith("position 1 of ")
    assert message.endswith(clock)
    after = queued(lab, fourth, 2).estimated_start_time
    assert after is not None
    assert abs((after - expected - duration).total_seconds()) <= 2
    lab.end_pod(started, 0, result())
    lab.until(third, "Starting")
    wait_for("the fourth is told", lambda: (p := place(lab, fourth)) and p.position == 1)


def test_suspend_frees_the_slot_and_resume_queues_again(lab: Lab) -> None:
    start(lab, total=1)
    with watched(lab.rest, lab.namespace) as jobs:
        first = lab.submit()
        lab.run_pod(first)
        lab.until(first, "Running")
        next_second()
        second = lab.submit()
        queued(lab, second, 1)
        lab.patch(first, suspend=True)
        lab.until(first, "Suspended")
        lab.until(second, "Starting")
        lab.patch(first, suspend=False)
        status = lab.until(first, "Queued")
        assert status.reason == Reason.WAITING_FOR_SLOT
        job = lab.rest.get(lab.job_path(first))
        assert job is not None
        assert job["spec"]["suspend"] is True
        succeed(lab, second)
        lab.until(first, "Starting")
        succeed(lab, first)
    assert jobs.most == 1


def test_a_run_that_is_suspended_from_the_start_takes_no_slot(lab: Lab) -> None:
    start(lab, total=1)
    asleep = lab.submit(suspend=True)
    lab.until(asleep, "Suspended")
    awake = lab.submit()
    lab.until(awake, "Starting")
    lab.patch(asleep, suspend=False)
    queued(lab, asleep, 1)


def test_whoever_is_cancelled_or_deleted_leaves_the_line(lab: Lab) -> None:
    start(lab, total=1)
    first = lab.submit()
    lab.until(first, "Starting")
    cancelled, deleted = lab.submit(), lab.submit()
    next_second()
    last = lab.submit()
    wait_for("all wait", lambda: all(place(lab, name) for name in (cancelled, deleted, last)))
    lab.patch(cancelled, cancel=True)
    status = lab.until(cancelled, "Cancelled")
    assert status.queue is None
    assert status.attempts == 0
    lab.rest.delete(f"{lab.training_jobs}/{deleted}")
    assert queued(lab, last, 1).length == 1
    # A run that goes holds its slot until its pods are gone.
    pod = lab.pod(first)
    path = f"{lab.core}/pods/{pod['metadata']['name']}"
    binding = {"metadata": {"name": pod["metadata"]["name"]}, "target": {"name": "node"}}
    lab.rest.post(f"{path}/binding", binding)
    lab.patch(first, cancel=True)
    wait_for("its pod is being deleted", lambda: lab.is_deleting(path))
    assert lab.until(first, "Cancelling").phase == "Cancelling"
    assert lab.status(last).phase == "Queued"
    lab.rest.delete(path, gracePeriodSeconds=0)
    lab.until(last, "Starting")
    assert len(lab.rest.items(lab.jobs)) == 1
    lab.rest.delete(f"{lab.training_jobs}/{last}", propagationPolicy="Background")
    lab.until(lab.submit(), "Starting")


def test_a_restart_writes_nothing_to_those_who_wait_and_gives_no_slot_twice(lab: Lab) -> None:
    start(lab, total=2)
    going = [lab.submit(), lab.submit()]
    for name in going:
        lab.until(name, "Starting")
    waiting = [lab.submit() for _ in range(4)]
    wait_for("all are told", lambda: all(place(lab, name) for name in waiting))
    wait_for(
        "their places agree",
        lambda: sorted(p.position for name in waiting if (p := place(lab, name))) == [1, 2, 3, 4],
    )
    before = [lab.training_job(name) for name in waiting]
    lab.stop()
    start(lab, total=2)
    wait_for("it has looked at all of them", lambda: lab.reconciliations >= 6)
    assert [lab.training_job(name) for name in waiting] == before
    assert lab.writes == {}
    succeed(lab, going[0])
    wait_for(
        "one of them starts",
        lambda: [lab.status(name).phase for name in waiting].count("Starting") == 1,  # type: ignore[arg-type]
    )


def test_a_run_whose_job_is_refused_does_not_keep_others_from_their_turn(
    lab: Lab, other: Lab
) -> None:
    quota = {"metadata": {"name": "none"}, "spec": {"hard": {"count/jobs.batch": "0"}}}
    lab.rest.post(f"{lab.core}/resourcequotas", quota)
    wait_for("the quota counts", lambda: lab.quota_counts("none"))
    start(lab, other, total=1)
    refused = lab.submit()
    assert lab.until(refused, "Pending").reason == Reason.QUOTA_EXCEEDED
    other.until(other.submit(), "Starting")


def test_one_line_for_each_namespace_where_only_that_is_limited(lab: Lab, other: Lab) -> None:
    start(lab, other, each=1)
    for one in (lab, other):
        one.until(one.submit(), "Starting")
    for one in (lab, other):
        assert queued(one, one.submit(), 1).length == 1
