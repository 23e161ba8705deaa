"""The values of PriorityClasses, by which those who wait are put in order."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from trainyard_controller.objects import Document

LIFETIME_SECONDS = 300.0
"""A class can be replaced by another one of its name, and another become the default."""
RETRY_SECONDS = 10.0
"""Between two looks for a class that is not there."""


@dataclass(frozen=True)
class Classes:
    """The PriorityClasses of the cluster, as Kubernetes applies them to pods."""

    values: dict[str, int] = field(default_factory=dict)
    default: int = 0

    @classmethod
    def read(cls, documents: list[Document]) -> "Classes":
        """Of several defaults, which only races bring about, the lowest counts."""
        defaults = [one["value"] for one in documents if one.get("globalDefault")]
        values = {one["metadata"]["name"]: one["value"] for one in documents}
        return cls(values, min(defaults, default=0))


class Priorities:
    """Reads the PriorityClasses when it is asked for one, and not too often."""

    def __init__(
        self,
        listing: Callable[[], AsyncIterator[Document]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._listing = listing
        self._clock = clock
        self._classes = Classes()
        self._read_at: float | None = None
        self._lock = asyncio.Lock()

    async def value(self, name: str | None) -> int:
        """The priority of pods with this priorityClassName; 0 for one that is not there."""
        async with self._lock:
            if not self._is_fresh(name):
                self._classes = Classes.read([one async for one in self._listing()])
                self._read_at = self._clock()
        if name is None:
            return self._classes.default
        return self._classes.values.get(name, 0)

    def _is_fresh(self, name: str | None) -> bool:
        if self._read_at is None:
            return False
        known = name is None or name in self._classes.values
        lifetime = LIFETIME_SECONDS if known else RETRY_SECONDS
        return self._clock() - self._read_at < lifetime
