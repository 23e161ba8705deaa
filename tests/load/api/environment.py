"""What the API is measured in: a real API server and Postgres, as many replicas as wanted."""

import os
import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen

import jwt
from localcluster.nodebinary import node_binary
from trainyard_schema import names

from ...component.control_plane import (
    ADMIN,
    ControlPlane,
    control_plane,
    free_ports,
    program,
    serve_kinds,
    wait_until_ok,
)
from ...component.postgres import Postgres, postgres_server

NAMESPACE = "bench-api"
JOBS = f"/apis/{names.API_VERSION}/namespaces/{NAMESPACE}/{names.PLURAL}"
MODELS = f"/apis/{names.API_VERSION}/namespaces/{NAMESPACE}/{names.MODEL_PLURAL}"


@dataclass
class Replica:
    """A running `trainyard-api`."""

    port: int
    log: Path
    command: list[str]
    environment: dict[str, str]
    _stack: ExitStack = field(default_factory=ExitStack, repr=False)
    process: "Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.process = self._stack.enter_context(
            program(self.command, self.log, env=self.environment)
        )
        wait_until_ok(self.process, f"{self.url}/readyz", self.log)

    def stop(self) -> None:
        self._stack.close()

    @contextmanager
    def killed(self) -> Iterator[None]:
        """Connections break, and new ones are refused."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        try:
            yield
        finally:
            self.start()

    def resident_megabytes(self) -> float:
        """Physical memory of the process."""
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        (line,) = [line for line in status.splitlines() if line.startswith("VmRSS:")]
        return round(int(line.split()[1]) / 1024, 1)


@dataclass
class Environment:
    """Everything that the replicas need, and tokens for them."""

    plane: ControlPlane
    postgres: Postgres
    folder: Path
    _secret: str = field(default_factory=lambda: secrets.token_hex(32), repr=False)

    def token(self, subject: str, role: str = "trainer") -> str:
        """A token that outlives the measurement."""
        now = int(time.time())
        claims = {"sub": subject, "role": role, "iss": "trainyard", "aud": "trainyard"}
        return jwt.encode(
            {**claims, "iat": now, "exp": now + 7200}, self._secret, algorithm="HS256"
        )

    @contextmanager
    def replicas(self, count: int, **settings: str) -> Iterator[list[Replica]]:
        """So many replicas on a database of their own; `settings` as `TRAINYARD_API_` variables."""
        database = f"bench{secrets.token_hex(4)}"
        url = self.postgres.create(database)
        with ExitStack() as stack:
            running = []
            for port in free_ports(count):
                replica = Replica(
                    port,
                    self.folder / f"api-{port}.log",
                    [str(Path(sys.executable).with_name("trainyard-api"))],
                    self._variables(port, url, settings),
                )
                replica.start()
                stack.callback(replica.stop)
                running.append(replica)
            yield running

    def _variables(self, port: int, database: str, settings: dict[str, str]) -> dict[str, str]:
        variables = {
            "NAMESPACE": NAMESPACE,
            "DATA_URI": "s3://trainyard/datasets/churn.csv",
            "TARGET": "churned",
            "JWT_SECRET": self._secret,
            "BUCKET": "trainyard",
            "S3_ENDPOINT_URL": "http://127.0.0.1:1",
            "DATABASE_URL": database,
            "PORT": str(port),
            "LOG_LEVEL": "info",
            **settings,
        }
        return {
            "PATH": os.environ["PATH"],
            "KUBECONFIG": str(self.plane.kubeconfigs[ADMIN]),
            "AWS_ACCESS_KEY_ID": "none",
            "AWS_SECRET_ACCESS_KEY": "none",
            **{f"TRAINYARD_API_{name}": value for name, value in variables.items()},
        }


@contextmanager
def environment(folder: Path) -> Iterator[Environment]:
    """Start everything; stop everything."""
    binary = node_binary(folder / "go-build.log")
    with ExitStack() as stack:
        plane = stack.enter_context(control_plane(binary, folder))
        serve_kinds(plane)
        plane.rest.post("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        postgres = stack.enter_context(postgres_server(folder / "apt.log"))
        yield Environment(plane, postgres, folder)
