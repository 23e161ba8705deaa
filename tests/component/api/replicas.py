"""Replicas of the Train API as processes, and Models whose operator is the test."""

import json
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import httpx
import jwt
from trainyard_schema import names

from ...forking.forks import Fork, ForkServer
from ..control_plane import (
    API,
    ControlPlane,
    Rest,
    ended_politely,
    free_ports,
    wait_for,
    wait_until_ok,
)
from .role import RULES

_SECRET = os.urandom(32).hex()
SERVICE_TOKEN = os.urandom(32).hex()
_GROUP = "rbac.authorization.k8s.io"
BUCKET = "trainyard"
NOBODY = "http://127.0.0.1:1"
"""The address of a store that is away: data that cannot be looked at are left to the trainer."""


def token(subject: str = "ada", role: str | None = None) -> str:
    now = int(time.time())
    claims = {"sub": subject, "iss": "trainyard", "aud": "trainyard", "iat": now, "exp": now + 900}
    return jwt.encode(claims | ({"role": role} if role else {}), _SECRET, algorithm="HS256")


@dataclass(frozen=True)
class Replica:
    """A running `trainyard-api`."""

    process: Fork
    url: str
    log: Path

    def client(self, subject: str = "ada", role: str | None = None) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {token(subject, role)}"}
        return httpx.AsyncClient(base_url=self.url, headers=headers, timeout=45)

    def post(self, body: dict[str, Any], subject: str = "ada") -> httpx.Response:
        headers = {"Authorization": f"Bearer {token(subject)}", "Content-Type": "application/json"}
        # httpx cannot send half of a surrogate pair; others can, escaped.
        content = json.dumps(body)
        url = f"{self.url}/api/retrain"
        return httpx.post(url, content=content, headers=headers, timeout=45)


@dataclass
class Yard:
    """A namespace with a database, and replicas that serve both."""

    kubernetes: ControlPlane
    apis: ForkServer
    database_url: str
    s3_url: str
    folder: Path
    namespace: str = field(default_factory=lambda: f"retrain-{secrets.token_hex(4)}")
    _running: ExitStack = field(default_factory=ExitStack)

    @property
    def rest(self) -> Rest:
        return self.kubernetes.rest

    @property
    def models(self) -> str:
        return f"/apis/{names.API_VERSION}/namespaces/{self.namespace}/{names.MODEL_PLURAL}"

    @property
    def jobs(self) -> str:
        return f"/apis/{names.API_VERSION}/namespaces/{self.namespace}/{names.PLURAL}"

    def open(self) -> None:
        """A namespace with a Role of just what the API is said to need."""
        self.rest.post("/api/v1/namespaces", {"metadata": {"name": self.namespace}})
        path = f"/apis/{_GROUP}/v1/namespaces/{self.namespace}"
        self.rest.post(f"{path}/roles", {"metadata": {"name": API}, "rules": RULES})
        self.rest.post(
            f"{path}/rolebindings",
            {
                "metadata": {"name": API},
                "roleRef": {"apiGroup": _GROUP, "kind": "Role", "name": API},
                "subjects": [{"apiGroup": _GROUP, "kind": "User", "name": API}],
            },
        )

    def close(self) -> None:
        self._running.close()

    def start(self, sabotage: str = "", **settings: str) -> Replica:
        """A replica that is ready."""
        (port,) = free_ports(1)
        url, log = f"http://127.0.0.1:{port}", self.folder / f"api-{port}.log"
        given = {
            "NAMESPACE": self.namespace,
            "JWT_SECRET": _SECRET,
            "SERVICE_TOKEN": SERVICE_TOKEN,
            "BUCKET": BUCKET,
            "S3_ENDPOINT_URL": self.s3_url,
            "DATABASE_URL": self.database_url,
            "RETRAIN_LOST_SECONDS": "31",
            "PORT": str(port),
            **settings,
        }
        environment = {
            "PATH": os.environ["PATH"],
            "KUBECONFIG": str(self.kubernetes.kubeconfigs[API]),
            "AWS_ACCESS_KEY_ID": os.environ.get("AWS_ACCESS_KEY_ID", "test"),
            "AWS_SECRET_ACCESS_KEY": os.environ.get("AWS_SECRET_ACCESS_KEY", "test"),
            **{f"TRAINYARD_API_{name}": value for name, value in given.items()},
        }
        process = self.apis.start(environment, log, sabotage)
        self._running.enter_context(ended_politely(process))
        wait_until_ok(process, f"{url}/readyz", log)
        # What it lists first is all that there is now.
        wait_for("it knows the Models", lambda: '"kind": "Model", "count"' in log.read_text())
        return Replica(process, url, log)

    def model(
        self,
        name: str,
        *,
        uri: str = "s3://elsewhere/churn.csv",
        marked: bool = False,
        **spec: Any,
    ) -> str:
        """Create a Model; `marked`: for retraining of all."""
        training = {"modelType": "xgboost", "data": {"uri": uri, "target": "churned"}}
        self.rest.post(
            self.models,
            {
                "apiVersion": names.API_VERSION,
                "kind": names.MODEL_KIND,
                "metadata": {
                    "name": name,
                    "labels": {names.RETRAINABLE_LABEL: str(marked).lower()},
                },
                "spec": {"template": {"spec": training}, **spec},
            },
        )
        return name

    def get(self, name: str) -> dict[str, Any]:
        found = self.rest.get(f"{self.models}/{name}")
        assert found is not None
        return found

    def requested(self, name: str) -> str | None:
        annotations = self.get(name)["metadata"].get("annotations") or {}
        value: str | None = annotations.get(names.RETRAIN_ANNOTATION)
        return value

    def start_run(self, name: str) -> str:
        """Answer a Model's request with a run, as the operator does. Returns the run's name."""
        value = wait_for(f"{name} is asked", lambda: self.requested(name))
        model = self.get(name)
        annotations = model["metadata"]["annotations"]
        uid = model["metadata"]["uid"]
        run = names.requested_run_name(name, uid, value)
        self.rest.post(
            self.jobs,
            {
                "apiVersion": names.API_VERSION,
                "kind": names.KIND,
                "metadata": {"name": run, "labels": {names.MODEL_UID_LABEL: uid}},
                "spec": {
                    **model["spec"]["template"]["spec"],
                    "model": name,
                    "mode": annotations[names.RETRAIN_MODE_ANNOTATION].split()[0],
                },
            },
        )
        self.set_status(f"{self.models}/{name}", lastHandledRetrain=value)
        return run

    def end_run(self, run: str, phase: str = "Succeeded", **status: Any) -> None:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self.set_status(f"{self.jobs}/{run}", phase=phase, completionTime=now, **status)

    def finish(self, *models: str, phase: str = "Succeeded", **status: Any) -> None:
        """Answer the requests of these Models, and end their runs."""
        for run in [self.start_run(model) for model in models]:
            self.end_run(run, phase, **status)

    def set_status(self, path: str, **status: Any) -> None:
        self.rest.patch(f"{path}/status", {"status": status})


class OpenYard(Protocol):
    def __call__(self, s3_url: str = NOBODY) -> Yard: ...


@contextmanager
def yard_of(
    kubernetes: ControlPlane, apis: ForkServer, database_url: str, s3_url: str, folder: Path
) -> Iterator[Yard]:
    yard = Yard(kubernetes, apis, database_url, s3_url, folder)
    yard.open()
    try:
        yield yard
    finally:
        yard.close()


def retrain(replica: Replica, job_id: str) -> dict[str, Any]:
    """What GET /api/v1/retrains/{id} says to an admin."""
    headers = {"Authorization": f"Bearer {token('root', 'admin')}"}
    url = f"{replica.url}/api/v1/retrains/{job_id}"
    answer = httpx.get(url, headers=headers, timeout=30)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def ended(replica: Replica, job_id: str, timeout: float = 20) -> dict[str, Any]:
    """The same once it has ended."""

    def look() -> dict[str, Any] | None:
        found = retrain(replica, job_id)
        return found if found["completed_at"] else None

    return wait_for(f"{job_id} ends", look, timeout)


def listed(replica: Replica, **query: str) -> list[dict[str, Any]]:
    """All retrains, the newest first."""
    headers = {"Authorization": f"Bearer {token('root', 'admin')}"}
    url = f"{replica.url}/api/v1/retrains"
    answer = httpx.get(url, headers=headers, params={"all": "true", "limit": "200"} | query)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items
