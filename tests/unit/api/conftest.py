import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import jwt
import pytest
import structlog
from fastapi import FastAPI
from trainyard_api.app import create_app
from trainyard_api.settings import Settings
from trainyard_api.store import ModelStore

from .fake import FakeApi, FakeCluster, settled

BUCKET = "trainyard"


@pytest.fixture(scope="session", autouse=True)
def _plain_logs() -> None:
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ]
    )


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A whole environment; a test changes what it is about and calls `Settings()`."""
    variables = {
        "NAMESPACE": "trainyard",
        "DATA_URI": "s3://trainyard/datasets/churn.csv",
        "TARGET": "churned",
        "EXCLUDE": '["customer_id"]',
        "JWT_SECRET": "for-these-tests-only-0123456789-abcdef",
        "BUCKET": BUCKET,
        "DATABASE_URL": "postgresql://nobody:for-these-tests-only@127.0.0.1:1/none",
    }
    for name, value in variables.items():
        monkeypatch.setenv(f"TRAINYARD_API_{name}", value)
    return variables


@pytest.fixture
def settings(environment: dict[str, str]) -> Settings:
    return Settings()


@pytest.fixture
def sign(settings: Settings) -> Callable[..., str]:
    """Sign a token; a claim given as None is left out."""

    def sign(*, secret: str | None = None, algorithm: str | None = "HS256", **claims: Any) -> str:
        now = int(time.time())
        payload = {"sub": "ada", "iss": "trainyard", "aud": "trainyard", "iat": now}
        payload |= {"exp": now + 60, **claims}
        assert settings.jwt_secret is not None
        return jwt.encode(
            {name: value for name, value in payload.items() if value is not None},
            settings.jwt_secret.get_secret_value() if secret is None else secret,
            algorithm=algorithm,
        )

    return sign


@pytest.fixture
def cluster() -> FakeApi:
    return FakeApi()


@pytest.fixture(scope="session")
def store() -> ModelStore:
    """An object store that nobody answers for."""
    return ModelStore(bucket=BUCKET, endpoint_url="http://127.0.0.1:1", region="us-east-1")


@pytest.fixture
def app(settings: Settings, cluster: FakeApi, store: ModelStore) -> FastAPI:
    return create_app(settings, FakeCluster(cluster), store)


@pytest.fixture
async def anonymous(app: FastAPI, cluster: FakeApi) -> AsyncIterator[httpx.AsyncClient]:
    """What the test did to the cluster is known to the API when a request arrives."""

    async def settle(_: httpx.Request) -> None:
        await settled(cluster, app.state.jobs, app.state.models)

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=transport, base_url="http://api", event_hooks={"request": [settle]}
        ) as client,
    ):
        await settled(cluster, app.state.jobs, app.state.models)
        cluster.calls.clear()
        yield client


@pytest.fixture
async def client(anonymous: httpx.AsyncClient, sign: Callable[..., str]) -> httpx.AsyncClient:
    """A client with a valid token of `ada`."""
    anonymous.headers["Authorization"] = f"Bearer {sign()}"
    return anonymous
