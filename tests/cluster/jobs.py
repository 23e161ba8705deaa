"""What the cluster tests say about TrainingJobs."""

import secrets
from collections.abc import Callable
from typing import Any

from kubernetes.client import V1Pod
from trainyard_devtools.churn import ID, TARGET
from trainyard_devtools.jobs import training_job
from trainyard_devtools.kube import Kube
from trainyard_schema import TERMINAL_PHASES, Phase, TrainingJobStatus, names

DATASET = "tests/churn.csv"


class Run:
    """One TrainingJob under test."""

    def __init__(self, kube: Kube, name: str) -> None:
        self.kube = kube
        self.name = name

    @property
    def status(self) -> TrainingJobStatus:
        """The status as it is stored now."""
        return status_of(self.kube.training_job(self.name))

    @property
    def selector(self) -> str:
        """Of its pods."""
        return f"{names.NAME_LABEL}={names.label_value(self.name)}"

    @property
    def pods(self) -> list[V1Pod]:
        """Its pods, whatever their phase."""
        core, namespace = self.kube.core, self.kube.namespace
        listed = core.list_namespaced_pod(namespace, label_selector=self.selector)
        return list(listed.items)

    @property
    def pod_uids(self) -> list[str]:
        """The UIDs of its pods."""
        return sorted(str(pod.metadata.uid) for pod in self.pods if pod.metadata)

    def until(
        self, done: Callable[[TrainingJobStatus], bool], timeout: float = 180
    ) -> TrainingJobStatus:
        """The first status for which `done` is true; fails when the run ends without it."""
        status = TrainingJobStatus()
        for job in self.kube.follow(self.name, timeout):
            status = status_of(job)
            if done(status):
                return status
            assert status.phase not in TERMINAL_PHASES, status.to_json()
        raise AssertionError(f"{self.name} was deleted")

    def until_phase(self, phase: Phase, timeout: float = 180) -> TrainingJobStatus:
        """The first status with this phase."""
        return self.until(lambda status: status.phase == phase, timeout)

    def patch(self, **spec: Any) -> None:
        """`kubectl patch` of the spec."""
        self.kube.patch_training_job(self.name, {"spec": spec})

    def wait_pods_gone(self, timeout: float = 60) -> None:
        """Returns when no pod of it is left."""
        self.kube.kubectl(
            "wait", "pod", "-l", self.selector, "--for=delete", f"--timeout={timeout:.0f}s"
        )
        assert self.pods == []


def status_of(job: dict[str, Any]) -> TrainingJobStatus:
    """The status of a TrainingJob document."""
    return TrainingJobStatus.from_stored(job.get("status") or {})


def manifest(uri: str, **spec: Any) -> dict[str, Any]:
    """A TrainingJob on the generated table; `spec` overrides field by field."""
    data = {"uri": uri, "target": TARGET, "exclude": [ID]}
    name = f"test-{secrets.token_hex(4)}"
    return training_job(name, **{"model": "test-churn", "data": data, **spec})


def condition(status: TrainingJobStatus, wanted: str) -> str | None:
    """The status of a condition: True, False, Unknown, or None where there is none."""
    for found in status.conditions:
        if found.type == wanted:
            return found.status
    return None
