"""Keeps a cache like the cluster: one list, then watches, whatever breaks in between."""

import asyncio
import gc
import random
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, Final

import structlog

from trainyard_api.cluster.cache import ObjectCache, version_of
from trainyard_api.cluster.client import WATCH_SECONDS, Cluster
from trainyard_api.cluster.errors import ExpiredError, UnavailableError
from trainyard_api.cluster.kinds import Document, Kind

log = structlog.get_logger()

_FIRST_PAUSE_SECONDS: Final = 0.2
_LONGEST_PAUSE_SECONDS: Final = 10.0
_TRUSTED_FAILURES: Final = 3


class Reflector:
    """For one kind of object."""

    def __init__(self, cluster: Cluster, kind: Kind, cache: ObjectCache[Any]) -> None:
        self._cluster = cluster
        self._kind = kind
        self._cache = cache
        self._listed = False
        self._failures = 0

    async def run(self) -> None:
        """For ever: no failure ends it, and none is followed by a storm of requests."""
        while True:
            try:
                if not self._listed:
                    await self._list()
                if await self._watch():
                    self._failures = 0
                    continue
            except ExpiredError:
                log.info("the watch has expired; everything is listed anew", kind=self._kind.name)
                self._listed = False
            except UnavailableError as error:
                log.warning("watch broken", kind=self._kind.name, error=str(error))
                # What does not mend itself may be the version: that of a restored cluster is lower.
                self._listed = self._listed and self._failures < _TRUSTED_FAILURES
            except Exception:
                log.exception("watch failed; everything is listed anew", kind=self._kind.name)
                self._listed = False
            await asyncio.sleep(self._pause())

    def _pause(self) -> float:
        """Seconds, at random: replicas that lost the same API server must not return as one."""
        longest = min(_FIRST_PAUSE_SECONDS * 2**self._failures, _LONGEST_PAUSE_SECONDS)
        self._failures = min(self._failures + 1, 10)
        return random.uniform(longest / 2, longest)  # noqa: S311 - no secret

    async def _list(self) -> None:
        items, version = await self._cluster.list(self._kind)
        self._cache.replace(items, int(version))
        self._listed = True
        # Searching 10,000 objects for garbage stops every request for 0.4 s, and finds none.
        gc.freeze()
        log.info("listed", kind=self._kind.name, count=len(items), resource_version=version)

    async def _watch(self) -> bool:
        """Follow one watch to its end. Whether it was a good one: told something, or lasted."""
        start = asyncio.get_running_loop().time()
        spoke = False
        async with self._cluster.watch(self._kind, self._cache.resource_version) as events:
            self._cache.heard()
            async for event in events:
                self._apply(event)
                spoke = True
                self._failures = 0
                # What has arrived together must not hold up the requests.
                await asyncio.sleep(0)
        self._cache.heard()
        return spoke or asyncio.get_running_loop().time() - start > WATCH_SECONDS / 2

    def _apply(self, event: Document) -> None:
        document = event["object"]
        match event["type"]:
            case "BOOKMARK":
                self._cache.heard(version_of(document))
            case "DELETED":
                self._cache.deleted(document)
            case _:
                self._cache.changed(document)


@asynccontextmanager
async def running(reflectors: Iterable[Reflector]) -> AsyncIterator[None]:
    """Keep the caches of all of these up to date."""
    tasks = [asyncio.create_task(reflector.run()) for reflector in reflectors]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
