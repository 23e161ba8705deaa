"""What only the leader does: from its election to an orderly end."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import Any

from trainyard_controller.election import Elector
from trainyard_controller.objects import Key
from trainyard_controller.workqueue import WorkQueue

DRAIN_SECONDS = 5.0
"""How long what is under way may take when the process is to end."""

Work = Coroutine[Any, Any, None]


class Duty:
    """Workers and what helps them, for as long as this process may act."""

    def __init__(
        self,
        *,
        elector: Elector | None,
        queues: Sequence[WorkQueue[Key]],
        listed: Callable[[], Awaitable[None]],
        begin: Callable[[], None],
        workers: Callable[[], Iterable[Work]],
        helpers: Callable[[], Iterable[Work]],
    ) -> None:
        """Without an elector this process is the only one."""
        self._elector = elector
        self._queues = queues
        self._listed = listed
        self._begin = begin
        self._make_workers = workers
        self._make_helpers = helpers
        self._workers: set[asyncio.Task[None]] = set()
        self._helpers: set[asyncio.Task[None]] = set()

    async def run(self, ours: set[asyncio.Task[Any]]) -> None:
        """Wait to be elected, then work for ever. Raises what ends that.

        All tasks that are started are put among `ours`.
        """
        if self._elector is not None:
            await self._listed()
            await self._elector.acquire()
            self._helpers |= _start([self._elector.hold()], ours)
        self._begin()
        self._workers = _start(self._make_workers(), ours)
        self._helpers |= _start(self._make_helpers(), ours)
        done, _ = await asyncio.wait(
            self._workers | self._helpers, return_when=asyncio.FIRST_COMPLETED
        )
        for task in done:
            task.result()

    async def end(self) -> None:
        """Begin nothing new, finish what is under way, and let another replica take over.

        The lease is renewed until the last worker has stopped. Without it, nothing is finished.
        """
        for queue in self._queues:
            queue.close()
        if self._workers and (self._elector is None or self._elector.leads):
            await asyncio.wait(self._workers, timeout=DRAIN_SECONDS)
        ending = self._workers | self._helpers
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        if self._elector is not None:
            await self._elector.release()


def _start(work: Iterable[Work], ours: set[asyncio.Task[Any]]) -> set[asyncio.Task[None]]:
    started = {asyncio.create_task(one) for one in work}
    ours |= started
    return started
