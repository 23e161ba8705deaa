"""The real API, Postgres, object store and API server behind the client and its command."""

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import pytest
from trainyard_client import Client
from trainyard_schema import names

from ...forking.forks import ForkServer
from ..control_plane import (
    ADMIN,
    API,
    ControlPlane,
    Rest,
    ended_politely,
    free_ports,
    wait_until_ok,
)
from ..object_store import BUCKET
from ..s3_gateway import CREDENTIALS, Gateway, gateway, gateway_binary

NAMESPACE = "client-dev"
RESOURCES = f"/apis/{names.API_VERSION}/namespaces/{NAMESPACE}"
JOBS, MODELS = f"{RESOURCES}/{names.PLURAL}", f"{RESOURCES}/{names.MODEL_PLURAL}"
SECRET = os.urandom(32).hex()
_BIN = Path(sys.executable).parent


@pytest.fixture(scope="session")
def rest(kubernetes: ControlPlane) -> Rest:
    """The administrator of a namespace in which the API may do what it has to."""
    rest = kubernetes.rest
    rest.post("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{NAMESPACE}"
    rules = [
        {"apiGroups": [names.GROUP], "resources": ["*"], "verbs": ["*"]},
        {"apiGroups": [""], "resources": ["pods", "pods/log", "events"], "verbs": ["*"]},
    ]
    rest.post(f"{rbac}/roles", {"metadata": {"name": API}, "rules": rules})
    group = "rbac.authorization.k8s.io"
    rest.post(
        f"{rbac}/rolebindings",
        {
            "metadata": {"name": API},
            "roleRef": {"apiGroup": group, "kind": "Role", "name": API},
            "subjects": [{"apiGroup": group, "kind": "User", "name": API}],
        },
    )
    return rest


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("s3")
    with gateway(gateway_binary(folder / "go-build.log"), folder) as server:
        yield server


class Server:
    """A `trainyard-api` that can be stopped and started again at its address."""

    def __init__(
        self, apis: ForkServer, settings: dict[str, str], kubeconfig: Path, log: Path
    ) -> None:
        (port,) = free_ports(1)
        self._apis = apis
        self.url = f"http://127.0.0.1:{port}"
        self._log = log
        self._environment = {
            "PATH": os.environ["PATH"],
            "KUBECONFIG": str(kubeconfig),
            **CREDENTIALS,
            "TRAINYARD_API_PORT": str(port),
            **{f"TRAINYARD_API_{name}": value for name, value in settings.items()},
        }
        self._running = ExitStack()

    def start(self) -> None:
        process = self._apis.start(self._environment, self._log)
        self._running.enter_context(ended_politely(process))
        wait_until_ok(process, f"{self.url}/readyz", self._log)

    def stop(self) -> None:
        self._running.close()


@pytest.fixture(scope="module")
def server(
    *,
    kubernetes: ControlPlane,
    apis: ForkServer,
    rest: Rest,
    store: Gateway,
    database_url: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Server]:
    settings = {
        "NAMESPACE": NAMESPACE,
        "JWT_SECRET": SECRET,
        "BUCKET": BUCKET,
        "DATABASE_URL": database_url,
        "S3_ENDPOINT_URL": store.url,
    }
    log = tmp_path_factory.mktemp("api") / "api.log"
    server = Server(apis, settings, kubernetes.kubeconfigs[API], log)
    server.start()
    yield server
    server.stop()
    rest.delete(JOBS)


@pytest.fixture(scope="module")
def url(server: Server) -> str:
    return server.url


def token(role: str = "admin", subject: str = "ada") -> str:
    now = int(time.time())
    claims = {"sub": subject, "role": role, "iss": "trainyard", "aud": "trainyard"}
    return jwt.encode({**claims, "iat": now, "exp": now + 900}, SECRET, algorithm="HS256")


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    with Client(url, token()) as client:
        yield client


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Done]


def run(command: list[str], environment: dict[str, str]) -> Done:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def trainyard(url: str, tmp_path: Path) -> Run:
    """The command as a process, with address and token in its environment."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "TRAINYARD_URL": url,
        "TRAINYARD_TOKEN": token(),
    }
    return lambda *words: run([str(_BIN / "trainyard"), *map(str, words)], environment)


@pytest.fixture(scope="session")
def administrator(kubernetes: ControlPlane) -> Path:
    return kubernetes.kubeconfigs[ADMIN]


@pytest.fixture
def kubectl(node_program: Path, administrator: Path, url: str, tmp_path: Path) -> Run:
    """The real kubectl, with its plugin on the PATH.

    The control plane has no nodes, so there is nothing to forward a port to: that one command
    answers as kubectl does, with the port of the API's process.
    """
    shims = tmp_path / "bin"
    shims.mkdir()
    port = url.rpartition(":")[2]
    (shims / "kubectl").write_text(
        "#!/bin/sh\n"
        'case " $* " in *" port-forward "*)\n'
        f"  echo 'Forwarding from 127.0.0.1:{port} -> 8000'\n"
        "  exec sleep 600\n"
        "esac\n"
        f'exec {shlex.quote(str(node_program))} kubectl "$@"\n'
    )
    (shims / "kubectl").chmod(0o755)
    environment = {
        "PATH": f"{shims}:{_BIN}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "KUBECONFIG": str(administrator),
    }
    return lambda *words: run([str(shims / "kubectl"), *map(str, words)], environment)


@pytest.fixture
def release(rest: Rest) -> Iterator[ExitStack]:
    """What the chart leaves in the namespace, as far as the command looks at it."""
    labels = {
        "app.kubernetes.io/name": "trainyard",
        "app.kubernetes.io/part-of": "trainyard",
        "app.kubernetes.io/component": "api",
    }
    metadata = {"name": "trainyard-api", "labels": labels}
    reference = {"secretKeyRef": {"name": "trainyard-auth", "key": "jwt-secret"}}
    container = {
        "name": "api",
        "image": "trainyard/api",
        "env": [{"name": "TRAINYARD_API_JWT_SECRET", "valueFrom": reference}],
    }
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    objects: dict[str, dict[str, Any]] = {
        f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments": {
            "metadata": metadata,
            "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": template},
        },
        f"/api/v1/namespaces/{NAMESPACE}/services": {
            "metadata": metadata,
            "spec": {"selector": labels, "ports": [{"name": "http", "port": 8000}]},
        },
        f"/api/v1/namespaces/{NAMESPACE}/secrets": {
            "metadata": {"name": "trainyard-auth"},
            "stringData": {"jwt-secret": SECRET},
        },
    }
    with ExitStack() as made:
        for path, body in objects.items():
            rest.post(path, body)
            made.callback(rest.delete, f"{path}/{body['metadata']['name']}")
        yield made
