"""How long it takes from a creation to the pod that follows from it."""

import queue
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from kubernetes import client, watch
from trainyard_schema import names

from trainyard_devtools.jobs import training_job
from trainyard_devtools.kube import Kube

COUNT = 50
_NOWHERE = {f"{names.GROUP}/bench": "nowhere"}
"""A node selector that no node matches: what is measured is the pod's creation, not a training."""
_PATIENCE_SECONDS = 30


@contextmanager
def _pod_arrivals(kube: Kube) -> Iterator["queue.Queue[tuple[str, float]]"]:
    """Owner labels of pods with the moment that a watch saw them first."""
    arrivals: queue.Queue[tuple[str, float]] = queue.Queue()
    watcher = watch.Watch()  # type: ignore[no-untyped-call]

    def follow() -> None:
        api = client.CoreV1Api(kube.client)
        stream = watcher.stream(  # type: ignore[no-untyped-call]
            api.list_namespaced_pod, kube.namespace, timeout_seconds=600
        )
        for event in stream:
            if event["type"] == "ADDED":
                labels = event["object"].metadata.labels or {}
                arrivals.put((labels.get("job-name", ""), time.monotonic()))

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield arrivals
    finally:
        watcher.stop()  # type: ignore[no-untyped-call]


def _latencies(
    kube: Kube, create: Callable[[str], str], delete: Callable[[str], Any]
) -> list[float]:
    """Seconds from each creation to its pod. `create` returns the name of the Job to expect."""
    latencies = []
    with _pod_arrivals(kube) as arrivals:
        for _ in range(COUNT):
            name = f"bench-{secrets.token_hex(4)}"
            started = time.monotonic()
            job = create(name)
            while True:
                label, seen = arrivals.get(timeout=_PATIENCE_SECONDS)
                if label == job:
                    latencies.append(seen - started)
                    break
            delete(name)
    return latencies


def training_job_latencies(kube: Kube) -> list[float]:
    """Seconds from a TrainingJob's creation to its pod's, for each of 50."""

    def create(name: str) -> str:
        body = training_job(name, nodeSelector=_NOWHERE)
        created = kube.create_training_job(body)
        return names.job_name(name, created["metadata"]["uid"])

    return _latencies(kube, create, kube.delete_training_job)


def bare_job_latencies(kube: Kube) -> list[float]:
    """Seconds from a Job's creation to its pod's, for each of 50: the floor for any operator."""
    security = {
        "runAsNonRoot": True,
        "runAsUser": 10001,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    image = kube.trainer_image()

    def create(name: str) -> str:
        container = {
            "name": "bare",
            "image": image,
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
            },
        }
        template = {
            "restartPolicy": "Never",
            "nodeSelector": _NOWHERE,
            "securityContext": security,
            "containers": [container],
        }
        kube.create_job({"metadata": {"name": name}, "spec": {"template": {"spec": template}}})
        return name

    def delete(name: str) -> None:
        kube.batch.delete_namespaced_job(name, kube.namespace, propagation_policy="Background")

    return _latencies(kube, create, delete)
