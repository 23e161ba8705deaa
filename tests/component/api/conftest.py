"""The Train API as a process of its own, in front of a real API server."""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import httpx
import jwt
import pytest
from trainyard_schema import names

from ...conftest import Aloud
from ...forking.forks import Fork, ForkServer
from ..control_plane import API, ControlPlane, Rest, ended_politely, free_ports, wait_until_ok
from ..s3_gateway import CREDENTIALS, Gateway, gateway, gateway_binary
from .role import RULES

NAMESPACE = "api-dev"
JOBS = f"/apis/{names.API_VERSION}/namespaces/{NAMESPACE}/{names.PLURAL}"
RBAC = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{NAMESPACE}"
_SECRET = os.urandom(32).hex()
_SETTINGS = {
    "NAMESPACE": NAMESPACE,
    "DATA_URI": "s3://trainyard/datasets/churn.csv",
    "TARGET": "churned",
    "EXCLUDE": '["customer_id"]',
    "JWT_SECRET": _SECRET,
    "BUCKET": "trainyard",
    "DATABASE_URL": "postgresql://127.0.0.1:1/none",
    "S3_ENDPOINT_URL": "http://127.0.0.1:1",
    "LOG_LEVEL": "debug",
}


@pytest.fixture(scope="module")
def _gateway(aloud: Aloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("s3-gateway")
    with aloud():
        binary = gateway_binary(folder / "go-build.log")
    with gateway(binary, folder) as server:
        yield server


@pytest.fixture
def s3(_gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> Gateway:
    """A real S3 server with an empty bucket, and its credentials in the environment."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    _gateway.empty()
    return _gateway


@pytest.fixture(scope="session")
def rest(kubernetes: ControlPlane) -> Rest:
    """The administrator of a namespace with a Role of just what the API is said to need."""
    rest = kubernetes.rest
    rest.post("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    rest.post(f"{RBAC}/roles", {"metadata": {"name": API}, "rules": RULES})
    bind(rest)
    return rest


def bind(rest: Rest) -> None:
    """Let the user `api` act in its Role."""
    group = "rbac.authorization.k8s.io"
    rest.post(
        f"{RBAC}/rolebindings",
        {
            "metadata": {"name": API},
            "roleRef": {"apiGroup": group, "kind": "Role", "name": API},
            "subjects": [{"apiGroup": group, "kind": "User", "name": API}],
        },
    )


@dataclass(frozen=True)
class Server:
    """A running `trainyard-api`."""

    process: Fork
    url: str
    token: str
    log: Path

    def client(self) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.AsyncClient(base_url=self.url, headers=headers, timeout=30)


class Serve(Protocol):
    """Starts a replica; it is stopped when the test ends."""

    def __call__(self, *, kubeconfig: Path | None = None, **settings: str) -> Server: ...


@pytest.fixture
def serve(
    kubernetes: ControlPlane, apis: ForkServer, rest: Rest, tmp_path: Path
) -> Iterator[Serve]:
    logs: list[Path] = []
    with ExitStack() as running:

        def serve(*, kubeconfig: Path | None = None, **settings: str) -> Server:
            (port,) = free_ports(1)
            environment = {
                "PATH": os.environ["PATH"],
                "KUBECONFIG": str(kubeconfig or kubernetes.kubeconfigs[API]),
                "AWS_ACCESS_KEY_ID": os.environ.get("AWS_ACCESS_KEY_ID", "none"),
                "AWS_SECRET_ACCESS_KEY": os.environ.get("AWS_SECRET_ACCESS_KEY", "none"),
            }
            settings = {**_SETTINGS, "PORT": str(port), **settings}
            environment |= {f"TRAINYARD_API_{name}": value for name, value in settings.items()}
            log = tmp_path / f"api-{port}.log"
            logs.append(log)
            url = f"http://127.0.0.1:{port}"
            process = running.enter_context(ended_politely(apis.start(environment, log)))
            wait_until_ok(process, f"{url}/readyz", log)
            now = int(time.time())
            claims: dict[str, Any] = {"sub": "tests", "iss": "trainyard", "aud": "trainyard"}
            claims |= {"iat": now, "exp": now + 600}
            return Server(process, url, jwt.encode(claims, _SECRET, algorithm="HS256"), log)

        yield serve
    for log in logs:
        assert _SECRET not in log.read_text()
    rest.delete(JOBS)


@pytest.fixture
def server(serve: Serve) -> Server:
    return serve()
