"""Every operation of the API is one of the client's, or left out for a reason."""

import re
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from trainyard_api.app import create_app
from trainyard_api.cluster import Cluster
from trainyard_api.settings import Settings
from trainyard_api.store import ModelStore
from trainyard_client import ApiError, Client

from .api import Answer, Api, job, problem

LEFT_OUT = {
    "GET /healthz": "for probes",
    "GET /readyz": "for probes",
    "GET /metrics": "for Prometheus",
    "POST /train": "POST /api/v1/jobs does it, with a whole spec",
    "POST /train/{model_type}": "POST /api/v1/jobs does it, with a whole spec",
    "GET /train/jobs": "GET /api/v1/jobs does it, in pages",
    "GET /train/status/{job_id}": "GET /api/v1/jobs/{name} does it, with an ETag",
    "DELETE /train/job/{job_id}": "DELETE /api/v1/jobs/{name} does it",
    "GET /train/models/available": "GET /api/v1/models/{model}/versions does it, for one model",
    "POST /api/upload": "POST /api/v1/datasets does it, with problem details",
    "POST /retrain": "for a service with a token of its own",
}
CALLS: list[Callable[[Client, Path], Any]] = [
    lambda client, _: client.me(),
    lambda client, _: client.plans(),
    lambda client, _: client.history(),
    lambda client, _: client.jobs.submit({"modelType": "xgboost"}),
    lambda client, _: client.jobs.list(),
    lambda client, _: client.jobs.get("a"),
    lambda client, _: client.jobs.cancel("a"),
    lambda client, _: client.jobs.watch("b"),
    lambda client, _: client.jobs.logs("a"),
    lambda client, _: client.jobs.metrics("a"),
    lambda client, _: client.models.list(),
    lambda client, _: client.models.create("a", {}),
    lambda client, _: client.models.delete("a"),
    lambda client, _: client.models.get("a"),
    lambda client, _: client.models.retrain("a"),
    lambda client, _: client.models.promote("a", "v"),
    lambda client, _: client.models.approve("a", "v"),
    lambda client, _: client.models.reject("a", "v"),
    lambda client, _: client.models.rollback("a"),
    lambda client, _: client.models.history("a"),
    lambda client, _: client.models.compare("a", ("v", "w")),
    lambda client, _: client.versions.list("a"),
    lambda client, _: client.versions.get("a", "v"),
    lambda client, _: client.versions.file("a", "v", "f"),
    lambda client, _: client.datasets.list(),
    lambda client, _: client.datasets.get("a"),
    lambda client, file: client.datasets.upload(file),
    lambda client, _: client.retrains.start_all(),
    lambda client, _: client.retrains.list(),
    lambda client, _: client.retrains.get("a"),
    lambda client, _: client.feedback.give("a", []),
    lambda client, _: client.feedback.list("a"),
    lambda client, _: client.alerts.list(),
    lambda client, _: client.alerts.redeliver("a"),
]


@pytest.fixture
def operations(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """As `METHOD /path/{parameter}`."""
    for name, value in {
        "NAMESPACE": "trainyard",
        "BUCKET": "trainyard",
        "JWT_SECRET": "for-these-tests-only-0123456789-abcdef",
        "DATABASE_URL": "postgresql://nobody:for-these-tests-only@127.0.0.1:1/none",
    }.items():
        monkeypatch.setenv(f"TRAINYARD_API_{name}", value)
    store = ModelStore(bucket="trainyard", endpoint_url="http://127.0.0.1:1", region="us-east-1")
    paths = create_app(Settings(), Cluster("trainyard"), store).openapi()["paths"]
    return [f"{method.upper()} {path}" for path, methods in paths.items() for method in methods]


def operation_of(request: str, operations: list[str]) -> str:
    """What answers a request: a path without a parameter goes before one with it."""
    matching = [
        one for one in operations if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", one), request)
    ]
    assert matching, f"the API has no {request}"
    return min(matching, key=lambda one: one.count("{"))


def exhaust(found: Any) -> None:
    """Lists and streams ask for nothing before they are read."""
    if isinstance(found, Iterator):
        deque(found, maxlen=0)


def test_every_operation_of_the_api_has_a_method(
    api: Api, client: Client, operations: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "churn.csv"
    file.write_text("a,b\n1,2\n")
    # Events are asked for of a job that is there.
    api.answers("GET /api/v1/jobs/b", Answer(200, job("b")), problem(404, "deleted"))
    for call in CALLS:
        # Nothing else is there: what counts is what was asked for.
        with pytest.raises(ApiError):
            exhaust(call(client, file))
    asked = {operation_of(f"{one.method} {one.path}", operations) for one in api.requests}
    assert sorted([*asked, *LEFT_OUT]) == sorted(operations)
