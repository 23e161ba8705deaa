"""What a run that waits is told of its place in the line, and when it is told anew."""

from datetime import datetime, timedelta

from trainyard_schema import QueuePlace

NEAR = 10
"""Up to this position every step forward is told."""
SHARE = 5
"""Further behind, a step is told when it is one in so many of the position."""
SURE_SECONDS = 60.0
"""Estimates that differ by less than this are the same."""


def worth_telling(told: QueuePlace | None, place: QueuePlace, now: datetime) -> bool:
    """Whether a place differs from the one told by enough to write it down.

    So a run's place is told O(log n) times, however many runs are ahead of it.
    """
    if told is None:
        return True
    steps = abs(told.position - place.position)
    if steps and min(told.position, place.position) <= NEAR:
        return True
    return steps * SHARE >= told.position or _other_time(
        told.estimated_start_time, place.estimated_start_time, now
    )


def _other_time(told: datetime | None, time: datetime | None, now: datetime) -> bool:
    if told is None or time is None:
        return told is not time
    wait = abs((told - now).total_seconds())
    return abs((time - told).total_seconds()) > max(SURE_SECONDS, wait / SHARE)


def place(position: int, length: int, wait: float | None, now: datetime) -> QueuePlace:
    """A place in the line. `wait` is the seconds until the run starts; None: unknown."""
    start = None if wait is None else (now + timedelta(seconds=wait)).replace(microsecond=0)
    return QueuePlace(position=position, length=length, estimated_start_time=start)
