"""What surrounds every request."""

import asyncio
import re

import httpx
import pytest
from fastapi import FastAPI
from structlog.testing import capture_logs
from trainyard_api.http.limits import Limits
from trainyard_api.http.middleware import Observe
from trainyard_api.metrics import Metrics

from .fake import FakeApi


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/docs", "/openapi.json"])
async def test_probes_and_documentation_ask_for_no_token(
    anonymous: httpx.AsyncClient, path: str
) -> None:
    assert (await anonymous.get(path)).status_code == 200


async def test_the_documentation_needs_no_other_server(anonymous: httpx.AsyncClient) -> None:
    page = (await anonymous.get("/docs")).text
    assert "://" not in page
    scripts = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert scripts
    for script in scripts:
        assert (await anonymous.get(script)).status_code == 200


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nope", 404),
                                                        ("GET", "/train", 405),
                                                        ("PUT", "/train/jobs", 405)])  # fmt: skip
async def test_a_path_that_is_none(
    client: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    answer = await client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_request_id_is_kept(anonymous: httpx.AsyncClient) -> None:
    answer = await anonymous.get("/nope", headers={"X-Request-ID": "from-the-gateway.1"})
    assert answer.headers["x-request-id"] == "from-the-gateway.1"
    assert answer.json()["request_id"] == "from-the-gateway.1"


@pytest.mark.parametrize("given", ["", 'a"b', "a b", "x" * 65, "a\tb", "{}"])
async def test_a_request_id_that_could_forge_a_log_is_replaced(
    anonymous: httpx.AsyncClient, given: str
) -> None:
    answer = await anonymous.get("/nope", headers={"X-Request-ID": given})
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-request-id"])


async def test_the_log_tells_who_asked_for_what(client: httpx.AsyncClient) -> None:
    with capture_logs() as lines:
        await client.get("/train/jobs?token=abc")
    (line,) = [line for line in lines if line["event"] == "request"]
    assert (line["route"], line["status"], line["requester"]) == ("/train/jobs", 200, "ada")
    assert "abc" not in str(lines)
    assert client.headers["Authorization"].removeprefix("Bearer ") not in str(lines)


async def test_metrics_count_by_route_and_not_by_job(client: httpx.AsyncClient) -> None:
    await client.get("/train/status/one")
    await client.get("/train/status/two")
    await client.request("BREW", "/coffee")
    text = (await client.get("/metrics")).text
    assert (
        'trainyard_api_requests_total{method="GET",route="/train/status/{job_id}",status="404"} 2.0'
        in text
    )
    assert 'trainyard_api_requests_total{method="other",route="other",status="404"} 1.0' in text
    assert "trainyard_api_request_duration_seconds_bucket" in text
    assert "coffee" not in text


async def test_an_unexpected_error_is_a_problem_too(
    client: httpx.AsyncClient, cluster: FakeApi
) -> None:
    def fault(_: str) -> None:
        raise ZeroDivisionError("of no concern to the caller")

    cluster.fault = fault
    answer = await client.post("/train/xgboost")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "no concern" not in answer.text
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


async def test_a_request_that_takes_too_long() -> None:
    app = FastAPI()

    @app.get("/")
    async def forever() -> None:
        await asyncio.Event().wait()

    app.add_middleware(Observe, metrics=Metrics(), limits=lambda _: Limits(seconds=0.01))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        answer = await client.get("/")
    assert answer.status_code == 504
    assert answer.headers["content-type"] == "application/problem+json"


def test_every_operation_is_described(app: FastAPI) -> None:
    document = app.openapi()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            where = f"{method} {path}"
            assert operation["summary"], where
            assert operation["description"], where
            assert operation["tags"], where
    for name in ("TrainingRequest", "TrainingOptions", "TrainingResponse", "JobView"):
        assert document["components"]["schemas"][name]["examples"], name
