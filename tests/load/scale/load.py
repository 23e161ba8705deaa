"""Creates runs, cancels those that are meant to be, and follows them to their ends."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from trainyard_controller.outcome import finished_condition

from .cases import CANCELLED, Case
from .follow import follow
from .record import Record
from .runs import FATE_LABEL, Document, Kind

AT_ONCE = 16
"""Requests that are under way at a time."""
STALLED_SECONDS = 120.0
"""Without any news for so long, a run has been lost."""


class Load:
    """One case of one kind of runs."""

    def __init__(self, session: aiohttp.ClientSession, case: Case, kind: Kind) -> None:
        self._session = session
        self._case = case
        self._kind = kind
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._cancels = asyncio.TaskGroup()
        self._changed = asyncio.Event()
        self.record = Record(dict(case.fates()))

    async def run(self) -> Record:
        """Do it. Raises `RuntimeError` where something is refused, or runs do not end."""
        async with self._watches(), self._cancels:
            self.record.started = time.monotonic()
            async with asyncio.TaskGroup() as tasks:
                for number, (name, fate) in enumerate(self.record.fates.items()):
                    tasks.create_task(self._create(number, name, fate))
            await self._end()
        return self.record

    @asynccontextmanager
    async def _watches(self) -> AsyncIterator[None]:
        kind, jobs = self._kind, f"/apis/batch/v1/namespaces/{self._kind.namespace}/jobs"
        pods = f"/api/v1/namespaces/{kind.namespace}/pods"
        watches = [
            follow(self._session, kind.path, self._run_seen),
            follow(self._session, pods, self._pod_seen, labelSelector=f"{FATE_LABEL}={CANCELLED}"),
        ]
        if kind.path != jobs:
            watches.append(follow(self._session, jobs, self._job_seen))
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(watch) for watch in watches]
            yield
            for task in running:
                task.cancel()

    async def _create(self, number: int, name: str, fate: str) -> None:
        if self._case.rate is not None:
            due = self.record.started + number / self._case.rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
        await self._request("POST", self._kind.path, self._kind.manifest(name, fate))

    async def _cancel(self, name: str) -> None:
        method, body = self._kind.cancel
        await self._request(method, f"{self._kind.path}/{name}", body)

    async def _request(self, method: str, path: str, body: Document) -> None:
        patch = "merge-patch+" if method == "PATCH" else ""
        headers = {"Content-Type": f"application/{patch}json"}
        async with (
            self._slots,
            self._session.request(method, path, json=body, headers=headers) as answer,
        ):
            if answer.status >= 400:
                raise RuntimeError(f"{method} {path}: {await answer.text()}")
            await answer.read()

    async def _end(self) -> None:
        while not self.record.done:
            self._changed.clear()
            try:
                async with asyncio.timeout(STALLED_SECONDS):
                    await self._changed.wait()
            except TimeoutError:
                raise RuntimeError(f"no news for {STALLED_SECONDS:g} s: {self._left()}") from None

    def _left(self) -> str:
        record = self.record
        running = [name for name in record.fates if name not in record.ends]
        present = [name for name in record.cancel_sent if name not in record.pod_gone]
        return f"{len(running)} runs have not ended {running[:3]}, pods are left of {present[:3]}"

    def _run_seen(self, event: str, document: Document, moment: float) -> None:
        name = document["metadata"]["name"]
        self.record.seen.setdefault(name, moment)
        outcome = self._kind.outcome(event, document)
        if outcome is not None:
            self.record.end(name, outcome, moment)
        self._changed.set()

    def _job_seen(self, event: str, document: Document, moment: float) -> None:
        metadata = document["metadata"]
        name = metadata["labels"][self._kind.name_label]
        self.record.jobs[name].add(metadata["uid"])
        self.record.job_seen.setdefault(name, moment)
        if finished_condition(document) is not None:
            self.record.job_ended.setdefault(name, moment)
        self._changed.set()

    def _pod_seen(self, event: str, document: Document, moment: float) -> None:
        """A run that is to be cancelled is so when its trainer runs."""
        name = document["metadata"]["labels"][self._kind.name_label]
        if event == "DELETED":
            self.record.pod_gone.setdefault(name, moment)
        elif document["status"].get("phase") == "Running" and name not in self.record.cancel_sent:
            self.record.cancel_sent[name] = time.monotonic()
            self._cancels.create_task(self._cancel(name))
        self._changed.set()
