"""`trainyard-api` as a process of its own that nobody helps: no cluster, no store, no database."""

import json
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

from ....forking.forks import Fork, ForkServer
from ...control_plane import ended_politely, free_ports, wait_until_ok

SECRET = secrets.token_hex(32)
SERVICE_TOKEN = secrets.token_hex(32)
PASSWORD = secrets.token_hex(16)


@dataclass(frozen=True)
class Server:
    """A running `trainyard-api`."""

    process: Fork
    port: int
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, token: str | None = None) -> httpx.AsyncClient:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return httpx.AsyncClient(base_url=self.url, headers=headers, timeout=40)

    def lines(self) -> list[dict[str, Any]]:
        """The log; each line must be a JSON object."""
        return [json.loads(line) for line in self.log.read_bytes().splitlines()]


Start = Callable[..., Server]


@pytest.fixture(scope="module")
def start(apis: ForkServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Start a server with these settings; one that is None is left out."""
    with ExitStack() as stack:

        def start(**settings: str | None) -> Server:
            folder = tmp_path_factory.mktemp("api")
            (port,) = free_ports(1)
            log = folder / "api.log"
            environment = _environment(folder, PORT=str(port), **settings)
            process = stack.enter_context(ended_politely(apis.start(environment, log)))
            server = Server(process, port, log)
            wait_until_ok(process, f"{server.url}/healthz", log)
            return server

        yield start


def _environment(folder: Path, **settings: str | None) -> dict[str, str]:
    kubeconfig = folder / "kubeconfig"
    cluster = {"name": "none", "cluster": {"server": "https://127.0.0.1:1"}}
    context = {"name": "none", "context": {"cluster": "none", "user": "none"}}
    kubeconfig.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [cluster],
                "users": [{"name": "none", "user": {"token": PASSWORD}}],
                "contexts": [context],
                "current-context": "none",
            }
        )
    )
    variables = {
        "NAMESPACE": "nowhere",
        "JWT_SECRET": SECRET,
        "SERVICE_TOKEN": SERVICE_TOKEN,
        "DATABASE_URL": f"postgresql://trainyard:{PASSWORD}@127.0.0.1:1/none",
        "BUCKET": "trainyard",
        "S3_ENDPOINT_URL": "http://127.0.0.1:1",
        "LOG_LEVEL": "debug",
        **settings,
    }
    return {
        "PATH": os.environ["PATH"],
        "KUBECONFIG": str(kubeconfig),
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": PASSWORD,
        **{f"TRAINYARD_API_{name}": value for name, value in variables.items() if value},
    }


@pytest.fixture(scope="module")
def server(start: Start) -> Server:
    return start()


def token(**claims: Any) -> str:
    now = int(time.time())
    some = {"sub": "ada", "iss": "trainyard", "aud": "trainyard", "iat": now, "exp": now + 600}
    return jwt.encode({**some, **claims}, SECRET, algorithm="HS256")
