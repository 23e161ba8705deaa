"""When a run that is stopping is looked at in the cluster itself: ever less often."""

import time
from collections.abc import Callable

from trainyard_controller.objects import Key

FIRST_SECONDS = 5.0
LONGEST_SECONDS = 60.0


class Looks:
    """Pods that go before the watches have begun are never told of, so somebody has to look.

    The API server goes through all pods of the namespace each time, and a busy Job controller may
    be minutes late to stop them.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._next: dict[Key, tuple[float, float]] = {}
        """The time of the next look, and the seconds between it and the one before."""

    def is_due(self, key: Key) -> bool:
        """Whether it is time to look, which is then taken for done."""
        now = self._clock()
        due, pause = self._planned(key, now)
        if now < due:
            return False
        pause = min(2 * pause, LONGEST_SECONDS)
        self._next[key] = now + pause, pause
        return True

    def left(self, key: Key) -> float:
        """Seconds until the next look."""
        now = self._clock()
        due, _pause = self._planned(key, now)
        return due - now

    def _planned(self, key: Key, now: float) -> tuple[float, float]:
        return self._next.setdefault(key, (now + FIRST_SECONDS, FIRST_SECONDS))

    def forget(self, key: Key) -> None:
        """The run waits no more."""
        self._next.pop(key, None)
