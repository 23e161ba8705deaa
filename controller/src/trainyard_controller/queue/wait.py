"""Why a run does not start though nothing is wrong with it."""

from dataclasses import dataclass
from datetime import datetime

from trainyard_schema import QueuePlace, Reason


@dataclass(frozen=True, kw_only=True)
class Wait:
    """What a run that waits for its turn is told."""

    reason: Reason
    message: str
    place: QueuePlace | None = None


NEWCOMER = Wait(reason=Reason.WAITING_FOR_SLOT, message="waits for a free slot")
"""Before its place is known."""


def for_slot(place: QueuePlace, now: datetime) -> Wait:
    """The run has a place in the operator's own queue."""
    message = f"position {place.position} of {place.length}"
    if (start := place.estimated_start_time) is not None:
        day = "" if start.date() == now.date() else "%Y-%m-%d "
        message += f", estimated start {start:{day}%H:%M} UTC"
    return Wait(reason=Reason.WAITING_FOR_SLOT, message=message, place=place)


def for_kueue(queue: str) -> Wait:
    """The run's Job waits to be admitted."""
    return Wait(
        reason=Reason.WAITING_FOR_KUEUE,
        message=f"waits for Kueue's queue {queue}; `kubectl get workloads` tells more",
    )
