"""The operator's process against a real API server, in a namespace for each test."""

import json
import re
import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from trainyard_schema import TERMINAL_PHASES, TrainingJobStatus, names

from ...forking.forks import Fork, ForkServer
from ...trainer_pods import End, ended, pod_status, started
from ..control_plane import (
    OPERATOR,
    ControlPlane,
    Rest,
    ended_politely,
    free_ports,
    wait_for,
    wait_until_ok,
)
from ..object_store import BUCKET, CREDENTIALS, S3Server
from .rbac import allow

if TYPE_CHECKING:
    from .models import ModelLab

PRELUDE = """
import getpass
def no_name():
    raise OSError("No username set in the environment")
getpass.getuser = no_name
import datetime
from trainyard_controller import main, watches
watches.TOKEN_LIFETIME = datetime.timedelta(seconds=2)
def restless():
    settings = watches.kopf_settings()
    settings.watching.server_timeout = 3
    return settings
main.kopf_settings = restless
"""
"""The operator as in its image, where the user has no name; tokens and watches end every moment."""

DEAF = """
import asyncio, kopf
from trainyard_controller import resync
async def none(**_):
    return []
async def deaf(*_, **__):
    await asyncio.Event().wait()
kopf.spawn_tasks, kopf.run_tasks = none, deaf
resync.Resync.__init__.__kwdefaults__["delivery"] = 1
"""
"""Watches that never say anything, as after some failures of the network."""


class Lab:
    """One namespace, its operator, and TrainingJobs in it; the test plays the kubelet."""

    def __init__(
        self,
        rest: Rest,
        s3: S3Server,
        operators: ForkServer,
        kubeconfig: Path,
        *,
        namespace: str,
        folder: Path,
    ) -> None:
        self.rest = rest
        self.s3 = s3
        self.namespace = namespace
        self._operators = operators
        self._kubeconfig = kubeconfig
        self._log = folder / "operator.log"
        self._stack = ExitStack()
        self.port = 0
        self.core = f"/api/v1/namespaces/{namespace}"
        self.jobs = f"/apis/batch/v1/namespaces/{namespace}/jobs"
        self.training_jobs = f"/apis/{names.API_VERSION}/namespaces/{namespace}/{names.PLURAL}"

    def start(self, sabotage: str = "", *, until: str = "readyz", **environment: str) -> Fork:
        """Start the operator; returns when it is ready, or at least answers (`healthz`)."""
        (self.port,) = free_ports(1)
        given = {
            "KUBECONFIG": str(self._kubeconfig),
            "TRAINYARD_NAMESPACES": self.namespace,
            "TRAINYARD_TRAINER_IMAGE": "trainer:test",
            "TRAINYARD_TRAINER_SERVICE_ACCOUNT": "trainer",
            "TRAINYARD_S3_SECRET": "s3",
            "TRAINYARD_BUCKET": BUCKET,
            "TRAINYARD_S3_ENDPOINT_URL": self.s3.url,
            **CREDENTIALS,
            "TRAINYARD_METRICS_PORT": str(self.port),
            "TRAINYARD_PROGRESS_SECONDS": "1",
            **environment,
        }
        process = self._operators.start(given, self._log, PRELUDE + sabotage)
        self._stack.enter_context(ended_politely(process))
        wait_until_ok(process, f"http://127.0.0.1:{self.port}/{until}", self._log)
        return process

    def stop(self) -> None:
        """SIGTERM, and wait for the end."""
        self._stack.close()

    @property
    def log(self) -> str:
        return self._log.read_text()

    @property
    def lines(self) -> list[dict[str, Any]]:
        """What the operator logged."""
        return [json.loads(line) for line in self.log.splitlines() if line.startswith("{")]

    @property
    def metrics(self) -> str:
        return httpx.get(f"http://127.0.0.1:{self.port}/metrics").text

    def watch_requests(self) -> dict[str, float]:
        """Seconds since each watch last asked the API server."""
        found = httpx.get(f"http://127.0.0.1:{self.port}/healthz").json()
        return dict(found["watchRequestAgeSeconds"])

    @property
    def writes(self) -> dict[str, int]:
        """What this process of the operator has written: `verb resource` and how often."""
        found = {}
        for line in self.metrics.splitlines():
            if line.startswith("trainyard_api_writes_total{"):
                labels, _, value = line.partition("{")[2].partition("} ")
                pairs = dict(pair.split("=") for pair in labels.replace('"', "").split(","))
                found[f"{pairs['verb']} {pairs['resource']}"] = int(float(value))
        return found

    @property
    def reconciliations(self) -> int:
        """How often this process of the operator has looked at an object, of either kind."""
        return self.observations("trainyard_reconcile_duration_seconds")

    def observations(self, histogram: str) -> int:
        """How often this process of the operator has observed something, with any label."""
        counts = re.findall(rf"(?m)^{histogram}_count\S* (\S+)", self.metrics)
        return int(sum(float(count) for count in counts))

    def submit(self, labels: dict[str, str] | None = None, **spec: Any) -> str:
        name = f"run-{secrets.token_hex(3)}"
        data = {"uri": "s3://trainyard/churn.csv", "target": "churned"}
        self.rest.post(
            self.training_jobs,
            {
                "apiVersion": names.API_VERSION,
                "kind": names.KIND,
                "metadata": {"name": name, "labels": labels or {}},
                "spec": {"modelType": "xgboost", "data": data, **spec},
            },
        )
        return name

    def training_job(self, name: str) -> dict[str, Any]:
        found = self.rest.get(f"{self.training_jobs}/{name}")
        assert found is not None
        return found

    def patch(self, name: str, **spec: Any) -> None:
        self.rest.patch(f"{self.training_jobs}/{name}", {"spec": spec})

    def status(self, name: str) -> TrainingJobStatus:
        return TrainingJobStatus.model_validate(self.training_job(name).get("status", {}))

    def until(self, name: str, phase: str, timeout: float = 30) -> TrainingJobStatus:
        """Wait for a phase; an end that is not the one waited for fails at once."""

        def reached() -> TrainingJobStatus | None:
            status = self.status(name)
            if status.phase == phase:
                return status
            assert status.phase not in TERMINAL_PHASES, status.to_json()
            return None

        try:
            return wait_for(f"{name} is {phase}", reached, timeout)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log}") from None

    def job_path(self, name: str) -> str:
        uid = self.training_job(name)["metadata"]["uid"]
        return f"{self.jobs}/{names.job_name(name, uid)}"

    def has_failed(self, path: str) -> bool:
        """Whether the Job at a path has ended without what it was to do."""
        conditions = (self.rest.get(path) or {}).get("status", {}).get("conditions", [])
        return any((one["type"], one["status"]) == ("Failed", "True") for one in conditions)

    def pods(self, name: str) -> list[dict[str, Any]]:
        selector = f"{names.NAME_LABEL}={name}"
        return self.rest.items(f"{self.core}/pods", labelSelector=selector)

    def pod(self, name: str, index: int = 0) -> dict[str, Any]:
        """The pod of one index that has yet to end, once the Job controller has made it."""
        annotation = names.COMPLETION_INDEX_ANNOTATION

        def find() -> dict[str, Any] | None:
            for pod in self.pods(name):
                ended = pod["status"].get("phase") in ("Succeeded", "Failed")
                if pod["metadata"]["annotations"][annotation] == str(index) and not ended:
                    return pod
            return None

        return wait_for(f"{name} has a pod {index}", find)

    def events(self, name: str) -> list[str]:
        """The reasons of the Events about a TrainingJob."""
        selector = f"involvedObject.name={name},involvedObject.kind={names.KIND}"
        found = self.rest.items(f"{self.core}/events", fieldSelector=selector)
        return [event["reason"] for event in found]

    def quota_counts(self, name: str) -> bool:
        found = self.rest.get(f"{self.core}/resourcequotas/{name}")
        return found is not None and "hard" in found.get("status", {})

    def is_deleting(self, path: str) -> bool:
        found = self.rest.get(path)
        return found is not None and "deletionTimestamp" in found["metadata"]

    def set_pod(self, pod: dict[str, Any], phase: str, state: dict[str, Any]) -> None:
        """What a kubelet would say of the pod."""
        self._report(pod, pod_status(phase, state))

    def _report(self, pod: dict[str, Any], status: dict[str, Any]) -> None:
        self.rest.patch(f"{self.core}/pods/{pod['metadata']['name']}/status", {"status": status})

    def unschedulable(self, name: str, message: str) -> None:
        """What the scheduler would say of the pod."""
        condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
        self.rest.patch(
            f"{self.core}/pods/{self.pod(name)['metadata']['name']}/status",
            {"status": {"conditions": [{**condition, "message": message}]}},
        )

    def bind(self, name: str, index: int = 0) -> dict[str, Any]:
        """Give the pod to a node: it then stays until its kubelet has stopped it."""
        pod = self.pod(name, index)
        metadata = {"name": pod["metadata"]["name"]}
        path = f"{self.core}/pods/{metadata['name']}/binding"
        self.rest.post(path, {"metadata": metadata, "target": {"name": "node"}})
        return pod

    def run_pod(self, name: str, index: int = 0) -> dict[str, Any]:
        pod = self.pod(name, index)
        self._report(pod, started())
        return pod

    def end_pod(self, pod: dict[str, Any], code: int, message: str) -> None:
        found = self.rest.get(f"{self.core}/pods/{pod['metadata']['name']}")
        assert found is not None
        self._report(pod, ended(found, End(code, message)))


def _lab(kubernetes: ControlPlane, s3: S3Server, operators: ForkServer, folder: Path) -> Lab:
    rest = kubernetes.rest
    namespace = f"lab-{secrets.token_hex(4)}"
    rest.post("/api/v1/namespaces", {"metadata": {"name": namespace}})
    rest.post(f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": "trainer"}})
    allow(rest, namespace)
    return Lab(
        rest, s3, operators, kubernetes.kubeconfigs[OPERATOR], namespace=namespace, folder=folder
    )


@pytest.fixture
def lab(
    kubernetes: ControlPlane, s3: S3Server, operators: ForkServer, tmp_path: Path
) -> Iterator[Lab]:
    """A namespace with the operator not yet running."""
    one = _lab(kubernetes, s3, operators, tmp_path)
    yield one
    one.stop()


@pytest.fixture
def other(kubernetes: ControlPlane, s3: S3Server, operators: ForkServer, tmp_path: Path) -> Lab:
    """A second namespace, which the operator of `lab` may serve too."""
    return _lab(kubernetes, s3, operators, tmp_path)


@pytest.fixture
def models(lab: Lab, tmp_path: Path) -> "ModelLab":
    """Models in that namespace."""
    from .models import ModelLab

    return ModelLab(lab, tmp_path / "clock")
