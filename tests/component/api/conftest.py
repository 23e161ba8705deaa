"""The Train API as a process of its own, in front of a real API server."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from localcluster.nodebinary import node_binary
from trainyard_schema import names
from trainyard_schema.crd import custom_resource_definition

from .control_plane import API, ControlPlane, control_plane, free_port, running, wait_until_ok

NAMESPACE = "api-dev"
JOBS = f"/apis/{names.API_VERSION}/namespaces/{NAMESPACE}/{names.PLURAL}"
RBAC = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{NAMESPACE}"
_SECRET = os.urandom(32).hex()


@pytest.fixture(scope="session")
def kubernetes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """An API server with the CRD, and a Role of just what the API is said to need."""
    folder = tmp_path_factory.mktemp("control-plane")
    with control_plane(node_binary(folder / "build.log"), folder) as plane:
        plane.create("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        crd = custom_resource_definition()
        plane.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd)
        rules = [
            {
                "apiGroups": [names.GROUP],
                "resources": [names.PLURAL],
                "verbs": ["create", "get", "list", "patch"],
            }
        ]
        plane.create(f"{RBAC}/roles", {"metadata": {"name": API}, "rules": rules})
        bind(plane)
        wait_until_ok(plane.admin, JOBS, plane.apiserver)
        yield plane


def bind(plane: ControlPlane) -> None:
    """Let the user `api` act in its Role."""
    group = "rbac.authorization.k8s.io"
    plane.create(
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

    process: subprocess.Popen[bytes]
    url: str
    token: str
    log: Path

    def client(self) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.AsyncClient(base_url=self.url, headers=headers, timeout=30)


@pytest.fixture
def server(kubernetes: ControlPlane, tmp_path: Path) -> Iterator[Server]:
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "KUBECONFIG": str(kubernetes.kubeconfig),
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        **{
            f"TRAINYARD_API_{name}": value
            for name, value in {
                "NAMESPACE": NAMESPACE,
                "DATA_URI": "s3://trainyard/datasets/churn.csv",
                "TARGET": "churned",
                "EXCLUDE": '["customer_id"]',
                "JWT_SECRET": _SECRET,
                "BUCKET": "trainyard",
                "S3_ENDPOINT_URL": "http://127.0.0.1:1",
                "PORT": str(port),
                "LOG_LEVEL": "debug",
            }.items()
        },
    }
    log = tmp_path / "api.log"
    url = f"http://127.0.0.1:{port}"
    now = int(time.time())
    claims = {"sub": "tests", "iss": "trainyard", "aud": "trainyard", "iat": now, "exp": now + 600}
    with (
        running(
            [str(Path(sys.executable).with_name("trainyard-api"))], log, environment
        ) as process,
        httpx.Client(base_url=url) as client,
    ):
        wait_until_ok(client, "/readyz", process)
        yield Server(process, url, jwt.encode(claims, _SECRET, algorithm="HS256"), log)
    assert _SECRET not in log.read_text()


@pytest.fixture(autouse=True)
def _clean(kubernetes: ControlPlane) -> Iterator[None]:
    yield
    answer: Any = kubernetes.admin.delete(JOBS)
    assert answer.is_success, answer.text
