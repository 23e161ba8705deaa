"""An event loop in a thread, for what goes on beside a test."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Background:
    """Runs coroutines until it is closed."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T], timeout: float = 60) -> T:
        """Have it run there, and wait for what it returns."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(timeout)

    def start(self, coroutine: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Have it run there on its own; whoever starts it ends it with `stop`."""

        async def create() -> "asyncio.Task[None]":
            return asyncio.create_task(coroutine)

        return self.run(create())

    def stop(self, task: "asyncio.Task[None]") -> None:
        """End a task. Raises what it failed with, if it has failed before."""

        async def end() -> None:
            task.cancel()
            await asyncio.wait([task])

        self.run(end())
        if not task.cancelled() and (error := task.exception()):
            raise error

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()
