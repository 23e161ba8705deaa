"""POST /api/retrain of the release, from the request to the row that says it is done."""

import secrets
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from trainyard_devtools import churn, token
from trainyard_devtools.kube import Kube
from trainyard_devtools.repo import API_URL, RELEASE
from trainyard_schema import names

from .models import LiveModel

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

_SECONDS = 600


@pytest.fixture
def one(kube: Kube, dataset: str) -> Iterator[LiveModel]:
    data = {"uri": dataset, "target": churn.TARGET, "exclude": [churn.ID]}
    hyperparameters = {"n_estimators": 10, "max_depth": 2}
    model = LiveModel(
        kube, {"modelType": "xgboost", "data": data, "hyperparameters": hyperparameters}
    )
    yield model
    kube.kubectl("delete", "model", model.name, "--wait=false")


def client(kube: Kube, subject: str) -> httpx.Client:
    secret = kube.secret(f"{RELEASE}-auth")["jwt-secret"]
    headers = {"Authorization": f"Bearer {token.sign(secret, subject=subject)}"}
    return httpx.Client(base_url=API_URL, headers=headers, timeout=40)


def ended(api: httpx.Client, job_id: str) -> dict[str, Any]:
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        answer = api.get(f"/api/v1/retrains/{job_id}")
        assert answer.status_code == 200, answer.text
        row: dict[str, Any] = answer.json()
        if row["completed_at"]:
            return row
        time.sleep(1)
    raise AssertionError(f"{job_id} has not ended within {_SECONDS} s: {row}")


@pytest.mark.parametrize("full", [True, False])
def test_from_the_request_to_the_completed_row(kube: Kube, one: LiveModel, full: bool) -> None:
    # A user may ask once a minute.
    subject = f"tests-{secrets.token_hex(4)}"
    with client(kube, subject) as api:
        body = {"full_retrain": full, "model_type": one.name}
        answer = api.post("/api/retrain", json=body)
        assert answer.status_code == 200, answer.text
        job_id = answer.json()["data"]["python_response"]["job_id"]
        assert api.post("/api/retrain", json=body).status_code == 429
        row = ended(api, job_id)
        assert (row["status"], row["error_message"], row["requester"]) == (
            "completed", None, subject,
        )  # fmt: skip
        [run] = row["runs"]
        training_job = kube.training_job(run["run"])
        assert training_job["spec"]["mode"] == ("full" if full else "incremental")
        assert training_job["metadata"]["annotations"][names.REQUESTER_ANNOTATION] == subject
        listed = api.get("/api/v1/retrains").json()["items"]
        assert [item["job_id"] for item in listed] == [job_id]
    assert one.until("lastVerdict.run", run["run"]).champion is not None
