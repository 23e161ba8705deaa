"""Names in paths that try to become other paths: for every route that has a name in its path."""

import re
from collections.abc import Callable
from typing import Any

import botocore.client
import httpx
import pytest
from fastapi import FastAPI

from ..fake import FakeApi

# As they are sent; the server decodes them once.
NAMES = [
    "..",
    "%2e%2e",
    "..%2f..%2fetc%2fpasswd",
    "%2e%2e%2f%2e%2e%2fmanifest.json",
    "..%5c..%5cetc",
    "a%2fb",
    "%2fetc%2fpasswd",
    "a%00b",
    "%00",
    "a%0ab",
    "a%0d%0aX-Injected:%20yes",
    "%1b%5b31m",
    "%ff%fe",
    "%c0%ae%c0%ae",
    "%252e%252e%252f",
    "%25",
    "a%20b",
    "A_B",
    "-a",
    "a" * 1000,
    "*",
    "{}",
    "%7b%7d",
    "$(id)",
    "name=x&labelSelector=y",
    "churn%3flimit=1",
    "churn%23fragment",
    "xn--%e2%80%ae",
]


def operations(app: FastAPI) -> list[tuple[str, str]]:
    return [
        (method.upper(), path)
        for path, methods in app.openapi()["paths"].items()
        for method in methods
        if "{" in path
    ]


@pytest.mark.parametrize("name", NAMES)
async def test_a_name_stays_a_name(
    *,
    app: FastAPI,
    anonymous: httpx.AsyncClient,
    cluster: FakeApi,
    sign: Callable[..., str],
    asked: list[dict[str, Any]],
    name: str,
) -> None:
    anonymous.headers["Authorization"] = f"Bearer {sign(role='admin')}"
    for method, path in operations(app):
        sent = re.sub(r"\{[^}]*\}", lambda _: name, path)
        # Given as bytes, httpx leaves it as it is.
        url = httpx.URL("http://api").copy_with(raw_path=sent.encode())
        answer = await anonymous.request(method, url)
        where = f"{method} {sent}: {answer.status_code} {answer.text}"
        assert answer.status_code in (404, 405, 422), where
        assert "x-injected" not in answer.headers, where
    # Neither the cluster nor the object store was ever asked for such a name.
    assert not [call for call in cluster.calls if call not in ("list", "watch")], cluster.calls
    assert asked == []


async def test_a_good_name_gets_there(
    client: httpx.AsyncClient, cluster: FakeApi, asked: list[dict[str, Any]]
) -> None:
    await client.get("/train/status/churn-1")
    await client.get("/api/v1/models/churn/versions")
    assert "get" in cluster.calls
    assert asked


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the object store is asked for."""
    calls: list[dict[str, Any]] = []
    make = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]

    def call(self: Any, operation: str, parameters: dict[str, Any]) -> Any:
        # The sweep of unfinished uploads is nobody's request.
        if operation != "ListMultipartUploads":
            calls.append({"operation": operation, **parameters})
        return make(self, operation, parameters)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", call)
    return calls
