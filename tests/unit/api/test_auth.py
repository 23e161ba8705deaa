import base64
import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from fastapi import FastAPI
from trainyard_api.app import create_app
from trainyard_api.auth import Authenticator, Identity, Role
from trainyard_api.auth.tokens import InvalidTokenError
from trainyard_api.settings import Settings
from trainyard_api.store import ModelStore
from trainyard_schema import names

from .fake import FakeApi, FakeCluster

Sign = Callable[..., str]


async def verify(token: str, settings: Settings) -> Identity:
    return await Authenticator(settings).verifier.verify(token)


async def test_a_good_token_tells_who_asks(settings: Settings, sign: Sign) -> None:
    assert await verify(sign(sub="ada"), settings) == Identity("ada", Role.TRAINER)


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": 1_700_000_000}, "expired"),
        ({"iat": int(time.time()) + 3600}, "not valid yet"),
        ({"nbf": int(time.time()) + 3600}, "not valid yet"),
        ({"aud": "another"}, "another audience"),
        ({"iss": "another"}, "another issuer"),
        ({"secret": "another-secret-of-sufficient-length-0123"}, "signature"),
        ({"algorithm": "HS512"}, "not signed with HS256"),
        ({"algorithm": "none", "secret": ""}, "not signed with HS256"),
        ({"sub": None}, "lacks the claim sub"),
        ({"exp": None}, "lacks the claim exp"),
        ({"iat": None}, "lacks the claim iat"),
        ({"aud": None}, "lacks the claim aud"),
        ({"iss": None}, "lacks the claim iss"),
        ({"sub": ""}, "sub must be"),
        ({"sub": "ada\nroot"}, "sub must be"),
        ({"sub": "a" * 257}, "sub must be"),
    ],
)
@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
async def test_a_bad_token_is_refused(
    settings: Settings, sign: Sign, claims: dict[str, Any], reason: str
) -> None:
    with pytest.raises(InvalidTokenError, match=reason):
        await verify(sign(**claims), settings)


async def test_a_token_of_a_private_key_is_refused(settings: Settings, sign: Sign) -> None:
    claims = jwt.decode(sign(), options={"verify_signature": False})
    key = generate_private_key(public_exponent=65537, key_size=2048)
    with pytest.raises(InvalidTokenError, match="not signed with HS256"):
        await verify(jwt.encode(claims, key, algorithm="RS256"), settings)


def _without_signature(token: str) -> str:
    header = base64.urlsafe_b64encode(json.dumps({"alg": "HS256"}).encode()).decode().rstrip("=")
    return f"{header}.{token.split('.')[1]}."


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


async def test_a_token_whose_signature_was_cut_off(
    anonymous: httpx.AsyncClient, sign: Sign
) -> None:
    header = {"Authorization": f"Bearer {_without_signature(sign())}"}
    answer = await anonymous.get("/train/jobs", headers=header)
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/train/xgboost"),
        ("POST", "/train"),
        ("GET", "/train/status/train-1"),
        ("GET", "/train/jobs"),
        ("DELETE", "/train/job/train-1"),
        ("GET", "/train/models/available"),
        ("GET", "/api/v1/me"),
    ],
)
async def test_every_operation_asks_for_a_token(
    anonymous: httpx.AsyncClient, cluster: FakeApi, method: str, path: str
) -> None:
    answer = await anonymous.request(method, path)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert cluster.calls == []


def test_no_operation_was_forgotten_above(app: FastAPI) -> None:
    open_paths = {"/healthz", "/readyz", "/metrics"}
    operations = {
        (method.upper(), path): operation
        for path, methods in app.openapi()["paths"].items()
        for method, operation in methods.items()
    }
    assert {path for (_, path), operation in operations.items() if "security" not in operation} == (
        open_paths
    )
    assert len(operations) == len(open_paths) + 7


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
