"""Who waits for news of objects, and hears of each once, however often it has changed."""

import asyncio
from typing import Self


class Subscription:
    """An endless async iterator over the names of objects that have changed.

    It holds names and no states, each at most once: a slow reader gets the newest state, and never
    a queue that grows.
    """

    def __init__(self) -> None:
        self._changed: dict[str, None] = {}
        self._news = asyncio.Event()

    def tell(self, name: str) -> None:
        """Take note that this object has changed, or is gone."""
        self._changed[name] = None
        self._news.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        while not self._changed:
            self._news.clear()
            await self._news.wait()
        name = next(iter(self._changed))
        del self._changed[name]
        return name
