"""A node that runs no container: scheduler and kubelet of pods that do what a script says."""

import asyncio
import contextlib
from collections.abc import Callable

from trainyard_schema import names

from ..trainer_pods import INTERRUPTED, End, ended, started
from .upstream import Document, Upstream

NAME = "node-1"
STOP_SECONDS = 0.3
"""How long a trainer takes to end after SIGTERM."""


Plan = Callable[[Document], tuple[float, End] | None]
"""After how many seconds the trainer of a pod that has started ends, and how; None: a test says."""


def index_of(pod: Document) -> int:
    """The completion index of the pod."""
    return int(pod["metadata"]["annotations"][names.COMPLETION_INDEX_ANNOTATION])


def has_ended(pod: Document) -> bool:
    return pod["status"].get("phase") in ("Succeeded", "Failed")


def runs(pod: Document) -> bool:
    return bool(pod["status"].get("phase") == "Running")


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
