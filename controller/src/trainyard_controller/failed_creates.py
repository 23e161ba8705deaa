"""The Events by which the Job controller tells that it could not create a pod."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence

from trainyard_controller.objects import Document

SHARED_SECONDS = 5.0
"""How long a listing serves all that ask."""


class FailedCreates:
    """By Job. The API server goes through all Events of a namespace for each question, so that one
    listing answers for all Jobs that wait: there may be thousands.
    """

    def __init__(
        self,
        read: Callable[[str], Awaitable[Sequence[Document]]],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`read` lists those of a namespace."""
        self._read = read
        self._clock = clock
        self._reading: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._listings: dict[str, tuple[float, dict[str, list[Document]]]] = {}
        """When each namespace was listed last, and what was found, by the uid of its Job."""

    async def of(self, namespace: str, job_uid: str) -> Sequence[Document]:
        """Those about the Job with this uid, as they were a few seconds ago or later."""
        async with self._reading[namespace]:
            asked = self._clock()
            last = self._listings.get(namespace)
            if last is None or asked - last[0] >= SHARED_SECONDS:
                found: dict[str, list[Document]] = {}
                for event in await self._read(namespace):
                    found.setdefault(event["involvedObject"]["uid"], []).append(event)
                last = self._listings[namespace] = asked, found
        return last[1].get(job_uid, [])
