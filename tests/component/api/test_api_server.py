"""The Train API in front of a real API server: schema, conflicts, permissions, outages."""

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from trainyard_schema import TrainingJobSpec, names

from ..control_plane import API, ControlPlane, Rest
from .conftest import JOBS, RBAC, Server, bind

pytestmark = pytest.mark.component


def stored(rest: Rest, job_id: str) -> dict[str, Any]:
    job = rest.get(f"{JOBS}/{job_id}")
    assert job is not None
    return job


def set_status(rest: Rest, job_id: str, **status: Any) -> None:
    rest.patch(f"{JOBS}/{job_id}/status", {"status": status})


def wait_for_line(server: Server, text: str) -> None:
    while text not in server.log.read_text():
        assert server.process.poll() is None
        time.sleep(0.05)


async def eventually(
    answers: Callable[[], Awaitable[httpx.Response]], status: int, seconds: float
) -> httpx.Response:
    async with asyncio.timeout(seconds):
        async for answer in _repeated(answers):
            if answer.status_code == status:
                return answer
    raise AssertionError("unreachable")


async def until(
    client: httpx.AsyncClient, path: str, *, seconds: float = 5, **members: Any
) -> dict[str, Any]:
    """The body of the first answer that has these members: the watch takes a moment."""
    async with asyncio.timeout(seconds):
        async for answer in _repeated(lambda: client.get(path)):
            body: dict[str, Any] = answer.json()
            if all(body.get(name) == value for name, value in members.items()):
                return body
    raise AssertionError("unreachable")


async def _repeated(
    answers: Callable[[], Awaitable[httpx.Response]],
) -> AsyncIterator[httpx.Response]:
    while True:
        yield await answers()
        await asyncio.sleep(0.02)


async def test_a_training_from_start_to_end(server: Server, rest: Rest) -> None:
    async with server.client() as client:
        answer = await client.post(
            "/train", json={"model_type": "all", "hyperparameters": {"xgboost": {"max_depth": 6}}}
        )
        assert answer.status_code == 202, answer.text
        job_id = answer.json()["job_id"]

        job = stored(rest, job_id)
        assert TrainingJobSpec.model_validate(job["spec"]).hyperparameters == {
            "xgboost": {"max_depth": 6}
        }
        assert job["metadata"]["annotations"][names.REQUESTER_ANNOTATION] == "tests"

        location = answer.headers["location"]
        assert (await client.get(location)).json()["status"] == "started"
        set_status(rest, job_id, phase="Running", stage="Training")
        await until(client, location, message="Training")
        set_status(rest, job_id, phase="Succeeded", message="3 models trained")
        await until(client, location, status="completed")
        jobs = (await client.get("/train/jobs", params={"status": "completed"})).json()
        assert [job["job_id"] for job in jobs["jobs"]] == [job_id]
        assert (await client.delete(f"/train/job/{job_id}")).status_code == 409


async def test_one_key_is_one_training_however_many_ask(server: Server, rest: Rest) -> None:
    async with server.client() as client:
        headers = {"Idempotency-Key": "nightly-2026-11-20"}
        answers = await asyncio.gather(
            *(client.post("/train/xgboost", headers=headers) for _ in range(20))
        )
        assert {answer.status_code for answer in answers} == {202}
        assert len({answer.text for answer in answers}) == 1
        assert len(rest.items(JOBS)) == 1
        assert (await client.post("/train/all", headers=headers)).status_code == 422


async def test_cancel_wins_through_status_writes(server: Server, rest: Rest) -> None:
    async with server.client() as client:
        job_id = (await client.post("/train/xgboost")).json()["job_id"]
        canceling = asyncio.create_task(client.delete(f"/train/job/{job_id}"))
        for percent in range(10):
            await asyncio.to_thread(
                set_status,
                rest,
                job_id,
                phase="Running",
                progress={"percent": percent, "updatedAt": "2026-11-20T10:00:00Z"},
            )
        assert (await canceling).status_code == 202
        assert stored(rest, job_id)["spec"]["cancel"] is True
        before = stored(rest, job_id)["metadata"]["resourceVersion"]
        assert (await client.delete(f"/train/job/{job_id}")).status_code == 202
        assert stored(rest, job_id)["metadata"]["resourceVersion"] == before


async def test_a_list_of_more_than_one_chunk(server: Server, rest: Rest) -> None:
    data = {"uri": "s3://trainyard/datasets/churn.csv", "target": "churned"}
    for number in range(520):
        rest.post(
            JOBS,
            {
                "apiVersion": names.API_VERSION,
                "kind": names.KIND,
                "metadata": {"name": f"job-{number:03}"},
                "spec": {"modelType": "xgboost", "data": data},
            },
        )
    async with server.client() as client:
        body = await until(client, "/train/jobs?limit=3", total=520)
    assert [job["job_id"] for job in body["jobs"]] == ["job-519", "job-518", "job-517"]


async def test_what_an_admission_policy_refuses_is_passed_on(server: Server, rest: Rest) -> None:
    admission = "/apis/admissionregistration.k8s.io/v1"
    rest.post(
        f"{admission}/validatingadmissionpolicies",
        {
            "metadata": {"name": "budget"},
            "spec": {
                "matchConstraints": {
                    "resourceRules": [
                        {
                            "apiGroups": [names.GROUP],
                            "apiVersions": ["*"],
                            "resources": [names.PLURAL],
                            "operations": ["CREATE"],
                        }
                    ]
                },
                "validations": [
                    {"expression": "object.spec.modelType != 'all'", "message": "over budget"}
                ],
            },
        },
    )
    rest.post(
        f"{admission}/validatingadmissionpolicybindings",
        {
            "metadata": {"name": "budget"},
            "spec": {"policyName": "budget", "validationActions": ["Deny"]},
        },
    )
    try:
        async with server.client() as client:
            # The API server takes a moment to learn of the policy.
            answer = await eventually(lambda: client.post("/train/all"), 422, seconds=30)
            assert "over budget" in answer.json()["detail"]
            assert (await client.post("/train/xgboost")).status_code == 202
    finally:
        for kind in ("validatingadmissionpolicybindings", "validatingadmissionpolicies"):
            rest.delete(f"{admission}/{kind}/budget")


async def test_permissions_taken_away_and_given_back(server: Server, rest: Rest) -> None:
    async with server.client() as client:
        rest.delete(f"{RBAC}/rolebindings/{API}")
        try:
            await eventually(lambda: client.get("/readyz"), 503, seconds=10)
            answer = await client.post("/train/xgboost")
            assert answer.status_code == 503
            assert answer.headers["retry-after"]
            assert "may not create TrainingJobs" in answer.json()["detail"]
        finally:
            bind(rest)
        await eventually(lambda: client.get("/readyz"), 200, seconds=10)
        assert (await client.post("/train/xgboost")).status_code == 202


async def test_an_api_server_that_hangs(server: Server, kubernetes: ControlPlane) -> None:
    async with server.client() as client:
        with kubernetes.paused():
            start = time.monotonic()
            probe, answer, alive = await asyncio.gather(
                client.get("/readyz"), client.post("/train/xgboost"), client.get("/healthz")
            )
            assert time.monotonic() - start < 15
        assert (probe.status_code, answer.status_code, alive.status_code) == (503, 503, 200)
        assert answer.headers["retry-after"]
        await eventually(lambda: client.get("/readyz"), 200, seconds=10)


async def test_requests_at_hand_are_answered_before_the_end(
    server: Server, kubernetes: ControlPlane
) -> None:
    async with server.client() as client:
        with kubernetes.paused():
            waiting = asyncio.create_task(client.post("/train/xgboost"))
            await eventually(lambda: client.get("/healthz"), 200, seconds=5)
            server.process.send_signal(signal.SIGTERM)
            await asyncio.to_thread(wait_for_line, server, "Shutting down")
        answer = await waiting
        assert answer.status_code == 202, answer.text
    await asyncio.to_thread(server.process.wait, 15)


async def test_every_line_of_the_log_is_json_without_secrets(server: Server) -> None:
    async with server.client() as client:
        await client.post("/train/xgboost")
        await client.get("/train/models/available", headers={"X-Request-ID": "mine"})
        await client.get("/train/jobs", headers={"Authorization": "Bearer garbage"})
    text = server.log.read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert server.token not in text
    requests = [line for line in lines if line["event"] == "request"]
    assert [line["status"] for line in requests if line["request_id"] == "mine"] == [503]
    assert {"tests", None} <= {line["requester"] for line in requests}
