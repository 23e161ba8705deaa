"""Whatever is killed, deleted or away in between, every row ends and gives its slot back."""

import asyncio
import time
from typing import Any

import httpx
import pytest
from trainyard_schema import names

from ...forking.forks import ForkServer
from ..control_plane import ControlPlane, wait_for
from ..postgres import Postgres
from .replicas import OpenYard, Replica, Yard, ended, listed, retrain

pytestmark = [pytest.mark.component, pytest.mark.timeout(180)]

ALL = ["all-a", "all-b", "all-c"]


def killed(method: str, of: str, *, time: int = 1) -> str:
    """The replica is killed before this method is called for the `time`th time."""
    module, _, owner = of.partition(":")
    return f"""
import importlib, os, signal
owner = importlib.import_module("{module}").{owner}
called, calls = owner.{method}, []
async def killed(self, *args, **kwargs):
    calls.append(1)
    if len(calls) == {time}:
        os.kill(os.getpid(), signal.SIGKILL)
    return await called(self, *args, **kwargs)
owner.{method} = killed
"""


ANNOTATE = ("annotate", "trainyard_api.models.objects:Models")
RECORD = ("_record", "trainyard_api.retraining.service:Retraining")


@pytest.fixture(scope="module")
def yard(open_yard: OpenYard) -> Yard:
    yard = open_yard()
    for name in ALL:
        yard.model(name, marked=True)
    return yard


@pytest.fixture(scope="module")
def replica(yard: Yard) -> Replica:
    """The one that lives."""
    return yard.start(RETRAIN_USER_SECONDS="0")


def asked(replica: Replica, model: str, user: str = "ada") -> str:
    answer = replica.post({"model_type": model}, user)
    assert answer.status_code == 200, answer.text
    job_id: str = answer.json()["data"]["python_response"]["job_id"]
    return job_id


def dies(replica: Replica, model: str, user: str) -> None:
    with pytest.raises(httpx.TransportError):
        replica.post({"model_type": model}, user)
    assert replica.process.wait(10) == -9


def only(replica: Replica, user: str) -> dict[str, Any]:
    [row] = listed(replica, user=user)
    return row


def test_a_replica_that_is_killed(yard: Yard, replica: Replica) -> None:
    yard.model("unasked")
    yard.model("asked")
    before = yard.start(killed(*ANNOTATE))
    between = yard.start(killed(*ANNOTATE, time=2))
    after = yard.start(killed(*RECORD))
    dies(before, "unasked", "before")
    dies(between, "all", "between")
    dies(after, "asked", "after")

    # What was asked for goes on, whether or not it had been written down.
    yard.finish("asked", ALL[0])
    row = ended(replica, only(replica, "after")["job_id"])
    assert (row["status"], row["error_message"]) == ("completed", None)
    # What was not is given up, once no request can be at work on it any more.
    row = only(replica, "before")
    assert (row["status"], row["completed_at"]) == ("initiated", None)
    row = ended(replica, row["job_id"], 60)
    interrupted = "the API was interrupted before it had asked the Model"
    assert (row["status"], row["error_message"]) == ("failed", interrupted)
    row = ended(replica, only(replica, "between")["job_id"], 60)
    assert row["status"] == "failed"
    assert row["error_message"] == f"{ALL[1]}: {interrupted}; {ALL[2]}: {interrupted}"
    assert [run["status"] for run in row["runs"]] == ["completed", "failed", "failed"]
    assert [yard.requested(name) for name in ("unasked", *ALL[1:])] == [None] * 3
    assert not [row for row in listed(replica) if row["completed_at"] is None]


HANGING = """
import asyncio
from trainyard_api.models.objects import Models
async def hang(self, *args, **kwargs):
    await asyncio.Event().wait()
Models.annotate = hang
"""


def test_a_request_that_takes_too_long(yard: Yard, replica: Replica) -> None:
    name = yard.model("slow")
    start = time.monotonic()
    answer = yard.start(HANGING).post({"model_type": name}, "slow")
    assert answer.status_code == 500
    assert answer.json() == {
        "success": False,
        "error": "Failed to initiate model retraining",
        "details": "Timeout waiting for Python service",
    }
    assert time.monotonic() - start > 30
    row = ended(replica, only(replica, "slow")["job_id"], 40)
    assert row["error_message"] == "the API was interrupted before it had asked the Model"


async def test_postgres_killed_in_mid_request(
    yard: Yard, replica: Replica, kubernetes: ControlPlane, apis: ForkServer, postgres: Postgres
) -> None:
    with kubernetes.paused():
        asking = asyncio.create_task(
            asyncio.to_thread(replica.post, {"model_type": ALL[0]}, "mid-request")
        )
        await asyncio.to_thread(
            wait_for, "it is admitted", lambda: listed(replica, user="mid-request")
        )
        await asyncio.to_thread(postgres.kill)
    try:
        answer = await asking
        assert answer.status_code == 200, answer.text
    finally:
        await asyncio.to_thread(postgres.start)
    job_id = answer.json()["data"]["python_response"]["job_id"]
    await asyncio.to_thread(
        wait_for, "it is written down", lambda: retrain(replica, job_id)["status"] == "processing"
    )
    await asyncio.to_thread(yard.finish, ALL[0])
    assert (await asyncio.to_thread(ended, replica, job_id))["status"] == "completed"


def test_postgres_away_while_a_run_ends(yard: Yard, replica: Replica, postgres: Postgres) -> None:
    name = yard.model("ends-without-postgres")
    job_id = asked(replica, name)
    run = yard.start_run(name)
    with postgres.killed():
        yard.end_run(run)
    assert ended(replica, job_id)["status"] == "completed"


def test_a_model_that_is_deleted(yard: Yard, replica: Replica) -> None:
    name = yard.model("deleted")
    job_id = asked(replica, name)
    yard.rest.delete(f"{yard.models}/{name}")
    # Another one of that name is another Model.
    yard.model(name)
    row = ended(replica, job_id)
    assert (row["status"], row["error_message"]) == (
        "failed", "the Model was deleted before its run ended",
    )  # fmt: skip


def test_a_run_that_is_deleted(yard: Yard, replica: Replica) -> None:
    name = yard.model("run-deleted")
    job_id = asked(replica, name)
    run = yard.start_run(name)
    wait_for("it is seen", lambda: retrain(replica, job_id)["runs"][0]["started_at"])
    yard.rest.delete(f"{yard.jobs}/{run}")
    row = ended(replica, job_id)
    assert row["error_message"] == "its TrainingJob was deleted before it ended"


def test_a_run_that_its_model_remembers(yard: Yard, replica: Replica) -> None:
    """History limits of 0 delete a run as soon as it was judged."""
    name = yard.model("remembered")
    job_id = asked(replica, name)
    value = yard.requested(name)
    run = names.requested_run_name(name, yard.get(name)["metadata"]["uid"], job_id)
    yard.set_status(
        f"{yard.models}/{name}",
        lastHandledRetrain=value,
        lastSuccessfulRun={
            "name": run,
            "startTime": "2026-11-23T10:00:00Z",
            "completionTime": "2026-11-23T10:01:00Z",
        },
    )
    row = ended(replica, job_id)
    assert row["status"] == "completed"
    assert row["runs"][0]["completed_at"] == "2026-11-23T10:01:00Z"


def test_a_run_that_is_cancelled(yard: Yard, replica: Replica) -> None:
    name = yard.model("cancelled")
    job_id = asked(replica, name)
    yard.finish(name, phase="Cancelled")
    row = ended(replica, job_id)
    assert (row["status"], row["error_message"]) == ("failed", "the run was cancelled")


def test_a_request_that_is_taken_back_by_hand(yard: Yard, replica: Replica) -> None:
    name = yard.model("taken-back")
    job_id = asked(replica, name)
    annotations = {names.RETRAIN_ANNOTATION: None}
    yard.rest.patch(f"{yard.models}/{name}", {"metadata": {"annotations": annotations}})
    row = ended(replica, job_id)
    assert row["error_message"] == "the request was replaced or taken back before it was answered"


def test_a_request_that_no_run_answers_is_withdrawn(yard: Yard, postgres: Postgres) -> None:
    url = postgres.create("withdrawn")
    try:
        replica = yard.start(RETRAIN_START_SECONDS="3", DATABASE_URL=url)
        name = yard.model("never-starts")
        row = ended(replica, asked(replica, name))
        assert (row["status"], row["error_message"]) == (
            "failed", "no run was started within 3 s",
        )  # fmt: skip
        # So that none starts later, for which there would be no row.
        assert yard.requested(name) is None
    finally:
        replica.process.terminate()
        replica.process.wait(30)
        postgres.drop("withdrawn")
