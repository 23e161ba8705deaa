"""The place of a run in the line, and when a run is told of a new one."""

from datetime import datetime
from typing import NamedTuple

from trainyard_schema import QueuePlace

NEAR = 10
"""Up to this position every step is told."""
SHARE = 5
"""Further behind, a move is told when it is one in so many of the position."""
SURE_SECONDS = 60.0
"""Estimates that differ by less than this are the same."""


class Place(NamedTuple):
    """A place in the line at the moment."""

    position: int
    length: int
    start: datetime | None
    """When the run is expected to start; None: unknown."""

    @property
    def told(self) -> QueuePlace:
        """What the status says of it."""
        return QueuePlace(
            position=self.position, length=self.length, estimated_start_time=self.start
        )


def worth_telling(told: QueuePlace | None, place: Place, now: datetime) -> bool:
    """Whether a place differs from the one told by enough to write it down.

    So a run's place is told O(log n) times, however many runs are ahead of it.
    """
    if told is None:
        return True
    steps = abs(told.position - place.position)
    if steps and min(told.position, place.position) <= NEAR:
        return True
    return steps * SHARE >= told.position or _differs(told.estimated_start_time, place.start, now)


def _differs(told: datetime | None, start: datetime | None, now: datetime) -> bool:
    if told is None or start is None:
        return told is not start
    wait = abs((told - now).total_seconds())
    return abs((start - told).total_seconds()) > max(SURE_SECONDS, wait / SHARE)
