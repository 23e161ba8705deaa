import base64
import json
from collections.abc import Callable

import httpx
import pytest
from fastapi import FastAPI
from trainyard_api.app import create_app
from trainyard_api.settings import Settings
from trainyard_api.store import ModelStore
from trainyard_schema import names

from ..fake import FakeApi, FakeCluster
from . import issuer

Sign = Callable[..., str]


@pytest.mark.parametrize("header", ["Basic YTpi", "Bearer", "Bearer  ", "nonsense"])
async def test_a_header_without_a_token(anonymous: httpx.AsyncClient, header: str) -> None:
    answer = await anonymous.get("/train/jobs", headers={"Authorization": header})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("token", ["garbage!", "a.b.c", "..\u00a0..", "e30.e30.e30", "\u00e9"])
async def test_garbage(anonymous: httpx.AsyncClient, token: str) -> None:
    header = (b"Authorization", f"Bearer {token}".encode())
    answer = await anonymous.get("/train/jobs", headers=[header])
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert token not in answer.text


def _without_signature(token: str) -> str:
    header = base64.urlsafe_b64encode(json.dumps({"alg": "HS256"}).encode()).decode().rstrip("=")
    return f"{header}.{token.split('.')[1]}."


async def test_a_token_whose_signature_was_cut_off(
    anonymous: httpx.AsyncClient, sign: Sign
) -> None:
    header = {"Authorization": f"Bearer {_without_signature(sign())}"}
    answer = await anonymous.get("/train/jobs", headers=header)
    assert answer.status_code == 401


class TestOpen:
    """TRAIN_AUTH=open."""

    @pytest.fixture
    def app(
        self,
        environment: dict[str, str],
        monkeypatch: pytest.MonkeyPatch,
        cluster: FakeApi,
        store: ModelStore,
    ) -> FastAPI:
        monkeypatch.setenv("TRAINYARD_API_TRAIN_AUTH", "open")
        return create_app(Settings(), FakeCluster(cluster), store)

    async def test_nobody_in_particular(
        self, anonymous: httpx.AsyncClient, cluster: FakeApi
    ) -> None:
        answer = await anonymous.post("/train/xgboost")
        assert answer.status_code == 202
        (job,) = cluster.stored.values()
        assert names.REQUESTER_ANNOTATION not in job["metadata"]["annotations"]

    async def test_a_token_is_still_looked_at(
        self, client: httpx.AsyncClient, cluster: FakeApi
    ) -> None:
        assert (await client.post("/train/xgboost")).status_code == 202
        (job,) = cluster.stored.values()
        assert job["metadata"]["annotations"][names.REQUESTER_ANNOTATION] == "ada"
        client.headers["Authorization"] = "Bearer garbage"
        assert (await client.post("/train/xgboost")).status_code == 401


async def test_more_than_one_header(anonymous: httpx.AsyncClient, sign: Sign) -> None:
    header = ("Authorization", f"Bearer {sign(role='viewer')}")
    other = ("Authorization", f"Bearer {sign(role='admin')}")
    answer = await anonymous.get("/train/jobs", headers=[header, other])
    assert answer.status_code == 401
    assert "more than one" in answer.json()["detail"]


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_the_case_of_the_scheme_means_nothing(
    anonymous: httpx.AsyncClient, sign: Sign, scheme: str
) -> None:
    header = {"Authorization": f"{scheme}  {sign(role='viewer')} "}
    answer = await anonymous.get("/api/v1/me", headers=header)
    assert answer.json() == {"subject": "ada", "role": "viewer"}


async def test_a_token_without_a_role_that_we_know(
    anonymous: httpx.AsyncClient, sign: Sign
) -> None:
    header = {"Authorization": f"Bearer {sign(role='root')}"}
    answer = await anonymous.get("/train/jobs", headers=header)
    assert answer.status_code == 403
    assert "names none of the roles viewer, trainer, admin" in answer.json()["detail"]


async def test_keys_that_could_not_be_read_yet(
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    cluster: FakeApi,
    store: ModelStore,
    sign: Sign,
) -> None:
    header = {"Authorization": f"Bearer {sign()}"}
    monkeypatch.delenv("TRAINYARD_API_JWT_SECRET")
    monkeypatch.setenv("TRAINYARD_API_JWT_JWKS_URL", "http://127.0.0.1:1/keys")
    monkeypatch.setenv("TRAINYARD_API_JWT_ISSUER", issuer.ISSUER)
    app = create_app(Settings(), FakeCluster(cluster), store)
    transport = httpx.ASGITransport(app)
    token = issuer.token(issuer.RSA_KEY, "RS256", "one")
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://api") as client,
    ):
        # A token of the wrong kind is refused at once; of the right kind, nothing is known.
        assert (await client.get("/train/jobs", headers=header)).status_code == 401
        answer = await client.get("/train/jobs", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
        assert (await client.get("/healthz")).status_code == 200
