from collections.abc import Callable

import httpx
import pytest
from trainyard_api.http.limits import DEFAULT, Limits, limits_of


def of(method: str, path: str) -> Limits:
    return limits_of({"type": "http", "method": method, "path": path})


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/train"),
        ("GET", "/train/status/api"),
        ("GET", "/api/v1/jobs"),
        ("GET", "/api/v1/jobs/a/b/events"),
        ("POST", "/api/v1/jobs/a/events"),
        ("GET", "/api/upload"),
        ("POST", "/api/upload/"),
        ("POST", "/api/v1/datasets/a"),
        ("POST", "/x/api/upload"),
    ],
)
def test_most_requests_are_small_and_short(method: str, path: str) -> None:
    assert of(method, path) is DEFAULT
    assert (DEFAULT.body_bytes, DEFAULT.seconds) == (64 * 1024, 30)


def test_streams_have_no_end_and_uploads_no_size_here() -> None:
    for path in ("/api/v1/jobs/churn-1/events", "/api/v1/jobs/churn-1/logs"):
        assert of("GET", path).seconds is None
        assert of("GET", path).body_bytes == DEFAULT.body_bytes
    for path in ("/api/upload", "/api/v1/datasets"):
        assert of("POST", path).body_bytes is None
        assert of("POST", path).seconds == 3600


@pytest.mark.parametrize("announced", [True, False])
async def test_a_body_that_is_too_large(
    client: httpx.AsyncClient, sign: Callable[..., str], announced: bool
) -> None:
    async def chunks() -> object:
        for _ in range(70):
            yield b" " * 1024

    body = b" " * 70 * 1024 if announced else chunks()
    answer = await client.post("/train/xgboost", content=body)  # type: ignore[arg-type]
    assert answer.status_code == 413
    assert answer.json()["detail"] == "the body has more than 65536 bytes"


async def test_two_lengths_exclude_each_other(client: httpx.AsyncClient) -> None:
    headers = {"Content-Length": "2", "Transfer-Encoding": "chunked"}
    answer = await client.post("/train/xgboost", content=b"{}", headers=headers)
    assert answer.status_code == 400
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize("path", ["/healthz", "/train/jobs", "/nope", "/docs"])
async def test_answers_are_data_to_browsers(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path, headers={"Origin": "https://elsewhere.example.com"})
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    script = "script-src 'self'" if path == "/docs" else "default-src 'none'"
    assert script in answer.headers["content-security-policy"]
    # No other site's page may read an answer.
    assert not [name for name in answer.headers if name.startswith("access-control-")]


async def test_no_other_site_may_ask(client: httpx.AsyncClient) -> None:
    headers = {
        "Origin": "https://elsewhere.example.com",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }
    answer = await client.options("/train/xgboost", headers=headers)
    assert answer.status_code == 405
    assert not [name for name in answer.headers if name.startswith("access-control-")]
