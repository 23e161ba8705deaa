"""The Train API of the release, at the address that the documentation gives."""

from collections.abc import Iterator

import httpx
import pytest
from trainyard_devtools import token
from trainyard_devtools.churn import TARGET
from trainyard_devtools.kube import Kube
from trainyard_devtools.repo import API_URL, RELEASE
from trainyard_schema import Phase

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


def test_the_shortest_request_of_the_documentation(kube: Kube, api: httpx.Client) -> None:
    answer = api.post("/train/xgboost")
    assert answer.status_code == 202, answer.text
    run = Run(kube, answer.json()["job_id"])
    spec = kube.training_job(run.name)["spec"]
    kube.delete_training_job(run.name)
    assert spec["crossValidation"] == {"folds": 5}
    assert spec["overwrite"] is False
    assert spec["data"]["uri"].startswith("s3://")
