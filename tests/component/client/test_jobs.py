"""Trainings through the client and its command, with the operator's part played by the test."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from trainyard_client import Client, ConflictError, InvalidRequestError, NotFoundError
from trainyard_schema import names

from ..control_plane import Rest
from .conftest import JOBS, Run, Server

pytestmark = pytest.mark.component
URI = "s3://trainyard/datasets/churn.csv"
SPEC: dict[str, Any] = {
    "model": "churn",
    "modelType": "xgboost",
    "data": {"uri": URI, "target": "churned"},
}


def set_status(rest: Rest, name: str, **status: Any) -> None:
    rest.patch(f"{JOBS}/{name}/status", {"status": status})


def progress(percent: int) -> dict[str, Any]:
    return {
        "percent": percent,
        "unit": "rounds",
        "done": percent,
        "total": 100,
        "updatedAt": "2026-11-20T10:00:00Z",
    }


def test_from_start_to_end(client: Client, rest: Rest) -> None:
    job = client.jobs.submit(SPEC, name="from-start")
    assert (job.job_id, job.status, job.model) == ("from-start", "started", "churn")
    stored = rest.get(f"{JOBS}/from-start")
    assert stored is not None
    assert stored["spec"]["data"] == SPEC["data"] | {"holdoutFraction": 0.2}
    assert stored["metadata"]["annotations"][names.REQUESTER_ANNOTATION] == "ada"

    seen = []
    changes = client.jobs.watch("from-start", timeout=60)
    for status in (
        {"phase": "Running", "stage": "Training", "progress": progress(40)},
        {"phase": "Running", "stage": "Uploading", "progress": progress(100)},
        {"phase": "Succeeded", "message": "trained"},
    ):
        seen.append(next(changes))
        set_status(rest, "from-start", **status)
    seen += changes
    assert [one.phase for one in seen] == [None, "Running", "Running", "Succeeded"]
    assert [one.progress.percent for one in seen if one.progress] == [40, 100, 100]
    assert client.jobs.wait("from-start").message == "trained"
    with pytest.raises(ConflictError, match="already completed"):
        client.jobs.cancel("from-start")


def test_said_twice_it_is_started_once(client: Client, rest: Rest) -> None:
    with ThreadPoolExecutor(8) as threads:
        jobs = list(
            threads.map(lambda _: client.jobs.submit(SPEC, idempotency_key="nightly"), range(8))
        )
    assert len({job.job_id for job in jobs}) == 1
    with pytest.raises(InvalidRequestError):
        client.jobs.submit(SPEC | {"seed": 1}, idempotency_key="nightly")


def test_lists_and_pages(client: Client, trainyard: Run) -> None:
    for number in range(3):
        client.jobs.submit(SPEC | {"model": "paged"}, name=f"paged-{number}")
    assert {job.job_id for job in client.jobs.list(model="paged", status="started")} == {
        "paged-0",
        "paged-1",
        "paged-2",
    }
    assert list(client.jobs.list(model="paged", phase="Running")) == []
    assert list(client.jobs.list(label="no-such=label")) == []
    done = trainyard("list", "--model", "paged", "--limit", "2", "-o", "name")
    assert (done.code, len(done.out.split())) == (0, 2)


def test_submit_and_wait_as_a_process(trainyard: Run, rest: Rest) -> None:
    def operator() -> None:
        deadline = time.monotonic() + 60
        while rest.get(f"{JOBS}/waited-for") is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        set_status(rest, "waited-for", phase="Running", progress=progress(20))
        set_status(
            rest, "waited-for", phase="Failed", reason="OOMKilled", message="raise the limit"
        )

    playing = threading.Thread(target=operator)
    playing.start()
    done = trainyard(
        *("submit", "waited-for", "--data", URI, "--target", "churned"),
        *("--wait", "--timeout", "60"),
    )
    playing.join()
    assert done.code == 3
    assert "error: waited-for failed: OOMKilled: raise the limit" in done.err
    assert done.out.splitlines()[-1] == "waited-for  Failed  20 %  OOMKilled: raise the limit"
    assert "\x1b" not in done.out + done.err
    assert trainyard("status", "waited-for", "-o", "json").json["reason"] == "OOMKilled"


def test_time_is_over(trainyard: Run, client: Client) -> None:
    client.jobs.submit(SPEC, name="slow")
    done = trainyard("watch", "slow", "--timeout", "1")
    assert (done.code, done.out) == (5, "slow  Pending  0 %\n")


def test_the_api_is_restarted_meanwhile(client: Client, server: Server, rest: Rest) -> None:
    client.jobs.submit(SPEC, name="patient")
    changes = client.jobs.watch("patient", timeout=60)
    next(changes)
    server.stop()
    set_status(rest, "patient", phase="Running", progress=progress(60))
    server.start()
    assert next(changes).phase == "Running"
    set_status(rest, "patient", phase="Succeeded")
    assert [one.phase for one in changes][-1] == "Succeeded"


def test_cancel_and_wait(trainyard: Run, client: Client, rest: Rest) -> None:
    client.jobs.submit(SPEC, name="unwanted")
    done = trainyard("cancel", "unwanted")
    assert (done.code, done.err) == (0, "unwanted: Cancellation has been asked for\n")
    set_status(rest, "unwanted", phase="Cancelled")
    done = trainyard("watch", "unwanted")
    assert done.code == 4


def test_one_that_is_deleted_while_it_is_watched(client: Client, rest: Rest) -> None:
    client.jobs.submit(SPEC, name="short-lived")
    changes = client.jobs.watch("short-lived", timeout=60)
    next(changes)
    rest.delete(f"{JOBS}/short-lived")
    with pytest.raises(NotFoundError):
        list(changes)


def test_what_is_wrong_is_named(client: Client, trainyard: Run) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        client.jobs.submit({"modelType": "tree", "data": SPEC["data"]})
    assert caught.value.problem.errors[0].field == "spec.modelType"
    done = trainyard("status", "not-there")
    assert (done.code, done.err) == (1, "error: There is no training job not-there.\n")
    assert trainyard("list", "--label", "no good").code == 1


def test_the_log_of_one_that_left_none(client: Client, trainyard: Run, rest: Rest) -> None:
    client.jobs.submit(SPEC, name="silent")
    set_status(rest, "silent", phase="Failed", reason="OOMKilled")
    for words in (("logs", "silent"), ("logs", "-f", "silent")):
        done = trainyard(*words)
        assert done.code == 1
        assert done.err.startswith("error: "), done.err
    assert client.jobs.metrics("silent") == {}
