"""A node that runs no container: scheduler and kubelet of pods that do what a script says."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from trainyard_schema import ModelType, Reason, RunResult, names

from .upstream import Document, Upstream

NAME = "node-1"
VERSION = "20261123T090000Z-0badcafe"
STOP_SECONDS = 0.3
"""How long a trainer takes to end after SIGTERM."""


@dataclass(frozen=True)
class End:
    """How a trainer ends."""

    code: int
    message: str


def uploaded(kind: ModelType = ModelType.XGBOOST, value: str = "0.84") -> End:
    """The end of a trainer that has filed a version."""
    version = {
        "modelType": kind,
        "version": VERSION,
        "uri": f"s3://trainyard/models/x/{kind}/{VERSION}/",
        "sha256": "ab" * 32,
        "sizeBytes": 1,
        "current": True,
        "durationSeconds": 1.5,
    }
    metric = {"modelType": kind, "name": "roc_auc", "value": value, "split": "holdout"}
    document = {"modelType": kind, "version": version, "metrics": [metric]}
    return End(0, RunResult.model_validate(document).to_json())


BAD_DATA = End(66, RunResult(reason=Reason.DATA_NOT_FOUND, message="no such key").to_json())
CRASHED = End(1, "Segmentation fault")
OUT_OF_MEMORY = End(137, "")
INTERRUPTED = End(143, RunResult(reason=Reason.INTERRUPTED, message="stopped").to_json())

Plan = Callable[[Document], tuple[float, End] | None]
"""After how many seconds the trainer of a pod that has started ends, and how; None: a test says."""


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def index_of(pod: Document) -> int:
    """The completion index of the pod."""
    return int(pod["metadata"]["annotations"][names.COMPLETION_INDEX_ANNOTATION])


def has_ended(pod: Document) -> bool:
    return pod["status"].get("phase") in ("Succeeded", "Failed")


def runs(pod: Document) -> bool:
    return bool(pod["status"].get("phase") == "Running")


def started() -> Document:
    """The status of a pod whose trainer has just started."""
    return _status("Running", {"running": {"startedAt": _now()}})


def ended(pod: Document, end: End) -> Document:
    """The status of the pod when its trainer has just ended."""
    [before] = pod["status"].get("containerStatuses") or [{}]
    start = before.get("state", {}).get("running", {}).get("startedAt", _now())
    reason = {0: "Completed", 137: "OOMKilled"}.get(end.code, "Error")
    state = {
        "exitCode": end.code,
        "reason": reason,
        "message": end.message,
        "startedAt": start,
        "finishedAt": _now(),
    }
    return _status("Failed" if end.code else "Succeeded", {"terminated": state})


def waiting(reason: str, message: str) -> Document:
    """The status of a pod whose container cannot be started."""
    return _status("Pending", {"waiting": {"reason": reason, "message": message}})


def unschedulable(message: str) -> Document:
    """The status of a pod that no node takes."""
    return _condition("PodScheduled", "False", "Unschedulable", message)


def disrupted() -> Document:
    """The status of a pod that Kubernetes is about to take away."""
    return _condition("DisruptionTarget", "True", "EvictionByEvictionAPI", "evicted")


def _condition(kind: str, status: str, reason: str, message: str) -> Document:
    condition = {"type": kind, "status": status, "reason": reason, "message": message}
    return {"conditions": [{**condition, "lastTransitionTime": _now()}]}


def _status(phase: str, state: dict[str, Any]) -> Document:
    container = {
        "name": names.TRAINER_CONTAINER,
        "image": "trainer:test",
        "imageID": "",
        "ready": "running" in state,
        "restartCount": 0,
        "state": state,
    }
    return {"phase": phase, "containerStatuses": [container]}


class Node:
    """Binds, starts and, once they are deleted, stops and removes the pods of a namespace.

    A pod that is not deleted ends by the plan, or when a test calls `end`.
    """

    def __init__(self, upstream: Upstream, namespace: str, plan: Plan = lambda _: None) -> None:
        self._upstream = upstream
        self._path = f"/api/v1/namespaces/{namespace}/pods"
        self._plan = plan
        self.last_words = INTERRUPTED
        """How a trainer ends that is told to stop."""
        self._pods: dict[str, Document] = {}
        self._busy: set[str] = set()
        self._open = True

    def pods(self) -> list[Document]:
        """As last seen."""
        return list(self._pods.values())

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            async for event in self._upstream.follow(self._path, {}):
                pod = event["object"]
                name = pod["metadata"]["name"]
                if event["type"] == "DELETED":
                    self._pods.pop(name, None)
                else:
                    self._pods[name] = pod
                    self._turn_to(name)

    async def cordon(self) -> None:
        """Let pods that come wait until `uncordon`."""
        self._open = False

    async def uncordon(self) -> None:
        """Take pods, also those that wait."""
        self._open = True
        for name in list(self._pods):
            self._turn_to(name)

    def _turn_to(self, name: str) -> None:
        if name not in self._busy:
            self._busy.add(name)
            self._tasks.create_task(self._look_after(name))

    async def _look_after(self, name: str) -> None:
        """One step after another until there is nothing to do but wait for the next event."""
        done = ""
        try:
            while (pod := self._pods.get(name)) and pod["metadata"]["resourceVersion"] != done:
                done = pod["metadata"]["resourceVersion"]
                with contextlib.suppress(OSError):
                    await self._step(pod)
        finally:
            self._busy.discard(name)

    async def _step(self, pod: Document) -> None:
        if "deletionTimestamp" in pod["metadata"]:
            if not has_ended(pod):
                await asyncio.sleep(STOP_SECONDS)
                pod = await self._report(pod, ended(pod, self.last_words))
            # A kubelet removes the pod as soon as its end is told.
            await self.remove(pod)
        elif not pod["spec"].get("nodeName"):
            if not self._open:
                return
            binding = {"metadata": {"name": pod["metadata"]["name"]}, "target": {"name": NAME}}
            await self._upstream.send("POST", self._url(pod) + "/binding", binding)
        elif not has_ended(pod) and not runs(pod):
            await self._report(pod, started())
        elif runs(pod) and (planned := self._plan(pod)) is not None:
            await asyncio.sleep(planned[0])
            latest = self._pods.get(pod["metadata"]["name"])
            if latest is not None and "deletionTimestamp" not in latest["metadata"]:
                await self._report(latest, ended(latest, planned[1]))

    def _url(self, pod: Document) -> str:
        return f"{self._path}/{pod['metadata']['name']}"

    async def _report(self, pod: Document, status: Document) -> Document:
        code, answer = await self._upstream.send(
            "PATCH", self._url(pod) + "/status", {"status": status}
        )
        if code == 200:
            self._pods[pod["metadata"]["name"]] = answer
            return answer
        return pod

    async def report(self, pod: Document, status: Document) -> None:
        """Write the status of a pod."""
        await self._report(pod, status)

    async def remove(self, pod: Document) -> None:
        """Delete the pod at once."""
        await self._upstream.send("DELETE", self._url(pod), {"gracePeriodSeconds": 0})
