"""How long it takes from a creation to the pod that follows from it."""

import queue
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from kubernetes import client, watch
from trainyard_schema import names
from urllib3.exceptions import ProtocolError

from trainyard_devtools.jobs import training_job
from trainyard_devtools.kube import Kube

COUNT = 50
_NOWHERE = {f"{names.GROUP}/bench": "nowhere"}
"""A node selector that no node matches: what is measured is the pod's creation, not a training."""
_PATIENCE_SECONDS = 30
_PACE_SECONDS = 1.0
"""Faster, and the controller manager's own rate limit (20 requests per second) is measured."""

_PodEvents = queue.Queue[tuple[str, str, float]]


@contextmanager
def _pod_events(kube: Kube) -> Iterator[_PodEvents]:
    """Type, Job's name and moment of each event of a pod."""
    events: _PodEvents = queue.Queue()
    watcher = watch.Watch()  # type: ignore[no-untyped-call]

    def follow() -> None:
        api = client.CoreV1Api(kube.client)
        stream = watcher.stream(  # type: ignore[no-untyped-call]
            api.list_namespaced_pod, kube.namespace, timeout_seconds=600
        )
        with suppress(ProtocolError):  # stopping ends the response in its middle
            for event in stream:
                labels = event["object"].metadata.labels or {}
                events.put((event["type"], labels.get("job-name", ""), time.monotonic()))

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield events
    finally:
        watcher.stop()  # type: ignore[no-untyped-call]


def _await(events: _PodEvents, event: str, job: str) -> float:
    while True:
        kind, owner, moment = events.get(timeout=_PATIENCE_SECONDS)
        if (kind, owner) == (event, job):
            return moment


def _latency(
    events: _PodEvents, create: Callable[[str], str], delete: Callable[[str], Any]
) -> float:
    """Seconds from a creation to its pod, which is gone again when this returns.

    `create` returns the name of the Job to expect.
    """
    name = f"bench-{secrets.token_hex(4)}"
    started = time.monotonic()
    job = create(name)
    latency = _await(events, "ADDED", job) - started
    delete(name)
    _await(events, "DELETED", job)
    time.sleep(max(0.0, started + _PACE_SECONDS - time.monotonic()))
    return latency


def latencies(kube: Kube) -> tuple[list[float], list[float]]:
    """Seconds from creation to pod, of 50 TrainingJobs and of 50 bare Jobs in turn."""
    ours: list[float] = []
    bare: list[float] = []
    kinds = ((ours, _training_jobs(kube)), (bare, _bare_jobs(kube)))
    with _pod_events(kube) as events:
        for _ in range(COUNT):
            for measured, (create, delete) in kinds:
                measured.append(_latency(events, create, delete))
    return ours, bare


def _training_jobs(kube: Kube) -> tuple[Callable[[str], str], Callable[[str], Any]]:
    def create(name: str) -> str:
        created = kube.create_training_job(training_job(name, nodeSelector=_NOWHERE))
        return names.job_name(name, created["metadata"]["uid"])

    return create, kube.delete_training_job


def _bare_jobs(kube: Kube) -> tuple[Callable[[str], str], Callable[[str], Any]]:
    """The floor for any operator."""
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

    return create, delete
