"""The two shapes of errors, by path."""

import asyncio
import json
from collections.abc import Callable

import httpx
import pytest
from fastapi import FastAPI
from trainyard_api.http import problems
from trainyard_api.http.limits import Limits
from trainyard_api.http.middleware import LimitBody, Observe
from trainyard_api.http.problems import answering, is_of_retrain_document, problem_response
from trainyard_api.metrics import Metrics


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/api/retrain", True),
        ("/retrain", True),
        ("/api/upload", True),
        ("/api/history", True),
        ("/api/v1/me", False),
        ("/api/v1/models/churn/retrain", False),
        ("/train/retrain", False),
        ("/retrain/x", False),
        ("", False),
    ],
)
def test_which_paths_are_of_the_document(path: str, expected: bool) -> None:
    assert is_of_retrain_document(path) is expected


@pytest.mark.parametrize(
    ("path", "status", "answered", "error", "details"),
    [
        ("/api/retrain", 401, 401, "Unauthorized", "No valid JWT token provided"),
        ("/api/history", 401, 401, "Unauthorized", "No valid JWT token provided"),
        ("/retrain", 401, 401, "Unauthorized", "No valid service token provided"),
        ("/api/retrain", 403, 403, "Forbidden", "why"),
        ("/api/retrain", 413, 413, "Content Too Large", "why"),
        ("/api/retrain", 422, 422, "Unprocessable Content", "why"),
        ("/api/retrain", 500, 500, "Failed to initiate model retraining", "why"),
        (
            "/api/retrain",
            504,
            500,
            "Failed to initiate model retraining",
            "Timeout waiting for Python service",
        ),
        ("/api/plans", 500, 500, "Internal Server Error", "why"),
    ],
)
def test_the_words_of_the_document(
    path: str, status: int, answered: int, error: str, details: str
) -> None:
    with answering(path):
        answer = problem_response(status, "why", headers={"Retry-After": "5"})
    body = json.loads(bytes(answer.body))
    # Python 3.13 took over the names of RFC 9110.
    older = {"Content Too Large": "Request Entity Too Large",
             "Unprocessable Content": "Unprocessable Entity"}  # fmt: skip
    assert body in (
        {"success": False, "error": error, "details": details},
        {"success": False, "error": older.get(error), "details": details},
    )
    assert answer.status_code == answered
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["retry-after"] == "5"


async def test_errors_before_and_around_the_route_have_the_shape(
    app: FastAPI, client: httpx.AsyncClient, sign: Callable[..., str]
) -> None:
    async def post(path: str, **options: object) -> tuple[int, dict[str, object]]:
        answer = await client.post(path, **options)  # type: ignore[arg-type]
        assert answer.headers["content-type"] == "application/json"
        return answer.status_code, answer.json()

    status, body = await post("/api/retrain", headers={"Authorization": "Bearer nonsense"}, json={})
    assert (status, body["details"]) == (401, "No valid JWT token provided")
    status, body = await post("/retrain")
    assert (status, body["details"]) == (401, "No valid service token provided")
    viewer = {"Authorization": f"Bearer {sign(role='viewer')}"}
    status, body = await post("/api/retrain", headers=viewer, json={})
    assert (status, body["error"]) == (403, "Forbidden")
    assert "needs the role trainer" in str(body["details"])
    status, body = await post("/api/retrain", content=b"{")
    assert status == 422
    assert body.keys() == {"success", "error", "details"}
    assert (await post("/api/retrain", content=b" " * 70_000))[0] == 413
    app.state.retraining = None
    status, body = await post("/api/retrain", json={})
    assert (status, body["error"]) == (500, "Failed to initiate model retraining")
    assert (await post("/api/nothing"))[0] == 404


async def test_too_late_in_the_words_of_the_document() -> None:
    app = FastAPI()

    @app.post("/api/retrain")
    async def forever() -> None:
        await asyncio.Event().wait()

    problems.install(app)
    app.add_middleware(LimitBody)
    app.add_middleware(Observe, metrics=Metrics(), limits=lambda _: Limits(seconds=0.01))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        answer = await client.post("/api/retrain")
    assert answer.status_code == 500
    assert answer.json() == {
        "success": False,
        "error": "Failed to initiate model retraining",
        "details": "Timeout waiting for Python service",
    }
