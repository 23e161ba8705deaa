"""The Events by which the Job controller tells that it could not create a pod."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence

import structlog

from trainyard_controller.errors import ApiError
from trainyard_controller.objects import Document, Key
from trainyard_controller.workqueue import WorkQueue

PAUSE_SECONDS = 5.0
"""Between two listings."""
LONGEST_PAUSE_SECONDS = 20.0
SHARE = 0.1
"""Of the time, at most so much is spent on listings while the pause is not the longest."""

log = structlog.get_logger(__name__)


class FailedCreates:
    """By Job. Has a run reconciled that waits for a pod when there is news of its Job.

    The API server goes through all Events of a namespace for each question, so that one listing
    answers for all Jobs that wait: there may be thousands.
    """

    def __init__(
        self, read: Callable[[str], Awaitable[Sequence[Document]]], queue: WorkQueue[Key]
    ) -> None:
        """`read` lists those of a namespace."""
        self._read = read
        self._queue = queue
        self._reading: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._listings: dict[str, dict[str, list[Document]]] = {}
        """What was found last in each namespace where a run waits, by the uid of the Job."""
        self._waiting: dict[Key, str] = {}
        """The uids of the Jobs of the runs that wait."""

    async def of(self, key: Key, job_uid: str) -> Sequence[Document]:
        """Those about the Job of a run, which waits from now on until it is forgotten."""
        self._waiting[key] = job_uid
        namespace = key[0]
        async with self._reading[namespace]:
            if namespace not in self._listings:
                self._listings[namespace] = await self._list(namespace)
        return self._listings[namespace].get(job_uid, [])

    def forget(self, key: Key) -> None:
        """The run does not wait any more."""
        self._waiting.pop(key, None)

    async def run(self) -> None:
        """Look for news for ever."""
        pause = PAUSE_SECONDS
        while True:
            await asyncio.sleep(pause)
            begun = time.monotonic()
            await self.look()
            needed = (time.monotonic() - begun) / SHARE
            pause = min(max(PAUSE_SECONDS, needed), LONGEST_PAUSE_SECONDS)

    async def look(self) -> None:
        """List again where runs wait, and have those reconciled that there is news of."""
        for namespace, before in list(self._listings.items()):
            if all(key[0] != namespace for key in self._waiting):
                del self._listings[namespace]
                continue
            try:
                found = self._listings[namespace] = await self._list(namespace)
            except ApiError as error:
                log.warning("Events not read", namespace=namespace, error=str(error))
                continue
            for key, job_uid in self._waiting.items():
                if key[0] == namespace and found.get(job_uid) != before.get(job_uid):
                    self._queue.add(key)

    async def _list(self, namespace: str) -> dict[str, list[Document]]:
        found: dict[str, list[Document]] = {}
        for event in await self._read(namespace):
            found.setdefault(event["involvedObject"].get("uid", ""), []).append(event)
        return found
