"""spec.oomRetry: one Job after the other with ever more memory, whoever is killed in between."""

import signal
from typing import Any

import pytest
from trainyard_schema import ModelType, Reason, RunResult, names

from ..control_plane import wait_for
from .conftest import Lab
from .results import result

pytestmark = [pytest.mark.component, pytest.mark.timeout(180)]
POLICY = {"factor": 1.5, "maxMemory": "2Gi"}
OOM_EXIT_CODE = 137
KILL = """
import os, signal
from trainyard_controller import client
write = client.Client._write
async def killed(self, method, path, *, resource, body=None):
    this = f"{{client._VERBS[method]}} {{resource}}" == "{verb}" and (
        method == "DELETE" or "-r1" in str(body) or "oomRetries" in str(body)
    )
    if this and "{moment}" == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    answer = await write(self, method, path, resource=resource, body=body)
    if this:
        os.kill(os.getpid(), signal.SIGKILL)
    return answer
client.Client._write = killed
"""
"""The operator, killed at its first write of a kind that has to do with another Job."""


def job_name(lab: Lab, name: str, raises: int) -> str:
    uid = lab.training_job(name)["metadata"]["uid"]
    return names.job_name(name, uid, raises)


def until_job(lab: Lab, name: str, raises: int) -> dict[str, Any]:
    """The Job after so many raises, once it is the only one."""

    def only() -> dict[str, Any] | None:
        found = lab.rest.items(lab.jobs)
        present = [job["metadata"]["name"] for job in found]
        return found[0] if present == [job_name(lab, name, raises)] else None

    return wait_for(f"Job {raises} is the only one", only)


def run_out_of_memory(lab: Lab, name: str, index: int = 0) -> None:
    lab.end_pod(lab.run_pod(name, index), OOM_EXIT_CODE, "")


def limit(job: dict[str, Any]) -> str:
    [container] = job["spec"]["template"]["spec"]["containers"]
    return str(container["resources"]["limits"]["memory"])


def test_it_grows_until_it_is_enough(lab: Lab) -> None:
    lab.start()
    name = lab.submit(oomRetry=POLICY)
    run_out_of_memory(lab, name)
    assert limit(until_job(lab, name, 1)) == "1536Mi"
    run_out_of_memory(lab, name)
    assert limit(until_job(lab, name, 2)) == "2Gi"
    lab.end_pod(lab.run_pod(name), 0, result())
    status = lab.until(name, "Succeeded")
    assert [entry.memory for entry in status.oom_retries or []] == ["1536Mi", "2Gi"]
    assert (status.attempts, status.job_name) == (3, job_name(lab, name, 2))
    assert status.last_failure is not None
    assert "memory limit of 1536Mi" in status.last_failure.message
    wait_for("both are told", lambda: lab.events(name).count("MemoryRaised") == 2)


def test_at_the_most_it_fails(lab: Lab) -> None:
    lab.start()
    name = lab.submit(oomRetry={"maxMemory": "1100Mi"})
    run_out_of_memory(lab, name)
    until_job(lab, name, 1)
    run_out_of_memory(lab, name)
    status = lab.until(name, "Failed")
    assert (status.reason, status.attempts) == (Reason.OOM_KILLED, 2)
    assert "memory limit of 1100Mi; " in str(status.message)


def test_the_last_job_goes_when_its_time_is_over(lab: Lab) -> None:
    lab.start()
    name = lab.submit(oomRetry=POLICY, ttlSecondsAfterFinished=1)
    run_out_of_memory(lab, name)
    until_job(lab, name, 1)
    lab.end_pod(lab.run_pod(name), 0, result())
    lab.until(name, "Succeeded")
    wait_for("no Job is left", lambda: lab.rest.items(lab.jobs) == [])


def test_of_all_only_what_ran_out_of_memory_is_tried_again(lab: Lab) -> None:
    lab.start()
    name = lab.submit(modelType="all", oomRetry=POLICY)
    lab.end_pod(lab.run_pod(name, 0), 0, result())
    bad = RunResult(reason=Reason.INVALID_DATA, message="column age")
    lab.end_pod(lab.run_pod(name, 1), 67, bad.to_json())
    run_out_of_memory(lab, name, 2)
    job = until_job(lab, name, 1)
    assert job["spec"]["completions"] == 1
    lab.end_pod(lab.run_pod(name), 0, result(ModelType.NEURAL_NET))
    status = lab.until(name, "Failed")
    assert status.reason == Reason.PARTIAL_SUCCESS
    assert [(one.phase, one.reason) for one in status.model_types or []] == [
        ("Succeeded", None),
        ("Failed", Reason.INVALID_DATA),
        ("Succeeded", None),
    ]


def test_cancelled_between_two_jobs_nothing_is_left(lab: Lab) -> None:
    lab.start()
    name = lab.submit(oomRetry=POLICY)
    run_out_of_memory(lab, name)
    wait_for("it is put on record", lambda: lab.status(name).oom_retries)
    lab.patch(name, cancel=True)
    lab.until(name, "Cancelled")
    assert (lab.pods(name), lab.rest.items(lab.jobs)) == ([], [])


@pytest.mark.parametrize("verb", ["create jobs", "delete jobs", "update trainingjobs/status"])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_at_any_write_of_the_change_it_ends_in_the_same_way(
    lab: Lab, verb: str, moment: str
) -> None:
    killed = lab.start(KILL.format(verb=verb, moment=moment))
    name = lab.submit(oomRetry=POLICY)
    run_out_of_memory(lab, name)
    assert killed.wait(timeout=60) == -signal.SIGKILL
    assert len(lab.rest.items(lab.jobs)) <= 1
    lab.start()
    assert limit(until_job(lab, name, 1)) == "1536Mi"
    lab.end_pod(lab.run_pod(name), 0, result())
    status = lab.until(name, "Succeeded")
    assert [entry.memory for entry in status.oom_retries or []] == ["1536Mi"]
    assert status.attempts == 2


def test_more_memory_than_the_most_is_refused(lab: Lab) -> None:
    with pytest.raises(AssertionError, match=r"oomRetry\.maxMemory must be more than resources"):
        lab.submit(oomRetry={"maxMemory": "1Gi"})
