"""The Train API of the release, at the address that the documentation gives."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from trainyard_devtools import token
from trainyard_devtools.churn import TARGET
from trainyard_devtools.kube import Kube
from trainyard_devtools.repo import API_URL, RELEASE
from trainyard_schema import Phase

from .conftest import Submit
from .jobs import DATASET, Run

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def api(kube: Kube, dataset: str) -> Iterator[httpx.Client]:
    secret = kube.secret(f"{RELEASE}-auth")["jwt-secret"]
    headers = {"Authorization": f"Bearer {token.sign(secret, subject='tests')}"}
    with httpx.Client(base_url=API_URL, headers=headers, timeout=30) as client:
        yield client


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/docs", "/openapi.json"])
def test_probes_and_documentation_need_no_token(kube: Kube, path: str) -> None:
    assert httpx.get(API_URL + path).status_code == 200


def test_everything_else_needs_one(kube: Kube) -> None:
    answer = httpx.post(f"{API_URL}/train/xgboost")
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_run_from_the_request_to_the_trained_model(kube: Kube, api: httpx.Client) -> None:
    answer = api.post(
        "/train",
        json={
            "model_type": "xgboost",
            "use_cv": False,
            "hyperparameters": {"n_estimators": 10},
            "model": "test-api",
            "dataset": {
                "uri": f"s3://trainyard/{DATASET}",
                "target": TARGET,
                "exclude": ["customer_id"],
            },
        },
    )
    assert answer.status_code == 202, answer.text
    body = answer.json()
    assert set(body) == {"job_id", "status", "message", "model_type"}
    assert (body["status"], body["model_type"]) == ("started", "xgboost")
    run = Run(kube, body["job_id"])
    try:
        run.until_phase(Phase.SUCCEEDED)
        status = api.get(answer.headers["Location"]).json()
        assert (status["job_id"], status["status"]) == (run.name, "completed")
        jobs = api.get("/train/jobs", params={"status": "completed", "model": "test-api"}).json()
        assert run.name in str(jobs)
        assert run.status.models[0].version in api.get("/train/models/available").text
    finally:
        kube.delete_training_job(run.name)


def events_of(api: httpx.Client, path: str) -> list[tuple[str, str]]:
    """Name and data of each server-sent event, up to the end of the stream."""
    found, name = [], ""
    with api.stream("GET", path, timeout=300) as stream:
        assert stream.status_code == 200, stream.read()
        for line in stream.iter_lines():
            field, _, value = line.partition(": ")
            if field == "event":
                name = value
            elif field == "data":
                found.append((name, value))
    return found


def test_a_run_followed_by_its_events_and_its_log(
    kube: Kube, api: httpx.Client, dataset: str
) -> None:
    spec = {
        "model": "test-api-live",
        "modelType": "xgboost",
        "data": {"uri": dataset, "target": TARGET, "exclude": ["customer_id"]},
        # Long enough to be seen running.
        "hyperparameters": {"n_estimators": 1000, "early_stopping_rounds": 0},
    }
    answer = api.post("/api/v1/jobs", json={"spec": spec})
    assert answer.status_code == 202, answer.text
    location, run = answer.headers["Location"], Run(kube, answer.json()["job_id"])
    try:
        # Both are opened before there is any pod.
        with ThreadPoolExecutor() as readers:
            states = readers.submit(events_of, api, f"{location}/events")
            lines = readers.submit(events_of, api, f"{location}/logs?follow=true")
            told, printed = states.result(), lines.result()
        assert told[-1] == printed[-1] == ("end", '{"status": "completed"}')
        phases = [json.loads(data)["phase"] for name, data in told if name == "job"]
        assert phases[-1] == Phase.SUCCEEDED
        assert Phase.RUNNING in phases
        log = [data for name, data in printed if name == "line"]
        assert "run begins" in log[0]
        assert "run succeeded" in log[-1]
        history = api.get(f"{location}/metrics").json()
        assert len(history["xgboost"]) >= 2

        # The pod goes, and the version keeps the log, but for what was printed after its upload.
        job = kube.training_job(run.name)["status"]["jobName"]
        kube.kubectl("delete", "job", job, "--wait=true")
        run.wait_pods_gone()
        kept = api.get(f"{location}/logs").text.splitlines()
        assert len(kept) >= 3
        assert kept == log[: len(kept)]
        assert events_of(api, f"{location}/logs?follow=true")[0] == ("line", kept[0])
    finally:
        kube.delete_training_job(run.name)


def test_the_log_of_a_failed_run_goes_with_its_pod(
    kube: Kube, api: httpx.Client, submit: Submit
) -> None:
    run = submit(data={"uri": "s3://trainyard/tests/nothing.csv", "target": TARGET})
    run.until_phase(Phase.FAILED)
    path = f"/api/v1/jobs/{run.name}/logs"
    assert "DataNotFound" in api.get(path).text
    kube.kubectl("delete", "job", kube.training_job(run.name)["status"]["jobName"])
    run.wait_pods_gone()
    gone = api.get(path)
    assert gone.status_code == 404
    assert "nothing.csv" in gone.json()["detail"]


def test_the_shortest_request_of_the_documentation(kube: Kube, api: httpx.Client) -> None:
    answer = api.post("/train/xgboost")
    assert answer.status_code == 202, answer.text
    run = Run(kube, answer.json()["job_id"])
    spec = kube.training_job(run.name)["spec"]
    kube.delete_training_job(run.name)
    assert spec["crossValidation"] == {"folds": 5}
    assert spec["overwrite"] is False
    assert spec["data"]["uri"].startswith("s3://")
