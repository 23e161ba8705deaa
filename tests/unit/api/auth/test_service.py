"""The service token of POST /retrain."""

import base64
from collections.abc import Callable

import httpx
import pytest
from fastapi import FastAPI
from trainyard_api.app import create_app
from trainyard_api.auth import ServiceDep
from trainyard_api.settings import Settings
from trainyard_api.store import ModelStore

from ..fake import FakeApi, FakeCluster

_TOKEN = "a-service-token-of-these-tests-0123456789"


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.fixture
def app(
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    cluster: FakeApi,
    store: ModelStore,
    request: pytest.FixtureRequest,
) -> FastAPI:
    if getattr(request, "param", True):
        monkeypatch.setenv("TRAINYARD_API_SERVICE_TOKEN", _TOKEN)
    app = create_app(Settings(), FakeCluster(cluster), store)

    @app.post("/only/for/services")
    async def only(_: ServiceDep) -> str:
        return "served"

    return app


@pytest.mark.parametrize(
    "header", [f"Bearer {_TOKEN}", basic("trainyard", _TOKEN), basic("", _TOKEN)]
)
async def test_who_has_it_is_served(anonymous: httpx.AsyncClient, header: str) -> None:
    answer = await anonymous.post("/only/for/services", headers={"Authorization": header})
    assert answer.json() == "served"


async def test_as_a_url_sends_it(anonymous: httpx.AsyncClient) -> None:
    answer = await anonymous.post(f"http://trainyard:{_TOKEN}@api/only/for/services")
    assert answer.json() == "served"


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        f"Bearer {_TOKEN}x",
        f"Bearer {_TOKEN[:-1]}",
        f"Token {_TOKEN}",
        basic(_TOKEN, ""),
        basic("trainyard", ""),
        "Basic %%%",
        "Basic é",
        "Basic " + base64.b64encode(_TOKEN.encode()).decode(),
    ],
)
async def test_who_has_not_is_refused(anonymous: httpx.AsyncClient, header: str) -> None:
    headers = [(b"Authorization", header.encode())]
    answer = await anonymous.post("/only/for/services", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Basic")
    assert _TOKEN not in answer.text


async def test_a_users_token_is_none(
    anonymous: httpx.AsyncClient, sign: Callable[..., str]
) -> None:
    header = {"Authorization": f"Bearer {sign(role='admin')}"}
    assert (await anonymous.post("/only/for/services", headers=header)).status_code == 401


async def test_it_is_no_users_token(anonymous: httpx.AsyncClient) -> None:
    for header in (f"Bearer {_TOKEN}", basic("trainyard", _TOKEN)):
        answer = await anonymous.get("/train/jobs", headers={"Authorization": header})
        assert answer.status_code == 401


@pytest.mark.parametrize("app", [False], indirect=True)
@pytest.mark.parametrize("header", ["Bearer ", "Bearer None", basic("trainyard", "")])
async def test_where_there_is_none_nobody_is_served(
    anonymous: httpx.AsyncClient, header: str
) -> None:
    answer = await anonymous.post("/only/for/services", headers={"Authorization": header})
    assert answer.status_code == 401
