"""The nodes played by the harness itself: no scheduler, no kwok, for a quick run of a few."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import aiohttp

from . import kubelet
from .cases import CANCELLED
from .follow import follow
from .runs import FATE_LABEL, Document


class PlayedNodes:
    """Runs every pod of a namespace for a moment, and ends it as its label says."""

    def __init__(self, session: aiohttp.ClientSession, namespace: str) -> None:
        self._session = session
        self._pods = f"/api/v1/namespaces/{namespace}/pods"
        self._tasks = asyncio.TaskGroup()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with self._tasks:
            watch = self._tasks.create_task(follow(self._session, self._pods, self._seen))
            yield
            watch.cancel()

    def _seen(self, event: str, pod: Document, moment: float) -> None:
        if event == "ADDED":
            self._tasks.create_task(self._live(pod))

    async def _live(self, pod: Document) -> None:
        fate = pod["metadata"]["labels"][FATE_LABEL]
        container = pod["spec"]["containers"][0]
        start = _now()
        await self._patch(pod, kubelet.running(container, start))
        if fate != CANCELLED:
            await asyncio.sleep(kubelet.RUN_SECONDS)
            await self._patch(pod, kubelet.ended(container, start, _now(), fate))

    async def _patch(self, pod: Document, status: Document) -> None:
        path = f"{self._pods}/{pod['metadata']['name']}/status"
        headers = {"Content-Type": "application/merge-patch+json"}
        async with self._session.patch(path, json={"status": status}, headers=headers) as answer:
            answer.raise_for_status()


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
