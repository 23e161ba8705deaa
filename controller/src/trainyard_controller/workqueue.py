"""A queue of keys: each at most once, one worker a key, retries ever later, delays, lanes."""

import asyncio
import itertools
import random
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from enum import Enum
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class QueueClosed(Exception):  # noqa: N818 - asyncio.QueueEmpty and its like are called so
    """Nothing is handed out any more."""


BASE_DELAY = 0.2
MAX_DELAY = 60.0


class Lane(Enum):
    """Where a key waits: first come, first served within each lane."""

    URGENT = 0
    """Goes before all others."""
    FRESH = 1
    """Takes turns with what is under way, so that neither has to wait for the last of the other."""
    UNDER_WAY = 2


_TURNS = (
    (Lane.URGENT, Lane.FRESH, Lane.UNDER_WAY),
    (Lane.URGENT, Lane.UNDER_WAY, Lane.FRESH),
)


class WorkQueue(Generic[K]):
    """What client-go's rate-limiting workqueue is, for one event loop, with lanes.

    A key added while a worker has it is handed out again after `done`, never at the same time.
    """

    def __init__(
        self,
        *,
        lane: Callable[[K], Lane] = lambda _: Lane.UNDER_WAY,
        base_delay: float = BASE_DELAY,
        max_delay: float = MAX_DELAY,
    ) -> None:
        """`lane` tells where a key that is added is to wait."""
        self._lane_of = lane
        self._base_delay = base_delay
        self._max_delay = max_delay
        self._lanes: dict[Lane, OrderedDict[K, None]] = {lane: OrderedDict() for lane in Lane}
        self._turns = itertools.cycle(_TURNS)
        self._processing: set[K] = set()
        self._dirty: set[K] = set()
        self._failures: dict[K, int] = {}
        self._retry_at: dict[K, float] = {}
        self._since: dict[K, float] = {}
        self._moved = 0.0
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._waiting = asyncio.Event()
        self._closed = False

    def __len__(self) -> int:
        return sum(map(len, self._lanes.values()))

    @property
    def oldest_age(self) -> float:
        """Seconds for which the oldest key has waited for a worker or been held by one; else 0.

        Keys that wait for their next try do not count: this tells how far behind the workers are.
        """
        if not self._since:
            return 0.0
        return asyncio.get_running_loop().time() - min(self._since.values())

    @property
    def stalled_seconds(self) -> float:
        """Seconds since a worker last took a key or was done with one, while there are any; else 0.

        Workers that are far behind, as after a great burst, are not stalled.
        """
        return asyncio.get_running_loop().time() - self._moved if self._since else 0.0

    def add(self, key: K) -> None:
        """Have the key handled as soon as possible."""
        if key in self._processing:
            self._dirty.add(key)
            return
        now = asyncio.get_running_loop().time()
        if not self._since:
            self._moved = now
        self._since.setdefault(key, now)
        own = self._lanes[self._lane_of(key)]
        for lane in self._lanes.values():
            if lane is not own:
                lane.pop(key, None)
        own.setdefault(key)
        self._waiting.set()

    def add_after(self, key: K, delay: float) -> None:
        """Have the key handled in `delay` seconds; of several wishes the earliest counts."""
        if delay <= 0:
            self.add(key)
            return
        loop = asyncio.get_running_loop()
        timer = self._timers.get(key)
        if timer is not None:
            if timer.when() <= loop.time() + delay:
                return
            timer.cancel()
        self._timers[key] = loop.call_later(delay, self._due, key)

    def _due(self, key: K) -> None:
        self._timers.pop(key, None)
        self.add(key)

    def retry(self, key: K, *, at_least: float = 0.0) -> float:
        """Have a failed key handled again, later each time. Returns the delay in seconds.

        A try that an event brought before the planned one leaves that where it was: events, which
        are many while something is away, would else put it off ever further.
        """
        now = asyncio.get_running_loop().time()
        if key in self._processing and key in self._retry_at:
            delay: float = max(at_least, self._retry_at[key] - now)
            self.add_after(key, delay)
            return delay
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        longest = min(self._max_delay, self._base_delay * 2 ** min(failures, 30))
        # Half fixed, half random: workers that failed together do not come back together.
        delay = max(at_least, longest * random.uniform(0.5, 1.0))  # noqa: S311
        self._retry_at[key] = now + delay
        self.add_after(key, delay)
        return delay

    def succeeded(self, key: K) -> None:
        """Forget the failures of a key."""
        self._failures.pop(key, None)
        self._retry_at.pop(key, None)

    def forget(self, key: K) -> None:
        """Drop all that is planned for a key whose object is gone."""
        self.succeeded(key)
        if timer := self._timers.pop(key, None):
            timer.cancel()

    def restart(self, keys: Iterable[K]) -> None:
        """Have exactly these keys handled, in this order, as if none had ever waited.

        What was added while nobody worked is no measure of whether the workers get on.
        """
        for lane in self._lanes.values():
            lane.clear()
        self._since.clear()
        for key in keys:
            self.add(key)

    def close(self) -> None:
        """Hand out nothing more: `get` raises `QueueClosed`, at once and from now on."""
        self._closed = True
        self._waiting.set()

    async def get(self) -> K:
        """Wait for a key; call `done` when it was handled. Raises `QueueClosed`."""
        while not len(self) and not self._closed:
            self._waiting.clear()
            await self._waiting.wait()
        if self._closed:
            raise QueueClosed
        lane = next(self._lanes[one] for one in next(self._turns) if self._lanes[one])
        key, _ = lane.popitem(last=False)
        self._processing.add(key)
        self._moved = asyncio.get_running_loop().time()
        if self._retry_at.get(key, 0.0) <= self._moved:
            self._retry_at.pop(key, None)
        return key

    def done(self, key: K) -> None:
        """A worker no longer has the key."""
        self._processing.discard(key)
        self._since.pop(key, None)
        self._moved = asyncio.get_running_loop().time()
        if key in self._dirty:
            self._dirty.discard(key)
            self.add(key)
